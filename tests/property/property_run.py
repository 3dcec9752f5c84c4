"""The property as something to be run: with the product as it is, or with a bug planted in it.

`explore` opens a node for each set of rules, has Hypothesis make programs, and carries each out on
members of its own. The same seed makes the same programs; how their commands fall into batches is
the machine's doing. `SUBROSA_SEED` chooses another seed than CI's, `SUBROSA_SHRINK=1` lets
Hypothesis look for the shortest failing program.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import hypothesis
import uvloop
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.property.bench import Bench
from tests.property.nodes import EMBEDDED, House
from tests.property.program import Run
from tests.property.steps import STEP, carry_out
from tests.property.verdict import exercised, judge
from tests.support.oracle_things import Rules

STEPS = 60
SHRINK = bool(os.environ.get("SUBROSA_SHRINK"))
ROUNDS = 4
"""At most, of other programs each: what is met, and found, is not the same in every run."""

SEED = int(os.environ.get("SUBROSA_SEED", "1"))
FEW = {  # a month's credits, and the most that piles up: so few that the last is soon spent
    "career": (1, 2), "business": (2, 3), "sales_navigator": (1, 1), "recruiter_lite": (2, 2),
}  # fmt: skip
SHIPPED = Rules(reblock_ms=600_000, reinvite_ms=1_200_000, credits=FEW, openers=4)
TIGHT = Rules(
    note=30, note_paid=60, subject=30, inmail=50, viewers=2, managers=2, group_members=8, openers=2,
    invitations=6, notes=2, credits=FEW, credits_expire_ms=1_500_000, refund_ms=900_000,
    announce_ms=1_200_000,
    newcomers="from_joining", participants=5, signals_up_to=3, reactions=2, body=60, title=20,
    reblock_ms=600_000, reinvite_ms=1_200_000, resume_events=12,
)  # fmt: skip
SMALL_BUFFERS = {"buffer_soft_bytes": 800, "buffer_hard_bytes": 6_000, "in_flight_per_session": 8}

# What is under test here is order, not the disk: where there is a folder in memory, it is faster.
MEMORY = Path("/dev/shm")

steps = st.binary(min_size=STEP, max_size=STEP)
programs = st.lists(steps, min_size=STEPS, max_size=STEPS)


def explore(
    rules: Rules,
    examples: int,
    limits: Mapping[str, int],
    bug: Callable[[], AbstractContextManager[object]] = nullcontext,
    house: House = EMBEDDED,
    follow: Callable[[Any], None] | None = None,
    seed: int = SEED,
) -> Counter[str]:
    """Carry out so many programs; answers what was exercised. Raises what was found.

    `follow` is given the group commit of each node.
    """
    bench = Bench(rules, limits, house)
    numbers = itertools.count(1)
    phases = [Phase.generate, *([Phase.shrink] if SHRINK else [])]

    found: list[BaseException] = []

    async def one(size: int, program: list[bytes]) -> None:
        if found and not SHRINK:
            raise found[0]  # one failure is enough: it is not to be looked for again
        run = Run(bench, next(numbers), size)
        try:
            await run.begin()
            for step in program:
                await carry_out(run, step)
            await judge(run)
            bench.counts.update(exercised(bench))
        except BaseException as failure:
            failure.add_note("\n".join(["what was said:", *bench.log[-60:]]))
            found.append(failure)
            bench.wrong(failure)
            await bench.abandon()
            raise

    with (
        bug(),
        tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as directory,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(bench.open(Path(directory)))
        for node in bench.nodes.all:
            if follow is not None:
                follow(node.store.commits)

        @hypothesis.seed(seed)
        @settings(
            max_examples=examples, phases=phases, database=None, deadline=None,
            suppress_health_check=list(HealthCheck), report_multiple_bugs=False,
        )  # fmt: skip
        @given(size=st.integers(4, 7), program=programs)
        def property_(size: int, program: list[bytes]) -> None:
            runner.run(one(size, program))

        try:
            property_()
        finally:
            runner.run(bench.close())
    return bench.counts
