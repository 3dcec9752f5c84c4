"""Who may reach whom: connections, unless something between the two or an end says otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from server.domain import contact, relations
from server.domain.rows import Member, Pair

ADA = Member(1, "ada", 10, "Ada")
GRACE = Member(2, "grace", 20, "Grace")
STRANGERS = relations.new(1, 2)
CONNECTED = replace(STRANGERS, connected_ms=5)
plans = st.sampled_from(["basic", "career", "business", "sales_navigator", "recruiter_lite"])


@given(plan=plans)
def test_connections_write_directly_on_every_plan(plan: str) -> None:
    way = contact.way(replace(ADA, plan=plan), GRACE, CONNECTED)
    assert way == contact.Way("direct", True, 0, [])


@pytest.mark.parametrize("pair", [None, STRANGERS])
def test_strangers_are_told_what_would_open_a_way(pair: Pair | None) -> None:
    assert contact.way(ADA, GRACE, pair) is None
    ways = contact.ways(ADA, GRACE, pair)
    assert ways is not None
    assert [(way.kind, way.allowed, way.needs) for way in ways] == [("direct", False, ["connect"])]


@given(blocker=st.sampled_from([ADA, GRACE]), pair=st.sampled_from([STRANGERS, CONNECTED]))
def test_behind_a_block_there_is_nobody(blocker: Member, pair: Pair) -> None:
    blocked = relations.mark(pair, blocker.key, blocks=True)
    for sender, other in ((ADA, GRACE), (GRACE, ADA)):
        assert not contact.visible(other, blocked)
        assert contact.ways(sender, other, blocked) is None
        assert contact.way(sender, other, blocked) is None


@pytest.mark.parametrize("other", [None, replace(GRACE, alive=False)])
def test_who_is_not_there_is_answered_like_who_blocks(other: Member | None) -> None:
    assert not contact.visible(other, CONNECTED)
    assert contact.ways(ADA, other, CONNECTED) is None
    assert contact.way(ADA, other, CONNECTED) is None
