"""The documents are complete and true: nothing is missing from its page, and examples run."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import re
import sqlite3
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families
from typer.main import get_command

from server import cli, settings
from server.commands import table
from server.commands.events import EVENTS, SIGNALS
from server.domain.policy import DEFAULT, PerPlan, Policy, Rate
from server.errors import tree
from server.protocol.closes import CLOSES
from server.web.endpoint import Limits
from server.web.reference import make
from server.web.tokens import Tokens
from tests.support.json_schema import faults
from tests.support.peer_client import Peer, connected
from tests.support.running import Process, running_node

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
ASYNCAPI: dict[str, Any] = json.loads(make(DEFAULT)["asyncapi.json"][1])


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def rows(text: str) -> dict[str, list[str]]:
    """The tables' rows by each name in code in their first cell."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("| "):
            cells = re.split(r"\s*\|\s*", line.strip())[1:-1]
            for name in re.findall(r"`([^`]+)`", cells[0]):
                found[name] = cells
    return found


def section(text: str, title: str) -> str:
    """What is under a heading, up to the next one of its kind."""
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def constants(kind: type, folders: tuple[str, ...]) -> Iterator[Any]:
    """Every constant of a type in the code of these parts of the server."""
    for folder in folders:
        for path in (ROOT / "server" / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_bytes())):
                if isinstance(node, ast.Constant) and type(node.value) is kind:
                    yield node.value


# --- protocol.md -----------------------------------------------------------------------------


def test_every_command_has_its_row() -> None:
    assert rows(section(PROTOCOL, "Commands")).keys() >= set(table.MEMBER)


def test_every_event_and_signal_is_named() -> None:
    told = rows(section(PROTOCOL, "Topics, positions and events"))
    assert set(EVENTS) <= told.keys()
    assert {name for name in told if "." in name} <= set(EVENTS)
    for name in SIGNALS:
        assert f'"{name}"' in section(PROTOCOL, "Signals")


def test_every_error_code_has_its_row() -> None:
    told = rows(section(PROTOCOL, "Errors"))
    for code, kind in tree().items():
        assert told[code][1:3] == [str(kind.status), "yes" if kind.retryable else "no"], code


def test_every_rule_that_is_refused_by_has_its_row() -> None:
    rules = set()
    for path in (ROOT / "server").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Refused":
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    rules.add(first.value)
    assert len(rules) > 10
    assert rules <= rows(section(PROTOCOL, "Errors")).keys()


def test_every_close_code_has_its_row() -> None:
    lines = [line for line in section(PROTOCOL, "Close codes").splitlines() if line[:2] == "| "]
    told = {int(code): line for line in lines for code in re.findall(r"\d{4}", line.split("|")[1])}
    assert told.keys() == CLOSES.keys()
    for code, close in CLOSES.items():
        assert close.then in told[code], code


def test_no_close_code_is_used_that_has_no_row() -> None:
    numbers = set(constants(int, ("protocol", "realtime", "web")))
    used = {n for n in numbers if 4000 <= n < 5000 or 1002 <= n < 1012} - {4096}  # a backlog
    assert used == set(CLOSES)


def frames() -> list[tuple[str, dict[str, Any]]]:
    """The frames that the page shows, with who sends them."""
    found = re.findall(r"^([→←]) (\{.*\})$", PROTOCOL, re.MULTILINE)
    return [(arrow, json.loads(frame)) for arrow, frame in found]


def test_the_frames_shown_are_frames_of_the_protocol() -> None:
    messages = ASYNCAPI["channels"]["socket"]["messages"]
    asked: dict[Any, str] = {}
    kinds = set()
    for arrow, frame in frames():
        if arrow == "→":
            name = asked[frame["id"]] = frame["cmd"]
        elif "event" in frame:
            name = f"{frame['event']}.event"
        else:
            name = "error" if "error" in frame else f"{asked[frame['id']]}.result"
        kinds.add(name)
        assert faults(frame, messages[name]["payload"], ASYNCAPI) == [], frame
    assert len(kinds) > 12


def test_the_limits_told_are_those_in_force() -> None:
    told = section(PROTOCOL, "Limits")
    limits = Limits()
    for number in (
        f"{limits.max_size:,} bytes, {limits.fragments} fragments",
        f"{limits.controls} in {limits.controls_s:g} s",
        f"| {DEFAULT.in_flight_per_session} |",
        f"| {DEFAULT.sessions_per_member} |",
        f"{DEFAULT.buffer_soft_bytes // 1024} KiB",
        f"{DEFAULT.buffer_hard_bytes // 2**20} MiB or {DEFAULT.buffer_age_ms // 1000} s",
        f"{DEFAULT.body_characters:,}, {DEFAULT.subject_characters}, {DEFAULT.title_characters}, "
        f"{DEFAULT.note_characters_basic} or {DEFAULT.note_characters_paid} characters",
        f"| {DEFAULT.reactions_per_member} |",
    ):
        assert number in told, number


# --- operations.md ---------------------------------------------------------------------------


def test_every_setting_has_its_row_with_its_default() -> None:
    told = rows(section(OPERATIONS, "Settings"))
    assert {name for name in told if name.startswith("SUBROSA_")} == set(
        settings.VARIABLES.values()
    )
    defaults = settings.load({}, {})
    words: dict[Any, str] = {True: "on", False: "off", "": "none", (): "its own"}
    given_elsewhere = {"signing_key": "DIR/signing.key", "admin_key": "DIR/admin.key"}
    for name, variable in settings.VARIABLES.items():
        value = getattr(defaults, name)
        word = str(value) if type(value) is int else words.get(value, str(value))
        assert told[variable][2].strip("`") == given_elsewhere.get(name, word), variable


def test_every_flag_of_serve_has_its_row() -> None:
    command = get_command(cli.cli)
    serve = command.commands["serve"]  # type: ignore[attr-defined]
    flags = {flag for param in serve.params for flag in param.opts if flag != "--help"}
    cells = [row[1] for row in rows(section(OPERATIONS, "Settings")).values()]
    told = {flag for cell in cells for flag in re.findall(r"--[a-z]+", cell)}
    assert flags == told
    for name in command.commands:  # type: ignore[attr-defined]
        assert f"subrosa {name}" in OPERATIONS, name


def test_every_number_of_the_policy_has_its_row_with_its_default() -> None:
    told = rows(section(OPERATIONS, "The policy file"))
    assert set(told) == set(Policy.__struct_fields__)
    for name in Policy.__struct_fields__:
        value = getattr(DEFAULT, name)
        if isinstance(value, Rate):
            word = f"{{ per_second = {value.per_second}, burst = {value.burst} }}"
        elif isinstance(value, PerPlan):
            numbers = msgspec.structs.asdict(value).items()
            word = f"{{ {', '.join(f'{plan} = {number}' for plan, number in numbers)} }}"
        else:
            word = json.dumps(value)
        assert told[name][1] == f"`{word}`", name


def test_every_source_of_a_number_is_the_one_in_the_code() -> None:
    code = (ROOT / "server" / "domain" / "policy.py").read_text()
    told = rows(section(OPERATIONS, "The policy file"))
    for name in Policy.__struct_fields__:
        line = re.search(rf"^    {name}: .*$", code, re.MULTILINE)
        assert line, name
        sources = re.findall(r"\[\w+]", line[0].partition("#")[2])
        assert re.findall(r"\[\w+]", told[name][3] if len(told[name]) > 3 else "") == sources, name


def test_a_number_has_an_effect_or_is_said_to_have_none() -> None:
    read = set()
    for path in (ROOT / "server").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Attribute):
                read.add(node.attr)
    told = rows(section(OPERATIONS, "The policy file"))
    for name in Policy.__struct_fields__:
        effective = name in read or name.startswith("rate_")
        assert ("no effect yet" not in told[name][2]) is effective, name


def test_the_policy_shown_is_one() -> None:
    (shown,) = blocks(OPERATIONS, "toml")
    policy = msgspec.convert(tomllib.loads(shown), Policy)
    assert policy.edit_window_ms == 15 * 60_000
    assert policy != DEFAULT


async def test_every_metric_has_its_row_and_every_row_its_metric() -> None:
    async with running_node() as server, httpx.AsyncClient(base_url=server.base) as http:
        text = (await http.get("/metrics")).text
    families = text_string_to_metric_families(text)
    names = {f.name + ("_total" if f.type == "counter" else "") for f in families}
    assert set(rows(section(OPERATIONS, "Health and metrics"))) == names


def test_every_command_of_the_operator_is_named() -> None:
    for name in table.OPERATOR:
        assert f"`{name}`" in OPERATIONS, name


def test_tokens_made_as_shown_are_taken(tmp_path: Path) -> None:
    shown = [block for block in blocks(OPERATIONS, "python") if "jwt" in block]
    place: dict[str, Any] = {}
    for block in shown:
        exec(compile(block, "operations.md", "exec"), place)
    signing_key = "k" * 48
    tokens = Tokens.signing(signing_key, time.time)
    assert tokens.verify(place["token_for"]("ada", signing_key)).member == "ada"

    commands = [line for line in OPERATIONS.splitlines() if line.startswith("openssl ")]
    assert len(commands) == 2
    for command in commands:
        subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    tokens = Tokens.checking(tmp_path / "token-public.pem", time.time)
    token = place["token_signed_elsewhere"]("ada", tmp_path / "token-private.pem")
    assert tokens.verify(token).member == "ada"


async def test_the_import_shown_can_be_imported_and_again(tmp_path: Path) -> None:
    (shown,) = blocks(section(OPERATIONS, "Members and connections"), "json")
    (tmp_path / "members.jsonl").write_text(shown)
    for _ in range(2):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "server", "import", str(tmp_path / "members.jsonl"),
            "--data", str(tmp_path / "data"), cwd=ROOT, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await process.communicate()
        assert process.returncode == 0
        assert out == b"3 of 3 commands done\n"


async def test_a_backup_made_and_restored_as_shown_resets_clients(tmp_path: Path) -> None:
    text = section(OPERATIONS, "Backup and restore")
    (backup,), (sql,) = blocks(text, "python"), blocks(text, "sql")
    data = tmp_path / "data"
    async with running_node(data=data) as server:
        await server.people("ada", "grace")
        async with connected(server, "ada") as (ada,):
            await ada.call("message.send", to="grace", body="kept", client_id="1")
            code = compile(backup.replace('"data/', f'"{data}/').replace(
                '"backup.db"', f'"{tmp_path}/backup.db"'), "operations.md", "exec")  # fmt: skip
            await asyncio.to_thread(exec, code, {})
            lost = await ada.call("message.send", to="grace", body="lost", client_id="2")
            seen = {"member:ada": (await ada.event("message.created"))["pos"] + 1}
        epoch = server.node.store.deployment.epoch
    for name in ("subrosa.db-wal", "subrosa.db-shm"):
        (data / name).unlink(missing_ok=True)
    (tmp_path / "backup.db").rename(data / "subrosa.db")
    database = sqlite3.connect(data / "subrosa.db", isolation_level=None)
    assert database.execute(sql).rowcount == 1
    database.close()
    async with running_node(data=data) as server:
        assert server.node.store.deployment.epoch != epoch
        async with Peer(server.ws, server.token("ada")) as peer:
            # Other events have taken the position of what was lost: only the epoch tells.
            answer = await peer.connect(resume=seen, epoch=epoch)
            assert answer["reset"] == ["member:ada"]
            history = await peer.call("conversation.history", conversation=lost["conversation"])
            assert [message["body"] for message in history["messages"]] == ["kept"]


# --- README, decisions and all pages ---------------------------------------------------------


async def test_the_first_conversation_runs() -> None:
    (script,) = blocks(README, "python")
    assert len(script.splitlines()) < 20
    async with running_node(demo=True) as server:
        script = script.replace("http://127.0.0.1:8000", server.base)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-W", "error", "-c", script,
            cwd=ROOT, env=dict(os.environ), stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await process.communicate()
    assert process.returncode == 0
    assert out.decode() == "grace wrote: Can you look at the roof on Friday?\n"


async def test_the_server_says_what_the_page_says_it_says(tmp_path: Path) -> None:
    process = Process(tmp_path)
    await process.start()
    try:
        port = process.base.rpartition(":")[2]
        assert process.base.replace(port, "8000") in OPERATIONS
        assert "`Subrosa listens on http://127.0.0.1:8000`" in OPERATIONS
        made = {path.name for path in tmp_path.iterdir()}
        assert {"subrosa.db", "signing.key", "admin.key", "subrosa.lock"} <= made
        for name in made:
            assert name.partition("-")[0] in OPERATIONS, name
    finally:
        await process.kill()


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text()))
    for page in PAGES:
        named = re.findall(r"(?m)(?:^|`)make ([a-z]+)", page.read_text())
        assert set(named) <= targets, page.name


def test_decisions_are_numbered_and_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    pages = sorted(path for path in folder.glob("*.md") if path.name != "README.md")
    index = (folder / "README.md").read_text()
    for number, page in enumerate(pages, 1):
        title = page.read_text().splitlines()[0]
        assert page.name.startswith(f"{number:04}-"), page.name
        assert title.startswith(f"# {number}. "), page.name
        assert f"{number}. [{title.partition('. ')[2]}]({page.name})" in index
        for heading in ("## Context", "## Choice", "## Consequences"):
            assert heading in page.read_text(), page.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_decision_is_called_by_its_number(page: Path) -> None:
    for number, file in re.findall(r"\[decision (\d+)]\(\S*?(\d{4})-", page.read_text()):
        assert int(number) == int(file), page.name


def slug(heading: str) -> str:
    """The anchor that a heading has where pages are shown."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_headings_lead_to_one(page: Path) -> None:
    for target, anchor in re.findall(r"]\(([^)#\s]*)#([^)\s]+)\)", page.read_text()):
        there = (page.parent / target).resolve() if target else page
        headings = re.findall(r"(?m)^#+ (.*)$", there.read_text())
        assert anchor in {slug(heading) for heading in headings}, f"{target}#{anchor}"
