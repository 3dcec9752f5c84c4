"""Every fault at every phase: nothing acknowledged is lost or doubled, and nobody gets what is not
theirs.

`make faults` runs all cells; without `SUBROSA_CELLS=all` there is one of every second fault.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.cluster.cells import PHASES, run_cell
from tests.faults.cluster.conftest import ALL
from tests.faults.cluster.faults import FAULTS, Fault
from tests.faults.cluster.rig import Services

CELLS = (
    [(fault, phase) for fault in FAULTS for phase in PHASES]
    if ALL
    else [(fault, PHASES[turn % len(PHASES)]) for turn, fault in enumerate(FAULTS) if turn % 2]
)


@pytest.mark.timeout(90)
@pytest.mark.parametrize(
    ("fault", "phase"), CELLS, ids=[f"{fault.name}-{phase}" for fault, phase in CELLS]
)
async def test_cell(
    cluster_services: Services, seed: str, kept: Path, fault: Fault, phase: str
) -> None:
    verdict = await run_cell(cluster_services, fault, phase, seed, nodes=3 if ALL else 2)
    print(verdict.line())
    verdict.keep(kept)
    said = "\n".join(verdict.wrong[:40])
    assert not verdict.wrong, (
        f"{verdict.line()}\nSUBROSA_SEED={seed}\n{said}\n{verdict.log[-6000:]}"
    )
