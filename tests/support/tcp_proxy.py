"""A TCP proxy in the test's own loop that fails the ways networks do.

`TcpProxy` is an async context that forwards to one address. What it does can be changed at any
time, for all connections or for some of them; without further ado it forwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from abc import ABC, abstractmethod
from collections.abc import Iterable
from enum import Enum, auto
from types import TracebackType
from typing import Self

_REMEMBERED = 1 << 16


class Mode(Enum):
    FORWARD = auto()
    FREEZE = auto()  # what comes is swallowed: half-open, without an error for either side
    STALL = auto()  # nothing is read: whoever sends is held up, once the kernel's buffers are full


class Pair:
    """A client's connection and the one made for it. What is swallowed makes it useless."""

    def __init__(self, proxy: TcpProxy, near: asyncio.StreamWriter) -> None:
        self.mode = proxy.mode
        self.said = bytearray()
        """The beginning of what the client said."""
        self._proxy = proxy
        self._near = near
        self._far: asyncio.StreamWriter | None = None
        self._moving = asyncio.Event()
        self.set(proxy.mode)

    def set(self, mode: Mode) -> None:
        """From now on do that with what comes."""
        self.mode = mode
        if mode is Mode.STALL:
            self._moving.clear()
        else:
            self._moving.set()

    def cut(self) -> None:
        """Reset both connections."""
        for writer in (self._near, self._far):
            if writer is not None:
                sock = writer.get_extra_info("socket")
                with contextlib.suppress(OSError):
                    linger = struct.pack("ii", 1, 0)  # closing sends a reset, and flushes nothing
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()

    async def run(self, near: asyncio.StreamReader, host: str, port: int) -> None:
        try:
            far, self._far = await asyncio.open_connection(host, port)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(near, self._far, self.said))
                both.create_task(self._pump(far, self._near, bytearray()))
        except* OSError:
            pass
        finally:
            self.cut()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, said: bytearray
    ) -> None:
        while True:
            await self._moving.wait()
            data = await reader.read(1 << 16)
            await self._moving.wait()
            if not data:
                raise ConnectionResetError  # the other side learns of it as well
            if len(said) < _REMEMBERED:
                said += data
            if self._proxy.delay_s:
                await asyncio.sleep(self._proxy.delay_s)
            after = await self.look(data, upstream=said is self.said)
            await self._moving.wait()
            if self.mode is not Mode.FREEZE:
                if writer.transport.is_closing():  # cut meanwhile
                    raise ConnectionResetError
                writer.write(data)
                await writer.drain()
            await self.passed(after)

    async def look(self, data: bytes, *, upstream: bool) -> str:
        """Look at what is about to be passed on; the answer is given to `passed` behind it."""
        return ""

    async def passed(self, after: str) -> None:
        """It has been passed on, or swallowed."""


class Accepting(ABC):
    """A server on `port`, which it chooses; what serves a connection is ended with it."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self.serve(reader, writer)
        finally:
            self._tasks.discard(task)

    @abstractmethod
    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Do what this server does with one connection."""


class TcpProxy(Accepting):
    """Forwards to `host` and `target`."""

    kind: type[Pair] = Pair

    def __init__(self, target: int, host: str = "127.0.0.1") -> None:
        super().__init__()
        self._host = host
        self._target = target
        self.mode = Mode.FORWARD
        self.pairs: list[Pair] = []
        self.refusing = False
        self.delay_s = 0.0

    def forward(self) -> None:
        """Do what proxies do."""
        self.refusing, self.delay_s = False, 0.0
        self._set(Mode.FORWARD, self.pairs, new=True)

    def freeze(self, pairs: Iterable[Pair] | None = None) -> None:
        """Swallow what comes, both ways: of these, or of all that there are and will be."""
        self._set(Mode.FREEZE, self.pairs if pairs is None else pairs, new=pairs is None)

    def stall(self, pairs: Iterable[Pair] | None = None) -> None:
        """Read nothing more, so that senders are held up."""
        self._set(Mode.STALL, self.pairs if pairs is None else pairs, new=pairs is None)

    def delay(self, seconds: float) -> None:
        """Let each piece wait for so long, before the next one is read."""
        self.delay_s = seconds

    def cut(self, pairs: Iterable[Pair] | None = None) -> None:
        """Reset these connections, or all; new ones are taken as before."""
        for pair in list(self.pairs if pairs is None else pairs):
            pair.cut()

    def refuse(self) -> None:
        """Reset what there is, and whatever comes."""
        self.refusing = True
        self.cut()

    def _set(self, mode: Mode, pairs: Iterable[Pair], *, new: bool) -> None:
        if new:
            self.mode = mode
        for pair in pairs:
            pair.set(mode)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward, both ways."""
        pair = self.kind(self, writer)
        if self.refusing:
            pair.cut()
            return
        self.pairs.append(pair)
        try:
            await pair.run(reader, self._host, self._target)
        finally:
            self.pairs.remove(pair)
