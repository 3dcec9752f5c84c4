"""Events as bytes: framed once per encoding, whoever and however many get them."""

from __future__ import annotations

from typing import Any

import msgspec

from server.commands.outcome import Event
from server.protocol.codec import Codec

WRITE_BYTES = 65_536  # handed to the transport at a time: beyond that it is out of reach


class Item(msgspec.Struct, frozen=True):
    """A frame that is due, and why: shared by all sessions of an encoding that get it."""

    frame: bytes
    topic: str = ""  # "" for an answer
    signal: bool = False


class Run:
    """The events of a topic within one tick, in one encoding: one item for all who get them all.

    It grows until it is sealed, so it is due only to sessions that were in the audience all the
    time: whoever changes the audience begins a new one. `frame` is for reading once it is sealed.
    """

    __slots__ = ("_more", "_size", "frame", "topic")
    signal = False

    def __init__(self, topic: str, frame: bytes) -> None:
        self.topic = topic
        self.frame = frame
        self._more: list[bytes] | None = None
        self._size = len(frame)

    def add(self, frame: bytes) -> bool:
        """Put a frame behind the others; answers whether another one fits into a write."""
        if self._more is None:
            self._more = [self.frame]
        self._more.append(frame)
        self._size += len(frame)
        return self._size < WRITE_BYTES

    def seal(self) -> None:
        """Nothing more is added."""
        if self._more is not None:
            self.frame = b"".join(self._more)
            self._more = None


Due = Item | Run


class Frames:
    """One map framed once per encoding, on demand, and shared by all who get it."""

    __slots__ = ("_body", "_items", "_signal", "_topic")

    def __init__(self, topic: str, body: dict[str, Any], *, signal: bool = False) -> None:
        self._topic = topic
        self._body = body
        self._signal = signal
        self._items: dict[str, Item] = {}

    def item(self, codec: Codec) -> Item:
        """The frame in this encoding."""
        found = self._items.get(codec.subprotocol)
        if found is None:
            found = Item(codec.frame(self._body), self._topic, self._signal)
            self._items[codec.subprotocol] = found
        return found


class Framed(Frames):
    """An event that is given to one session after the other, and those from whom it is kept."""

    __slots__ = ("_passed", "event")

    def __init__(self, event: Event) -> None:
        super().__init__(event.topic, event_map(event))
        self.event = event
        self._passed: Frames | None = None

    def told(self, member: str) -> Frames:
        """What this member gets of it."""
        if member not in self.event.apart:
            return self
        if self._passed is None:
            self._passed = Frames(self.event.topic, event_map(self.event.passed()))
        return self._passed


def event_map(event: Event) -> dict[str, Any]:
    """An event as it is on the wire."""
    return {"event": event.name, "topic": event.topic, "pos": event.pos, "data": event.data}
