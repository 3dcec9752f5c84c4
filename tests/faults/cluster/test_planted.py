"""Bugs planted in the nodes, each found by a cell that passes without it, by the same seed.

A cell is run with a bug until it is found, with one seed after the other, and then without it and
that seed.
"""

from __future__ import annotations

import pytest

from tests.faults.cluster.cells import SETTLE_S, Verdict, run_cell
from tests.faults.cluster.conftest import ALL
from tests.faults.cluster.faults import BY_NAME
from tests.faults.cluster.rig import Services

SEEDS = 6
BROKEN_S = 5.0  # a bug that is found later is looked for by the next seed
PLANTED = {
    "publish_before_commit": ("link cut", "written", "phantom order lost"),
    "answer_before_commit": ("link cut", "written", "lost phantom order"),
    "failure_is_success": ("link cut", "written", "lost phantom"),
    "not_idempotent": ("link cut", "committed", "twice"),
    "no_head_comparison": ("Redis away", "published", "lost"),
    "no_probe": ("Redis half-open", "published", "lost"),
    "subscriptions_forgotten": ("Redis restarted", "delivered", "lost"),
    "gaps_not_healed": ("Redis deaf", "published", "lost"),
    "fences_skipped": ("clients cut", "revoking", "leak"),
    "fence_not_awaited": ("link frozen 7 s", "published", "leak"),
    "lease_for_ever": ("link frozen 7 s", "published", "leak"),
    "roster_after_delivery": ("clients cut", "revoking", "leak"),
    "resume_without_rights": ("clients cut", "resuming", "leak lost"),
    "signals_not_fenced": ("Redis slow", "published", "leak"),
    "locks_not_taken": ("clients cut", "accepted", "order lost twice phantom"),
    "keys_shared": ("clients cut", "accepted", "lost twice order phantom"),
}
OFTEN = ("answer_before_commit", "not_idempotent", "roster_after_delivery")


async def _verdict(made: Services, name: str, seed: str, bug: str = "") -> Verdict:
    fault, phase, _ = PLANTED[name]
    prepared = (f"tests.faults.cluster.planted:{bug}",) if bug else ()
    settle_s = BROKEN_S if bug else SETTLE_S
    return await run_cell(made, BY_NAME[fault], phase, seed, prepared=prepared, settle_s=settle_s)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("bug", list(PLANTED) if ALL else OFTEN)
async def test_a_planted_bug_is_found(cluster_services: Services, bug: str) -> None:
    expected = PLANTED[bug][2].split()
    seed, found = "planted 1", await _verdict(cluster_services, bug, "planted 1", bug)
    for number in range(2, SEEDS + 1):
        if not any(found.findings[kind] for kind in expected):
            seed = f"planted {number}"
            found = await _verdict(cluster_services, bug, seed, bug)
    said = f"{bug} was not found in {SEEDS} runs: {found.line()} {found.wrong}"
    assert any(found.findings[kind] for kind in expected), said
    print(f"{bug}, seed {seed}: {found.wrong[0]}")
    sound = await _verdict(cluster_services, bug, seed)
    assert not sound.wrong, f"{sound.line()}\n" + "\n".join(sound.wrong[:20])
