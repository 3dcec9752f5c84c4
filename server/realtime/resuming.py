"""Which topics a client may go on from, and which it has to read anew.

A topic can be gone on from within its last 5,000 events, in the same epoch, and from where the
member could already see it; everything else is reset: live from its head.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from server.commands.outcome import Opened


class Resuming:
    """One session's resume: `events` is how far back a topic may be, `asks` whether the client
    wants to go on from anywhere, `same_epoch` whether its positions are of this store."""

    def __init__(self, events: int, opened: Opened, *, asks: bool, same_epoch: bool) -> None:
        self.asked: dict[str, int] = {}
        self._opened = opened
        self._events = events
        self._asks = asks
        self._same_epoch = same_epoch

    def split(self, opened: Opened) -> tuple[dict[str, int], list[str]]:
        """Of what the client asked for, the positions that can be gone on from; and the topics of
        the session that are reset."""
        if not self._asks:
            return {}, []
        can = {name: pos for name, pos in self.asked.items() if self._can(opened, name, pos)}
        return can, [name for name in opened.topics if name not in can]

    def part(self, names: Iterable[str]) -> dict[str, Any]:
        """The answer to a part of what the client goes on from, by what was known at connect."""
        _, reset = self.split(self._opened)
        named = set(names)
        return {
            "topics": {n: head for n, head in self._opened.topics.items() if n in named},
            "reset": [name for name in reset if name in named],
        }

    def _can(self, opened: Opened, name: str, pos: int) -> bool:
        if not self._same_epoch:
            return False
        if name in opened.past:
            return True
        head = opened.topics.get(name)
        if head is None or pos > head:
            return False
        return head - pos <= self._events and pos >= opened.since[name]
