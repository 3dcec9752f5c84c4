"""What is handed over at the wires of a server in the test's own loop, and who does not take it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from server.protocol.frames import TEXT
from server.web.uvicorn_protocol import WebSocketProtocol
from tests.support.running import Running


class Handed:
    """Everything given to any wire, in order, with room for marks in between."""

    def __init__(self) -> None:
        self.log: list[tuple[WebSocketProtocol, bytes]] = []

    def frames(self) -> Iterator[tuple[int, WebSocketProtocol, dict[str, Any]]]:
        """Every map that was handed over in JSON, with its place in the log."""
        for place, (wire, data) in enumerate(self.log):
            at = 0
            while at < len(data):
                opcode, length = data[at] & 0x0F, data[at + 1]
                size = {126: 2, 127: 8}.get(length, 0)
                at += 2 + size
                length = int.from_bytes(data[at - size : at]) if size else length
                if opcode == TEXT:
                    yield place, wire, json.loads(data[at : at + length])
                at += length

    def since(self, mark: int, wires: set[WebSocketProtocol]) -> bytes:
        """What these wires were given since a mark."""
        return b"".join(data for wire, data in self.log[mark:] if wire in wires)


class Deaf:
    """A session whose client connects, then reads nothing until it is told to."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def read_all(self) -> list[dict[str, Any]]:
        """Every event that was in the socket; it is closed by then, or answers a ping."""
        events = []
        await self._socket.send('{"id": 9, "cmd": "ping"}')
        async for message in self._socket:
            frame = json.loads(message)
            if frame.get("id") == 9:
                break
            if "event" in frame:
                events.append(frame)
        return events


@asynccontextmanager
async def deaf(server: Running, member: str) -> AsyncIterator[Deaf]:
    """A session of this member that does not read."""
    async with connect(
        server.ws, subprotocols=[Subprotocol("subrosa.v1.json")], compression=None, max_queue=1,
        ping_interval=None, proxy=None, close_timeout=0.2,  # a goodbye would not be heard either
    ) as socket:  # fmt: skip
        params = {"token": server.token(member), "device": "deaf"}
        await socket.send(json.dumps({"id": 1, "cmd": "connect", "params": params}))
        assert "result" in json.loads(await socket.recv())
        yield Deaf(socket)
