"""Who may reach whom, and how: the one decision behind every message, invitation and `explain`.

The server decides the kind; the first way that is open is taken. What a block or a deletion would
give away is answered as if the member did not exist. What stands between the two already, a
connection or an approach that was answered or not, decides first (`standing`); only where nothing
does is a new approach looked at, with its facts (`Approach`).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from server.domain import relations
from server.domain.credit import BASIC
from server.domain.policy import Policy
from server.domain.rows import Member, Pair

DIRECT, OPEN_PROFILE, GROUP, INMAIL = "direct", "open_profile", "group", "inmail"
REQUESTS = (GROUP, INMAIL)  # they wait in the recipient's requests until answered
PENDING, OPEN, CLOSED = "pending", "open", "closed"  # stages of an approach
NEITHER = 0  # in place of an approacher: what is closed to both

# What a member can do so that a way opens.
CONNECT, WAIT, UPGRADE, BUY = "connect", "wait", "upgrade", "buy credits"


class Way(msgspec.Struct, frozen=True):
    """One way to reach a member: whether it is open, its cost in credits, what would open it."""

    kind: str
    allowed: bool
    cost: int = 0
    needs: list[str] = []


class Standing(msgspec.Struct, frozen=True):
    """What is between two members already. `kind` is that of a message which passes now, "" where
    none does; `waits`: one's own request has no answer yet; `answers`: to write is to answer the
    other's approach; `fresh`: a new approach may be made."""

    kind: str = ""
    waits: bool = False
    answers: bool = False
    fresh: bool = False


class Approach(msgspec.Struct, frozen=True):
    """The facts of a new approach: whether both are in some group, how many group requests the
    sender has made this month, and their credits."""

    fellows: bool
    openers: int
    balance: int


def visible(other: Member | None, pair: Pair | None) -> bool:
    """Whether anything may pass between two members at all: both exist, and neither blocks."""
    return other is not None and other.alive and not relations.blocked(pair)


def standing(sender: Member, other: Member, pair: Pair | None) -> Standing:
    """What stands between two members who are `visible` to each other, for this sender.

    rules: direct between connections; once answered, a conversation is open both ways in the kind
    that opened it; before, its sender may send nothing more; declined, it is closed to them.
    """
    if pair is None:
        return Standing(fresh=True)
    theirs = pair.approacher != sender.key
    pending = pair.stage == PENDING
    if relations.connected(pair):
        return Standing(DIRECT, answers=pending and theirs)
    if pair.stage == OPEN:
        return Standing(pair.approach)
    if pending and theirs:
        return Standing(pair.approach, answers=True)
    if pending and pair.approach in REQUESTS:
        return Standing(waits=True)
    if pending and takes_open_profile(other):
        return Standing(OPEN_PROFILE)
    return Standing(fresh=pair.stage != CLOSED or (theirs and pair.approacher != NEITHER))


def takes_open_profile(other: Member) -> bool:
    """Whether anybody may write to this member: any plan but basic [A]."""
    return other.open_profile and other.plan != BASIC


def ways(
    sender: Member, other: Member, pair: Pair | None, approach: Approach, policy: Policy
) -> Sequence[Way]:
    """Every way from `sender` to `other`, who are visible to each other, in the rulebook's order.

    Somebody who declined is told of as is a stranger who takes nothing. Who lacks a plan or credits
    of their own is told of that alone: it does not say whether the other accepts InMail.
    """
    now = standing(sender, other, pair)
    if not now.kind and not now.waits:
        return _approaches(sender, other if now.fresh else None, approach, policy)
    needs = [WAIT] if now.waits else []
    direct = now.kind == DIRECT
    return (
        Way(DIRECT, direct, needs=[] if direct else [CONNECT]),
        *(Way(kind, now.kind == kind, needs=needs) for kind in (OPEN_PROFILE, GROUP, INMAIL)),
    )


def _approaches(
    sender: Member, other: Member | None, approach: Approach, policy: Policy
) -> Sequence[Way]:
    left = approach.openers < policy.group_openers_per_month
    fellows = other is not None and approach.fellows
    cost = policy.inmail_cost
    lacks = UPGRADE if sender.plan == BASIC else BUY if approach.balance < cost else ""
    return (
        Way(DIRECT, allowed=False, needs=[CONNECT]),
        Way(OPEN_PROFILE, other is not None and takes_open_profile(other)),
        Way(GROUP, fellows and left, needs=[WAIT] if fellows and not left else []),
        Way(
            INMAIL, other is not None and other.inmail and not lacks, cost,
            [lacks] if lacks else [],
        ),
    )  # fmt: skip


def signals_pass(me: Member, other: Member, pair: Pair | None) -> bool:
    """Whether receipts and typing pass between two: who could write to each other, each way.

    rules: never for requests, nor an InMail before an answer.
    """
    if pair is None or not visible(other, pair):
        return False
    profile = me if pair.approacher == other.key else other
    free = pair.stage == PENDING and pair.approach == OPEN_PROFILE and takes_open_profile(profile)
    return relations.connected(pair) or pair.stage == OPEN or free


def is_request(pair: Pair | None) -> bool:
    """Whether the pair's conversation waits for its recipient to accept or decline it."""
    return (
        pair is not None
        and pair.stage == PENDING
        and pair.approach in REQUESTS
        and not relations.connected(pair)
    )


def is_closed(pair: Pair | None) -> bool:
    """Whether the pair's conversation was declined or closed, and nothing has opened it since."""
    return pair is not None and pair.stage == CLOSED and not relations.connected(pair)


def closing(pair: Pair) -> str:
    """The stage of an approach once its two are parted, or one blocks the other: what an answer
    had opened is closed. A request goes on waiting, since a block must not show by it."""
    return "" if pair.stage == OPEN else pair.stage


def connecting(pair: Pair) -> str:
    """The stage of an approach once its two connect: what was closed is so no more."""
    return "" if pair.stage == CLOSED else pair.stage
