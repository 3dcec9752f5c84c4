"""Ends of access that the tester itself brought about, and what may not come after them.

An event with a position is judged by the topic's own log. What has none, and what a block forbids,
is judged by time: an end counts from the moment at which its answer had come. A signal may still
be on its way in a socket then; so it counts for a session from the answer to a command that was
given to that session afterwards. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(slots=True, eq=False)
class End:
    """One end. `seats` are the members that it is about: who was removed, both of a blocked pair,
    whose switch is off. `answered` and `again` are microseconds: when the end was answered, and
    when it was asked to be undone."""

    kind: Literal["removal", "block", "switch"]
    seats: frozenset[int]
    place: int | None
    answered: int
    again: int | None = None
    sound: set[int] = field(default_factory=set)
    """The sessions that have answered since."""

    def bars(self, place: int, author: int, sent: int) -> bool:
        """Whether a message first sent at that moment may exist at all."""
        if place != self.place or sent <= self.answered:
            return False
        if self.again is not None and sent >= self.again:
            return False
        return author in self.seats

    def silences(self, place: int, sender: int, receiver: int) -> bool:
        """Whether no signal of `sender` in this place may come to `receiver` now."""
        if self.again is not None or (self.place is not None and place != self.place):
            return False
        return sender in self.seats or receiver in self.seats

    def words(self) -> str:
        """How an example names it."""
        return {"removal": "a removal", "block": "a block", "switch": "a switch turned off"}[
            self.kind
        ]
