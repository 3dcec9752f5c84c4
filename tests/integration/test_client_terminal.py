"""Three terminals on a real server, as a person would use them; a fourth member hears nothing."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.peer_client import Peer
from tests.support.running import Running, running_node

ROOT = Path(__file__).parents[2]


class Terminal:
    """`python -m client_demo`, its lines in and out."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    def type(self, *lines: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("".join(f"{line}\n" for line in lines).encode())

    async def see(self, text: str) -> str:
        """The next line printed that contains this."""
        assert self.process.stdout is not None
        while line := (await self.process.stdout.readline()).decode():
            self.lines.append(line.rstrip("\n"))
            if text in line:
                return self.lines[-1]
        raise AssertionError(f"it ended without {text!r}: {self.lines}")

    async def end(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode


@asynccontextmanager
async def terminal(*arguments: str, home: Path, **environment: str) -> AsyncIterator[Terminal]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "client_demo", *arguments, cwd=ROOT,
        env={**os.environ, "XDG_STATE_HOME": str(home), "TZ": "UTC", **environment},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield Terminal(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


def chat(server: Running, member: str) -> tuple[str, ...]:
    return ("chat", "--as", member, "--url", server.base, "--plain")


async def test_three_members_talk_and_a_fourth_hears_nothing(tmp_path: Path) -> None:
    async with (
        running_node(demo=True) as server,
        terminal(*chat(server, "ada"), home=tmp_path) as ada,
        terminal(*chat(server, "grace"), home=tmp_path) as grace,
        terminal(*chat(server, "linus"), home=tmp_path) as linus,
        Peer(server.ws, server.token("tim")) as tim,
    ):
        await tim.connect()
        grace.type("/list")
        await grace.see("Ada")
        linus.type("/list")
        await linus.see("Ada")
        ada.type("/new grace linus = Secret scaffold", "canary one")
        await ada.see("you  canary one")
        for other in (grace, linus):
            assert "in Secret scaffold: canary one" in await other.see("✉")
            other.type("/open secret")
            await other.see("canary one")
            await ada.see("✓ seen by")
        grace.type("/typing")
        await linus.see("Grace Lindqvist is typing…")
        await ada.see("Grace Lindqvist is typing…")
        grace.type("canary two")
        await linus.see("Grace Lindqvist  canary two")
        linus.type("/react 2 🎉")
        await ada.see("#2 Linus Marchetti reacted: 🎉 Linus Marchetti")
        grace.type("/edit 2 canary two, corrected")
        await ada.see("#2 Grace Lindqvist changed this to: canary two, corrected")
        ada.type("/delete 1", "/remove linus", "canary three")
        await grace.see("#1 Ada Okafor deleted this message")
        await grace.see("Linus Marchetti was removed")
        await grace.see("Ada Okafor  canary three")
        await linus.see("you are no longer in Secret scaffold")
        linus.type("canary four")
        await linus.see("! not sent: “canary four”: there is nothing there that you can reach")
        assert not any("canary three" in line for line in linus.lines)
        await tim.call("ping")
        assert not tim.events
        assert b"canary" not in tim.bytes
        assert [await one.end() for one in (ada, grace, linus)] == [0, 0, 0]


async def test_send_and_listen_for_scripts(tmp_path: Path) -> None:
    async with running_node(demo=True) as server:
        url = ("--url", server.base)
        async with terminal("listen", "--as", "grace", "--count", "1", *url, home=tmp_path) as ear:
            await ear.see("client.online")
            send = ("send", "--as", "ada", "--to", "grace", *url, "--json", "Hello ✓")
            async with terminal(*send, home=tmp_path) as mouth:
                result = json.loads(await mouth.see("{"))
                assert await mouth.end() == 0
            heard = json.loads(await ear.see("message.created"))
            assert heard["data"]["message"] == result["message"]
            assert heard["data"]["body"] == "Hello ✓"
            assert await ear.end() == 0


async def test_failures_are_one_line_and_a_code(tmp_path: Path) -> None:
    async with running_node() as server:
        await server.people("ada", "grace", connected=False)
        path = tmp_path / "token"
        path.write_text(server.token("ada"))
        url = ("--url", server.base)
        ada = ("send", "--as", "ada", "--to", "grace", *url)
        async with terminal(*ada, "x", home=tmp_path) as refused:
            assert "--token-file" in await refused.see("client_demo:")
            assert await refused.end() == 1
        async with terminal(*ada, "x", home=tmp_path, SUBROSA_TOKEN="no") as bad:
            assert "4500" in await bad.see("client_demo:")
            assert await bad.end() == 1
        async with terminal(*ada, "--token-file", str(path), "x", home=tmp_path) as far:
            assert "nothing there that you can reach" in await far.see("client_demo:")
            assert await far.end() == 1
            assert not any("Traceback" in line for line in far.lines)
        waiting = ("send", "--as", "ada", "--to", "grace", "--wait", "0.5", "x")
        nobody = ("--url", "http://127.0.0.1:1")
        async with terminal(*waiting, *nobody, home=tmp_path, SUBROSA_TOKEN="no") as alone:
            assert "cannot connect" in await alone.see("client_demo: not known to be sent")
            assert await alone.end() == 1
        chat_alone = ("chat", "--as", "ada", "--plain", "--url", "nonsense")
        async with terminal(*chat_alone, home=tmp_path, SUBROSA_TOKEN="no") as lost:
            assert "not the URL of a server" in await lost.see("client_demo:")
            assert await lost.end() == 1


@pytest.mark.parametrize("flag", [(), ("--json",)])
async def test_a_second_terminal_of_one_member_goes_without_the_file(
    tmp_path: Path, flag: tuple[str, ...]
) -> None:
    async with (
        running_node(demo=True) as server,
        terminal(*chat(server, "ada"), *flag, home=tmp_path) as one,
    ):
        one.type("/help")
        await one.see("/quit")
        async with terminal(*chat(server, "ada"), *flag, home=tmp_path) as two:
            await two.see("held by another process")
            two.type("/to grace from the second")
            two.type("/quit")
            assert await two.end() == 0
        one.type("/open grace")
        await one.see("from the second")
        assert await one.end() == 0
