"""What went wrong, by kind: counted all, the first ones kept as examples to look at.

Examples name members, topics, positions and numbers of messages, never a token or a text.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

KINDS = {
    "lost": "an event that the session may see and never got, or an acknowledged message that "
    "is in no log",
    "duplicated": "an event that a session got twice, or a message that was stored twice",
    "reordered": "positions that a session got in another order, or one position that is not the "
    "same event for all",
    "leaked": "an event, a message or a signal that the session may not see",
    "garbled": "a frame that nobody can read, or that is not part of the protocol",
}
EXAMPLES = 10


@dataclass(slots=True)
class Findings:
    """Counts and first examples by kind."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    examples: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in KINDS})

    def add(self, kind: str, example: str, times: int = 1) -> None:
        """Count something, and keep the example while there are few."""
        self.counts[kind] += times
        if len(self.examples[kind]) < EXAMPLES:
            self.examples[kind].append(example)

    def merge(self, other: Findings) -> None:
        """Add another process's."""
        for kind, count in other.counts.items():
            self.counts[kind] += count
            room = EXAMPLES - len(self.examples[kind])
            self.examples[kind] += other.examples[kind][: max(0, room)]

    @property
    def total(self) -> int:
        """How many there are of all kinds."""
        return sum(self.counts.values())

    def lines(self) -> Iterable[str]:
        """One line a kind that was found, its examples indented below."""
        for kind, count in self.counts.items():
            if count:
                yield f"{kind}: {count}"
                yield from (f"    {example}" for example in self.examples[kind])
                if count > len(self.examples[kind]):
                    yield "    …"
