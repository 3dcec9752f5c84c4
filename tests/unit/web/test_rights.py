"""What the command line makes of exports and of the audit log, and the page that tells of it."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from server import app, cli
from server.commands import audit, exporting, table
from server.domain.policy import Policy
from server.errors import SetupError
from server.settings import Settings
from server.web import rights
from server.web.remote import Operate
from tests.support.running import running_node

PAGE = (Path(__file__).parents[3] / "docs" / "rights.md").read_text()
NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90m", datetime(2026, 3, 10, 10, 30, tzinfo=UTC)),
        ("36h", datetime(2026, 3, 9, tzinfo=UTC)),
        ("7d", datetime(2026, 3, 3, 12, tzinfo=UTC)),
        ("2026-01-01", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01T10:00:00+02:00", datetime(2026, 1, 1, 8, tzinfo=UTC)),
    ],
)
def test_since_is_a_while_or_a_date(text: str, moment: datetime) -> None:
    assert rights.since_ms(text, NOW) == int(moment.timestamp() * 1000)


def test_since_is_the_beginning_where_it_is_not_given_or_before_it() -> None:
    assert rights.since_ms(None, NOW) == 0
    assert rights.since_ms("99999d", NOW) == 0


@pytest.mark.parametrize("text", ["", "lately", "7", "7w", "-1d", "2026-13-01", "d"])
def test_a_wrong_since_is_named(text: str) -> None:
    with pytest.raises(SetupError, match=f"--since {text}"):
        rights.since_ms(text, NOW)


async def test_an_export_is_one_document_of_its_pages() -> None:
    pages: list[dict[str, Any]] = [
        {"section": "a", "items": [{"x": 1}], "at_ms": 5, "next": {"section": "a", "before": "k"}},
        {"section": "a", "items": [{"x": "é\u2028"}], "at_ms": 6, "next": {"section": "b"}},
        {"section": "b", "items": [], "at_ms": 7},
    ]
    asked: list[dict[str, Any]] = []

    async def operate(cmd: str, params: dict[str, Any]) -> dict[str, Any]:
        asked.append(params)
        return pages[len(asked) - 1]

    out = io.StringIO()
    assert await rights.write_export(operate, "ada", out) == 2
    assert json.loads(out.getvalue()) == {
        "export": 1, "member": "ada", "sections": {"a": [{"x": 1}, {"x": "é\u2028"}], "b": []},
        "from_ms": 5, "to_ms": 7,
    }  # fmt: skip
    assert asked == [
        {"id": "ada"},
        {"id": "ada", "section": "a", "before": "k"},
        {"id": "ada", "section": "b"},
    ]


def write_half(path: Path) -> None:
    with rights.owners_file(path) as file:
        file.write("half")
        raise ValueError("broken")


def test_a_file_is_its_owners_and_there_once_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    umask = os.umask(0)
    try:
        with rights.owners_file(path) as file:
            file.write("whole")
            assert not path.exists()
    finally:
        os.umask(umask)
    assert path.read_text() == "whole"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(ValueError, match="broken"):
        write_half(path)
    assert path.read_text() == "whole"
    assert [p.name for p in tmp_path.iterdir()] == ["export.json"]


def test_the_table_says_all_of_an_entry() -> None:
    entry = {"at_ms": 0, "by": "member", "member": "ada", "cmd": "settings.set", "outcome": "done",
             "about": [], "detail": {"fields": ["inmail", "receipts"]}}  # fmt: skip
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(rights.table([entry, {**entry, "by": "operator", "about": ["a", "b"]}]))
    shown = console.export_text()
    for words in ("1970-01-01 00:00:00.000", "ada", "settings.set", "a, b", "inmail receipts"):
        assert words in shown


# --- docs/rights.md --------------------------------------------------------------------------


def names(section: str) -> set[str]:
    """What is in code in the first cells of the tables under a heading."""
    text = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| ")]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def test_every_section_and_every_act_has_its_row() -> None:
    assert names("Export") == set(exporting.SECTIONS)
    acts = {*audit.ACTS, *audit.READS, "hold.put", "hold.delete"}
    assert names("Audit log") == acts
    assert acts <= {*table.MEMBER, *table.OPERATOR}


def shown(program: str) -> list[list[str]]:
    """The commands of one program that the page shows, as words."""
    return [shlex.split(line) for line in PAGE.splitlines() if line.startswith(f"{program} ")]


async def test_the_requests_shown_are_answered() -> None:
    (policy,) = re.findall(r"(?ms)^```toml\n(.*?)^```$", PAGE)
    assert "retention_days" in policy
    async with running_node(policy=Policy()) as server, httpx.AsyncClient() as http:
        await server.people("ada", "grace")
        hold = ""
        requests = shown("curl")
        assert len(requests) == 4
        for words in requests:
            headers = dict(
                words[at + 1].split(": ", 1) for at, word in enumerate(words) if word == "-H"
            )
            headers["X-API-Key"] = headers["X-API-Key"].replace("$KEY", server.admin_key)
            body = words[words.index("-d") + 1].replace("HOLD", hold)
            url = words[1].replace("http://127.0.0.1:8000", server.base)
            answer = await http.post(url, content=body, headers=headers)
            assert answer.status_code == 200, (words, answer.text)
            hold = answer.json()["result"].get("hold", hold)


def test_the_commands_shown_are_understood(tmp_path: Path, monkeypatch: Any) -> None:
    given: list[str] = []

    @asynccontextmanager
    async def operating(settings: Settings) -> AsyncIterator[Operate]:
        async def operate(cmd: str, params: dict[str, Any]) -> dict[str, Any]:
            given.append(cmd)
            page = {"section": "profile", "items": [], "at_ms": 1}
            return page if cmd == "member.export" else {"entries": [], "more": False}

        yield operate

    monkeypatch.setattr(app, "operating", operating)
    monkeypatch.chdir(tmp_path)
    commands = shown("subrosa")
    assert len(commands) >= 5
    for words in commands:
        monkeypatch.setattr("sys.argv", words)
        with pytest.raises(SystemExit) as end:
            cli.main()
        assert not end.value.code, words
    assert given == [f"member.{words[1]}" if words[1] == "export" else "audit.list"
                     for words in commands]  # fmt: skip
    assert stat.S_IMODE((tmp_path / "ada.json").stat().st_mode) == 0o600
