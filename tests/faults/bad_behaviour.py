"""Bad behaviour: floods, connections that are half there, and clients that never read.

What is bad about these is how much of them there is, or that they do not go on; the server that
they meet has shorter waits than by default, and small buffers.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack



from tests.support import peer
from tests.support.arena import JSON, MSGPACK, Arena, Guest, Kind, message, packed

DEAF = 4_096  # bytes of a receive buffer that is soon full
LOUD = "𝄞" * 8_000  # 32 KB on the wire


def _ping(ident: int = 1) -> bytes:
    return message(MSGPACK, packed(MSGPACK, {"id": ident, "cmd": "ping"}))


# Floods


async def _pings(arena: Arena) -> None:
    async with arena.session() as member:
        member.socket.send_nowait(peer.frame(peer.PING, b"x" * 125) * 2_000)
        await member.closed(4013)


async def _pongs(arena: Arena) -> None:
    async with arena.guest(JSON) as guest:
        guest.socket.send_nowait(peer.frame(peer.PONG) * 2_000)
        await guest.closed(4013)


async def _reads_beyond_the_rate(arena: Arena) -> None:
    async with arena.session() as member:
        member.socket.send_nowait(_ping() * 45)
        codes = [(await member.answer()).get("error", {}).get("code") for _ in range(45)]
        assert set(codes) == {None, "rate_limited"}, codes
        member.socket.send_nowait(_ping() * 1_000)
        await member.closed(4013)


async def _writes_at_once(arena: Arena) -> None:
    async with arena.session() as member:
        count = 400
        member.socket.send_nowait(
            *[
                message(MSGPACK, packed(MSGPACK, {
                    "id": n, "cmd": "message.send",
                    "params": {"to": "nobody", "body": "x", "client_id": str(n)},
                }))
                for n in range(count)
            ]
        )  # fmt: skip
        answers = [await member.answer() for _ in range(count)]
        assert [answer["id"] for answer in answers] == list(range(count))
        assert {answer["error"]["code"] for answer in answers} == {"unreachable"}


async def _commands_before_connect(arena: Arena) -> None:
    async with arena.guest() as guest:
        guest.socket.send_nowait(_ping() * 3_000)
        for _ in range(3_000):
            assert (await guest.answer())["error"]["code"] == "unauthenticated"


async def _unknown_commands(arena: Arena) -> None:
    async with arena.session() as member:
        frame = message(MSGPACK, packed(MSGPACK, {"id": 1, "cmd": "x" * 1_000}))
        member.socket.send_nowait(frame * 1_000)
        for _ in range(1_000):
            assert (await member.answer())["error"]["code"] == "invalid"


async def _connections(arena: Arena) -> None:
    """Two hundred that come and vanish, at every stage."""
    _, token = await arena.somebody()
    connect = message(MSGPACK, packed(
        MSGPACK, {"id": 1, "cmd": "connect", "params": {"token": token}}
    ))  # fmt: skip
    for number in range(200):
        async with peer.connected(arena.port) as socket:
            if number % 4 > 0:
                await socket.send(peer.request(MSGPACK))
            if number % 4 > 1:
                await socket.response()
                await socket.send(connect)
            if number % 4 > 2:
                await socket.frame()
            socket.reset()


async def _a_byte_at_a_time(arena: Arena) -> None:
    async with arena.session() as member:
        for byte in _ping(7):
            await member.socket.send(bytes((byte,)))
        assert (await member.answer())["id"] == 7


def floods() -> Iterator[Kind]:
    """Too much of what would be good, or of nothing."""
    yield Kind("2,000 pings", _pings)
    yield Kind("2,000 pongs", _pongs)
    yield Kind("reads beyond the rate", _reads_beyond_the_rate)
    yield Kind("400 writes at once", _writes_at_once)
    yield Kind("3,000 commands before connect", _commands_before_connect)
    yield Kind("1,000 unknown commands", _unknown_commands)
    yield Kind("200 connections that vanish", _connections)
    yield Kind("a byte at a time", _a_byte_at_a_time)


# Half there


async def _says_nothing(arena: Arena) -> None:
    async with peer.connected(arena.port) as socket:
        await socket.gone()


async def _half_a_head(arena: Arena) -> None:
    async with peer.connected(arena.port) as socket:
        await socket.send(peer.request(JSON)[:-20])
        assert (await socket.response())[0] == 408


async def _half_a_body(arena: Arena) -> None:
    _, token = await arena.somebody()
    async with peer.connected(arena.port) as socket:
        await socket.send(
            b"POST /v1/settings.get HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            b"content-length: 100\r\nauthorization: Bearer " + token.encode() + b"\r\n\r\n{"
        )
        await socket.gone()


async def _never_connects(arena: Arena) -> None:
    async with arena.guest() as guest:
        await guest.closed(4502)


async def _half_a_frame(arena: Arena) -> None:
    async with arena.guest() as guest:
        await guest.socket.send(_ping()[:5])
        await guest.closed(4502)


async def _half_a_message(arena: Arena) -> None:
    async with arena.guest(JSON) as guest:
        await guest.socket.send(peer.frame(0x01, b'{"id": 1,'))
        await guest.closed(4502)


async def _keeps_pinging_instead(arena: Arena) -> None:
    """Life is no connecting."""
    async with arena.guest() as guest:
        guest.socket.send_nowait(peer.frame(peer.PING) * 20)
        await guest.closed(4502)


async def _sends_no_more(arena: Arena) -> None:
    async with arena.session() as member:
        member.socket.half_close()
        await member.socket.gone()


async def _never_says_goodbye(arena: Arena) -> None:
    """A peer that is told to go and does not answer is dropped after a while."""
    async with arena.guest() as guest:
        await guest.tell({"id": 1, "cmd": "connect", "params": {"token": "x"}})
        await guest.answer()
        await guest.closed(4500)
        await guest.socket.gone()


async def _vanishes_in_the_middle(arena: Arena) -> None:
    async with arena.session() as member:
        await member.socket.send(_ping()[:3])
        member.socket.reset()


def half_open() -> Iterator[Kind]:
    """Begun and not gone on with."""
    yield Kind("a connection that says nothing", _says_nothing)
    yield Kind("half a head", _half_a_head)
    yield Kind("half a body", _half_a_body)
    yield Kind("a WebSocket that never connects", _never_connects)
    yield Kind("half a frame", _half_a_frame)
    yield Kind("half a message", _half_a_message)
    yield Kind("pings instead of connect", _keeps_pinging_instead)
    yield Kind("a peer that sends no more", _sends_no_more)
    yield Kind("a peer that never says goodbye", _never_says_goodbye)
    yield Kind("a peer that vanishes in a frame", _vanishes_in_the_middle)


# Never reading


@contextlib.asynccontextmanager
async def _deaf(arena: Arena, sessions: int) -> AsyncIterator[tuple[Guest, list[Guest]]]:
    """Somebody loud, and sessions of a connection of theirs that read nothing."""
    loud, loud_token = await arena.somebody()
    deaf, deaf_token = await arena.somebody()
    await arena.operate("connection.put", a=loud, b=deaf)
    async with AsyncExitStack() as stack:
        shouting = await stack.enter_async_context(arena.session(token=loud_token))
        listeners = [
            await stack.enter_async_context(
                arena.session(receive_buffer=DEAF, token=deaf_token)
            )
            for _ in range(sessions)
        ]
        shouting.to = deaf
        yield shouting, listeners


async def _shout(loud: Guest, times: int) -> None:
    for number in range(times):
        await loud.tell({
            "id": number, "cmd": "message.send",
            "params": {"to": loud.to, "body": LOUD, "client_id": str(number)},
        })  # fmt: skip
        assert "result" in await loud.answer()


async def _never_reads_events(arena: Arena) -> None:
    async with _deaf(arena, 5) as (loud, listeners):
        await _shout(loud, 25)
        for one in listeners:
            await one.socket.gone()
        await loud.well()


async def _reads_too_slowly(arena: Arena) -> None:
    """What waits longer than it may ends the session, however little it is."""
    async with _deaf(arena, 1) as (loud, (slow,)):
        await _shout(loud, 14)
        await slow.socket.gone()


async def _never_reads_answers(arena: Arena) -> None:
    async with arena.session(receive_buffer=DEAF) as member:
        frame = message(MSGPACK, packed(MSGPACK, {"id": "x" * 64, "cmd": "y"}))
        member.socket.send_nowait(frame * 20_000)
        await member.socket.gone()


async def _never_reads_before_connect(arena: Arena) -> None:
    async with arena.guest(receive_buffer=DEAF) as guest:
        frame = message(MSGPACK, packed(MSGPACK, {"id": "x" * 64, "cmd": "y"}))
        guest.socket.send_nowait(frame * 20_000)
        await guest.socket.gone()


async def _never_reads_pongs(arena: Arena) -> None:
    async with arena.session(receive_buffer=DEAF) as member:
        for _ in range(20):
            member.socket.send_nowait(peer.frame(peer.PING, b"x" * 125) * 100)
            await asyncio.sleep(0)
        await member.socket.gone()


async def _never_reads_a_page(arena: Arena) -> None:
    async with peer.connected(arena.port, receive_buffer=DEAF) as socket:
        socket.send_nowait(b"GET /docs HTTP/1.1\r\nhost: x\r\n\r\n" * 50)
        await asyncio.sleep(0)


def never_reading() -> Iterator[Kind]:
    """Clients that take nothing of what they are given."""
    yield Kind("events", _never_reads_events)
    yield Kind("a little, for too long", _reads_too_slowly)
    yield Kind("answers", _never_reads_answers)
    yield Kind("answers, before connect", _never_reads_before_connect)
    yield Kind("pongs", _never_reads_pongs)
    yield Kind("a page", _never_reads_a_page)



