"""Whether the cluster is whole again: what each node does reaches each other one, signals too."""

from __future__ import annotations

import asyncio
import itertools
import time

from tests.faults.cluster.actor import Actor
from tests.faults.cluster.workload import Workload

TURN_S = 0.1


async def recovered(work: Workload, limit_s: float) -> tuple[float, list[str]]:
    """Seconds from now until everything passes between all nodes; and what did not within the
    limit. A message and a signal from each sentinel, begun after now, have to reach each other."""
    began = time.monotonic()
    missing = {
        (a.member, b.member, what)
        for a, b in itertools.permutations(work.sentinels, 2)
        for what in ("message", "signal")
    }
    speakers = [asyncio.create_task(_speak(work, s, missing, began)) for s in work.sentinels]
    away: list[str] = []
    try:
        async with asyncio.timeout(limit_s):
            await asyncio.gather(*speakers)
            while not all(actor.socket is not None for actor in work.actors):
                await asyncio.sleep(0.01)
    except TimeoutError:  # later it may just be between two connections
        away = [actor.name for actor in work.actors if actor.socket is None]
    finally:
        for task in speakers:
            task.cancel()
        await asyncio.gather(*speakers, return_exceptions=True)
    wrong = [f"lost: no {what} of {a} reaches {b}" for a, b, what in sorted(missing)]
    wrong += [f"lost {name}: it does not come back" for name in away]
    return time.monotonic() - began, wrong


async def _speak(
    work: Workload, me: Actor, missing: set[tuple[str, str, str]], began: float
) -> None:
    """Send and type to the others until they have heard of it."""
    others = [s for s in work.sentinels if s is not me]
    first = {o.name: await work.send_to(me, o.member) for o in others}
    turn = 0
    while True:
        for other in others:
            _look(me, other, first[other.name].number, missing, began)
        mine = [other for other in others if (me.member, other.member, "signal") in missing]
        if not any(a == me.member for a, _, _ in missing):
            return
        turn += 1
        for other in mine:
            place = work.ids["-".join(sorted((me.member, other.member)))]
            cmd = "typing.start" if turn % 2 else "typing.stop"
            await me.call(cmd, conversation=place)
        await asyncio.sleep(TURN_S)


def _look(
    me: Actor, other: Actor, number: int, missing: set[tuple[str, str, str]], began: float
) -> None:
    for socket in reversed(me.ledger.sockets):
        if socket.client != other.name:
            continue
        for heard in reversed(socket.heard):
            if heard.at < began:
                break
            frame = heard.frame
            if frame.get("event", "").startswith("typing") and frame["data"]["member"] == me.member:
                missing.discard((me.member, other.member, "signal"))
            if any(c[0] == me.name and c[2] >= number for c in heard.canaries):
                missing.discard((me.member, other.member, "message"))
