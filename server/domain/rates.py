"""Rate limits as token buckets; time is handed in, seconds on any clock that only goes forward."""

from __future__ import annotations

from server.domain.policy import Rate


class Bucket:
    """One member's allowance of one class of commands."""

    __slots__ = ("_at", "_level")

    def __init__(self, rate: Rate, now: float) -> None:
        self._level = float(rate.burst)
        self._at = now

    def take(self, rate: Rate, now: float) -> int:
        """Spend one; answers 0, or the milliseconds to wait where there is none to spend."""
        self._level = min(rate.burst, self._level + (now - self._at) * rate.per_second)
        self._at = now
        if self._level >= 1:
            self._level -= 1
            return 0
        return max(1, round((1 - self._level) / rate.per_second * 1000))
