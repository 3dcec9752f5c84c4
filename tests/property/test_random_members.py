"""Whatever members do, each session is given exactly what a naive reading of the rules says.

Random members, random commands, disconnects and resumes, on real stores, hubs and gateways: one
node on SQLite or PostgreSQL, and two nodes on one PostgreSQL, joined by a bus that loses, repeats
and reorders, or by Redis. The run counts what it exercised: a property that hardly ever met what
it is about has shown nothing. `SUBROSA_SEED=7` tries other programs than CI's, `SUBROSA_SHRINK=1`
shortens one that fails.
"""

from __future__ import annotations

from collections import Counter

import pytest

from tests.property.nodes import EMBEDDED, OVER_REDIS, SHARED, TWO_NODES
from tests.property.property_run import ROUNDS, SEED, SHIPPED, SMALL_BUFFERS, TIGHT, explore

AT_LEAST = {  # an example of the first round
    "deliveries": 600,
    "removals racing sends": 6,
    "resumes across edits and deletions": 6,
    "positions in place of what is kept": 4,
    "of kind direct": 12,
    "of kind open_profile": 2,
    "of kind group": 20,
    "of kind inmail": 1,
    "requests": 2,
    "answers to them, told": 3,
    "few credits spent at once": 0.5,
    "refunds": 0.2,
}
RULES = {"shipped": (SHIPPED, dict[str, int]()), "tight": (TIGHT, SMALL_BUFFERS)}
RUNS = {  # how many examples
    ("embedded", "shipped"): (EMBEDDED, 8),
    ("embedded", "tight"): (EMBEDDED, 8),
    ("postgres", "shipped"): (SHARED, 4),
    ("postgres", "tight"): (SHARED, 4),
    ("two nodes", "shipped"): (TWO_NODES, 4),
    ("two nodes", "tight"): (TWO_NODES, 4),
    ("two nodes over redis", "shipped"): (OVER_REDIS, 3),
}


@pytest.mark.timeout(480)
@pytest.mark.parametrize(("house", "rules"), RUNS, ids=lambda name: name.replace(" ", "-"))
def test_every_session_is_given_what_is_its_own(
    house: str, rules: str, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes, examples = RUNS[house, rules]
    numbers, limits = RULES[rules]
    counts, few = Counter[str](), AT_LEAST
    for seed in range(SEED, SEED + ROUNDS):
        counts += explore(numbers, examples, limits, house=nodes, seed=seed)
        few = {what: n for what, n in AT_LEAST.items() if counts[what] < n * examples}
        if not few:
            break
    with capsys.disabled():
        most = ", ".join(f"{n} {what}" for what, n in counts.most_common())
        print(f"\nexercised on {house}: {most}")
    assert few == {}, counts
