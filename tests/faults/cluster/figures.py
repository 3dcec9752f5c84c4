"""How long ends of access take on two nodes, and how late events are without Redis.

Run as a module, with the file to write to. Nothing is asserted: it measures. The changer is at
one node, who loses by the change at the other, under a stream of what the change ends; the last
byte is that of the last frame of that stream, and both are counted from when the change was sent.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop

from tests.faults.cluster import cast
from tests.faults.cluster.actor import Actor
from tests.faults.cluster.ledger import SIGNALS, Heard, Ledger, body, pair
from tests.faults.cluster.rig import Cluster, Services, services
from tests.faults.cluster.summary import quantile
from tests.support.nursery import Nursery

HEALTHY, DEAD = 60, 20  # changes of each kind, with Redis and without
SENDS, EVERY_S = 200, 0.02
KEPT = {*cast.STEWARDS, "m01", "m02", "m03", "m05", "m08", "m09", "m10", "m11"}  # not blocked
STREAM_S = 0.004
BLOCKS = (26, 12)
Concerns = Callable[[dict[str, Any]], bool]
Change = Callable[[], Awaitable[object]]


class House:
    """Two nodes; `here` and `there` are members' clients at the first and at the second one."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.ledger = cluster, Ledger()
        self.here = {m: self._actor(m, "a", 0) for m in cast.MEMBERS}
        self.there = {m: self._actor(m, "b", 1) for m in cast.MEMBERS}
        self.lives: list[asyncio.Task[None]] = []
        self.stop = asyncio.Event()

    def _actor(self, member: str, device: str, node: int) -> Actor:
        actor = Actor(self.cluster, self.ledger, member, device, random.Random(member))
        actor.home = self.cluster.nodes[node]
        return actor

    async def open(self) -> None:
        """Connect everybody."""
        everybody = [*self.here.values(), *self.there.values()]
        self.lives = [asyncio.create_task(actor.run()) for actor in everybody]
        await _until(lambda: all(actor.lives for actor in everybody))

    async def close(self) -> None:
        """Let go of everybody."""
        for actor in (*self.here.values(), *self.there.values()):
            await actor.close()
        for life in self.lives:
            life.cancel()
        await asyncio.gather(*self.lives, return_exceptions=True)

    async def send(self, actor: Actor, place: str, **where: str) -> bool:
        """Send one message; whether it was taken."""
        send = self.ledger.new(actor.name, place)
        result, _ = await actor.call(
            "message.send", body=body(send), client_id=f"{actor.device}{send.number}", **where
        )
        return result is not None

    async def measure(
        self, victim: Actor, stream: Change, change: Change, concerns: Concerns
    ) -> tuple[float, float]:
        """Seconds from the change to its answer, and to the last byte of what it ended."""
        old = victim.socket
        assert old is not None
        over = asyncio.Event()

        async def flow() -> None:
            while not over.is_set():
                await stream()
                await asyncio.sleep(STREAM_S)

        flowing = asyncio.create_task(flow())
        await asyncio.sleep(0.05)
        began = time.monotonic()
        await change()
        answered = time.monotonic()
        await asyncio.sleep(0.1)
        over.set()
        await flowing
        last = max((h.at for h in old.heard if concerns(h.frame)), default=began)
        return answered - began, max(0.0, last - began)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


async def _revoked(house: House, turn: int) -> tuple[float, float]:
    victim, writer = house.there["m02"], house.here["m01"]
    lives = victim.lives
    times = await house.measure(
        victim,
        lambda: house.send(writer, pair("m01", "m02"), to="m02"),
        lambda: house.cluster.until_operated(
            "session.revoke", lambda: house.cluster.nodes[0], member="m02"
        ),
        lambda frame: True,
    )
    await _until(lambda: victim.lives > lives and victim.socket is not None)
    return times


async def _removed(house: House, turn: int) -> tuple[float, float]:
    ident = next(i for i, p in house.cluster.services.places.items() if p == "c0")
    topic = f"conversation:{ident}"
    steward, writer, victim = house.here["m00"], house.here["m03"], house.there["m05"]
    times = await house.measure(
        victim,
        lambda: house.send(writer, "c0", conversation=ident),
        lambda: steward.call("conversation.remove", conversation=ident, member="m05"),
        lambda frame: frame.get("topic") == topic,
    )
    await steward.call("conversation.add", conversation=ident, member="m05", client_id=f"f{turn}")
    await _until(lambda: topic in victim.positions)
    return times


async def _switched(house: House, turn: int) -> tuple[float, float]:
    me, victim = house.here["m08"], house.there["m09"]
    made, _ = await me.call("conversation.start", members=["m09"])
    assert made is not None
    ident = made["conversation"]
    other = house.there["m08"]

    async def type_on() -> None:
        await other.call("typing.stop", conversation=ident)

    times = await house.measure(
        victim,
        type_on,
        lambda: me.call("settings.set", receipts=False),
        lambda frame: frame.get("event") in SIGNALS and frame["data"]["member"] == "m08",
    )
    await me.call("settings.set", receipts=True)
    return times


async def _blocked(house: House, turn: int) -> tuple[float, float]:
    pairs = [(a, b) for a, others in cast.connections().items() for b in others
             if a < b and a.startswith("m") and not {a, b} & KEPT]  # fmt: skip
    mine, theirs = pairs[turn % len(pairs)]
    me, victim = house.here[mine], house.there[theirs]
    made, _ = await me.call("conversation.start", members=[theirs])
    assert made is not None
    ident = made["conversation"]
    return await house.measure(
        victim,
        lambda: house.send(victim, pair(mine, theirs), to=mine),
        lambda: me.call("block.add", member=theirs),
        lambda frame: frame.get("data", {}).get("conversation") == ident,
    )


KINDS = {"revocation": _revoked, "removal": _removed, "switch": _switched, "block": _blocked}


async def _ends(house: House, count: int, first: int) -> list[str]:
    rows = []
    for kind, once in KINDS.items():
        # A pair can be blocked once, and there are not more of them.
        again, turns = bool(first), range(first, first + count)
        if kind == "block":
            turns = range(BLOCKS[0] * again, BLOCKS[0] * again + BLOCKS[again])
        times = [await once(house, turn) for turn in turns]
        answered, last = ([1000 * t[index] for t in times] for index in (0, 1))
        rows.append(
            f"| {kind} | {len(times)} | {quantile(answered, 0.5):.1f} "
            f"| {quantile(answered, 0.99):.1f} | {quantile(last, 0.5):.1f} "
            f"| {quantile(last, 0.99):.1f} |"
        )
    return rows


async def _late(house: House) -> tuple[float, float, int]:
    """How late one-to-one messages are at the other node: p50, p99 in ms, and how many came."""
    sender, receiver = house.here["m10"], house.there["m11"]
    first = len(house.ledger.sends)
    sent = []
    for _ in range(SENDS):
        sent.append(asyncio.create_task(house.send(sender, pair("m10", "m11"), to="m11")))
        await asyncio.sleep(EVERY_S)
    await asyncio.gather(*sent)
    wanted = {s.number: s.versions[0] for s in list(house.ledger.sends.values())[first:]}

    def came() -> dict[int, float]:
        heard: list[Heard] = [
            h for s in house.ledger.sockets if s.client == receiver.name for h in s.heard
        ]
        return {c[2]: h.at for h in heard for c in h.canaries if c[0] == sender.name}

    await _until(lambda: wanted.keys() <= came().keys())
    late = [1000 * (at - wanted[n]) for n, at in came().items() if n in wanted]
    return quantile(late, 0.5), quantile(late, 0.99), len(late)


async def measure(made: Services) -> str:
    """All of it, as Markdown."""
    await cast.make_template(made)
    head = ["| change | times | answer p50 ms | p99 | last byte p50 ms | p99 |",
            "| --- | ---: | ---: | ---: | ---: | ---: |"]  # fmt: skip
    async with Cluster(made, 2) as cluster:
        house = House(cluster)
        try:
            await house.open()
            healthy = await _ends(house, HEALTHY, 0)
            before = await _late(house)
            made.redis.kill()
            await asyncio.sleep(1)
            dead = await _ends(house, DEAD, HEALTHY)
            after = await _late(house)
        finally:
            await house.close()
    return "\n".join([
        "# Ends of access on two nodes", "", str(__doc__).partition("\n\n")[2], "Redis works:", "",
        *head, *healthy, "", "Redis is dead:", "", *head, *dead, "",
        f"# Messages from one node to the other ({SENDS}, one every {1000 * EVERY_S:.0f} ms)", "",
        f"Redis works: {before[2]} of {SENDS} came, p50 {before[0]:.1f} ms, "
        f"p99 {before[1]:.1f} ms.",
        f"Redis is off for good: {after[2]} of {SENDS} came, p50 {after[0]:.1f} ms, "
        f"p99 {after[1]:.1f} ms.", "",
    ])  # fmt: skip


def main() -> None:
    """Measure, and write it down."""
    with Nursery() as nursery, services(nursery) as made:
        text = uvloop.run(measure(made))
    Path(sys.argv[1]).write_text(text)
    print(text)


if __name__ == "__main__":
    main()
