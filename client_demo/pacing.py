"""When to try again: a clock that tests can replace, and exponential backoff with full jitter.

Full jitter (a delay drawn evenly from zero to the ceiling) spreads the clients of a server that
came back, where equal delays would bring them all at once. Called by `client` and `outbox`.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """Time as the client sees it, in seconds."""

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after this many seconds, or be cancelled."""
        ...


class SystemClock:
    """The event loop's time."""

    def monotonic(self) -> float:
        """Seconds of `time.monotonic`."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Sleep on the event loop."""
        await asyncio.sleep(seconds)


class Backoff:
    """Delays that grow: the n-th is drawn from 0 to `base_s` × 2ⁿ, at most `ceiling_s`."""

    def __init__(
        self,
        draw: Callable[[], float] = random.random,
        *,
        base_s: float = 0.5,
        ceiling_s: float = 30.0,
    ) -> None:
        """`draw` gives an even number in [0, 1)."""
        self._draw = draw
        self._base_s = base_s
        self._ceiling_s = ceiling_s
        self._tries = 0

    def next_s(self) -> float:
        """The next delay, in seconds."""
        # 2 ** 32 seconds is beyond every ceiling; growing further would only overflow.
        limit = min(self._ceiling_s, self._base_s * 2.0 ** min(self._tries, 32))
        self._tries += 1
        return limit * self._draw()

    def reset(self) -> None:
        """Begin again with the shortest: what was tried has worked."""
        self._tries = 0
