"""The time of one running server, moved by hand."""

from __future__ import annotations

import time

from server.store.sqlite import SqliteStore
from server.web.retention import EVERY_S
from tests.support.running import Running


class Clock:
    """Every clock of a house at once, but for its leases'. It starts at the present and stands
    still until moved. What is too old then is removed when the test says so, not when the machine
    has time."""

    def __init__(self) -> None:
        self._us = time.time_ns() // 1000
        self._loop_s = time.monotonic()

    @classmethod
    def of(cls, server: Running) -> Clock:
        """Take over a server's clocks."""
        clock = cls()
        for node in server.nodes:
            node.clock_us = clock.now_us
            store = node.store
            store._clock_us = clock.now_us
            if isinstance(store, SqliteStore):
                store.commits._now_us = clock.now_us
            else:
                store.commits._clock_us = clock.now_us
            node.tokens._now = clock.now_s
            node.heartbeat.now = clock.monotonic
            node.heartbeat._looked_at = clock.now_us() // 1_000_000
            node.dispatcher.retention.turn = _turn_of_none  # type: ignore[method-assign]
        return clock

    def now_us(self) -> int:
        return self._us

    def now_s(self) -> float:
        return self._us / 1_000_000

    def now_ms(self) -> int:
        return self._us // 1000

    def monotonic(self) -> float:
        return self._loop_s

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self._us += round(seconds * 1_000_000)
        self._loop_s += seconds


async def _turn_of_none() -> float:
    return EVERY_S
