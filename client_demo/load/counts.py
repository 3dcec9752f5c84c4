"""The numbers of one generator process, and the pieces of them that it tells the parent."""

from __future__ import annotations

from dataclasses import dataclass, field

from client_demo.load.findings import Findings
from client_demo.load.histogram import Histogram

Sparse = dict[int, int]


@dataclass(slots=True)
class Counts:
    """Running totals; histograms begin anew with each `Progress`."""

    due: int = 0
    sent: int = 0
    waited: int = 0
    answered: int = 0
    refused: int = 0
    actions: int = 0
    connects: int = 0
    cuts: int = 0
    live: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    closes: dict[str, int] = field(default_factory=dict)
    answers: Histogram = field(default_factory=Histogram)
    opens: Histogram = field(default_factory=Histogram)

    def error(self, code: str) -> None:
        """Count an error's code."""
        self.errors[code] = self.errors.get(code, 0) + 1

    def close(self, code: int) -> None:
        """Count a close code."""
        self.closes[str(code)] = self.closes.get(str(code), 0) + 1


@dataclass(frozen=True, slots=True)
class Progress:
    """What a process has done until `at` (microseconds); the histograms are since the last one.

    `cpu` is the share of one core that the process had in the interval.
    """

    at: int
    cpu: float
    due: int
    sent: int
    waited: int
    answered: int
    refused: int
    actions: int
    connects: int
    cuts: int
    live: int
    unanswered: int
    deliveries: int
    signals: int
    bytes: int
    resets: int
    findings: int
    errors: dict[str, int]
    closes: dict[str, int]
    deliveries_us: Sparse
    answers_us: Sparse
    opens_us: Sparse


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a process found, and what it takes to hold it against what the others found.

    `acknowledged` are the identities of messages by place; `logs` the identities by topic, as they
    lie in memory from a position on (64 bits each). `unjudged` says which sessions were not there
    at the end, and why.
    """

    findings: Findings
    acknowledged: dict[int, bytes]
    logs: dict[str, tuple[int, bytes]]
    unjudged: list[str]
    unsent: int
    withheld: int
