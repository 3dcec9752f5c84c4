"""Clients that believe nothing: every frame is held against the contract's shapes as it comes.

`CarefulPeer` is the tests' WebSocket client with a sharp eye; `HttpPeer` gives the same commands
over HTTP. Both have `call`, so that one test can say the same thing three ways.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Any, Protocol, Self

import httpx
import msgpack

from tests.support.peer_client import Peer, Refusal
from tests.support.running import Running
from tests.support.shapes import ERROR, misfit, misfit_of_frame

ENCODINGS = ("msgpack", "json")
TYPES = {"json": "application/json", "msgpack": "application/msgpack"}


class Speaker(Protocol):
    """Whoever can give a member's commands."""

    async def call(self, cmd: str, **params: Any) -> dict[str, Any]:
        """A command's result. Raises `Refusal`."""


class CarefulPeer(Peer):
    """A `Peer` that notes what does not fit: shapes, and positions that are not dense.

    At its end it raises what it has noted. `stray` are answers to frames without a usable id.
    """

    def __init__(self, url: str, token: str, encoding: str = "msgpack") -> None:
        super().__init__(url, token, encoding)
        self.positions: dict[str, int] = {}
        self._lost: set[str] = set()
        self._connecting: dict[str, Any] | None = None
        self.wrong: list[str] = []
        self.stray: list[dict[str, Any]] = []

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await super().__aexit__(kind, value, trace)
        if kind is None:
            assert self.wrong == [], self.wrong

    async def connect(self, **params: Any) -> dict[str, Any]:
        """The first command; positions are followed from here."""
        self._connecting = params
        return await super().connect(**params)

    def _connected(self, params: dict[str, Any], result: dict[str, Any]) -> None:
        resumed: dict[str, int] = params.get("resume") or {}
        # Where topics are resumed in parts, only what comes tells from where.
        for topic, head in () if params.get("resume_more") else result["topics"].items():
            self.positions[topic] = head if topic in result["reset"] else resumed.get(topic, head)

    async def _take(self, frame: dict[str, Any]) -> None:
        if why := misfit_of_frame(frame):
            self.wrong.append(f"{why} in {frame}")
        if self._connecting is not None and "epoch" in frame.get("result", ()):
            # Now, and not when its caller goes on: events may have come right behind it.
            self._connected(self._connecting, frame["result"])
            self._connecting = None
        if "pos" in frame:
            self._follow(frame["topic"], frame["pos"])
            if frame["event"] == "conversation.left":
                self._lost.add(frame["data"]["topic"])
            if frame["event"] == "conversation.joined":
                if frame["data"]["topic"] in self._lost:  # who comes back goes on from elsewhere
                    self._lost.remove(frame["data"]["topic"])
                    self.positions.pop(frame["data"]["topic"], None)
                self.positions.setdefault(frame["data"]["topic"], frame["data"]["pos"])
        if "event" not in frame and frame["id"] is None:
            self.stray.append(frame)
            async with self._news:
                self._news.notify_all()
            return
        await super()._take(frame)

    def _follow(self, topic: str, pos: int) -> None:
        known = self.positions.get(topic)
        if known is not None and pos != known + 1:
            self.wrong.append(f"{topic}: {pos} came after {known}")
        self.positions[topic] = pos

    def expect(self, ident: Any) -> asyncio.Future[dict[str, Any]]:
        """The whole answer to a frame that is sent by `send_raw` under this id."""
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[ident] = answer
        return answer

    async def raw_answer(self, frame: bytes, ident: str) -> bytes:
        """Send a frame with this id, and give the bytes of its answer as they came."""
        answer = self.expect(ident)
        await self.send_raw(frame)
        told = await answer
        for chunk in reversed(self._chunks):
            if msgpack.unpackb(chunk) == told:
                return chunk
        raise AssertionError("an answer of no bytes")

    async def send_raw(self, text: bytes | str) -> None:
        """A message as it is, of the kind that its type is."""
        await self.socket.send(text)

    async def strays(self, count: int) -> list[dict[str, Any]]:
        """Wait until so many answers without an id have come."""
        async with self._news:
            while len(self.stray) < count:
                await self._news.wait()
        return self.stray


class HttpPeer:
    """The commands of a member (by token) or of the operator (by key) over HTTP.

    `status` and `answer` are those of the last request, `raw` its body's bytes.
    """

    def __init__(
        self, base: str, token: str = "", *, key: str = "", encoding: str = "json"
    ) -> None:
        self._prefix = "/admin/v1/" if key else "/v1/"
        self._encoding = encoding
        self.status = 0
        self.raw = b""
        self.headers = httpx.Headers()
        headers = {"content-type": TYPES[encoding]}
        if token:
            headers["authorization"] = f"Bearer {token}"
        if key:
            headers["x-api-key"] = key
        # No TLS here, and reading the world's certificates takes longer than most tests.
        self.client = httpx.AsyncClient(
            base_url=base, headers=headers, trust_env=False, timeout=30, verify=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()

    async def post(self, path: str, body: bytes, **headers: str) -> dict[str, Any]:
        """One request; answers its body's map, in the encoding of the request."""
        answer = await self.client.post(path, content=body, headers=headers)
        self.status, self.raw, self.headers = answer.status_code, answer.content, answer.headers
        value: dict[str, Any] = (
            json.loads(self.raw) if self._encoding == "json" else msgpack.unpackb(self.raw)
        )
        return value

    async def call(self, cmd: str, **params: Any) -> dict[str, Any]:
        """A command's result. Raises `Refusal`."""
        body = json.dumps(params).encode() if self._encoding == "json" else msgpack.packb(params)
        value = await self.post(self._prefix + cmd, body)
        if "error" in value:
            assert misfit(value, {"error": ERROR}) is None, value
            raise Refusal(value["error"])
        assert self.status == 200, value
        result: dict[str, Any] = value["result"]
        return result


@asynccontextmanager
async def careful(
    server: Running, *members: str, encoding: str = "msgpack"
) -> AsyncIterator[tuple[CarefulPeer, ...]]:
    """One connected careful peer for each of these members, in a house that is quiet."""
    async with AsyncExitStack() as stack:
        peers = []
        for member in members:
            peer = CarefulPeer(server.ws, server.token(member), encoding)
            await stack.enter_async_context(peer)
            await peer.connect()
            peers.append(peer)
        await server.quiet()
        yield tuple(peers)


async def refused(speaker: Speaker, cmd: str, **params: Any) -> dict[str, Any]:
    """The error that a command is answered with; a result fails."""
    try:
        result = await speaker.call(cmd, **params)
    except Refusal as refusal:
        return refusal.error
    raise AssertionError(f"{cmd} was not refused: {result}")


WAYS = ("msgpack", "json", "http+msgpack", "http+json")


@asynccontextmanager
async def speaking(server: Running, way: str, *members: str) -> AsyncIterator[tuple[Speaker, ...]]:
    """One speaker for each of these members, by one of `WAYS`."""
    over, _, encoding = way.rpartition("+")
    async with AsyncExitStack() as stack:
        if not over:
            yield await stack.enter_async_context(careful(server, *members, encoding=encoding))
            return
        tokens = [server.token(member) for member in members]
        made = [HttpPeer(server.base, token, encoding=encoding) for token in tokens]
        yield tuple([await stack.enter_async_context(one) for one in made])
