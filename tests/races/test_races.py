"""Whoever's right ends while it is used: the later of the two is answered accordingly, and nothing
reaches who had lost it.

Each race is run in 250 or 1,000 interleavings of two nodes, which a seed alone decides, and comes
out in both orders. What has the right order everywhere is a number: of a commit, of an answer, of a
frame that was handed to a socket.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from random import Random

import pytest
import uvloop
from blockbuster import BlockBuster

from server.commands.outcome import Outcome
from server.domain.policy import PerPlan, Policy
from tests.property import planted_nodes as planted
from tests.property import planted_ways
from tests.races import approaches, cases
from tests.races.arena import Arena, arena
from tests.races.race import Race, text
from tests.races.scene import PROBE, SECOND, Deed, Scene

AT_ONCE = 125
RACES = {**cases.RACES, **approaches.RACES}
POLICY = Policy(credits_monthly=PerPlan(1, 1, 1, 1))
MEMORY = Path("/dev/shm")


@pytest.fixture
def the_store_is_on_the_loop(nothing_blocks_the_loop: BlockBuster) -> Iterator[None]:
    """As it is in the arena, on purpose."""
    nothing_blocks_the_loop.deactivate()
    yield
    nothing_blocks_the_loop.activate()


BUGS: list[tuple[Callable[[], AbstractContextManager[object]], str]] = [
    (planted.a_fence_is_not_awaited, "send vs remove"),
    (planted.a_fence_is_not_awaited, "send vs delete"),
    (planted.fences_are_applied_after_the_answer, "settings vs typing between two"),
    (planted.fences_are_applied_after_the_answer, "refresh vs revoke"),
    (planted.signals_pass_all_fences, "typing vs the receiver's switch"),
    (planted.signals_pass_all_fences, "typing vs remove"),
    (planted.a_signal_from_before_a_joining, "typing vs add"),
    (planted.a_fence_is_not_awaited, "typing vs close"),
    (planted_ways.an_edit_of_an_earlier_message_reaches_a_viewer, "an edit vs a mention"),
    (planted_ways.an_answer_gives_back_twice, "accept vs decline"),
]


@pytest.mark.timeout(120)
@pytest.mark.usefixtures("the_store_is_on_the_loop")
@pytest.mark.parametrize(("bug", "name"), BUGS)
def test_a_planted_bug_is_found(
    bug: Callable[[], AbstractContextManager[object]], name: str
) -> None:
    with bug(), pytest.raises(AssertionError):
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_interleave(name, RACES[name]))


@pytest.mark.timeout(120)
@pytest.mark.usefixtures("the_store_is_on_the_loop")
@pytest.mark.parametrize("name", RACES)
def test_a_right_that_ends_while_it_is_used(name: str) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        orders = runner.run(_interleave(name, RACES[name]))
    assert min(orders["act"], orders["end"]) >= RACES[name].times // 10, orders


async def _interleave(name: str, race: Race) -> Counter[str]:
    """Run a race in all its interleavings; answers how often each order came out."""
    orders: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as directory:
        async with arena(Path(directory), sum(map(ord, name)), POLICY) as two_nodes:
            for start in range(0, race.times, AT_ONCE):
                scenes = [Scene(two_nodes, n) for n in range(start, start + AT_ONCE)]
                orders.update(await _run(two_nodes, race, scenes))
    return orders


async def _run(two_nodes: Arena, race: Race, scenes: list[Scene]) -> list[str]:
    """Run the race in each scene, all at once; answers what came first."""
    await asyncio.gather(*(scene.build() for scene in scenes))
    if race.before is not None:
        await asyncio.gather(*(race.before(scene) for scene in scenes))
    await two_nodes.quiet()
    two_nodes.racing = True
    runs = await asyncio.gather(*(_both(scene, race) for scene in scenes))
    two_nodes.racing = False
    if race.gets is not None:
        await asyncio.gather(*(s.send("a", PROBE, conversation=s.talk) for s in scenes))
    await two_nodes.quiet()
    firsts = [_judge(scene, race, *run) for scene, run in zip(scenes, runs, strict=True)]
    if race.after is not None:
        await asyncio.gather(*map(race.after, scenes, firsts))
    for scene in scenes:
        scene.leave()
    return firsts


async def _both(scene: Scene, race: Race) -> tuple[tuple[Outcome, int], tuple[Outcome, int]]:
    dice = Random(scene.arena.dice.random())

    async def give(deed: Deed) -> tuple[Outcome, int]:
        for _ in range(dice.randint(0, 12)):
            await asyncio.sleep(0)
        outcome = await deed(scene)
        return outcome, scene.arena.number()

    act, end = await asyncio.gather(give(race.act), give(race.end))
    return act, end


def _judge(scene: Scene, race: Race, act: tuple[Outcome, int], end: tuple[Outcome, int]) -> str:
    """Raise unless it came out as the order of commits demands; answers what was first."""
    first = "act" if _committed(act[0]) < _committed(end[0]) else "end"
    codes = race.act_first if first == "act" else race.end_first
    assert (_code(act[0]), _code(end[0])) == codes, first
    for number in scene.given(race.loser, race.sees):
        assert first == ("end" if race.gained else "act"), "given without the right to it"
        assert not race.secret, "given what is kept from them"
        assert race.own or race.gained or number < end[1], "given after the end was answered"
    if race.gets is not None:
        probes = scene.given(race.loser, text(PROBE))
        sessions = sum(1 for session in scene.sessions[race.loser] if not session.ended)
        assert len(probes) == (sessions if race.gets(first) else 0), first
    if race.ended:
        assert all(session.ended for session in scene.sessions[race.loser])
        assert all(wire.last < end[1] for wire in scene.wires(race.loser))
    if _code(act[0]):
        for name in "abcd":
            assert scene.given(name, text(SECOND)) == []
    return first


def _committed(outcome: Outcome) -> int:
    number: int = (outcome.result or {})["committed"]
    return number


def _code(outcome: Outcome) -> str:
    return outcome.error.code if outcome.error is not None else ""
