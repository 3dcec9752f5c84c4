"""The sessions of one member, and what signals must know about the member.

Owned by the hub; made when the member's first session registers, dropped a while after the last
one left.
"""

from __future__ import annotations

from collections.abc import Sequence

from server.commands.outcome import Elsewhere
from server.realtime.session import Session

PING_S = 25


def is_silent(session: Session, now: float) -> bool:
    """Whether it has shown no life for longer than answering a ping takes."""
    return session.seen <= now - 1.2 * PING_S


class Audience:
    """One member's sessions on this node.

    `receipts` is their switch as of the fence `fence`; `last_active` is Unix milliseconds of
    when the last session was there, 0 if none has been since this node started.
    """

    __slots__ = ("fence", "last_active_ms", "member", "receipts", "sessions")

    def __init__(self, member: str) -> None:
        self.member = member
        self.sessions: dict[str, Session] = {}
        self.receipts = False  # until a session has been opened, nobody's signals are theirs
        self.fence = 0
        self.last_active_ms = 0

    def know(self, receipts: bool, fence: int) -> None:
        """Take the switch as it was at a fence, unless a later one is known."""
        if fence >= self.fence:
            self.receipts, self.fence = receipts, fence

    @property
    def active(self) -> bool:
        """Whether the member is connected here."""
        return any(session.live for session in self.sessions.values())

    def excess(
        self, session: Session, elsewhere: Sequence[Elsewhere], limit: int
    ) -> Session | Elsewhere | None:
        """The session that has to make room for this one to open, which may be itself; the
        longest silent here comes before those on other nodes."""
        others = [other for other in self.sessions.values() if other.live]
        if len(others) + len(elsewhere) < limit:
            return None
        silent = min(others, key=lambda other: other.seen, default=session)
        if is_silent(silent, session.opened_at):
            return silent
        away = [one for one in elsewhere if one.silent_ms]
        return min(away, key=lambda one: one.silent_ms, default=session)
