"""A whole server as a process, guests who misbehave, and a bystander who must not notice.

`Kind` is one kind of bad input: a coroutine that sends it and checks how it is answered. The
arena gives it sockets, and its `undisturbed` runs it while a herald talks to the bystander.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import msgpack
import psutil

from tests.support import peer
from tests.support.careful_peer import HttpPeer
from tests.support.nursery import IMPATIENT, Nursery
from tests.support.peer_client import Peer

MSGPACK, JSON = "subrosa.v1.msgpack", "subrosa.v1.json"
SUBPROTOCOLS = (MSGPACK, JSON)
POLICY = """
rate_send = { per_second = 10000.0, burst = 10000 }
rate_connect = { per_second = 10000.0, burst = 10000 }
rate_read = { per_second = 5.0, burst = 40 }
buffer_soft_bytes = 32768
buffer_hard_bytes = 131072
buffer_age_ms = 1500
"""
MEGABYTE = 1_048_576


def message(subprotocol: str, payload: bytes) -> bytes:
    """One message of a subprotocol's kind, as a client's frame."""
    return peer.frame(peer.TEXT if subprotocol == JSON else peer.BINARY, payload)


def packed(subprotocol: str, value: Any) -> bytes:
    """A value in a subprotocol's encoding."""
    if subprotocol == JSON:
        return json.dumps(value).encode()
    whole: bytes = msgpack.packb(value)
    return whole


def unpacked(subprotocol: str, payload: bytes) -> Any:
    """What a payload says."""
    return json.loads(payload) if subprotocol == JSON else msgpack.unpackb(payload)


class Guest:
    """A raw connection that speaks one subprotocol, well or badly."""

    def __init__(self, socket: peer.Peer, subprotocol: str) -> None:
        self.socket = socket
        self.subprotocol = subprotocol
        self.to = ""  # whom this one talks to, where that is to be known

    async def say(self, payload: bytes) -> None:
        """Send one message, whatever is in it."""
        await self.socket.send(message(self.subprotocol, payload))

    async def tell(self, value: Any) -> None:
        """Send one message with this value."""
        await self.say(packed(self.subprotocol, value))

    async def answer(self) -> dict[str, Any]:
        """The next answer; events and pings are passed over."""
        while True:
            first, payload = await self.socket.frame()
            if first == peer.CLOSE:
                raise AssertionError(f"closed: {int.from_bytes(payload[:2])} {payload[2:]!r}")
            if first in (peer.TEXT, peer.BINARY):
                value: dict[str, Any] = unpacked(self.subprotocol, payload)
                if "event" not in value:
                    return value

    async def well(self) -> None:
        """The connection still works: a ping is answered, and nothing else before it."""
        await self.tell({"id": "well?", "cmd": "ping"})
        answer = await self.answer()
        assert answer["id"] == "well?", answer
        assert "result" in answer or answer["error"]["code"] == "unauthenticated", answer

    async def refused(self, code: str, *, ident: Any = None, field: str | None = None) -> None:
        """The next answer is this error; then the connection still works."""
        answer = await self.answer()
        assert set(answer) == {"id", "error"}, answer
        assert (answer["id"], answer["error"]["code"]) == (ident, code), answer
        assert answer["error"].get("field") == field, answer
        await self.well()

    async def closed(self, *codes: int) -> None:
        """The connection is closed with one of these codes."""
        code, _ = await self.socket.closed_with()
        assert code in codes, code


class Arena:
    """The running server, and everybody in it."""

    def __init__(self, base: str, data: Path, pid: int) -> None:
        self.base = base
        self.port = httpx.URL(base).port or 0
        self.ws = base.replace("http", "ws") + "/ws"
        self._key = (data / "admin.key").read_text().strip()
        self._process = psutil.Process(pid)
        self._numbers = count()
        self._told = 0
        self.herald: Peer
        self.bystander: Peer

    async def operate(self, cmd: str, **params: Any) -> dict[str, Any]:
        """An operator's command."""
        async with HttpPeer(self.base, key=self._key) as operator:
            return await operator.call(cmd, **params)

    async def token(self, member: str) -> str:
        """A member's token."""
        return str((await self.operate("token.issue", member=member))["token"])

    async def somebody(self) -> tuple[str, str]:
        """A new member and their token."""
        member = f"guest-{next(self._numbers)}"
        await self.operate("member.put", id=member, name=member)
        return member, await self.token(member)

    async def member(self, name: str) -> Peer:
        """A well-behaved peer, not yet entered."""
        await self.operate("member.put", id=name, name=name)
        return Peer(self.ws, await self.token(name))

    @asynccontextmanager
    async def guest(
        self, subprotocol: str = MSGPACK, *, receive_buffer: int | None = None
    ) -> AsyncIterator[Guest]:
        """A WebSocket that has not connected."""
        async with peer.open_websocket(
            self.port, subprotocol, receive_buffer=receive_buffer
        ) as socket:
            yield Guest(socket, subprotocol)

    @asynccontextmanager
    async def session(
        self, subprotocol: str = MSGPACK, *, receive_buffer: int | None = None, token: str = ""
    ) -> AsyncIterator[Guest]:
        """A WebSocket that has connected, as somebody new unless a token is given."""
        token = token or (await self.somebody())[1]
        async with self.guest(subprotocol, receive_buffer=receive_buffer) as guest:
            await guest.tell({"id": 0, "cmd": "connect", "params": {"token": token}})
            assert "result" in await guest.answer()
            yield guest

    def memory(self) -> int:
        """Resident memory of the server, in bytes."""
        return int(self._process.memory_info().rss)

    async def tell_bystander(self) -> None:
        """The herald says something, and the bystander hears it next."""
        self._told += 1
        body = f"news {self._told}"
        async with asyncio.timeout(10):
            await self.herald.call("message.send", to="bystander", body=body, client_id=body)
            event = await self.bystander.event("message.created")
        assert event["data"]["body"] == body
        self.herald.events.clear()

    async def undisturbed(self, what: Awaitable[None]) -> int:
        """Run something while the bystander is told news; answers how many came meanwhile."""
        task = asyncio.ensure_future(what)
        told = 0
        while not task.done():
            await self.tell_bystander()
            told += 1
        await task
        await self.tell_bystander()
        return told


@dataclass(frozen=True)
class Kind:
    """One kind of bad input."""

    name: str
    run: Callable[[Arena], Awaitable[None]]


@asynccontextmanager
async def arena(nursery: Nursery, directory: Path) -> AsyncIterator[Arena]:
    """A fresh server process with a herald and a bystander."""
    policy = directory / "policy.toml"
    policy.write_text(POLICY)
    data = directory / "data"
    environment = {"SUBROSA_POLICY": str(policy), IMPATIENT: "1"}
    async with AsyncExitStack() as stack:
        child, base = await stack.enter_async_context(nursery.serving(data, **environment))
        place = Arena(base, data, child.pid)
        herald, bystander = await place.member("herald"), await place.member("bystander")
        await place.operate("connection.put", a="herald", b="bystander")
        place.herald = await stack.enter_async_context(herald)
        place.bystander = await stack.enter_async_context(bystander)
        await herald.connect()
        await bystander.connect()
        await place.tell_bystander()
        yield place
