"""Who may reach whom, and how: the one decision behind every message, invitation and `explain`.

The server decides the kind; the first way that is open is taken. What a block or a deletion would
give away is answered as if the member did not exist (`None`).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from server.domain import relations
from server.domain.rows import Member, Pair


class Way(msgspec.Struct, frozen=True):
    """One way to reach a member: whether it is open, its cost in credits, what would open it."""

    kind: str
    allowed: bool
    cost: int = 0
    needs: list[str] = []


def visible(other: Member | None, pair: Pair | None) -> bool:
    """Whether anything may pass between two members at all: both exist, and neither blocks."""
    return other is not None and other.alive and not relations.blocked(pair)


def ways(sender: Member, other: Member | None, pair: Pair | None) -> Sequence[Way] | None:
    """Every way from `sender` to `other` in the rulebook's order; None if there is nobody there.

    rules: direct messages pass between connections, on every plan, free.
    """
    if not visible(other, pair):
        return None
    open_now = relations.connected(pair)
    return (Way("direct", open_now, 0, [] if open_now else ["connect"]),)


def way(sender: Member, other: Member | None, pair: Pair | None) -> Way | None:
    """The way that a message from `sender` to `other` takes now, or None if none is open."""
    return next((way for way in ways(sender, other, pair) or () if way.allowed), None)
