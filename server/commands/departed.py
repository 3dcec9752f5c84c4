"""Where a new member's log begins, and which tokens they refuse: what an erased one's id leaves.

An erased member's id may be given to somebody else, and nothing tells whose it was. But a token
may be on its way for a day, and a client's position for longer.
"""

from __future__ import annotations

from server.commands.work import Work
from server.domain.ids import Ids
from server.domain.rights import LATEST, Departed, digest


def secret(ids: Ids) -> bytes:
    """The key under which ids are compared."""
    return ids.derive(b"departed")


def fresh(member: str, work: Work) -> tuple[int, int]:
    """The head that a log begins behind, and until when tokens are refused, for a member made
    under an id that nobody bears.

    Every log begins behind those of all erased members, so that no old position is one of it.
    """
    mine = (Departed, digest(secret(work.ids), member))
    work.want(mine, (Departed, LATEST))
    latest, before = work.find(Departed, LATEST), work.find(*mine)
    return (
        latest.head + 1 if latest is not None else 0,
        before.refused_until_us if before is not None else 0,
    )
