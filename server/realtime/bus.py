"""The port that carries events between nodes: a channel a topic, at most once, in any order.

It only wakes others up sooner: whatever it loses, the store has, and hubs find gaps and compare
heads. So nothing waits for it, and a dead bus makes other nodes late, never wrong. No adapter may
take order or a single connection for granted: a sharded one has many of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec


class Counters(msgspec.Struct, frozen=True):
    """What the bus has done since it was made, for /metrics; probes are counted like messages."""

    published: int = 0  # that Redis took
    received: int = 0
    dropped: int = 0  # never sent, refused, or under way when a connection was lost
    rejected: int = 0  # forged, for another channel, malformed
    foreign: int = 0  # of a version that this node does not know
    faults: int = 0  # that the listener raised
    reconnects: int = 0  # of the subscribing connection
    waiting: int = 0
    waiting_bytes: int = 0


class Listener(Protocol):
    """Who is told what comes over the bus; on the loop, and not for long."""

    def arrived(self, topic: str, message: bytes) -> None:
        """Another node published this, or this one did: a node's own may come back to it."""

    def complete(self, topics: Sequence[str]) -> None:
        """From now on what is published on these arrives; what was before may have been missed.

        Called when a subscription is confirmed, and again whenever the link was lost in between.
        """


class Bus(Protocol):
    """One node's connection to the bus. No method blocks or raises."""

    @property
    def healthy(self) -> bool:
        """Whether messages go through, as far as is known: False is degraded, not down."""

    @property
    def counters(self) -> Counters:
        """What it has done so far."""

    def listen(self, listener: Listener) -> None:
        """Tell this listener. To be called once, before anything is subscribed."""

    def carries(self, topic: str) -> bool:
        """Whether anybody else might be listening: if not, no message need be made."""

    def publish(self, topic: str, message: bytes) -> None:
        """Send a message to the nodes that subscribe to the topic; dropped where it cannot be."""

    def subscribe(self, topic: str) -> None:
        """Receive this topic's messages from now on, or from when `complete` tells of it."""

    def unsubscribe(self, topic: str) -> None:
        """Receive them no longer."""

    async def close(self) -> None:
        """Let go of the connection."""
