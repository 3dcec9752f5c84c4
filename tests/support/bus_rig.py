"""Nodes on a bus, for tests: what each heard, and a bus that is closed when its test is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

import pytest

from server.realtime.redis_bus import RedisBus
from tests.support.bounded import LIMIT_S
from tests.support.waiting import until

KEY = b"k" * 32
NODE_RULES = "resetkeys resetchannels &subrosa:* -@all +publish +subscribe +unsubscribe +ping"
LIMITED = (f"user node on >secret {NODE_RULES}",)
"""For Redis's configuration: a user with the rights that a node needs."""


class Heard:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self.completed: list[list[str]] = []

    def arrived(self, topic: str, message: bytes) -> None:
        self.messages.append((topic, message))

    def complete(self, topics: Sequence[str]) -> None:
        self.completed.append(list(topics))

    def times(self, topic: str) -> int:
        """How often a topic was told to be complete."""
        return sum(topics.count(topic) for topics in self.completed)

    async def hears(self, topic: str, message: bytes) -> None:
        await until(lambda: (topic, message) in self.messages)

    async def completes(self, topic: str, times: int = 1) -> None:
        """Wait until a topic was told to be complete that often."""
        await until(lambda: self.times(topic) >= times)


@asynccontextmanager
async def node(
    url: str, name: str = "one", *, key: bytes = KEY, healthy: bool = True
) -> AsyncIterator[tuple[RedisBus, Heard]]:
    """A started bus and what it heard; healthy, unless that is not waited for."""
    bus, heard = RedisBus(url, key=key, node=name), Heard()
    bus.listen(heard)
    bus.start()
    try:
        if healthy:
            await until(lambda: bus.healthy)
        yield bus, heard
    finally:
        await bus.close()


def log_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the bus has logged."""
    return [record.getMessage() for record in caplog.records if record.name == "subrosa.bus"]


@contextmanager
def bounded_loop() -> Iterator[None]:
    """End what runs in this loop when it has run too long; see `tests.support.bounded`."""
    loop = asyncio.get_running_loop()

    def end() -> None:
        for task in asyncio.all_tasks(loop):
            task.cancel(f"it did not end within {LIMIT_S} s")

    timer = loop.call_later(LIMIT_S, end)
    try:
        yield
    finally:
        timer.cancel()
