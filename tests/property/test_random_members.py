"""Whatever members do, each session is given exactly what a naive reading of the rules says.

Random members, random commands, disconnects and resumes, on a real store, hub and gateway. The run
counts what it exercised: a property that hardly ever met what it is about has shown nothing.
`SUBROSA_SEED=7` tries other programs than CI's, `SUBROSA_SHRINK=1` shortens one that fails.
"""

from __future__ import annotations

import pytest

from tests.property.property_run import SHIPPED, SMALL_BUFFERS, TIGHT, explore
from tests.support.oracle_world import Rules

EXAMPLES = 16  # a set of rules
AT_LEAST = {
    "deliveries": 10_000,
    "removals racing sends": 500,
    "resumes across edits and deletions": 500,
}


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("rules", "limits"), [(SHIPPED, {}), (TIGHT, SMALL_BUFFERS)], ids=["shipped", "tight"]
)
def test_every_session_is_given_what_is_its_own(
    rules: Rules, limits: dict[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    counts = explore(rules, EXAMPLES, limits)
    with capsys.disabled():
        print("\nexercised:", ", ".join(f"{n} {what}" for what, n in counts.most_common()))
    few = {what: counts[what] for what, least in AT_LEAST.items() if counts[what] < least / 2}
    assert few == {}  # half of it under each set of rules
