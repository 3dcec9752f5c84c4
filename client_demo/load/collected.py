"""What the parent hears from its generator processes, put together: totals, histograms, a series.

Owns what is counted from when: the opening is everything before the go, the run everything from
the go until the last send was answered. No I/O, no clock of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from client_demo.load.counts import Progress
from client_demo.load.histogram import Histogram

BUSY = 0.8
"""Above this share of a core a generator may be what is slow: there is no verdict on speed."""

BUSY_SECONDS = 0.1
"""The share of its intervals that a generator may be as busy all the same."""

SHORTEST_US = 200_000
"""An interval that is shorter has no rate worth showing: it goes into the next one."""

SUMS = ("due", "sent", "waited", "answered", "refused", "actions", "connects", "cuts", "live",
        "unanswered", "deliveries", "signals", "bytes", "resets", "findings")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One interval of the series, which ends at `at` (microseconds). Rates are a second, latencies
    in microseconds (0 without any)."""

    at: int
    offered: float
    answered: float
    deliveries: float
    signals: float
    connects: float
    live: int
    delivery_p50: int
    delivery_p99: int
    answer_p50: int
    answer_p99: int
    generator_cpu: float
    server_cpu: float
    server_memory: float
    findings: int


@dataclass(slots=True)
class Generator:
    """What is known of one process."""

    last: Progress | None = None
    cpu: list[float] = field(default_factory=list)
    """Shares of a core, an interval each, of the run alone."""

    @property
    def mean_cpu(self) -> float:
        """Over the run."""
        return sum(self.cpu) / len(self.cpu) if self.cpu else 0.0

    @property
    def too_busy(self) -> bool:
        """Whether what was measured may be this process rather than the server."""
        busy = sum(share > BUSY for share in self.cpu)
        return self.mean_cpu > BUSY or busy > max(1.0, BUSY_SECONDS * len(self.cpu))


class Collected:
    """The sum of all processes."""

    def __init__(self, processes: int) -> None:
        self.generators = [Generator() for _ in range(processes)]
        self.deliveries = Histogram()
        self.answers = Histogram()
        self.opens = Histogram()
        self.series: list[Point] = []
        self.start: int | None = None
        """Microseconds: the go."""
        self.before: dict[str, int] = dict.fromkeys(SUMS, 0)
        """The totals at the go."""
        self.memory = self.server_cpu = 0.0
        self._running = False
        self._recent = (Histogram(), Histogram())
        self._heard: set[int] = set()
        self._at = 0
        self._sums = dict.fromkeys(SUMS, 0)

    def take(self, index: int, progress: Progress) -> None:
        """A process told how it goes."""
        generator = self.generators[index]
        generator.last = progress
        if self._running and self.start is not None and progress.at - self.start > 250_000:
            generator.cpu.append(progress.cpu)
        for whole, piece in (
            (self.deliveries, progress.deliveries_us),
            (self._recent[0], progress.deliveries_us),
            (self.answers, progress.answers_us),
            (self._recent[1], progress.answers_us),
            (self.opens, progress.opens_us),
        ):
            whole.add(piece)
        self._heard.add(index)
        if len(self._heard) == len(self.generators):
            self._heard.clear()
            self._point(max(g.last.at for g in self.generators if g.last))

    def go(self, start: int) -> None:
        """The run begins."""
        self.start, self._running = start, True
        self.before = self.sums()

    def done(self) -> None:
        """All that was to be sent has been answered."""
        self._running = False

    def sums(self) -> dict[str, int]:
        """The totals now."""
        known = [generator.last for generator in self.generators if generator.last is not None]
        return {name: sum(getattr(progress, name) for progress in known) for name in SUMS}

    def during(self) -> dict[str, int]:
        """The totals since the go."""
        return {name: now - self.before[name] for name, now in self.sums().items()}

    def tallied(self, name: str) -> dict[str, int]:
        """All processes' `errors` or `closes` by code."""
        whole: dict[str, int] = {}
        for generator in self.generators:
            if generator.last is not None:
                for code, count in getattr(generator.last, name).items():
                    whole[code] = whole.get(code, 0) + count
        return dict(sorted(whole.items()))

    def _point(self, now: int) -> None:
        """Close an interval of the series: every process has told of it."""
        if not self._at or now - self._at < SHORTEST_US:
            self._at = self._at or now
            return
        seconds = (now - self._at) / 1e6
        sums = self.sums()

        def rate(name: str) -> float:
            return (sums[name] - self._sums[name]) / seconds

        delivery, answer = self._recent
        point = Point(
            at=now,
            offered=rate("due"),
            answered=rate("answered"),
            deliveries=rate("deliveries"),
            signals=rate("signals"),
            connects=rate("connects"),
            live=sums["live"],
            delivery_p50=delivery.percentile(50),
            delivery_p99=delivery.percentile(99),
            answer_p50=answer.percentile(50),
            answer_p99=answer.percentile(99),
            generator_cpu=max((g.last.cpu for g in self.generators if g.last), default=0.0),
            server_cpu=self.server_cpu,
            server_memory=self.memory,
            findings=sums["findings"],
        )
        self._at, self._sums = now, sums
        self._recent = (Histogram(), Histogram())
        self.series.append(point)

    def series_maps(self) -> list[dict[str, float]]:
        """The series for JSON, `t` in seconds from the go: negative while connecting."""
        start = self.start if self.start is not None else self._at
        names = [item.name for item in fields(Point) if item.name != "at"]
        return [
            {
                "t": round((point.at - start) / 1e6, 3),
                **{name: round(getattr(point, name), 3) for name in names},
            }
            for point in self.series
        ]
