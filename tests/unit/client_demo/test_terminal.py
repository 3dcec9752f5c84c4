"""The editor around the messenger: keys in, typing told; and lines from files and pipes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from blockbuster import BlockBuster
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from client_demo import terminal
from client_demo.client import Client
from client_demo.terminal import Printed, WaitedInVain, lines_of, live
from tests.support.house_wire import HouseSession
from tests.support.naive_house import House
from tests.support.patient_clock import PatientClock
from tests.support.wire_server import wire_server


async def told(served: HouseSession, true: Callable[[], bool]) -> None:
    while not true():
        served.stirred.clear()
        await served.stirred.wait()


async def test_keys_become_typing_messages_and_commands(
    nothing_blocks_the_loop: BlockBuster,
) -> None:
    # The editor stands in for standard output: a lock for an instant, a thread joined at the end.
    lock = nothing_blocks_the_loop.functions["threading.Lock.acquire"]
    lock.can_block_in("prompt_toolkit/patch_stdout.py", {"write", "flush", "close"})
    house = House()
    house.send("two", "grace")
    clock = PatientClock()
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        async with (
            wire_server() as server,
            Client(server.url, token="t") as client,
            asyncio.TaskGroup() as group,
        ):
            served = HouseSession(await server.session(), house)
            serving = group.create_task(served.serve())
            talking = group.create_task(live(client, clock))
            keys.send_text("/open grace\r")
            await told(served, lambda: bool(served.commands("receipt.read")))

            def typing(cmd: str = "typing.start") -> int:
                return len(served.commands(cmd))

            keys.send_text("he")
            await told(served, lambda: typing() == 1)
            keys.send_text("llo")  # within three seconds: not told again
            clock.move(3.1)
            keys.send_text(" th")
            await told(served, lambda: typing() == 2)
            keys.send_text("\x15")  # the line is emptied
            await told(served, lambda: typing("typing.stop") == 1)
            keys.send_text("Hello\r")
            await told(served, lambda: bool(served.commands("message.send")))
            assert served.commands("message.send")[0]["body"] == "Hello"
            assert served.commands("typing.start")[0] == {"conversation": "two"}
            keys.send_text("/nonsense\r\x04")  # an error line, then the end of the input
            clock.move(terminal.LEAVING_S)
            await talking
            serving.cancel()


async def test_each_line_answers_one_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = Printed(lambda line: None)
    printed.add("one fish")
    await printed.wait_for("fish")
    waiting = asyncio.create_task(printed.wait_for("fish"))
    await asyncio.sleep(0)
    assert not waiting.done()
    printed.add("red fish")
    await waiting
    monkeypatch.setattr(terminal, "WAIT_S", 0.0)
    with pytest.raises(WaitedInVain, match="bluefish"):
        await printed.wait_for("bluefish")


async def test_lines_come_from_a_file_or_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "script"
    path.write_text("one\ntwo ✓\n")
    with path.open() as file:
        assert [line async for line in lines_of(file)] == ["one\n", "two ✓\n"]
    reader, writer = os.pipe()
    os.write(writer, "three\nfour ✓".encode())
    os.close(writer)
    with os.fdopen(reader) as pipe:
        assert [line async for line in lines_of(pipe)] == ["three\n", "four ✓"]
