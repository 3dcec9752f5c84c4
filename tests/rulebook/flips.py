"""One rule of the server's at a time, turned around: what the table has to catch.

Each is a context in which the server decides by the other rule. They are mistakes that somebody
could make, in the rulebook's own modules and in what follows from a decision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace

from server.commands import access, reach
from server.commands.facts import Handle
from server.domain import contact, credit, quotas, relations
from server.domain.contact import Approach, Standing, Way
from server.domain.credit import Account
from server.domain.ids import MemberId
from server.domain.policy import PerPlan, Policy
from server.domain.rows import Member, Pair

Flip = Callable[[], AbstractContextManager[object]]

_ways, _standing, _approaches = contact.ways, contact.standing, contact._approaches
_facts, _passage, _answer = reach._approach, reach.passage, reach.answer


def _stands(rule: Callable[[Standing, Member, Pair | None], Standing]) -> Flip:
    """What stands between two is decided again from what the server says."""

    def standing(sender: Member, other: Member, pair: Pair | None) -> Standing:
        return rule(_standing(sender, other, pair), sender, pair)

    return lambda: patch.object(contact, "standing", standing)


def _approached(rule: Callable[[Approach], Approach]) -> Flip:
    """A new approach is looked at with other facts."""
    return lambda: patch.object(reach, "_approach", lambda *given: rule(_facts(*given)))


def _listed(rule: Callable[[Sequence[Way]], Sequence[Way]]) -> Flip:
    """The ways of a new approach are others."""
    return lambda: patch.object(contact, "_approaches", lambda *given: rule(_approaches(*given)))


def _seen_as(rule: Callable[[Member, Member], tuple[Member, Member]]) -> Flip:
    """The two of a new approach are taken for others."""

    def approaches(
        sender: Member, other: Member | None, approach: Approach, policy: Policy
    ) -> Sequence[Way]:
        if other is not None:
            sender, other = rule(sender, other)
        return _approaches(sender, other, approach, policy)

    return lambda: patch.object(contact, "_approaches", approaches)


def _answered(rule: Callable[[Pair, bool], Pair]) -> Flip:
    """An answer is given to an approach that was another."""

    def answer(
        sender: Member, me: Member, pair: Pair, place: int, work: Any, *, accepted: bool
    ) -> None:
        _answer(sender, me, rule(pair, accepted), place, work, accepted=accepted)

    return lambda: patch.object(reach, "answer", answer)


@contextmanager
def _deleted_is_reachable() -> Iterator[None]:
    def named(member: str, facts: Any) -> Member | None:
        handle = facts.find(Handle, MemberId(member))
        found: Member | None = facts.find(Member, handle.member) if handle else None
        return replace(found, alive=True) if found is not None else None

    with patch.object(access, "named", named):
        yield


@contextmanager
def _an_answer_opens_nothing() -> Iterator[None]:
    def answer(
        sender: Member, me: Member, pair: Pair, place: int, work: Any, *, accepted: bool
    ) -> None:
        _answer(sender, me, pair, place, work, accepted=accepted)
        if accepted:
            work.put(replace(pair, stage=""))

    with patch.object(reach, "answer", answer):
        yield


def _in_order(*order: int) -> Flip:
    def passage(*given: Any) -> reach.Passage:
        def swapped(*facts: Any) -> list[Way]:
            listed = _ways(*facts)
            return [listed[n] for n in order]

        with patch.object(contact, "ways", swapped):
            return _passage(*given)

    return lambda: patch.object(reach, "passage", passage)


def _never_mind_the_cost(me: Member, other: Member, pair: Any, _: int, work: Any) -> reach.Passage:
    return _passage(me, other, pair, 1_000, work)


def _grants_double(
    account: Account, amount: int, reason: str, at_ms: int, policy: Policy
) -> Account:
    twice = 2 if reason == credit.REFUND else 1
    return _granted(account, twice * amount, reason, at_ms, policy)


_granted = credit.grant


def _signals_in_requests(_me: Member, other: Member, pair: Pair | None) -> bool:
    return contact.visible(other, pair) and pair is not None and (
        relations.connected(pair) or pair.stage in (contact.OPEN, contact.PENDING)
    )  # fmt: skip


def _instead(where: Any, name: str, by: Any) -> Flip:
    return lambda: patch.object(where, name, by)


def _closed(rule: Standing) -> Flip:
    return _stands(
        lambda now, me, pair: (
            rule if pair is not None and contact.is_closed(pair) else now
        )
    )  # fmt: skip


def _again(now: Standing, me: Member, pair: Pair | None) -> Standing:
    theirs = pair is not None and pair.stage == contact.OPEN and pair.approacher != me.key
    return replace(now, answers=now.answers or theirs)


FLIPS: dict[str, tuple[Flip, str]] = {
    "direct without a connection": (
        _stands(lambda now, *_: Standing(contact.DIRECT) if now.fresh else now), "strangers"),
    "connections pay": (
        _stands(lambda now, *_: Standing(fresh=True) if now.kind == contact.DIRECT else now),
        "connected"),
    "blocks are ignored": (
        _instead(contact, "visible", lambda other, pair: other is not None), "blocked"),
    "only one's own block counts": (
        _instead(contact, "visible",
                 lambda other, pair: other is not None and not (pair and pair.low_blocks)),
        "blocked"),
    "the deleted are reachable": (_deleted_is_reachable, "recipient deleted"),
    "Open Profile on basic": (
        _instead(contact, "takes_open_profile", lambda other: other.open_profile), "strangers"),
    "everybody's profile is open": (
        _instead(contact, "takes_open_profile", lambda other: other.plan != credit.BASIC),
        "strangers"),
    "InMail to who takes none": (
        _seen_as(lambda me, other: (me, replace(other, inmail=True))), "strangers"),
    "InMail on basic": (
        _seen_as(lambda me, other: (replace(me, plan="career"), other)), "strangers"),
    "the recipient has to pay": (
        _seen_as(lambda me, other: (replace(me, plan=other.plan), other)), "strangers"),
    "InMail is free": (
        _listed(lambda ways: [replace(way, cost=0) for way in ways]), "strangers"),
    "a credit is spent without consent": (
        _instead(reach, "passage", _never_mind_the_cost), "strangers"),
    "a credit spent is still there": (
        _instead(credit, "spend", lambda account, amount, at_ms: account), "inmail"),
    "no grant with the plan": (_instead(PerPlan, "of", lambda grants, plan: 0), "strangers"),
    "credits outlive the plan": (
        _instead(credit, "change_plan", lambda account, *_: account), "plan ended"),
    "explain tells who takes InMail": (
        _listed(lambda ways: [*ways[:3], replace(ways[3], needs=[])]), "strangers"),
    "no refund for a decline": (
        _answered(lambda pair, yes: pair if yes else replace(pair, approached_ms=0)),
        "inmail, declined"),
    "no refund for an answer": (
        _answered(lambda pair, yes: replace(pair, approached_ms=0) if yes else pair),
        "inmail, answered"),
    "two credits for one": (_instead(credit, "grant", _grants_double), "inmail, answered"),
    "a refund for every answer": (_stands(_again), "inmail, answered twice"),
    "groups of strangers": (
        _approached(lambda facts: replace(facts, fellows=True)), "strangers"),
    "no group takes requests": (
        _approached(lambda facts: replace(facts, fellows=False)), "strangers"),
    "openers are not limited": (
        _approached(lambda facts: replace(facts, openers=0)), "group"),
    "openers are not counted": (_instead(reach, "count_one", lambda *_: None), "group"),
    "each moment has its quota": (
        _instead(quotas, "period", lambda what, now_ms: now_ms % 2**31), "group"),
    "a used-up quota is no way's end": (
        _approached(lambda facts: replace(facts, fellows=facts.fellows and not facts.openers)),
        "strangers"),
    "a second InMail before an answer": (
        _stands(lambda now, *_: Standing(fresh=True) if now.waits else now), "inmail, waiting"),
    "declined is not closed": (_closed(Standing(fresh=True)), "inmail, declined"),
    "declined is closed to both": (_closed(Standing()), "group, declined"),
    "closed outlives a connection": (
        _instead(contact, "connecting", lambda pair: pair.stage), "inmail, declined, parted"),
    "an answer opens nothing": (_an_answer_opens_nothing, "group, answered"),
    "what an answer opened outlives a block": (
        _instead(contact, "closing", lambda pair: pair.stage), "group, answered, blocked"),
    "a block ends a request": (
        _instead(contact, "closing", lambda pair: ""), "group, waiting, blocked"),
    "groups before Open Profile": (_in_order(0, 2, 1, 3), "strangers"),
    "InMail before groups": (_in_order(0, 1, 3, 2), "strangers"),
    "signals in a request": (
        _instead(contact, "signals_pass", _signals_in_requests), "group, waiting"),
    "signals between the parted": (
        _instead(contact, "signals_pass", lambda _me, other, pair: contact.visible(other, pair)),
        "parted"),
    "signals end with the connection": (
        _instead(
            contact, "signals_pass", lambda _me, _other, pair: relations.connected(pair)),
        "group, answered"),
    "a request is not seen as one": (
        _instead(contact, "is_request", lambda pair: False), "group, waiting"),
    "a decline is not seen": (
        _instead(contact, "is_closed", lambda pair: False), "group, declined"),
}  # fmt: skip
"""Each with the relations of the table that it is looked for in first."""
