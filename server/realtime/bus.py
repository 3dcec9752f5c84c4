"""The port that carries events between nodes: a channel a topic, at most once, in any order.

It only wakes others up sooner: whatever it loses, the store has, and hubs find gaps and compare
heads. So nothing waits for it, and a dead bus makes other nodes late, never wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Handler = Callable[[str, bytes], None]


class Bus(Protocol):
    """One node's connection to the bus. No method blocks or raises."""

    def listen(self, handler: Handler) -> None:
        """Give what arrives for subscribed topics to `handler(topic, message)`, on the loop.
        A node's own messages may come back to it."""

    def carries(self, topic: str) -> bool:
        """Whether anybody else might be listening: if not, no message need be made."""

    def publish(self, topic: str, message: bytes) -> None:
        """Send a message to the other nodes that subscribe to the topic."""

    def subscribe(self, topic: str) -> None:
        """Receive this topic's messages from now on, or from soon."""

    def unsubscribe(self, topic: str) -> None:
        """Receive them no longer."""

    async def close(self) -> None:
        """Let go of the connection."""
