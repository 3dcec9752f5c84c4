"""`subrosa load` as a process against a real server: every scenario clean, and every lie found."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.meddling_proxy import MeddlingProxy, Misdeed
from tests.support.running import running_node

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(90)


@dataclass
class Ran:
    """How a run ended, and what it said and wrote."""

    code: int
    said: str
    report: dict[str, Any]
    page: str


async def start(*arguments: str, key: str = "", cwd: Path = ROOT) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "server", "load", *arguments, cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "SUBROSA_ADMIN_KEY": key, "COLUMNS": "100"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip


async def load(tmp_path: Path, base: str, key: str, *arguments: str) -> Ran:
    written, page = tmp_path / "report.json", tmp_path / "report.html"
    process = await start(
        *arguments, "--target", base, "--json", str(written), "--html", str(page), key=key
    )
    try:
        said = (await process.communicate())[0].decode()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode is not None
    if not written.exists():
        return Ran(process.returncode, said, {}, "")
    return Ran(process.returncode, said, json.loads(written.read_text()), page.read_text())


def found(report: dict[str, Any]) -> dict[str, int]:
    return {kind: one["count"] for kind, one in report["findings"].items() if one["count"]}


SMALL = {
    "room": ("--members", "10", "--sessions", "20", "--rate", "40"),
    "rooms": ("--members", "50", "--sessions", "50", "--rate", "40"),
    "pairs": ("--members", "10", "--sessions", "20", "--rate", "80"),
    "signals": ("--members", "10", "--sessions", "20", "--rate", "60"),
    "storm": ("--members", "10", "--sessions", "60", "--rate", "60"),
    "reconnect": ("--members", "10", "--sessions", "20", "--rate", "40"),
    "slow": ("--members", "10", "--sessions", "40", "--rate", "40"),
    "churn": ("--members", "12", "--sessions", "24", "--rate", "60"),
}


@pytest.mark.parametrize("scenario", SMALL)
async def test_every_scenario_is_clean(scenario: str, tmp_path: Path) -> None:
    async with running_node() as server:
        ran = await load(
            tmp_path, server.base, server.admin_key, scenario, *SMALL[scenario], "--seconds", "1.5"
        )
    assert ran.code == 0, ran.said
    report = ran.report
    assert report["version"] == 1
    assert report["scenario"] == scenario
    assert found(report) == {}
    assert report["unjudged"] == []
    plan, totals, latency = report["plan"], report["totals"], report["latency_ms"]
    assert totals["connects"] >= plan["sessions"]
    assert totals["answered"] > 0
    assert totals["answered"] == latency["answer"]["count"]
    assert totals["deliveries"] >= latency["delivery"]["count"] > totals["answered"]
    for row in latency.values():
        assert 0 < row["p50"] <= row["p90"] <= row["p99"] <= row["p999"] <= row["max"]
    assert len(report["generators"]) == 1
    assert report["servers"][0]["memory_after"] > 1e6
    assert report["series"]
    assert ran.page.startswith("<!doctype html>")
    assert server.admin_key not in ran.page + ran.said + json.dumps(report)
    EXPECTED.get(scenario, _nothing_else)(report)


def _nothing_else(report: dict[str, Any]) -> None:
    assert report["errors"] == {}
    assert report["totals"]["waited"] == 0


def _signals(report: dict[str, Any]) -> None:
    assert report["totals"]["signals"] > 0
    assert report["totals"]["actions"] > 0


def _storm(report: dict[str, Any]) -> None:
    assert report["totals"]["due"] >= 50


def _reconnect(report: dict[str, Any]) -> None:
    totals = report["totals"]
    assert totals["cuts"] >= 20
    assert totals["connects"] >= 20 + totals["cuts"]
    assert totals["resets"] == 0
    assert report["closes"] == {}


def _some_actions(report: dict[str, Any]) -> None:
    assert report["totals"]["actions"] > 0


EXPECTED = {
    "signals": _signals,
    "storm": _storm,
    "reconnect": _reconnect,
    "slow": _some_actions,
    "churn": _some_actions,
}

MISDEEDS = {
    Misdeed.DROP: "lost",
    Misdeed.REPEAT: "duplicated",
    Misdeed.SWAP: "reordered",
    Misdeed.MISDELIVER: "leaked",
}


@pytest.mark.parametrize("misdeed", MISDEEDS, ids=lambda misdeed: misdeed.name.lower())
async def test_what_a_proxy_does_to_one_message_is_found(misdeed: Misdeed, tmp_path: Path) -> None:
    """Two rooms of three, so that there is somebody who may not have it."""
    async with (
        running_node() as server,
        MeddlingProxy(int(server.base.rpartition(":")[2]), misdeed) as proxy,
    ):
        ran = await load(
            tmp_path, proxy.base, server.admin_key, "rooms", "--members", "53", "--sessions", "53",
            "--rate", "20", "--seconds", "1.5", "--encoding", "json",
        )  # fmt: skip
        assert proxy.done is not None, ran.said
    kind = MISDEEDS[misdeed]
    assert ran.code == 1, ran.said
    assert found(ran.report) == {kind: 1}, ran.said
    (example,) = ran.report["findings"][kind]["examples"]
    assert proxy.done.decode() in example
    assert f"FAULTS FOUND: 1 {kind}." in ran.said
    assert example in ran.said


async def test_several_processes_and_nodes_keep_one_book(tmp_path: Path) -> None:
    async with running_node() as server:
        twice = (server.base, "--target", server.base)
        ran = await load(
            tmp_path, twice[0], server.admin_key, "room", *twice[1:], "--members", "10",
            "--sessions", "20", "--rate", "40", "--seconds", "1", "--processes", "2",
        )  # fmt: skip
    assert ran.code == 0, ran.said
    assert len(ran.report["generators"]) == 2
    totals = ran.report["totals"]
    assert totals["answered"] == totals["sent"]
    assert totals["deliveries"] == totals["answered"] * 20


async def test_a_server_of_its_own_is_started_and_ended(tmp_path: Path) -> None:
    process = await start(
        "pairs", "--members", "4", "--sessions", "4", "--rate", "20", "--seconds", "0.5"
    )
    said = (await process.communicate())[0].decode()
    assert process.returncode == 0, said
    assert "Clean: nothing lost, duplicated, reordered or leaked." in said
    base = said.split("making 4 members on http://")[1].split(" ")[0]
    host, port = base.split(":")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(host, int(port))


async def test_ctrl_c_ends_a_run_in_good_order(tmp_path: Path) -> None:
    async with running_node() as server:
        process = await start(
            "room", "--members", "5", "--sessions", "5", "--rate", "20", "--seconds", "600",
            "--target", server.base, key=server.admin_key,
        )  # fmt: skip
        assert process.stdout is not None
        said = ""
        while "running: 5 of 5" not in said:
            said += (await process.stdout.readline()).decode()
        prefix = said.split("(load-")[1].split("-")[0]
        process.send_signal(signal.SIGINT)
        said += (await process.communicate())[0].decode()
        assert process.returncode == 130, said
        assert "Stopped early: Clean" in said
        gone = {"cmd": "token.issue", "params": {"member": f"load-{prefix}-0"}}
        (answer,) = (await server.operate("batch", commands=[gone]))["results"]
    assert "error" in answer, "the members are still there"


# --- what keeps a run from taking place -----------------------------------------------------------


async def test_without_a_scenario_they_are_listed() -> None:
    process = await start()
    said = (await process.communicate())[0].decode()
    assert process.returncode == 0
    assert [line.split()[0] for line in said.splitlines()] == list(SMALL)


async def test_a_wrong_key_and_too_many_sessions_are_one_line(tmp_path: Path) -> None:
    async with running_node() as server:
        wrong = await load(tmp_path, server.base, "wrong", "room")
        many = await load(
            tmp_path, server.base, server.admin_key, "pairs", "--members", "2", "--sessions", "200"
        )
    assert wrong.code == many.code == 2
    assert wrong.said.splitlines()[-1] == f"subrosa: {server.base} does not take this admin key"
    assert "allows 50 sessions a member" in many.said.splitlines()[-1]


WRONG = {
    ("nonsense",): "there is no scenario 'nonsense'",
    ("room", "--members", "many"): "'--members'",
}


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
async def test_what_is_wrong_is_one_clear_line(arguments: tuple[str, ...]) -> None:
    process = await start(*arguments)
    said = (await process.communicate())[0].decode()
    assert process.returncode == 2, said
    (line,) = said.splitlines()
    assert line.startswith("subrosa: ")
    assert WRONG[arguments] in line
