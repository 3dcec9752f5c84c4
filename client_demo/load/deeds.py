"""What each scenario does while it runs, in one generator process.

All of them send messages by a schedule that waits for nobody; what differs is what else happens.
Each returns when its time is up or the fleet is told to stop, and undoes what it has begun.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from client_demo.load.churn import churn
from client_demo.load.fleet import Fleet
from client_demo.load.plan import Place
from client_demo.load.scenarios import BEHIND_RATE
from client_demo.load.schedule import US, Schedule
from client_demo.load.session import Session, now_us

Act = Callable[[int], None]

CUTS = 3
SLOW_SHARE = 100
BURST = 256
"""Sends that are begun before the loop gets to read again, when many are overdue."""

NAP_S = 0.25


async def perform(fleet: Fleet, start: int) -> None:
    """Do the scenario's part of this process, from `start` (microseconds) on."""
    deed = _DEEDS.get(fleet.assignment.plan.scenario, _talk)
    await deed(fleet, start)


async def opening(fleet: Fleet) -> None:
    """Connect what has to be there before the scenario begins: all, but for the storm the first
    session of each seat that speaks in it."""
    plan = fleet.assignment.plan
    sessions = fleet.sessions
    if plan.scenario == "storm":
        sessions = [fleet.by_seat[seat][0] for _, seat in speakers(fleet)]
    begin, spread = now_us(), plan.ramp * US
    async with asyncio.TaskGroup() as group:
        for number, session in enumerate(sessions):
            due = begin + int(spread * number / len(sessions))
            group.create_task(fleet.open(session, due))


def speakers(fleet: Fleet) -> list[tuple[Place, int]]:
    """Who sends, and where, in turn: everybody with a session; in a storm one a place."""
    few = fleet.assignment.plan.scenario == "storm"
    found = []
    for place in fleet.assignment.places:
        here = [(place, seat) for seat in place.seats if seat in fleet.by_seat]
        found += here[:1] if few else here
    if not few:
        fleet.random.shuffle(found)
    return found


async def pace(fleet: Fleet, schedule: Schedule, start: int, act: Act) -> None:
    """Do something at each moment of a schedule, late rather than never."""
    number, count = 0, schedule.count
    while number < count and not fleet.stopping.is_set():
        now, burst = now_us(), 0
        while number < count and burst < BURST and (due := start + schedule.due(number)) <= now:
            act(due)
            number, burst = number + 1, burst + 1
        if burst == BURST or number == count:
            await asyncio.sleep(0)
        else:
            wait = (start + schedule.due(number) - now_us()) / US
            await asyncio.sleep(min(NAP_S, max(0.0, wait)))


def _schedule(fleet: Fleet, rate: float | None = None) -> Schedule:
    plan, index = fleet.assignment.plan, fleet.assignment.index
    return Schedule(
        plan.rate if rate is None else rate, plan.seconds, plan.ramp, index, plan.processes
    )


def _message(fleet: Fleet, *, counted: bool = True) -> Act:
    """Sending the next message of the next speaker."""
    turns = speakers(fleet)
    turn = 0

    def act(due: int) -> None:
        nonlocal turn
        place, seat = turns[turn % len(turns)]
        turn += 1
        fleet.counts.due += counted
        fleet.send(place, seat, due)

    return act


async def _talk(fleet: Fleet, start: int) -> None:
    if speakers(fleet):
        await pace(fleet, _schedule(fleet), start, _message(fleet))


async def _signals(fleet: Fleet, start: int) -> None:
    """Half typing, a third receipts, the rest messages."""
    turns = speakers(fleet)
    message = _message(fleet)

    def act(due: int) -> None:
        place, seat = fleet.random.choice(turns)
        chance = fleet.random.random()
        session = fleet.by_seat[seat][0]
        seq = fleet.last_seq.get(place.number, 0)
        if chance < 0.15 or (seq == 0 and chance >= 0.5):
            message(due)
            return
        fleet.counts.due += 1
        if not session.live:
            fleet.counts.error("signal while offline")
            return
        fleet.counts.actions += 1
        if chance < 0.5:
            cmd = "typing.start" if chance < 0.4 else "typing.stop"
            fleet.start(_tell(fleet, session, cmd, conversation=place.conversation))
        else:
            where = {"conversation": place.conversation, "seq": seq}
            fleet.start(_tell(fleet, session, "receipt.read", **where))

    if turns:
        await pace(fleet, _schedule(fleet), start, act)


async def _tell(fleet: Fleet, session: Session, cmd: str, **params: object) -> None:
    await fleet.call(session, cmd, **params)


async def _storm(fleet: Fleet, start: int) -> None:
    """Connections at the rate; a few who are there already talk meanwhile."""
    coming = [session for session in fleet.sessions if not session.live]
    plan, index = fleet.assignment.plan, fleet.assignment.index
    schedule = Schedule(plan.rate, len(coming) * plan.processes / plan.rate + 1, 0.0, index,
                        plan.processes)  # fmt: skip

    async def connect() -> None:
        async with asyncio.TaskGroup() as group:
            for number, session in enumerate(coming):
                due = start + schedule.due(number)
                await asyncio.sleep(max(0, due - now_us()) / US)
                if fleet.stopping.is_set():
                    return
                fleet.counts.due += 1
                group.create_task(fleet.open(session, due))

    background = Schedule(BEHIND_RATE, plan.seconds, 0.0, index, plan.processes)
    act = _message(fleet, counted=False)  # the rate on offer is that of connections

    talking = [pace(fleet, background, start, act)] if speakers(fleet) else []
    await asyncio.gather(connect(), *talking)


async def _reconnect(fleet: Fleet, start: int) -> None:
    """Cut everything three times; each session comes back at a moment of its own."""
    seconds = fleet.assignment.plan.seconds
    back = max(1, int(seconds * US / (2 * CUTS + 2)))

    async def cut() -> None:
        for number in range(CUTS):
            await _wait(fleet, start + int(seconds * US * (number + 1) / (CUTS + 1)))
            if fleet.stopping.is_set():
                return
            for session in fleet.sessions:
                if session.live:
                    fleet.counts.cuts += 1
                    session.returning = fleet.random.randrange(back)
                    session.cut()

    await asyncio.gather(_talk(fleet, start), cut())


async def _slow(fleet: Fleet, start: int) -> None:
    """One in a hundred takes nothing for most of the time; those who speak go on reading."""
    seconds = fleet.assignment.plan.seconds
    quiet = [s for sessions in fleet.by_seat.values() for s in sessions[1:]]
    count = -(-len(fleet.sessions) // SLOW_SHARE)
    chosen = fleet.random.sample(quiet, min(count, len(quiet)))

    async def stop() -> None:
        await _wait(fleet, start + int(seconds * US * 0.1))
        for session in chosen:
            fleet.counts.actions += 1
            session.stop_reading()
        await _wait(fleet, start + int(seconds * US * 0.9))
        for session in chosen:
            session.read_again()

    await asyncio.gather(_talk(fleet, start), stop())


async def _churn(fleet: Fleet, start: int) -> None:
    plan = fleet.assignment.plan
    end = start + int(plan.seconds * US)
    await asyncio.gather(_talk(fleet, start), churn(fleet, end, plan.rate / plan.processes))


async def _wait(fleet: Fleet, moment: int) -> None:
    """Wait until a moment, or until the fleet is told to stop."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout((moment - now_us()) / US):
            await fleet.stopping.wait()


_DEEDS: dict[str, Callable[[Fleet, int], Awaitable[None]]] = {
    "signals": _signals,
    "storm": _storm,
    "reconnect": _reconnect,
    "slow": _slow,
    "churn": _churn,
}
