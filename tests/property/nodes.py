"""The nodes of a bench: one with the embedded store, or some that share a database.

Opens and closes them, and says when they have nothing more to do. Nodes without Redis are joined
by a bus that cannot be relied on.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from server import app
from server.app import Node
from server.commands.outcome import Call, Outcome
from server.domain.policy import Policy
from server.realtime.local_bus import Exchange
from server.settings import Settings
from server.store.sqlite import SqliteStore
from server.web.tokens import Tokens
from tests.property.embedded import EmbeddedFaults
from tests.property.shared import SharedFaults
from tests.property.unreliable_bus import UnreliableBus
from tests.support import houses

KEY = "the-key-that-the-property-test-signs-with"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class House:
    """Which nodes there are, and by what they are joined."""

    nodes: int = 1
    shared: bool = False
    redis: bool = False


EMBEDDED = House()
SHARED = House(shared=True)
TWO_NODES = House(2, shared=True)
OVER_REDIS = House(2, shared=True, redis=True)
Observe = Callable[["Observed", Sequence[Call], Sequence[Outcome]], None]


class Observed(Node):
    """A node whose commits are seen in their order, before anybody else hears of them."""

    observe: Observe

    def deliver(self, calls: Sequence[Call], outcomes: Sequence[Outcome]) -> None:
        self.observe(self, calls, outcomes)
        super().deliver(calls, outcomes)


@dataclass
class Nodes:
    """Those of one bench. To be opened and closed in the loop that everything runs in."""

    house: House
    counts: Counter[str]
    all: list[Observed] = field(default_factory=list)
    embedded: EmbeddedFaults | None = None
    shared: SharedFaults | None = None
    _stack: ExitStack = field(default_factory=ExitStack)
    _database: str = ""

    async def open(
        self, data: Path, policy: Policy, clock_us: Callable[[], int], observe: Observe
    ) -> None:
        """Start all nodes, on this directory or on a database of their own."""
        more = await self._services()
        settings = Settings(
            data=data, policy=policy, rate_limits=False, signing_key=KEY, **more
        )  # fmt: skip
        exchange, dice = Exchange(), Random(1)
        if self.house.shared:
            self.shared = SharedFaults(self.counts)
            self._stack.enter_context(self.shared.watching())
        with _joined_by(None if self.house.redis else (exchange, dice)):
            for _ in range(self.house.nodes):
                self.all.append(await Observed.open(settings, clock_us))
        for node in self.all:
            node.observe = observe
            tokens = Tokens.signing(KEY, lambda: clock_us() / 1_000_000)
            node.tokens = node.dispatcher.tokens = tokens
            if isinstance(node.store, SqliteStore):
                self.embedded = EmbeddedFaults(node.store, self.counts)
            elif self.shared is not None:
                self.shared.watch(node.store)

    async def _services(self) -> dict[str, Any]:
        if not self.house.shared:
            return {}
        self._database = f"property_{next(_numbers)}"
        service = await asyncio.to_thread(houses.postgres)
        await asyncio.to_thread(service.create_database, self._database, houses.TEMPLATE)
        more = {"database": service.url(self._database)}
        if self.house.redis:
            more["redis"] = (await asyncio.to_thread(houses.redis)).url()
            more["redis_prefix"] = f"{self._database}:"
        return more

    async def close(self) -> None:
        """Stop them, and drop what was made for them."""
        for node in self.all:
            await node.close()
        self._stack.close()
        if self._database:
            await asyncio.to_thread(houses.postgres().drop_database, self._database)

    def rank(self, conversation: str) -> int:
        """Where a conversation stands among those that were active at the same time."""
        return self.all[0].store.deployment.ids.conversation_key(conversation) or 0

    # What they are still busy with

    @property
    def busy(self) -> bool:
        """Whether commands wait, for a transaction or for other nodes to have passed a fence."""
        return any(node.store.waiting or waits_for_fences(node) for node in self.all)

    def held_up(self) -> list[tuple[int, int]]:
        """By node, how many commands wait for a transaction, and how many for fences."""
        return [
            (node.store.waiting, node.fences.waiting if node.fences is not None else 0)
            for node in self.all
        ]

    def release(self) -> bool:
        """Let the bus carry what it holds back; answers whether there was anything."""
        released = False
        for node in self.all:
            if isinstance(node.bus, UnreliableBus):
                released |= node.bus.release()
        return released

    async def sweep(self) -> None:
        """A second's work: what was held while a lease had run out is handed over."""
        for node in self.all:
            while not node.hub.fences.valid:
                await asyncio.sleep(0.001)
            node.hub.outflow.sweep()

    async def compare_heads(self) -> None:
        """Have every node look for what it was never told."""
        for node in self.all:
            await node.hub.replays.compare_heads()

    async def passed(self, fence: int) -> None:
        """Until every node has applied this fence: with an unknown outcome nobody waits for it."""
        for node in self.all:
            if node.fences is not None and node.fences.applied < fence:
                node.fences.poke()
                while node.fences.applied < fence:
                    await asyncio.sleep(0.001)

    def whole(self, head: Callable[[str], int]) -> bool:
        """Whether nothing is known to be missing anywhere."""
        return all(
            live.pos >= head(name) and not live.healing
            for node in self.all
            for name, live in node.hub.topics.items()
        )


def waits_for_fences(node: Node) -> bool:
    """Whether somebody's answer waits for other nodes."""
    return node.fences is not None and node.fences.waiting > 0


@contextmanager
def _joined_by(exchange: tuple[Exchange, Random] | None) -> Iterator[None]:
    if exchange is None:
        yield
        return
    with patch.object(app, "_bus", lambda *_: UnreliableBus(*exchange)):
        yield
