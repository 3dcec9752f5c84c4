"""More of what is done to a server in bad faith, where it takes several steps to do it.

`MISDEEDS` are deeds by class, as `test_bad_input` runs them beside its own.
"""

from __future__ import annotations

import asyncio
import contextlib

from tests.support.peer import BINARY, CLOSE, PING, Peer, connected, frame, open_websocket, request
from tests.support.raw_socket import (
    CONTINUED,
    MSGPACK,
    Deed,
    Target,
    answer,
    connect,
    ended,
    packed,
    session,
)

DEAF = 4_096  # bytes of a receive buffer that is soon full
LOUD = "\U0001f600" * 8_000  # 32 KB on the wire
PAUSE_S = 0.2


def command(ident: int | str, cmd: str, **params: object) -> bytes:
    """One frame of msgpack."""
    return packed(MSGPACK, {"id": ident, "cmd": cmd, "params": params})


UNKNOWN = command("x" * 64, "y")


# Floods


async def unknown_commands(target: Target) -> None:
    async with session(target, MSGPACK) as peer:
        peer.send_nowait(command(1, "x" * 1_000) * 1_000)
        for _ in range(1_000):
            assert (await answer(peer))["error"]["code"] == "invalid"


async def commands_before_connect(target: Target) -> None:
    async with open_websocket(target.port, MSGPACK) as peer:
        peer.send_nowait(command(1, "settings.get") * 3_000)
        for _ in range(3_000):
            assert (await answer(peer))["error"]["code"] == "unauthenticated"


async def writes_at_once(target: Target) -> None:
    """Whatever is not taken at once is taken later, in its order."""
    async with session(target, MSGPACK) as peer:
        count = 400
        peer.send_nowait(
            *(
                command(n, "message.send", to="nobody", body="x", client_id="1")
                for n in range(count)
            )
        )
        answers = [await answer(peer) for _ in range(count)]
        assert [one["id"] for one in answers] == list(range(count))
        assert {one["error"]["code"] for one in answers} == {"unreachable"}


async def commands_behind_connect(target: Target) -> None:
    """Before it is known who asks: they wait, and are answered all the same."""
    async with open_websocket(target.port, MSGPACK) as peer:
        token = target.tokens["mallory"]
        peer.send_nowait(packed(MSGPACK, connect(token)), command(1, "settings.get") * 500)
        assert "result" in await answer(peer)
        for _ in range(500):
            assert "result" in await answer(peer)


async def a_byte_at_a_time(target: Target) -> None:
    async with session(target, MSGPACK) as peer:
        for byte in command(7, "settings.get"):
            await peer.send(bytes((byte,)))
        assert (await answer(peer))["id"] == 7


# Order


async def two_connects_at_once(target: Target) -> None:
    async with open_websocket(target.port, MSGPACK) as peer:
        peer.send_nowait(packed(MSGPACK, connect(target.tokens["mallory"])) * 2)
        answers = [await answer(peer) for _ in range(2)]
        assert sorted("result" in one for one in answers) == [False, True]
        await peer.send(command(1, "settings.get"))
        assert "result" in await answer(peer)


async def a_frame_behind_the_handshake(target: Target) -> None:
    async with connected(target.port) as peer:
        await peer.send(request(MSGPACK), command(1, "ping"))
        assert (await peer.response())[0] == 101
        assert (await answer(peer))["error"]["code"] == "unauthenticated"


async def talks_on_after_goodbye(target: Target) -> None:
    async with session(target, MSGPACK) as peer:
        await peer.send(frame(CLOSE, b"\x03\xe8"), command(1, "ping") * 50)
        assert await peer.closed_with() == (1000, "")
        await peer.gone()


# Half-open


async def half_a_message(target: Target) -> None:
    """Begun and never ended, by somebody who has not connected either."""
    async with open_websocket(target.port, MSGPACK) as peer:
        await peer.send(frame(0x02, b"\x81"), frame(CONTINUED, b"\xa1"))
        await ended(peer, 4502)


async def half_a_frame(target: Target) -> None:
    async with open_websocket(target.port, MSGPACK) as peer:
        await peer.send(command(1, "ping")[:5])
        assert (await peer.closed_with())[0] == 4502
        await peer.gone()


async def never_says_goodbye(target: Target) -> None:
    """Its own close would be the next thing that is heard of: nobody waits for it for ever."""
    async with session(target, MSGPACK) as peer:
        await peer.send(frame(BINARY, length=2**40))
        assert (await peer.closed_with())[0] == 1009
        await peer.gone()


# Never reading


async def sends_until_dropped(peer: Peer, data: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        while True:
            await peer.send(data)


async def answers_before_connect(target: Target) -> None:
    async with open_websocket(target.port, MSGPACK, receive_buffer=DEAF) as peer:
        await sends_until_dropped(peer, UNKNOWN * 500)


async def answers_to_no_command(target: Target) -> None:
    async with session(target, MSGPACK, receive_buffer=DEAF) as peer:
        await sends_until_dropped(peer, UNKNOWN * 500)


async def pongs(target: Target) -> None:
    async with session(target, MSGPACK, receive_buffer=DEAF) as peer:
        await sends_until_dropped(peer, frame(PING, b"x" * 125) * 500)


async def a_little_for_too_long(target: Target) -> None:
    """Less than any bound in bytes waits for it, and longer than it may."""
    async with (
        session(target, MSGPACK, "slow", receive_buffer=DEAF) as slow,
        session(target, MSGPACK, "loud") as loud,
    ):
        for number in range(14):
            ident = f"{id(slow)}.{number}"
            await loud.send(command(1, "message.send", to="slow", body=LOUD, client_id=ident))
            assert "result" in await answer(loud)
        there = True
        while there:  # as others see it: to read is to be fast again
            await asyncio.sleep(PAUSE_S)
            await loud.send(command(1, "presence.get", members=["slow"]))
            there = (await answer(loud))["result"]["members"]["slow"]["active"]
        await slow.gone()


async def a_page(target: Target) -> None:
    async with connected(target.port, receive_buffer=DEAF) as peer:
        peer.send_nowait(b"GET /docs HTTP/1.1\r\nhost: x\r\n\r\n" * 50)
        await asyncio.sleep(0)


MISDEEDS: dict[str, dict[str, Deed]] = {
    "flood": {
        "unknown-commands": unknown_commands,
        "commands-before-connect": commands_before_connect,
        "commands-behind-connect": commands_behind_connect,
        "writes-at-once": writes_at_once,
        "a-byte-at-a-time": a_byte_at_a_time,
    },
    "order": {
        "two-connects-at-once": two_connects_at_once,
        "a-frame-behind-the-handshake": a_frame_behind_the_handshake,
        "talks-on-after-goodbye": talks_on_after_goodbye,
    },
    "half-open": {
        "half-a-message": half_a_message,
        "half-a-frame": half_a_frame,
        "never-says-goodbye": never_says_goodbye,
    },
    "never-reading": {
        "answers-before-connect": answers_before_connect,
        "answers-to-no-command": answers_to_no_command,
        "pongs": pongs,
        "a-little-for-too-long": a_little_for_too_long,
        "a-page": a_page,
    },
}
