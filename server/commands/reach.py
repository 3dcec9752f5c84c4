"""How a message gets from one member to another: the way it takes, and what follows from it.

Every message between two passes here, as do the requests that wait for an answer. Whoever cannot
be reached at all is refused after the same reads, whatever the cause.
"""

from __future__ import annotations

import hashlib

import msgspec
from msgspec.structs import replace

from server.commands import access, ledger
from server.commands.facts import GroupsOf, Handle, Lots
from server.commands.work import Facts, Work
from server.domain import contact, credit, quotas, relations
from server.domain.contact import Approach
from server.domain.rows import Conversation, Member, Pair, Tally, Topic, Wallet
from server.errors import CostsCredit, Refused, Unreachable


class Passage(msgspec.Struct, frozen=True):
    """The way of one message between two: its kind and cost, whether it is the first of an
    approach, and whether it answers the other's."""

    kind: str
    cost: int = 0
    begins: bool = False
    answers: bool = False


def nobody(to: str) -> int:
    """A key that no member has: what is read in place of one who does not exist. Each id has its
    own, since rows that were read before are not read again."""
    digest = hashlib.blake2b(to.encode(), digest_size=7).digest()
    return -1 - int.from_bytes(digest)


def key_of(to: str, facts: Facts) -> int:
    """The key of who bears an id, or nobody's."""
    handle = facts.find(Handle, to)
    return handle.member if handle is not None and handle.member else nobody(to)


def between(me: Member, to: str, facts: Facts) -> tuple[Member | None, Pair | None]:
    """The member of an id, if there is one, and what is between the two."""
    other = access.named(to, facts)
    return other, facts.find(Pair, relations.ident(me.key, key_of(to, facts)))


def meet(me: Member, to: str, other: Member | None, pair: Pair | None, facts: Facts) -> Member:
    """The other, if things may pass between the two. Raises `Unreachable`: for who is not there
    after the same reads as for somebody who keeps to themselves."""
    if other is None or not contact.visible(other, pair):
        _approach(me, to, other, facts)
        raise Unreachable
    return other


def _approach(me: Member, to: str, other: Member | None, facts: Facts) -> Approach:
    """The facts of a new approach to a member, or to nobody."""
    openers = quotas.ident(me.key, quotas.OPENERS, facts.now_ms)
    key = other.key if other is not None else nobody(to)
    facts.want(
        (GroupsOf, me.key), (GroupsOf, key), (Tally, openers), (Wallet, me.key), (Lots, me.key),
    )  # fmt: skip
    mine, theirs = facts.find(GroupsOf, me.key), facts.find(GroupsOf, key)
    tally = facts.find(Tally, openers)
    return Approach(
        fellows=bool(mine and theirs and mine.roles.keys() & theirs.roles.keys()),
        openers=tally.count if tally is not None else 0,
        balance=ledger.account(me, facts).balance,
    )


def ways(me: Member, to: str, facts: Facts) -> list[contact.Way]:
    """Every way from the caller to another member. Raises `Unreachable`, after the same reads."""
    found, pair = between(me, to, facts)
    other = meet(me, to, found, pair, facts)
    approach = _approach(me, to, other, facts)
    return list(contact.ways(me, other, pair, approach, facts.policy))


def passage(me: Member, other: Member, pair: Pair | None, max_cost: int, work: Work) -> Passage:
    """The way that a message takes now.

    Raises `Unreachable`, `Refused` for a rule that its sender may know, `CostsCredit`.
    """
    meet(me, other.id, other, pair, work)
    now = contact.standing(me, other, pair)
    if now.kind:
        return Passage(now.kind, answers=now.answers)
    if now.waits:
        raise Refused("request_pending", "Your request waits for an answer.")
    approach = _approach(me, other.id, other, work)
    if not now.fresh:
        raise Unreachable
    listed = contact.ways(me, other, pair, approach, work.policy)
    way = next((way for way in listed if way.allowed), None)
    inmail = listed[-1]
    if way is None and approach.fellows:
        raise Refused("group_openers_per_month", "That was this month's last group request.")
    lacks_credit = way is None and other.inmail and contact.BUY in inmail.needs
    if lacks_credit or (way is not None and way.cost > max_cost):
        raise CostsCredit(cost=inmail.cost, balance=approach.balance)
    if way is None:
        raise Unreachable
    return Passage(way.kind, way.cost, begins=True)


def take(
    me: Member, other: Member, pair: Pair, taken: Passage, row: Conversation, work: Work
) -> None:
    """What a message of this passage brings with it, in its own transaction: the approach noted,
    its price paid, a request received or answered."""
    if taken.begins:
        work.put(
            replace(
                pair, approach=taken.kind, approacher=me.key, approached_ms=work.now_ms,
                paid=taken.cost, stage=contact.PENDING,
            )
        )  # fmt: skip
        if taken.kind == contact.GROUP:
            count_one(me, quotas.OPENERS, work)
        if taken.cost:
            account = ledger.account(me, work)
            ledger.write(me, credit.spend(account, taken.cost, work.now_ms), work)
        if taken.kind in contact.REQUESTS:
            data = {"conversation": work.ids.conversation(row.key)}
            work.emit(other.topic, "request.received", data, conversation=row.key)
    elif taken.answers:
        answer(other, me, pair, row.key, work, accepted=True)


def answer(
    sender: Member, me: Member, pair: Pair, conversation: int, work: Work, *, accepted: bool
) -> None:
    """Accept or decline an approach: both are told, and an InMail gives its credit back."""
    work.want((Topic, sender.topic), (Topic, me.topic))
    work.put(replace(pair, stage=contact.OPEN if accepted else contact.CLOSED))
    if pair.approach not in contact.REQUESTS:
        return
    data = {"conversation": work.ids.conversation(conversation), "accepted": accepted}
    for member in (sender, me):
        if member.alive:
            work.emit(
                member.topic, "request.answered", data, conversation=conversation,
                refs={"accepted": accepted},
            )  # fmt: skip
    in_time = work.now_ms - pair.approached_ms <= work.policy.refund_within_ms
    if pair.paid and in_time and sender.plan != credit.BASIC:
        account = ledger.account(sender, work)
        back = credit.grant(account, pair.paid, credit.REFUND, work.now_ms, work.policy)
        ledger.write(sender, back, work)


def counted(me: Member, what: str, facts: Facts) -> int:
    """How often a member has done something in the present week or month."""
    tally = facts.find(Tally, quotas.ident(me.key, what, facts.now_ms))
    return tally.count if tally is not None else 0


def count_one(me: Member, what: str, work: Work) -> None:
    """Count something that has its quota."""
    member, what, period = quotas.ident(me.key, what, work.now_ms)
    work.put(Tally(member, what, period, counted(me, what, work) + 1))
