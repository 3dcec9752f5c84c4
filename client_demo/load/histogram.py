"""Latencies counted in buckets whose width grows with the value, as HdrHistogram does it.

Values are whole microseconds. Below 256 every value has a bucket of its own; above, 128 buckets
share each doubling, so a percentile is off by less than one part in 128. Histograms add up, which
is how those of several processes become one. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

BITS = 7
HALF = 1 << BITS
EXACT = HALF << 1
LONGEST = (1 << 36) - 1
"""Some 19 hours; what is longer counts as this long."""

BUCKETS = ((36 - BITS - 1) << BITS) + EXACT


def bucket(value: int) -> int:
    """The bucket that a value falls into; `Reading.feed` has the same written out."""
    if value < EXACT:
        return max(0, value)
    shift = value.bit_length() - BITS - 1
    return (shift << BITS) + (value >> shift)


def bounds(index: int) -> tuple[int, int]:
    """The lowest and the highest value of a bucket."""
    if index < EXACT:
        return index, index
    shift = (index >> BITS) - 1
    low = (index - (shift << BITS)) << shift
    return low, low + (1 << shift) - 1


class Histogram:
    """Counts by bucket. `counts` is for the one hot loop that cannot afford a call per value."""

    __slots__ = ("counts",)

    def __init__(self, sparse: Mapping[int, int] | None = None) -> None:
        self.counts = [0] * BUCKETS
        if sparse:
            self.add(sparse)

    def record(self, value: int, times: int = 1) -> None:
        """Count a value. A negative one counts as 0: clocks of one machine do not go back."""
        self.counts[bucket(min(value, LONGEST))] += times

    def add(self, sparse: Mapping[int, int]) -> None:
        """Add what `sparse` of another one gave."""
        for index, count in sparse.items():
            self.counts[index] += count

    def sparse(self) -> dict[int, int]:
        """The buckets that hold something: small enough to be sent every half second."""
        return {index: count for index, count in enumerate(self.counts) if count}

    def take(self) -> dict[int, int]:
        """The same, and begin anew, in place: whoever holds `counts` goes on with it."""
        found = self.sparse()
        for index in found:
            self.counts[index] = 0
        return found

    @property
    def total(self) -> int:
        """How many values there are."""
        return sum(self.counts)

    @property
    def largest(self) -> int:
        """The highest value, up to its bucket's width; 0 without any."""
        return max((bounds(i)[1] for i, count in enumerate(self.counts) if count), default=0)

    def percentile(self, percent: float) -> int:
        """The value that this share of all values does not exceed; 0 without any.

        Answers the highest value of the bucket, so it is never too small.
        """
        wanted = self.total * percent / 100
        if wanted <= 0:
            return 0
        so_far = 0
        for index, count in enumerate(self.counts):
            so_far += count
            if count and so_far >= wanted:
                return bounds(index)[1]
        return self.largest

    def curve(self) -> Iterator[tuple[float, int]]:
        """For a chart: each value with the share of all that does not exceed it, in percent."""
        total, so_far = self.total, 0
        for index, count in enumerate(self.counts):
            if count:
                so_far += count
                yield 100 * so_far / total, bounds(index)[1]
