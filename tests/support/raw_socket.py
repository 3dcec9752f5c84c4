"""What may be done to a server from outside, byte by byte, and how it has to be answered.

A `Target` is a running server as an attacker sees it: a port, and tokens. The functions here make
deeds out of bytes: each is a coroutine over a target that raises what is wrong about the answer.
Used by tests of bad input; the connection itself is `peer`'s.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgpack

from tests.support.peer import BINARY, CLOSE, TEXT, Peer, connected, frame, open_websocket

JSON = "subrosa.v1.json"
MSGPACK = "subrosa.v1.msgpack"


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


Deed = Callable[[Target], Awaitable[None]]


def packed(subprotocol: str, value: Any) -> bytes:
    """A value as one message of this subprotocol."""
    if subprotocol == JSON:
        return frame(TEXT, json.dumps(value).encode())
    return frame(BINARY, msgpack.packb(value))


async def told(peer: Peer) -> dict[str, Any]:
    """The next message of the server as a map."""
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


def turned_away(member: str, code: int, *, subprotocol: str = MSGPACK, answers: bool = True) -> Deed:
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
