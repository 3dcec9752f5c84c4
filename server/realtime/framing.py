"""One event as bytes: framed once per encoding, whoever and however many get it."""

from __future__ import annotations

from typing import Any

from server.commands.outcome import Event
from server.protocol.codec import Codec
from server.realtime.session import Item


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


def event_map(event: Event) -> dict[str, Any]:
    """An event as it is on the wire."""
    return {"event": event.name, "topic": event.topic, "pos": event.pos, "data": event.data}
