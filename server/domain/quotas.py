"""Quotas by the week and the month: how many a member may do of something in a period.

Periods are calendar ones in UTC, numbered: a count is one small row that nobody has to reset, and
a quota used up is whole again at a moment that can be named.
"""

from __future__ import annotations

from datetime import UTC, datetime

from server.domain.policy import DAY

OPENERS = "openers"
NOTES = "notes"
INVITATIONS = "invitations"
_MONDAY = 4  # days before the first Monday after 1970-01-01, a Thursday
_WEEKLY = {INVITATIONS}


def period(what: str, now_ms: int) -> int:
    """The number of the week (from Monday) or month that `what` is counted by."""
    if what in _WEEKLY:
        return (now_ms // DAY - _MONDAY) // 7
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    return now.year * 12 + now.month - 1


def ident(member: int, what: str, now_ms: int) -> tuple[int, str, int]:
    """The identity of a member's `Tally` now."""
    return member, what, period(what, now_ms)
