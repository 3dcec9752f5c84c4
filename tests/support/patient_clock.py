"""A clock whose sleeps last until the test moves it, and which tells what was asked for."""

from __future__ import annotations

import asyncio


class PatientClock:
    """`move` lets time pass; `asleep` waits until somebody sleeps for about so long."""

    def __init__(self) -> None:
        self._now = 1000.0
        self._sleepers: list[tuple[float, float, asyncio.Event]] = []
        self._changed = asyncio.Condition()
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        sleeper = (self._now + seconds, seconds, asyncio.Event())
        self._sleepers.append(sleeper)
        async with self._changed:
            self._changed.notify_all()
        try:
            await sleeper[2].wait()
        finally:
            self._sleepers.remove(sleeper)

    async def asleep(self, low: float, high: float) -> float:
        """Wait until somebody sleeps for `low` to `high` seconds; returns for how long."""

        def found() -> list[float]:
            return [s for _, s, woken in self._sleepers if low <= s <= high and not woken.is_set()]

        async with self._changed:
            await self._changed.wait_for(lambda: bool(found()))
        return found()[0]

    def move(self, seconds: float) -> None:
        self._now += seconds
        for due, _, woken in self._sleepers:
            if due <= self._now:
                woken.set()
