"""The server and a second reading of the rulebook agree, row by row, over the wire."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from server.domain.policy import DEFAULT
from tests.rulebook.cases import RELATIONS, table
from tests.rulebook.play import SMALL, play, policy_of
from tests.rulebook.reading import Numbers
from tests.support import houses
from tests.support.running import running_node

ROWS = table()
PARTS = 4


@pytest.fixture(autouse=True)
def house(request: pytest.FixtureRequest) -> Iterator[None]:
    """Where `running_node` puts the test's server."""
    token = houses.CURRENT.set(getattr(request, "param", houses.EMBEDDED))
    yield
    houses.CURRENT.reset(token)


def test_the_table_is_large_and_knows_every_relation() -> None:
    assert len(ROWS) >= 500
    assert {row.relation for row in ROWS} == set(RELATIONS)
    assert len({str(row) for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("part", range(PARTS))
async def test_every_row_of_the_table_holds(part: int) -> None:
    async with running_node(policy=policy_of(SMALL, DEFAULT)) as server:
        assert await play(server, ROWS[part::PARTS]) == []


@pytest.mark.parametrize("house", ["postgres", "two nodes"], indirect=True)
async def test_a_share_of_them_holds_with_postgres_and_on_two_nodes(house: None) -> None:
    async with running_node(policy=policy_of(SMALL, DEFAULT)) as server:
        assert await play(server, table("elsewhere", share=0.1)) == []


async def test_the_rulebooks_own_numbers_hold() -> None:
    async with running_node() as server:
        assert await play(server, table("numbers", share=0.1), Numbers()) == []
