"""The bus within one process: for the embedded server, which is alone on it, and for tests that
join several hubs."""

from __future__ import annotations

from server.realtime.bus import Handler


class Exchange:
    """What the buses of one process are joined by."""

    def __init__(self) -> None:
        self.buses: list[LocalBus] = []


class LocalBus:
    """One node's end of an exchange; delivery is a call."""

    def __init__(self, exchange: Exchange | None = None) -> None:
        self._exchange = exchange or Exchange()
        self._exchange.buses.append(self)
        self._handler: Handler | None = None
        self.topics: set[str] = set()

    def listen(self, handler: Handler) -> None:
        """Give what arrives to this handler."""
        self._handler = handler

    def carries(self, topic: str) -> bool:
        """Whether another node subscribes to the topic."""
        return any(topic in bus.topics for bus in self._exchange.buses if bus is not self)

    def publish(self, topic: str, message: bytes) -> None:
        """Deliver to the other nodes that subscribe."""
        for bus in self._exchange.buses:
            if bus is not self and topic in bus.topics:
                bus.deliver(topic, message)

    def deliver(self, topic: str, message: bytes) -> None:
        """A message arrives here."""
        if self._handler is not None:
            self._handler(topic, message)

    def subscribe(self, topic: str) -> None:
        """Receive this topic's messages."""
        self.topics.add(topic)

    def unsubscribe(self, topic: str) -> None:
        """Receive them no longer."""
        self.topics.discard(topic)

    async def close(self) -> None:
        """Leave the exchange."""
        self._exchange.buses.remove(self)
