"""What may be done to a server from outside, byte by byte, and how it has to be answered.

A `Target` is a running server as an attacker sees it: a port, and tokens. The functions here make
deeds out of bytes: each is a coroutine over a target that raises what is wrong about the answer.
Used by tests of bad input; the connection itself is `peer`'s.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgpack

from tests.support.peer import (
    BINARY,
    CLOSE,
    PING,
    TEXT,
    Peer,
    connected,
    frame,
    open_websocket,
)

JSON = "subrosa.v1.json"
MSGPACK = "subrosa.v1.msgpack"
CONTINUED, LAST = 0x00, 0x80
"""First bytes of a fragment in the middle, and of a message's last."""


@dataclass
class Target:
    """A server and the tokens of members made for being misused; `conversation` is theirs."""

    port: int
    admin_key: str
    tokens: dict[str, str] = field(default_factory=dict)
    conversation: str = ""

    @property
    def base(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"


Deed = Callable[[Target], Coroutine[Any, Any, None]]


def packed(subprotocol: str, value: Any) -> bytes:
    """A value as one message of this subprotocol."""
    if subprotocol == JSON:
        return frame(TEXT, json.dumps(value).encode())
    return frame(BINARY, msgpack.packb(value))


async def told(peer: Peer) -> dict[str, Any]:
    """The next message of the server as a map; its pings are passed over."""
    first, payload = await peer.frame()
    while first == PING:
        first, payload = await peer.frame()
    assert first in (TEXT, BINARY), (hex(first), payload)
    value: dict[str, Any] = json.loads(payload) if first == TEXT else msgpack.unpackb(payload)
    return value


async def answer(peer: Peer) -> dict[str, Any]:
    """The next message that is no event."""
    value = await told(peer)
    while "event" in value:
        value = await told(peer)
    return value


def connect(token: str) -> dict[str, Any]:
    """The first frame."""
    return {"id": "c", "cmd": "connect", "params": {"token": token, "device": "bad"}}


@asynccontextmanager
async def session(
    target: Target, subprotocol: str, member: str = "mallory", *, receive_buffer: int | None = None
) -> AsyncIterator[Peer]:
    """A member's open session."""
    async with open_websocket(target.port, subprotocol, receive_buffer=receive_buffer) as peer:
        await peer.send(packed(subprotocol, connect(target.tokens[member])))
        assert "result" in await answer(peer)
        yield peer


async def ended(peer: Peer, code: int) -> None:
    """The server closes with this code, and ends the connection once it is answered."""
    assert (await peer.closed_with())[0] == code
    peer.send_nowait(frame(CLOSE, b"\x03\xe8"))
    await peer.gone()


def closes(subprotocol: str, code: int, *data: bytes) -> Deed:
    """Bytes of a connected member that the connection ends at, with a close code."""

    async def deed(target: Target) -> None:
        async with session(target, subprotocol) as peer:
            await peer.send(*data)
            await ended(peer, code)

    return deed


def stranger_told_off(
    subprotocol: str, value: Any, code: str, told_field: str | None, closed: int | None = None
) -> Deed:
    """A map in place of a connect that is answered with an error, and then perhaps a close."""

    async def deed(target: Target) -> None:
        async with open_websocket(target.port, subprotocol) as peer:
            await peer.send(packed(subprotocol, value))
            error = (await answer(peer))["error"]
            assert (error["code"], error.get("field")) == (code, told_field), error
            if closed is not None:
                await ended(peer, closed)

    return deed


def turned_away(
    member: str, code: int, *, subprotocol: str = MSGPACK, answers: bool = True
) -> Deed:
    """A connect with a token (of a member, or as it is) that is refused, and a close code."""

    async def deed(target: Target) -> None:
        async with open_websocket(target.port, subprotocol) as peer:
            await peer.send(packed(subprotocol, connect(target.tokens.get(member, member))))
            assert (await answer(peer))["error"]["code"] == "unauthenticated"
            if answers:
                await ended(peer, code)
            else:  # the server does not wait for who does not answer its close
                assert (await peer.closed_with())[0] == code
                await peer.gone()

    return deed


def told_off(
    subprotocol: str, payload: bytes, code: str, told_field: str | None, ident: Any = None
) -> Deed:
    """A message of a connected member that is answered with an error, after which all goes on."""

    async def deed(target: Target) -> None:
        async with session(target, subprotocol) as peer:
            await peer.send(frame(TEXT if subprotocol == JSON else BINARY, payload))
            said = await answer(peer)
            assert said["id"] == ident, said
            error = said["error"]
            assert (error["code"], error.get("field")) == (code, told_field), said
            await peer.send(packed(subprotocol, {"id": "still", "cmd": "ping"}))
            assert (await answer(peer))["id"] == "still"

    return deed


def refuses(status: int, data: bytes) -> Deed:
    """Bytes of a stranger that are answered with an HTTP status and the end of the connection."""

    async def deed(target: Target) -> None:
        async with connected(target.port) as peer:
            await peer.send(data)
            assert (await peer.response())[0] == status
            await peer.gone()

    return deed


def ends(data: bytes) -> Deed:
    """Bytes of a stranger that the connection ends at without a word."""

    async def deed(target: Target) -> None:
        async with connected(target.port) as peer:
            await peer.send(data)
            await peer.gone()

    return deed


def posts(
    status: int,
    code: str,
    told_field: str | None = None,
    body: bytes = b"{}",
    *,
    path: str = "/v1/settings.get",
    token: str | None = "mallory",
    **headers: str,
) -> Deed:
    """A request that is answered with a status and, in JSON, an error; `headers` with `_` for `-`.

    `token` names the member whose it is; "" sends none, and what is no member is sent as it is.
    """

    async def deed(target: Target) -> None:
        fields = {
            "host": "127.0.0.1",
            "content-type": "application/json",
            "content-length": str(len(body)),
        }
        if token:
            fields["authorization"] = f"Bearer {target.tokens.get(token, token)}"
        fields.update({name.replace("_", "-"): value for name, value in headers.items()})
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        async with connected(target.port) as peer:
            await peer.send(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1"), body)
            got, head, said = await peer.response()
            assert got == status, (head, said)
            error = json.loads(said)["error"]
            assert (error["code"], error.get("field")) == (code, told_field), said

    return deed


# Deeds that take more than bytes.


async def floods_with_commands(target: Target) -> None:
    async with session(target, MSGPACK) as peer:
        one = {"id": 1, "cmd": "typing.start", "params": {"conversation": target.conversation}}
        await peer.send(packed(MSGPACK, one) * 300)
        await ended(peer, 4013)


async def floods_with_pings(target: Target) -> None:
    async with session(target, MSGPACK) as peer:
        with contextlib.suppress(ConnectionError):
            await peer.send(frame(PING, b"x" * 125) * 5_000)
        assert (await peer.closed_with())[0] == 4013


async def never_ends_a_message(target: Target) -> None:
    async with session(target, MSGPACK) as peer:
        with contextlib.suppress(ConnectionError):
            await peer.send(frame(0x02, b"x"), frame(CONTINUED) * 20_000)
        assert (await peer.closed_with())[0] == 1009


async def asks_and_never_reads(target: Target) -> None:
    async with session(target, MSGPACK, receive_buffer=4096) as peer:
        ping = packed(MSGPACK, {"id": "i" * 64, "cmd": "ping"})
        with contextlib.suppress(ConnectionError):
            await peer.send(ping * 40_000)
        await peer.gone()


async def is_sent_much_and_never_reads(target: Target) -> None:
    async with (
        session(target, MSGPACK, "deaf", receive_buffer=4096) as deaf,
        session(target, MSGPACK, "loud") as loud,
    ):
        for number in range(25):
            params = {
                "to": "deaf",
                "body": "\U0001f600" * 8_000,
                "client_id": f"{id(deaf)}.{number}",
            }
            await loud.send(packed(MSGPACK, {"id": 1, "cmd": "message.send", "params": params}))
            assert "result" in await answer(loud)
        await deaf.gone()


async def vanishes_in_a_frame(target: Target) -> None:
    async with session(target, MSGPACK) as peer:
        await peer.send(frame(BINARY, b"half a message")[:-3])
        peer.reset()


async def stops_in_a_frame(target: Target) -> None:
    async with session(target, MSGPACK) as peer:
        await peer.send(frame(BINARY, b"half a message")[:-3])
        peer.half_close()
        await peer.gone()


async def never_connects(target: Target) -> None:
    async with open_websocket(target.port, JSON) as peer:
        await ended(peer, 4502)


async def never_connects_but_pings(target: Target) -> None:
    async with open_websocket(target.port, JSON) as peer:
        await peer.send(frame(PING, b"here"))
        await ended(peer, 4502)


async def connects_again_and_again(target: Target) -> None:
    """One member's sockets, opened and dropped without a word of goodbye."""
    for _ in range(20):
        async with session(target, MSGPACK):
            pass


async def opens_and_drops(target: Target) -> None:
    for _ in range(50):
        async with connected(target.port) as peer:
            peer.reset()
