"""A proxy that understands WebSocket frames, and does to one of the server's what no server may.

`MeddlingProxy` forwards everything, HTTP included, until a message's frame comes by that is worth
it; that one it drops, repeats, swaps with the next one of its topic, or gives to another
connection. What it has done is in `done`.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from enum import Enum, auto

from tests.support.tcp_proxy import Accepting

_TOPIC = re.compile(
    rb"message\.created.{1,12}topic.{1,4}?((?:conversation|member):[\w.-]+)", re.DOTALL
)


class Misdeed(Enum):
    DROP = auto()
    REPEAT = auto()
    SWAP = auto()
    MISDELIVER = auto()


class Connection:
    """One client's, with the one made for it: its bytes from the server, frame by frame."""

    def __init__(self, proxy: MeddlingProxy, near: asyncio.StreamWriter) -> None:
        self.near = near
        self.topics: set[bytes] = set()
        """The topics of which it has got messages."""
        self.opcode = 0
        self._proxy = proxy
        self._upgraded = False
        self._data = b""
        self._kept: tuple[bytes, bytes] | None = None

    def forward(self, data: bytes) -> None:
        """Pass on what the server said."""
        self._data += data
        if not self._upgraded:
            head, end, rest = self._data.partition(b"\r\n\r\n")
            if not self._data.startswith(b"HTTP/1.1 101"):
                self.near.write(self._data)
                self._data = b""
                return
            if not end:
                return
            self.near.write(head + end)
            self._upgraded, self._data = True, rest
        while (size := _frame(self._data)) is not None:
            frame, self._data = self._data[:size], self._data[size:]
            for piece in self._pieces(frame):
                self.near.write(piece)

    def _pieces(self, frame: bytes) -> list[bytes]:
        found = _TOPIC.search(frame)
        if found is None:
            return [frame]
        topic = found[1]
        self.topics.add(topic)
        self.opcode = frame[0]
        if self._kept is not None and self._kept[0] == topic:
            kept, self._kept = self._kept[1], None
            return [frame, kept]
        match self._proxy.meddle(self, topic, frame):
            case Misdeed.DROP:
                return []
            case Misdeed.REPEAT:
                return [frame, frame]
            case Misdeed.SWAP:
                self._kept = (topic, frame)
                return []
            case _:
                return [frame]


class MeddlingProxy(Accepting):
    """Listens on `base`. The misdeed is done once, at message number `at`."""

    def __init__(self, port: int, misdeed: Misdeed, at: int = 40) -> None:
        super().__init__()
        self._target = port
        self._misdeed = misdeed
        self._wait = at
        self._connections: set[Connection] = set()
        self.done: bytes | None = None
        """The topic of the message that it was done to."""

    @property
    def base(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def meddle(self, connection: Connection, topic: bytes, frame: bytes) -> Misdeed | None:
        """What is to be done to this message."""
        self._wait -= 1
        if self.done is not None or self._wait > 0:
            return None
        if self._misdeed is Misdeed.MISDELIVER:
            for other in self._connections:
                if other.opcode == frame[0] and topic not in other.topics:
                    other.near.write(frame)
                    self.done = topic
                    break
            return None
        self.done = topic
        return self._misdeed

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward, but for the one misdeed."""
        connection = Connection(self, writer)
        self._connections.add(connection)
        far: asyncio.StreamWriter | None = None
        try:
            with contextlib.suppress(OSError):
                answers, far = await asyncio.open_connection("127.0.0.1", self._target)
                upwards = asyncio.create_task(_pump(reader, far))
                try:
                    while data := await answers.read(1 << 16):
                        connection.forward(data)
                        await writer.drain()
                finally:
                    upwards.cancel()
                    await asyncio.gather(upwards, return_exceptions=True)
        finally:
            self._connections.discard(connection)
            for end in (writer, far):
                if end is not None:
                    end.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()


def _frame(data: bytes) -> int | None:
    """How long the first frame is, if it is all there."""
    if len(data) < 2:
        return None
    length, head = data[1], 2
    if length >= 126:
        head += 2 if length == 126 else 8
        if len(data) < head:
            return None
        length = int.from_bytes(data[2:head])
    return head + length if len(data) >= head + length else None
