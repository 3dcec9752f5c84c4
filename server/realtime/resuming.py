"""Which topics a client may go on from, and which it has to read anew.

A topic can be gone on from within its last 5,000 events, in the same epoch, and from where the
member could already see it; everything else is reset: live from its head.
"""

from __future__ import annotations

from server.commands.outcome import Opened


class Resuming:
    """One session's resume: `events` is how far back a topic may be, `asks` whether the client
    wants to go on from anywhere, `same_epoch` whether its positions are of this store."""

    def __init__(self, events: int, opened: Opened, *, asks: bool, same_epoch: bool) -> None:
        self.opened = opened
        self.positions: dict[str, int] = {}
        self._events = events
        self._asks = asks
        self._same_epoch = same_epoch

    def split(self, resume: dict[str, int] | None) -> tuple[dict[str, int], list[str]]:
        """The positions that can be gone on from, and the topics that are reset."""
        if not self._asks:
            return {}, []
        asked = resume or {}
        positions = {name: pos for name, pos in asked.items() if self._can(name, pos)}
        return positions, [name for name in self.opened.topics if name not in positions]

    def _can(self, name: str, pos: int) -> bool:
        if not self._same_epoch:
            return False
        if name in self.opened.past:
            return True
        head = self.opened.topics.get(name)
        if head is None or pos > head:
            return False
        return head - pos <= self._events and pos >= self.opened.since[name]

    def heads(self, names: dict[str, int]) -> dict[str, int]:
        """The heads of those of these topics that are the session's."""
        return {name: self.opened.topics[name] for name in names if name in self.opened.topics}

    def unnamed(self) -> list[str]:
        """The topics that are live from their heads."""
        return [name for name in self.opened.topics if name not in self.positions]
