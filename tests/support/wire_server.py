"""A scripted server for tests of the client: speaks the wire, does what the test says.

async with wire_server() as server:
    session = await server.session()                  # the next connection
    connect = await session.expect("connect")         # its next command
    await session.welcome(connect, {"member:ada": 3})
    await session.event("message.created", {...}, topic="member:ada", pos=4)
    await session.close(4001, "after_ms=1500")
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

import msgpack
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

Map = dict[str, Any]
SUBPROTOCOLS = ["subrosa.v1.msgpack", "subrosa.v1.json"]
EPOCH = "epoch-1"


@dataclass(frozen=True)
class Command:
    id: int
    cmd: str
    params: Map


class Session:
    """One connection, as the server sees it."""

    def __init__(self, wire: ServerConnection) -> None:
        self._wire = wire
        self._commands: asyncio.Queue[Command | None] = asyncio.Queue(1000)
        self.ended = asyncio.Event()

    @property
    def json(self) -> bool:
        return self._wire.subprotocol == "subrosa.v1.json"

    async def read(self) -> None:
        try:
            async for data in self._wire:
                frame = json.loads(data) if self.json else msgpack.unpackb(cast(bytes, data))
                command = Command(frame["id"], frame["cmd"], frame.get("params", {}))
                self._commands.put_nowait(command)
        except ConnectionClosed:
            pass
        finally:
            self.ended.set()
            self._commands.put_nowait(None)

    async def next(self) -> Command:
        command = await self._commands.get()
        assert command is not None, "the client closed instead of giving a command"
        return command

    async def expect(self, cmd: str) -> Command:
        command = await self.next()
        assert command.cmd == cmd, command
        return command

    async def frame(self, frame: Map) -> None:
        await self._wire.send(json.dumps(frame) if self.json else cast(bytes, msgpack.packb(frame)))

    async def raw(self, data: str | bytes) -> None:
        await self._wire.send(data)

    async def answer(self, command: Command, result: Map) -> None:
        await self.frame({"id": command.id, "result": result})

    async def refuse(self, command: Command, code: str, **more: Any) -> None:
        error = {"code": code, "message": f"words for {code}", "retryable": False, **more}
        await self.frame({"id": command.id, "error": error})

    async def event(self, name: str, data: Map, topic: str = "member:ada", pos: int = 0) -> None:
        frame: Map = {"event": name, "topic": topic, "data": data}
        if pos:
            frame["pos"] = pos
        await self.frame(frame)

    async def welcome(
        self,
        connect: Command,
        topics: dict[str, int],
        *,
        reset: list[str] | None = None,
        member: str = "ada",
        epoch: str = EPOCH,
        ping_s: float = 25,
        lives_s: float = 3600,
    ) -> None:
        now = 1_700_000_000_000
        await self.answer(
            connect,
            {
                "session": "s1",
                "member": member,
                "epoch": epoch,
                "topics": topics,
                "reset": reset or [],
                "ping_s": ping_s,
                "now": now,
                "expires_at": now + int(lives_s * 1000),
                "limits": {},
            },
        )

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self._wire.close(code, reason)

    def cut(self) -> None:
        """The network goes: no closing handshake."""
        self._wire.transport.abort()


class WireServer:
    """Accepts connections and hands them to the test, one after the other."""

    def __init__(self) -> None:
        self._sessions: asyncio.Queue[Session] = asyncio.Queue(100)
        self.refuse_with: HTTPStatus | None = None
        self.refused = 0
        self.on_session: Callable[[Session], Any] | None = None
        self.url = ""

    async def session(self) -> Session:
        return await self._sessions.get()

    async def welcomed(self, topics: dict[str, int] | None = None, **more: Any) -> Session:
        """The next connection, past its `connect`."""
        session = await self.session()
        await session.welcome(await session.expect("connect"), topics or {"member:ada": 0}, **more)
        return session

    async def handle(self, wire: ServerConnection) -> None:
        session = Session(wire)
        self._sessions.put_nowait(session)
        await session.read()

    def check(self, wire: ServerConnection, request: Request) -> Response | None:
        if self.refuse_with is None:
            return None
        self.refused += 1
        return wire.respond(self.refuse_with, "no\n")


@asynccontextmanager
async def wire_server(port: int = 0) -> AsyncIterator[WireServer]:
    """A server on a port of loopback, free unless given."""
    server = WireServer()
    async with serve(
        server.handle,
        "127.0.0.1",
        port,
        subprotocols=cast(Any, SUBPROTOCOLS),
        process_request=server.check,
        ping_interval=None,
        close_timeout=1,
        compression=None,
    ) as listening:
        number = next(iter(listening.sockets)).getsockname()[1]
        server.url = f"http://127.0.0.1:{number}"
        yield server
