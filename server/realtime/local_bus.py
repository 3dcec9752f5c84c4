"""The bus within one process: for the embedded server, which is alone on it, and for tests that
join several hubs."""

from __future__ import annotations

import asyncio

from server.realtime.bus import Counters, Listener


class Exchange:
    """What the buses of one process are joined by."""

    def __init__(self) -> None:
        self.buses: list[LocalBus] = []


class LocalBus:
    """One node's end of an exchange; delivery is a call."""

    healthy = True

    def __init__(self, exchange: Exchange | None = None) -> None:
        self._exchange = exchange or Exchange()
        self._exchange.buses.append(self)
        self._listener: Listener | None = None
        self.topics: set[str] = set()

    @property
    def counters(self) -> Counters:
        """Calls are not counted."""
        return Counters()

    def listen(self, listener: Listener) -> None:
        """Tell this listener what arrives."""
        self._listener = listener

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
        if self._listener is not None:
            self._listener.arrived(topic, message)

    def subscribe(self, topic: str) -> None:
        """Receive this topic's messages; on a bus with nobody else nothing could be missed."""
        self.topics.add(topic)
        if len(self._exchange.buses) > 1:
            # Not at once: whoever subscribes is still busy with it.
            asyncio.get_running_loop().call_soon(self._complete, topic)

    def _complete(self, topic: str) -> None:
        if self._listener is not None and topic in self.topics:
            self._listener.complete([topic])

    def unsubscribe(self, topic: str) -> None:
        """Receive them no longer."""
        self.topics.discard(topic)

    async def close(self) -> None:
        """Leave the exchange."""
        self.topics.clear()
        if self in self._exchange.buses:
            self._exchange.buses.remove(self)
