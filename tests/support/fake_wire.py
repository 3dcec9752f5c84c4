"""A socket without a network: the `Wire` of the house, and a test's client at its other end.

Reads the frames that it is given by itself, so that framing and encoding are checked by somebody
else's hand. It can stall: then it takes `ROOM` bytes like a transport's buffer and is full until
it drains; and it can be cut, with whatever was under way. Everything happens on the loop's thread.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import msgpack

from server.protocol.wire import Listener

Map = dict[str, Any]
ROOM = 600
_TEXT, _BINARY, _PING = 0x81, 0x82, 0x89
_LOST = 1006


class Client(Protocol):
    """Who reads what a wire carries."""

    def handed(self, frame: Map) -> None:
        """The server has handed this over: from here on it is out of its reach."""

    def arrived(self, frame: Map) -> None:
        """The client has it."""

    def ended(self, code: int) -> None:
        """The connection is over; the last call."""


def payloads(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The first byte and the payload of each of a server's whole frames, end to end."""
    at = 0
    while at < len(data):
        first, length, at = data[at], data[at + 1], at + 2
        if length > 127:
            raise AssertionError("a server's frame is not masked")
        if length >= 126:
            size = 2 if length == 126 else 8
            length, at = int.from_bytes(data[at : at + size]), at + size
        if at + length > len(data):
            raise AssertionError("a frame is not whole")
        yield first, data[at : at + length]
        at += length


class FakeWire:
    """One connection. `data` is every byte that was ever handed to it."""

    def __init__(self, subprotocol: str, client: Client) -> None:
        self.data = bytearray()
        self.peer = "127.0.0.1:50123"
        self.closed: int | None = None
        self.stalled = False
        self._json = subprotocol.endswith(".json")
        self._client = client
        self._listener: Listener | None = None
        self._under_way: deque[tuple[Map, int]] = deque()
        self._unsent = 0
        self._unread: deque[bytes] = deque()
        self._paused = False

    # The server's end

    def attach(self, listener: Listener) -> None:
        """Who hears what the client sends."""
        self._listener = listener

    @property
    def full(self) -> bool:
        return self._unsent > ROOM

    def write(self, frames: Sequence[bytes]) -> None:
        if self.closed is not None:
            return
        if self.full:
            raise AssertionError("written to a wire that is full")
        data = b"".join(frames)
        self.data += data
        for first, payload in payloads(data):
            if first == _PING:
                continue
            if first != (_TEXT if self._json else _BINARY):
                raise AssertionError(f"a frame of another kind: {first:#x}")
            frame = json.loads(payload) if self._json else msgpack.unpackb(payload)
            self._client.handed(frame)
            if self.stalled:
                self._under_way.append((frame, len(payload)))
                self._unsent += len(payload)
            else:
                self._client.arrived(frame)

    def close(self, code: int, reason: str = "") -> None:
        if self.closed is None:
            self.closed = _LOST if self.full else code
            asyncio.get_running_loop().call_soon(self._lose)

    def abort(self) -> None:
        self.close(_LOST)

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        if self._paused:
            self._paused = False
            asyncio.get_running_loop().call_soon(self._read)

    # The client's end

    def send(self, frame: Map) -> None:
        """Say something to the server; it waits while the server does not read."""
        self._unread.append(json.dumps(frame).encode() if self._json else msgpack.packb(frame))
        self._read()

    def _read(self) -> None:
        while self._unread and not self._paused and self.closed is None and self._listener:
            payload = self._unread.popleft()
            self._listener.alive()
            self._listener.received(payload)

    def drain(self) -> None:
        """Read again, and read everything that is under way."""
        was_full, self.stalled = self.full, False
        while self._under_way:
            self._client.arrived(self._under_way.popleft()[0])
        self._unsent = 0
        if was_full and self._listener is not None:
            self._listener.drained()

    def cut(self) -> None:
        """The network is gone, with what was under way."""
        if self.closed is None:
            self.closed = _LOST
            self._lose()

    def _lose(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            self._under_way.clear()
            self._unread.clear()
            listener.lost()
            self._client.ended(self.closed or _LOST)
