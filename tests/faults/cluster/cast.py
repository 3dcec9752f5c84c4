"""Who is in it: thirty members with forty clients, their connections, and four conversations.

Made once, in the template that every cell's database is a copy of, by the operator's commands over
HTTP and by the stewards: one participant of each conversation, who changes its roster, never leaves
it, and reads its whole log in the end.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from dataclasses import dataclass

from tests.faults.cluster.actor import Actor
from tests.faults.cluster.ledger import Ledger
from tests.faults.cluster.rig import TEMPLATE, Cluster, Services

COUNT, DOUBLE, POOL, FOUNDERS = 30, 10, 9, 7
STEPS = (1, 2, 7)


@dataclass(frozen=True, slots=True)
class Room:
    """A conversation of several: `pool` are those whom its steward may add, the founders first."""

    place: str
    steward: str
    pool: tuple[str, ...]

    @property
    def founders(self) -> tuple[str, ...]:
        """Who is in it from the beginning, beside its steward."""
        return self.pool[:FOUNDERS]


def member(number: int) -> str:
    """A member's id."""
    return f"m{number % COUNT:02}"


MEMBERS = [member(number) for number in range(COUNT)]
CLIENTS = [(m, "a") for m in MEMBERS] + [(m, "b") for m in MEMBERS[:DOUBLE]]
ROOMS = [
    Room(f"c{index}", member(first), tuple(member(first + 1 + k) for k in range(POOL)))
    for index, first in enumerate((0, 7, 14, 21))
]
SENTINELS = ["s00", "s01", "s02"]
"""One at each node, connected to each other: whether nodes hear of each other shows by them."""

EVERYBODY = [*MEMBERS, *SENTINELS]
STEWARDS = {room.steward for room in ROOMS}


def connections() -> dict[str, list[str]]:
    """Each member's connections."""
    edges = {tuple(sorted((MEMBERS[i], member(i + s)))) for i in range(COUNT) for s in STEPS}
    edges |= {tuple(sorted((room.steward, m))) for room in ROOMS for m in room.pool}
    edges |= set(itertools.combinations(SENTINELS, 2))
    found: dict[str, list[str]] = {m: [] for m in EVERYBODY}
    for a, b in sorted(edges):
        found[a].append(b)
        found[b].append(a)
    return found


async def make_template(services: Services) -> None:
    """Put the cast into the database that cells copy; the conversations' ids go to `places`."""
    await asyncio.to_thread(services.postgres.create_database, TEMPLATE)
    await services.nursery.run("token", "x", "--data", str(services.data))  # makes the keys
    await services.nursery.run("migrate", "--data", str(services.data), "--database",
                               services.postgres.url(TEMPLATE))  # fmt: skip
    puts = [{"cmd": "member.put", "params": {"id": m, "name": m}} for m in EVERYBODY]
    links = [
        {"cmd": "connection.put", "params": {"a": a, "b": b}}
        for a, others in connections().items() for b in others if a < b
    ]  # fmt: skip
    async with Cluster(services, 1, keep=TEMPLATE) as cluster:
        body = await cluster.operate("batch", commands=[*puts, *links])
        assert all("result" in one for one in body["result"]["results"]), body
        for room in ROOMS:
            ledger = Ledger()
            actor = Actor(cluster, ledger, room.steward, "a", random.Random(0))
            running = asyncio.create_task(actor.run())
            made, _ = await actor.call(
                "conversation.start", members=list(room.founders), title=room.place, client_id="0"
            )
            assert made is not None
            services.places[made["conversation"]] = room.place
            await actor.close()
            await running
