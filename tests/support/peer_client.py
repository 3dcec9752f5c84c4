"""A client for tests: speaks the wire with an independent codec and keeps every byte it gets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Any, Self

import msgpack
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.support.running import Running


class Refusal(Exception):
    """An error that the server answered with."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["code"])
        self.code = error["code"]
        self.error = error


class Peer:
    """One socket. `events` are those not yet taken, `bytes` everything that ever came."""

    def __init__(self, url: str, token: str, encoding: str = "msgpack") -> None:
        self._url = url
        self._token = token
        self._encoding = encoding
        self._ids = 0
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._news = asyncio.Condition()
        self._reader: asyncio.Task[None] | None = None
        self.socket: ClientConnection
        self.events: list[dict[str, Any]] = []
        self.all_events: list[dict[str, Any]] = []
        self._chunks: list[bytes] = []
        self.closed: tuple[int, str] | None = None

    async def __aenter__(self) -> Self:
        self.socket = await connect(
            self._url,
            subprotocols=[Subprotocol(f"subrosa.v1.{self._encoding}")],
            compression=None,
            ping_interval=None,
            proxy=None,
        )
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.socket.close()
        assert self._reader is not None
        await self._reader

    @property
    def bytes(self) -> bytes:
        """Everything that ever came, joined when asked for: adding each to the last copies all."""
        return b"".join(self._chunks)

    async def _read(self) -> None:
        try:
            async for message in self.socket:
                raw = message.encode() if isinstance(message, str) else message
                self._chunks.append(raw)
                frame = json.loads(raw) if self._encoding == "json" else msgpack.unpackb(raw)
                await self._take(frame)
        except ConnectionClosed:
            pass
        finally:  # nobody waits for ever for what is not read any more
            self.closed = (self.socket.close_code or 1006, self.socket.close_reason or "")
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(ConnectionError(f"closed: {self.closed}"))
                    answer.exception()  # told to whoever waits; nobody has to
            async with self._news:
                self._news.notify_all()

    async def _take(self, frame: dict[str, Any]) -> None:
        if "event" in frame:
            async with self._news:
                self.events.append(frame)
                self.all_events.append(frame)
                self._news.notify_all()
            return
        answer = self._answers.pop(frame["id"], None)
        if answer is not None and not answer.done():
            answer.set_result(frame)

    async def start(self, cmd: str, **params: Any) -> asyncio.Future[dict[str, Any]]:
        """Send a command; its whole answer frame comes later."""
        self._ids += 1
        answer = asyncio.get_running_loop().create_future()
        self._answers[self._ids] = answer
        frame = {"id": self._ids, "cmd": cmd, "params": params}
        if self._encoding == "json":
            await self.socket.send(json.dumps(frame))
        else:
            await self.socket.send(msgpack.packb(frame))
        return answer

    async def call(self, cmd: str, **params: Any) -> dict[str, Any]:
        """A command's result. Raises `Refusal`."""
        frame = await (await self.start(cmd, **params))
        if "error" in frame:
            raise Refusal(frame["error"])
        result: dict[str, Any] = frame["result"]
        return result

    async def connect(self, **params: Any) -> dict[str, Any]:
        """The first command."""
        return await self.call("connect", token=self._token, **{"device": "test", **params})

    async def event(self, name: str) -> dict[str, Any]:
        """The next event of this name, leaving earlier ones of other names."""
        async with self._news:
            while True:
                for event in self.events:
                    if event["event"] == name:
                        self.events.remove(event)
                        return event
                if self.closed is not None:
                    raise ConnectionError(f"closed: {self.closed}")
                await self._news.wait()

    async def end(self) -> tuple[int, str]:
        """Wait for the connection's close: code and reason."""
        async with self._news:
            while self.closed is None:
                await self._news.wait()
        return self.closed


@asynccontextmanager
async def connected(
    server: Running, *members: str, encoding: str = "msgpack"
) -> AsyncIterator[tuple[Peer, ...]]:
    """One connected peer for each of these members, in a house that is quiet."""
    async with AsyncExitStack() as stack:
        peers = []
        for member in members:
            peer = Peer(server.ws, server.token(member), encoding)
            await stack.enter_async_context(peer)
            await peer.connect()
            peers.append(peer)
        await server.quiet()
        yield tuple(peers)
