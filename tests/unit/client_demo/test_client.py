"""The client over a scripted server: connecting, resuming, commands, tokens, and its pace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from client_demo import (
    Client,
    CommandError,
    ConnectionLost,
    Event,
    NoAnswer,
    SessionEnded,
    StateUnusable,
    TokenUnavailable,
)
from tests.support.patient_clock import PatientClock
from tests.support.wire_server import EPOCH, Session, WireServer, wire_server

ME = "member:ada"


@pytest.fixture
async def server() -> AsyncIterator[WireServer]:
    async with wire_server() as running:
        yield running


def client(server: WireServer, **options: Any) -> Client:
    """A client that never waits before it reconnects, unless the server says so."""
    return Client(server.url, **{"token": "t1", "random": lambda: 0.0, **options})


class Stream:
    """A client's events, one by one."""

    def __init__(self, client: Client) -> None:
        self._events = client.events()

    async def next(self, name: str = "") -> Event:
        event = await anext(self._events)
        assert not name or event.name == name, event
        return event

    async def close(self) -> None:
        await self._events.aclose()


async def created(session: Session, pos: int, topic: str = ME) -> None:
    await session.event("message.created", {"body": f"at {pos}"}, topic, pos)


# --- connecting --------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["msgpack", "json"])
async def test_a_first_connection_says_who_and_gets_its_events(
    server: WireServer, encoding: Any
) -> None:
    async with client(server, encoding=encoding, device="laptop") as ada:
        session = await server.session()
        assert session.json is (encoding == "json")
        connect = await session.expect("connect")
        assert connect.params == {"token": "t1", "device": "laptop"}
        await session.welcome(connect, {ME: 4})
        await created(session, 5)
        await session.event("typing.started", {"member": "grace"})
        stream = Stream(ada)
        online = await stream.next("client.online")
        assert online.data["member"] == ada.member == "ada"
        assert (await stream.next("client.reset")).data == {"topics": [ME]}
        assert await stream.next() == Event("message.created", {"body": "at 5"}, ME, 5)
        assert (await stream.next()).name == "typing.started"
        await stream.close()


async def test_a_lost_connection_is_resumed_where_it_was(server: WireServer) -> None:
    async with client(server) as ada:
        session = await server.welcomed({ME: 4})
        await created(session, 5)
        await created(session, 6)
        stream = Stream(ada)
        for _ in range(4):
            last = await stream.next()
        assert last.pos == 6
        session.cut()
        assert (await stream.next("client.offline")).data["code"] == 1006
        session = await server.session()
        connect = await session.expect("connect")
        assert connect.params["resume"] == {ME: 6}
        assert connect.params["epoch"] == EPOCH
        await session.welcome(connect, {ME: 8})
        for pos in (5, 6, 7, 8, 8, 9):  # more than was asked for: what was seen is dropped
            await created(session, pos)
        await stream.next("client.online")
        assert [(await stream.next("message.created")).pos for _ in range(3)] == [7, 8, 9]


async def test_a_reset_says_which_topics_and_goes_on_from_their_heads(server: WireServer) -> None:
    async with client(server) as ada:
        session = await server.welcomed({ME: 4, "conversation:c": 7})
        stream = Stream(ada)
        await stream.next("client.online")
        await stream.next("client.reset")
        await session.close(4010)
        await stream.next("client.offline")
        session = await server.welcomed({ME: 4, "conversation:c": 90}, reset=["conversation:c"])
        await stream.next("client.online")
        assert (await stream.next("client.reset")).data == {"topics": ["conversation:c"]}
        await created(session, 91, "conversation:c")
        assert (await stream.next("message.created")).pos == 91


async def test_another_epoch_resets_everything(server: WireServer) -> None:
    async with client(server) as ada:
        session = await server.welcomed({ME: 4})
        stream = Stream(ada)
        await stream.next("client.online")
        await stream.next("client.reset")
        session.cut()
        await stream.next("client.offline")
        await server.welcomed({ME: 2}, reset=[ME], epoch="epoch-2")
        await stream.next("client.online")
        assert (await stream.next("client.reset")).data == {"topics": [ME]}


async def test_a_gap_on_a_live_connection_is_healed_by_resuming(server: WireServer) -> None:
    async with client(server) as ada:
        session = await server.welcomed({ME: 4})
        await created(session, 5)
        await created(session, 7)
        again = await server.session()
        connect = await again.expect("connect")
        assert connect.params["resume"] == {ME: 5}
        await again.welcome(connect, {ME: 7})
        for pos in (6, 7, 8):
            await created(again, pos)
        stream = Stream(ada)
        seen = [await stream.next() for _ in range(8)]
        assert [e.pos for e in seen if e.name == "message.created"] == [5, 6, 7, 8]
        assert "a gap before position 7" in next(
            e.data["reason"] for e in seen if e.name == "client.offline"
        )
        await session.ended.wait()


async def test_a_gap_that_resuming_does_not_heal_gives_the_topic_up(server: WireServer) -> None:
    async with client(server):
        for _ in range(2):
            session = await server.session()
            connect = await session.expect("connect")
            await session.welcome(connect, {ME: 4})
            await created(session, 7)
        session = await server.session()
        assert (await session.expect("connect")).params["resume"] == {}


async def test_joining_and_leaving_change_what_is_resumed(server: WireServer) -> None:
    async with client(server) as ada:
        session = await server.welcomed({ME: 4})
        joined = {"conversation": "c", "topic": "conversation:c", "pos": 3}
        await session.event("conversation.joined", joined, ME, 5)
        await created(session, 4, "conversation:c")
        stream = Stream(ada)
        for _ in range(4):
            await stream.next()
        session.cut()
        session = await server.session()
        connect = await session.expect("connect")
        assert connect.params["resume"] == {ME: 5, "conversation:c": 4}
        await session.welcome(connect, {ME: 5, "conversation:c": 4})
        left = {"conversation": "c", "topic": "conversation:c", "pos": 4}
        await session.event("conversation.left", left, ME, 6)
        await stream.next("client.offline")
        await stream.next("client.online")
        await stream.next("conversation.left")
        session.cut()
        connect = await (await server.session()).expect("connect")
        assert connect.params["resume"] == {ME: 6}


async def test_more_topics_than_fit_one_frame_are_resumed_in_several(server: WireServer) -> None:
    topics = {ME: 1} | {f"conversation:{n}": n for n in range(1, 1201)}
    async with client(server) as ada:
        session = await server.welcomed(topics)
        stream = Stream(ada)
        await stream.next("client.online")
        await stream.next("client.reset")
        session.cut()
        session = await server.session()
        connect = await session.expect("connect")
        assert connect.params["resume_more"] is True
        named = dict(connect.params["resume"])
        await session.welcome(connect, {})
        for last in (False, True):
            part = await session.expect("resume")
            assert part.params.get("more", False) is not last
            named |= part.params["topics"]
            await session.answer(part, {"topics": topics if last else {}, "reset": []})
        assert named == topics
        await created(session, 2)
        await stream.next("client.offline")
        await stream.next("client.online")
        assert (await stream.next("message.created")).pos == 2


# --- pace --------------------------------------------------------------------------------------


async def test_reconnecting_backs_off_with_full_jitter(server: WireServer) -> None:
    clock = PatientClock()
    draws = iter([0.5] * 99)
    server.refuse_with = HTTPStatus.SERVICE_UNAVAILABLE
    async with client(server, clock=clock, random=lambda: next(draws)):
        for expected in (0.25, 0.5, 1.0, 2.0):
            assert await clock.asleep(0, 60) == expected
            clock.move(expected)
        wait_s = await clock.asleep(4, 4)
        server.refuse_with = None
        clock.move(wait_s)
        session = await server.welcomed()
        assert server.refused == 5
        # A session that did not last is no success yet, one that did is.
        session.cut()
        clock.move(await clock.asleep(8, 8))
        session = await server.welcomed()
        await clock.asleep(49, 51)  # it watches over silence: the session stands
        clock.move(11)
        session.cut()
        assert await clock.asleep(0, 1) == 0.25


@pytest.mark.parametrize("code", [4001, 4013])
async def test_the_delay_that_the_server_asks_for_is_kept(server: WireServer, code: int) -> None:
    clock = PatientClock()
    async with client(server, clock=clock):
        session = await server.welcomed()
        await session.close(code, "after_ms=7250")
        assert await clock.asleep(1, 10) == 7.25
        clock.move(7.25)
        await server.welcomed()


async def test_silence_of_two_intervals_ends_a_connection(server: WireServer) -> None:
    clock = PatientClock()
    async with client(server, clock=clock) as ada:
        session = await server.welcomed(ping_s=20)
        stream = Stream(ada)
        await stream.next("client.online")
        await stream.next("client.reset")
        assert await clock.asleep(40, 40) == 40
        clock.move(30)
        await session.event("typing.started", {"member": "grace"})
        await stream.next("typing.started")
        clock.move(10)
        assert await clock.asleep(30, 30) == 30  # counted from what was heard last
        clock.move(30)
        assert "silent" in (await stream.next("client.offline")).data["reason"]
        await server.welcomed()


@pytest.mark.parametrize("code", [4500, 4503, 4504, 4508, 4999])
async def test_a_final_close_code_stops(server: WireServer, code: int) -> None:
    async with client(server) as ada:
        session = await server.welcomed()
        await session.close(code, "enough")
        with pytest.raises(SessionEnded) as ended:
            async for _ in ada.events():
                pass
        assert (ended.value.code, ended.value.reason) == (code, "enough")
        with pytest.raises(SessionEnded):
            await ada.call("ping")


async def test_a_refused_connect_stops_with_the_code_that_follows(server: WireServer) -> None:
    async with client(server) as ada:
        session = await server.session()
        await session.refuse(await session.expect("connect"), "unauthenticated")
        await session.close(4500)
        with pytest.raises(SessionEnded) as ended:
            await ada.connected()
        assert ended.value.code == 4500


@pytest.mark.parametrize("status", [400, 403, 404])
async def test_a_handshake_that_will_never_pass_stops(server: WireServer, status: int) -> None:
    server.refuse_with = HTTPStatus(status)
    async with client(server) as ada:
        with pytest.raises(SessionEnded, match=str(status)):
            await ada.connected()


# --- tokens ------------------------------------------------------------------------------------


async def test_an_expired_token_is_replaced(server: WireServer) -> None:
    tokens = iter(["t1", "t2"])

    async def ask() -> str:
        return next(tokens)

    async with client(server, token=ask):
        session = await server.session()
        assert (await session.expect("connect")).params["token"] == "t1"
        await session.close(4005)
        session = await server.session()
        assert (await session.expect("connect")).params["token"] == "t2"


async def test_a_fixed_token_that_expired_stops(server: WireServer) -> None:
    async with client(server) as ada:
        await (await server.session()).close(4005)
        with pytest.raises(SessionEnded, match="expired"):
            await ada.connected()


async def test_a_lost_connection_reuses_the_token(server: WireServer) -> None:
    asked: list[int] = []

    def ask() -> str:
        asked.append(1)
        return "t1"

    async with client(server, token=ask):
        (await server.welcomed()).cut()
        await server.welcomed()
        assert len(asked) == 1


async def test_a_token_source_that_has_none_is_asked_again(server: WireServer) -> None:
    answers = iter([TokenUnavailable("later"), OSError("down"), "t3"])

    def ask() -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with client(server, token=ask):
        session = await server.session()
        assert (await session.expect("connect")).params["token"] == "t3"


async def test_a_token_source_that_breaks_ends_the_client_and_says_so(server: WireServer) -> None:
    def ask() -> str:
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as failure:
        async with client(server, token=ask) as ada:
            with pytest.raises(SessionEnded, match="ZeroDivisionError"):
                await ada.connected()
    assert failure.group_contains(ZeroDivisionError)


async def test_a_token_is_refreshed_before_it_expires(server: WireServer) -> None:
    clock = PatientClock()
    tokens = iter(["t1", "t2", "t3"])
    async with client(server, token=lambda: next(tokens), clock=clock, random=lambda: 0.5):
        session = await server.welcomed(lives_s=1000, ping_s=10_000)
        clock.move(await clock.asleep(799, 801))
        refresh = await session.expect("refresh")
        assert refresh.params == {"token": "t2"}
        await session.answer(refresh, {"expires_at": 1_700_000_000_000 + 2_800_000})
        clock.move(await clock.asleep(1599, 1601))  # 0.8 of the 2,000 s that are left
        assert (await session.expect("refresh")).params == {"token": "t3"}


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
        stream = Stream(ada)
        while (event := await stream.next()).name != "message.sent":
            pass
        assert event.data["result"] == {"seq": 1, "duplicate": True}
        assert ada.unsent == ()


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
