"""The client over a scripted server: connecting, resuming, its pace, its tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import pytest

from client_demo import ClientError, Event, SessionEnded, TokenUnavailable
from tests.support.client_rig import ME, Stream, client, created
from tests.support.patient_clock import PatientClock
from tests.support.wire_server import EPOCH, WireServer, wire_server


@pytest.fixture
async def server() -> AsyncIterator[WireServer]:
    async with wire_server() as running:
        yield running


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
        assert [(await stream.next()).pos for _ in range(4)] == [None, None, 5, 6]
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


async def test_being_offline_is_said_once_with_the_reason(server: WireServer) -> None:
    clock = PatientClock()
    server.refuse_with = HTTPStatus.SERVICE_UNAVAILABLE
    async with client(server, clock=clock, random=lambda: 0.5) as ada:
        stream = Stream(ada)
        assert "HTTP 503" in (await stream.next("client.offline")).data["reason"]
        assert "HTTP 503" in ada.trouble
        clock.move(await clock.asleep(0.25, 0.25))
        wait_s = await clock.asleep(0.5, 0.5)
        server.refuse_with = None
        clock.move(wait_s)
        session = await server.welcomed()
        await stream.next("client.online")  # not a second "offline" for the second refusal
        assert ada.trouble == ""
        await stream.next("client.reset")
        await session.close(4008, "")
        assert (await stream.next("client.offline")).data == {"code": 4008, "reason": ""}
        await clock.asleep(1, 1)
        assert ada.trouble == "closed with 4008"


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
    failures = iter([TokenUnavailable("later"), OSError("down")])

    def ask() -> str:
        for failure in failures:
            raise failure
        return "t3"

    async with client(server, token=ask):
        session = await server.session()
        assert (await session.expect("connect")).params["token"] == "t3"


async def test_a_token_source_that_breaks_ends_the_client_and_says_so(server: WireServer) -> None:
    def ask() -> str:
        raise ZeroDivisionError

    async def use() -> None:
        async with client(server, token=ask) as ada:
            with pytest.raises(SessionEnded, match="ZeroDivisionError"):
                await ada.connected()

    with pytest.raises(ExceptionGroup) as failure:
        await use()
    assert failure.group_contains(ZeroDivisionError)


async def test_a_token_source_that_will_never_have_one_ends_the_session(server: WireServer) -> None:
    def ask() -> str:
        raise ClientError("no such member")

    async with client(server, token=ask) as ada:
        with pytest.raises(SessionEnded, match="no such member"):
            await ada.connected()


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
