"""The client over a scripted server: commands, the bound of its queue, and its restart."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from client_demo import CommandError, ConnectionLost, NoAnswer, StateUnusable
from tests.support.client_rig import ME, Stream, client, created
from tests.support.wire_server import EPOCH, WireServer, wire_server


@pytest.fixture
async def server() -> AsyncIterator[WireServer]:
    async with wire_server() as running:
        yield running


# --- commands ----------------------------------------------------------------------------------


async def test_answers_find_their_commands_in_any_order(server: WireServer) -> None:
    async with client(server) as ada:
        session = await server.welcomed()
        one = asyncio.create_task(ada.conversation("c1"))
        first = await session.expect("conversation.get")
        two = asyncio.create_task(ada.explain("grace"))
        second = await session.expect("explain")
        await session.refuse(second, "invalid", field="to")
        await session.answer(first, {"id": "c1"})
        assert await one == {"id": "c1"}
        with pytest.raises(CommandError) as refused:
            await two
        assert (refused.value.code, refused.value.field) == ("invalid", "to")


async def test_commands_wait_for_a_connection_and_nones_are_left_out(server: WireServer) -> None:
    async with client(server) as ada:
        asking = asyncio.create_task(ada.history("c1", limit=5))
        session = await server.welcomed()
        command = await session.expect("conversation.history")
        assert command.params == {"conversation": "c1", "limit": 5}
        await session.answer(command, {"messages": []})
        assert await asking == {"messages": []}


async def test_what_is_safe_to_repeat_is_repeated(server: WireServer) -> None:
    async with client(server) as ada:
        session = await server.welcomed()
        reading = asyncio.create_task(ada.conversations())
        inviting = asyncio.create_task(ada.invite("grace"))
        commands = {c.cmd: c for c in (await session.next(), await session.next())}
        session.cut()
        session = await server.welcomed()
        repeated = {c.cmd: c for c in (await session.next(), await session.next())}
        assert {n: c.params for n, c in repeated.items()} == {
            n: c.params for n, c in commands.items()
        }
        assert repeated["invitation.send"].params["client_id"]
        for command in repeated.values():
            await session.answer(command, {"ok": True})
        assert await reading == await inviting == {"ok": True}


async def test_what_is_not_safe_to_repeat_says_so(server: WireServer) -> None:
    async with client(server) as ada:
        session = await server.welcomed()
        leaving = asyncio.create_task(ada.leave("c1"))
        await session.expect("conversation.leave")
        session.cut()
        with pytest.raises(ConnectionLost):
            await leaving


async def test_a_command_that_the_token_expired_under_is_given_to_the_next_session(
    server: WireServer,
) -> None:
    tokens = iter(["t1", "t2"])
    async with client(server, token=lambda: next(tokens)) as ada:
        session = await server.welcomed()
        leaving = asyncio.create_task(ada.leave("c1"))
        await session.refuse(await session.expect("conversation.leave"), "unauthenticated")
        await session.close(4005)
        session = await server.session()
        connect = await session.expect("connect")
        assert connect.params["token"] == "t2"
        await session.welcome(connect, {ME: 0})
        await session.answer(await session.expect("conversation.leave"), {})
        assert await leaving == {}


async def test_no_answer_in_time(server: WireServer) -> None:
    async with client(server, timeout_s=0.05) as ada:
        session = await server.welcomed()
        with pytest.raises(NoAnswer, match="explain"):
            await ada.explain("grace")
        await session.answer(await session.expect("explain"), {"late": True})  # harms nothing
        asking = asyncio.create_task(ada.call("ping"))
        await session.answer(await session.expect("ping"), {"now": 1})
        assert await asking == {"now": 1}


# --- the bound, the restart --------------------------------------------------------------------


async def test_an_application_that_is_slow_loses_nothing_and_keeps_its_commands(
    server: WireServer,
) -> None:
    async with client(server, queue=10) as ada:
        session = await server.welcomed({ME: 0})
        for pos in range(1, 31):
            await created(session, pos)
        asking = asyncio.create_task(ada.call("ping"))
        await session.answer(await session.expect("ping"), {"now": 1})
        assert await asking == {"now": 1}  # answered behind thirty events that nobody took

        starts: list[int] = []

        async def replay() -> None:
            while True:
                session = await server.session()
                connect = await session.expect("connect")
                starts.append(connect.params["resume"][ME])
                await session.welcome(connect, {ME: 30})
                for pos in range(starts[-1] + 1, 31):
                    await created(session, pos)

        replaying = asyncio.create_task(replay())
        taken: list[int] = []
        async with aclosing(ada.events()) as events:
            async for event in events:
                if event.pos:
                    taken.append(event.pos)
                if len(taken) == 30:
                    break
        replaying.cancel()
        assert taken == list(range(1, 31))
        assert starts[0] == 8  # ten fit: "online", "reset" and eight events
        assert len(starts) <= 30 / 5


async def test_a_restarted_client_goes_on_from_what_was_dealt_with(
    server: WireServer, tmp_path: Path
) -> None:
    path = tmp_path / "ada.db"
    async with client(server, state=path) as ada:
        session = await server.welcomed({ME: 4})
        for pos in (5, 6, 7):
            await created(session, pos)
        async with aclosing(ada.events()) as events:
            async for event in events:
                if event.pos == 6:
                    break  # in the middle of dealing with it
    async with client(server, state=path) as ada:
        session = await server.session()
        connect = await session.expect("connect")
        assert connect.params["resume"] == {ME: 5}
        assert connect.params["epoch"] == EPOCH
        assert ada.member == "ada"


async def test_a_crash_between_send_and_result_sends_once_more_with_the_same_id(
    server: WireServer, tmp_path: Path
) -> None:
    path = tmp_path / "ada.db"
    async with client(server, state=path) as ada:
        session = await server.welcomed()
        await ada.post(to="grace", body="only once")
        first = await session.expect("message.send")
        # No result: the client goes away with the message's outcome unknown.
    async with client(server, state=path) as ada:
        assert [e.client_id for e in ada.unsent] == [first.params["client_id"]]
        session = await server.welcomed()
        again = await session.expect("message.send")
        assert again.params == first.params
        await session.answer(again, {"seq": 1, "duplicate": True})
        event = await Stream(ada).until("message.sent")
        assert event.data["result"] == {"seq": 1, "duplicate": True}
        assert ada.unsent == ()


POSTER = """
import asyncio, sys
from client_demo import Client

async def main():
    async with Client(sys.argv[1], token="t1", state=sys.argv[2]) as ada:
        for number in range(5):
            print(await ada.post(to="grace", body=f"message {number}"), flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_killed_client_sends_what_it_took_in_order_with_the_same_ids(
    server: WireServer, tmp_path: Path
) -> None:
    path = tmp_path / "ada.db"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", POSTER, server.url, str(path),
        stdout=subprocess.PIPE, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert process.stdout is not None
    taken = [(await process.stdout.readline()).decode().strip() for _ in range(5)]
    session = await server.welcomed()
    first = await session.expect("message.send")
    await session.answer(first, {"seq": 1})
    second = await session.expect("message.send")
    os.kill(process.pid, signal.SIGKILL)  # written by the server, its result never read
    await process.wait()
    assert [first.params["client_id"], second.params["client_id"]] == taken[:2]

    async with client(server, state=path):
        session = await server.welcomed()
        for number in range(1, 5):
            send = await session.expect("message.send")
            expected = {"client_id": taken[number], "to": "grace", "body": f"message {number}"}
            assert send.params == expected
            await session.answer(send, {"seq": number + 1, "duplicate": number == 1})


async def test_a_state_of_another_member_is_not_used(server: WireServer, tmp_path: Path) -> None:
    path = tmp_path / "ada.db"
    async with client(server, state=path) as ada:
        await server.welcomed()
        await ada.connected()
    async with client(server, state=path) as grace:
        await server.welcomed(member="grace")
        with pytest.raises(StateUnusable, match="belongs to ada"):
            await grace.connected()


async def test_the_body_of_the_block_raises_as_it_is(server: WireServer) -> None:
    with pytest.raises(KeyError, match="mine"):
        async with client(server):
            raise KeyError("mine")


async def test_events_are_for_one_reader_at_a_time(server: WireServer) -> None:
    async with client(server) as ada:
        await server.welcomed()
        stream = Stream(ada)
        await stream.next("client.online")
        with pytest.raises(RuntimeError, match="somebody else"):
            await anext(ada.events())
        await stream.close()
        assert (await Stream(ada).next()).name == "client.reset"
