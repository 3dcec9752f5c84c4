"""A table that catches nothing proves nothing: each rule turned around is found by some row."""

from __future__ import annotations

import pytest

from server.domain.policy import DEFAULT, Policy
from tests.rulebook.cases import Row, table
from tests.rulebook.flips import FLIPS
from tests.rulebook.play import SMALL, play, policy_of
from tests.support.running import running_node

ROWS = table(share=0.4)
OTHER_NUMBERS = {
    "inmail_cost": Policy(inmail_cost=2),
    "inmail_characters": Policy(inmail_characters=8_000),
    "group_openers_per_month": Policy(group_openers_per_month=2),
}


def looked_for_in(relation: str) -> list[Row]:
    """The rows, those of this relation and of its kin first."""
    return sorted(ROWS, key=lambda row: not row.relation.startswith(relation))


@pytest.mark.parametrize("name", FLIPS)
async def test_a_rule_turned_around_is_found(name: str) -> None:
    flip, relation = FLIPS[name]
    with flip():
        async with running_node(policy=policy_of(SMALL, DEFAULT)) as server:
            wrong = await play(server, looked_for_in(relation), first=True)
    assert wrong != []
    # Found by what it decides, not because the server failed.
    assert not any("internal" in one for one in wrong)


@pytest.mark.parametrize("number", OTHER_NUMBERS)
async def test_another_number_is_found(number: str) -> None:
    other = policy_of(SMALL, OTHER_NUMBERS[number], keep=(number,))
    async with running_node(policy=other) as server:
        assert await play(server, looked_for_in("strangers"), first=True) != []
