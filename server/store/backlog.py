"""The commands that wait for a transaction, and which of them may go into the next one.

A member's commands keep their order: none is taken while an earlier one of theirs is under way or
put off. What is put off waits at its place for the time it was told; the others go past it.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Sequence

import msgspec

from server.commands.facts import Want
from server.commands.outcome import Call

PATIENCE = 5  # tries; then a command waits for its locks, in a batch of its own
LOOKED_AT = 512  # commands looked at for one batch: beyond, the held back are not walked over


class Waiting(msgspec.Struct, eq=False):
    """A command that waits. `asks` are the topics and facts that its rehearsal asked for, None
    before it had one; `claims` topics it turned out to need beyond those; `tries` how often others
    held one, `not_before` the loop's time of the next."""

    call: Call
    asks: tuple[set[int], Sequence[Want]] | None = None
    claims: set[int] = msgspec.field(default_factory=set)
    tries: int = 0
    rounds: int = 0
    not_before: float = 0.0


class Backlog:
    """One store's. Order of arrival, but for what is put off."""

    def __init__(self) -> None:
        self._queue: deque[Waiting] = deque()
        self._under_way: set[str] = set()
        self._in_line: Waiting | None = None

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, call: Call) -> None:
        """A new command."""
        self._queue.append(Waiting(call))

    def take(self, limit: int, now: float) -> list[Waiting]:
        """Up to so many that may go on now; they are under way until `end`."""
        taken: list[Waiting] = []
        passed: list[Waiting] = []
        members: set[str] = set()
        held_back = set(self._under_way)
        while self._queue and len(taken) < limit and len(passed) < LOOKED_AT:
            waiting = self._queue.popleft()
            member = waiting.call.caller.member
            if waiting.not_before > now or (member and member in held_back):
                held_back.add(member)
                passed.append(waiting)
                continue
            if waiting.tries >= PATIENCE and (taken or self._in_line is not None):
                held_back.add(member)  # it stands in line alone, and one such at a time
                passed.append(waiting)
                continue
            taken.append(waiting)
            if waiting.tries >= PATIENCE:
                self._in_line = waiting
                members.add(member)
                break
            members.add(member)
        self._queue.extendleft(reversed(passed))
        self._under_way |= members - {""}
        return taken

    def next_at(self) -> float | None:
        """When the first of those put off may go on; None while nobody is."""
        times = [w.not_before for w in itertools.islice(self._queue, LOOKED_AT) if w.not_before]
        return min(times, default=None)

    def end(self, batch: Iterable[Waiting], put_off: Iterable[Waiting]) -> None:
        """A batch is over: those put off go back to their places, before all newer ones."""
        for waiting in batch:
            self._under_way.discard(waiting.call.caller.member)
            if waiting is self._in_line:
                self._in_line = None
        self._queue.extendleft(reversed(list(put_off)))
