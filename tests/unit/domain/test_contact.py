"""Who may reach whom, and how: what stands between two members, and new approaches."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from server.domain import contact, relations
from server.domain.contact import Approach, Standing, Way
from server.domain.policy import DEFAULT
from server.domain.rows import Member, Pair

ADA = Member(1, "ada", 10, "Ada")
GRACE = Member(2, "grace", 20, "Grace")
STRANGERS = relations.new(1, 2)
CONNECTED = replace(STRANGERS, connected_ms=5)
ALONE = Approach(fellows=False, openers=0, balance=0)
plans = st.sampled_from(["basic", "career", "business", "sales_navigator", "recruiter_lite"])


def approached(kind: str, by: Member, stage: str = contact.PENDING) -> Pair:
    return replace(STRANGERS, approach=kind, approacher=by.key, approached_ms=5, stage=stage)


def ways(
    approach: Approach = ALONE, sender: Member = ADA, other: Member = GRACE, pair: Pair = STRANGERS
) -> dict[str, Way]:
    return {way.kind: way for way in contact.ways(sender, other, pair, approach, DEFAULT)}


@given(plan=plans, by=st.sampled_from([ADA, GRACE]), kind=st.sampled_from(["group", "inmail"]))
def test_connections_write_directly_on_every_plan(plan: str, by: Member, kind: str) -> None:
    for pair in (CONNECTED, replace(approached(kind, by), connected_ms=5)):
        now = contact.standing(replace(ADA, plan=plan), GRACE, pair)
        assert now.kind == "direct"
        assert not now.fresh


@given(blocker=st.sampled_from([ADA, GRACE]), pair=st.sampled_from([STRANGERS, CONNECTED]))
def test_behind_a_block_there_is_nobody(blocker: Member, pair: Pair) -> None:
    blocked = relations.mark(pair, blocker.key, blocks=True)
    for other in (ADA, GRACE):
        assert not contact.visible(other, blocked)
        assert not contact.signals_pass(ADA, other, blocked)


@pytest.mark.parametrize("other", [None, replace(GRACE, alive=False)])
def test_who_is_not_there_is_like_who_blocks(other: Member | None) -> None:
    assert not contact.visible(other, CONNECTED)


@pytest.mark.parametrize("pair", [None, STRANGERS])
def test_between_strangers_a_new_approach_may_be_made(pair: Pair | None) -> None:
    assert contact.standing(ADA, GRACE, pair) == Standing(fresh=True)


@pytest.mark.parametrize("kind", contact.REQUESTS)
def test_a_request_waits_for_its_recipient(kind: str) -> None:
    pair = approached(kind, ADA)
    assert contact.standing(ADA, GRACE, pair) == Standing(waits=True)
    assert contact.standing(GRACE, ADA, pair) == Standing(kind, answers=True)
    assert contact.is_request(pair)
    assert not contact.signals_pass(ADA, GRACE, pair)


@pytest.mark.parametrize("kind", ["open_profile", *contact.REQUESTS])
def test_once_answered_it_is_open_both_ways_in_the_kind_that_opened_it(kind: str) -> None:
    pair = approached(kind, ADA, contact.OPEN)
    assert contact.standing(ADA, GRACE, pair) == Standing(kind)
    assert contact.standing(GRACE, ADA, pair) == Standing(kind)
    assert contact.signals_pass(ADA, GRACE, pair)


def test_declined_it_is_closed_to_who_began_it_alone() -> None:
    pair = approached("inmail", ADA, contact.CLOSED)
    assert contact.standing(ADA, replace(GRACE, open_profile=True, plan="career"), pair) == (
        Standing()
    )
    assert contact.standing(GRACE, ADA, pair) == Standing(fresh=True)
    neither = replace(pair, approacher=contact.NEITHER)
    assert {contact.standing(*two, neither) for two in ((ADA, GRACE), (GRACE, ADA))} == {Standing()}
    assert contact.is_closed(pair)
    assert not contact.is_closed(replace(pair, connected_ms=5))


def test_an_open_profile_takes_more_than_one_message_while_it_is_open() -> None:
    pair = approached("open_profile", ADA)
    open_grace = replace(GRACE, open_profile=True, plan="career")
    assert contact.standing(ADA, open_grace, pair) == Standing("open_profile")
    assert contact.standing(ADA, GRACE, pair) == Standing(fresh=True)
    assert not contact.is_request(pair)


def test_what_an_answer_opened_ends_with_a_parting_and_a_request_goes_on_waiting() -> None:
    assert contact.closing(approached("inmail", ADA, contact.OPEN)) == ""
    assert contact.closing(approached("inmail", ADA)) == contact.PENDING


def test_open_profile_is_of_any_plan_but_basic() -> None:
    assert ways(other=replace(GRACE, open_profile=True, plan="career"))["open_profile"].allowed
    assert not ways(other=replace(GRACE, open_profile=True))["open_profile"].allowed
    assert not ways()["open_profile"].allowed


def test_a_group_way_needs_a_group_in_common_and_something_left_of_the_month() -> None:
    last = DEFAULT.group_openers_per_month
    assert ways(Approach(fellows=True, openers=last - 1, balance=0))["group"].allowed
    assert ways(Approach(fellows=True, openers=last, balance=0))["group"] == (
        Way("group", allowed=False, needs=["wait"])
    )
    assert ways(Approach(fellows=False, openers=last, balance=0))["group"] == (
        Way("group", allowed=False)
    )


def test_an_inmail_needs_a_plan_credits_and_who_accepts_it() -> None:
    rich, paid = Approach(fellows=False, openers=0, balance=1), replace(ADA, plan="business")
    assert ways(rich, paid)["inmail"] == Way("inmail", allowed=True, cost=1)
    assert ways(ALONE, paid)["inmail"].needs == ["buy credits"]
    assert ways(rich)["inmail"].needs == ["upgrade"]
    closed = replace(GRACE, inmail=False)
    assert ways(rich, paid, closed)["inmail"] == Way("inmail", allowed=False, cost=1)


@given(plan=plans, balance=st.sampled_from([0]))
def test_who_lacks_something_of_their_own_learns_nothing_of_the_other(
    plan: str, balance: int
) -> None:
    sender, facts = replace(ADA, plan=plan), Approach(fellows=False, openers=0, balance=balance)
    assert ways(facts, sender) == ways(facts, sender, replace(GRACE, inmail=False))


def test_ways_come_in_the_rulebooks_order() -> None:
    order = ["direct", "open_profile", "group", "inmail"]
    for pair in (STRANGERS, CONNECTED, approached("inmail", ADA)):
        assert list(ways(pair=pair)) == order
