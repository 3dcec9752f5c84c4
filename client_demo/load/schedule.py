"""When each thing is due: an open-loop schedule that does not wait for the server.

A load tester that sends the next message when the last one was answered slows down with the
server and never sees the latency that users would (coordinated omission). Here every send has its
moment beforehand, and latency counts from it, however late the send itself was. Pure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

US = 1_000_000


@dataclass(frozen=True, slots=True)
class Schedule:
    """`rate` a second for `seconds`, growing from nothing over the first `ramp` of them.

    Several processes share one: that of `index` has every `share`-th.
    """

    rate: float
    seconds: float
    ramp: float = 0.0
    index: int = 0
    share: int = 1

    @property
    def whole(self) -> int:
        """How many there are in all processes together."""
        ramp = min(self.ramp, self.seconds)
        reached = ramp / self.ramp if self.ramp > 0 else 0.0
        growing, steady = reached * ramp / 2, self.seconds - ramp
        return math.floor(self.rate * (growing + steady) + 1e-9)

    @property
    def count(self) -> int:
        """How many there are in this process."""
        return max(0, -(-(self.whole - self.index) // self.share))

    def due(self, number: int) -> int:
        """When this process's send of this number is due: microseconds from the start."""
        nth = self.index + number * self.share
        in_ramp = self.rate * self.ramp / 2
        if nth < in_ramp:
            after = math.sqrt(2 * nth * self.ramp / self.rate)
        else:
            after = self.ramp + (nth - in_ramp) / self.rate
        return int(after * US)

    def offered(self, elapsed_us: int) -> int:
        """How many of this process were due within this time from the start."""
        low, high = 0, self.count
        while low < high:
            middle = (low + high) // 2
            if self.due(middle) <= elapsed_us:
                low = middle + 1
            else:
                high = middle
        return low
