"""The faults: what happens to a cluster, for how long, and how it is put right again.

`begin` is called at a phase, with the connection that has reached it, or None where a phase is not
one of a link; `heal` when the fault is over. A fault acts on the node whose link it was.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

from tests.faults.cluster import cast
from tests.faults.cluster.ledger import Mute
from tests.faults.cluster.links import TappedPair
from tests.faults.cluster.planted import CLOCK
from tests.faults.cluster.rig import Cluster
from tests.faults.cluster.tiny_disk import TinyDisk
from tests.faults.cluster.workload import Workload

LEASE_S = 5.0  # what a node may deliver after it could renew for the last time
ANSWERED_S = 10.0  # a lease, behind a lock that the server takes from a silent node after as long
HARD = 1 << 20  # what a subscriber may be behind, where Redis cuts it off
NODES = 3


class Scene:
    """One cell's cluster and clients, and what a fault needs to remember."""

    def __init__(self, cluster: Cluster, work: Workload) -> None:
        self.cluster, self.work = cluster, work
        self.node = cluster.nodes[0]
        self.pair: TappedPair | None = None
        self.disk: TinyDisk | None = None
        self.task: asyncio.Task[None] | None = None


Step = Callable[[Scene], Coroutine[None, None, None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """`lasts_s` is between beginning and healing, with `during` meanwhile. Where a clock is set
    (`clock`), tokens are made an hour old and none is revoked. `quiet`: everybody stops before it
    is over, so that what was lost last shows by no gap."""

    name: str
    begin: Step
    heal: Step
    lasts_s: float = 1.0
    prepared: tuple[str, ...] = ()
    clock: bool = False
    quiet: bool = False
    during: Step | None = None
    internal: bool = False  # commands may be answered `internal`


async def _nothing(scene: Scene) -> None:
    """There is nothing to do."""


async def _kill_node(scene: Scene) -> None:
    await scene.node.kill()


async def _start_node(scene: Scene) -> None:
    await scene.node.start()


async def _stop_node(scene: Scene) -> None:
    scene.node.send(signal.SIGSTOP)


async def _continue_node(scene: Scene) -> None:
    scene.node.send(signal.SIGCONT)


async def _drain_node(scene: Scene) -> None:
    scene.node.up = False
    scene.task = asyncio.create_task(scene.node.drain())


async def _start_drained(scene: Scene) -> None:
    assert scene.task is not None
    await scene.task
    await scene.node.start()


async def _kill_redis(scene: Scene) -> None:
    scene.cluster.services.redis.kill()


async def _start_redis(scene: Scene) -> None:
    scene.cluster.services.redis.start()  # it ends with the thread that started it


async def _restart_redis(scene: Scene) -> None:
    scene.cluster.services.redis.restart()


async def _freeze_redis(scene: Scene) -> None:
    scene.cluster.services.redis.freeze()


async def _thaw_redis(scene: Scene) -> None:
    scene.cluster.services.redis.thaw()


async def _half_open(scene: Scene) -> None:
    scene.node.redis.freeze(list(scene.node.redis.pairs))  # new ones are made, if it tries


async def _listens_in_vain(scene: Scene) -> None:
    scene.node.redis.freeze(scene.node.redis.listening())


async def _speaks_in_vain(scene: Scene) -> None:
    link = scene.node.redis
    listening = link.listening()
    link.freeze([pair for pair in link.pairs if pair not in listening])


async def _slow_redis(scene: Scene) -> None:
    scene.node.redis.delay(1.2)


async def _forward_redis(scene: Scene) -> None:
    scene.node.redis.forward()


async def _flood_redis(scene: Scene) -> None:
    """Fill a subscriber's buffer in Redis until Redis cuts it off."""
    redis = scene.cluster.services.redis
    redis.ask("CONFIG", "SET", "client-output-buffer-limit", f"pubsub {HARD} 0 0")
    scene.node.redis.stall(scene.node.redis.listening())
    topic = f"{scene.cluster.database}:member:m00"
    channel = topic.encode()

    def flood() -> None:
        for _ in range(200):
            if not redis.ask("PUBLISH", channel, b"x" * 65_536):
                return

    await asyncio.to_thread(flood)


async def _stop_flood(scene: Scene) -> None:
    scene.cluster.services.redis.ask(
        "CONFIG", "SET", "client-output-buffer-limit", "pubsub 33554432 8388608 60"
    )
    scene.node.redis.forward()


async def _kill_postgres(scene: Scene) -> None:
    await asyncio.to_thread(scene.cluster.services.postgres.kill)


async def _start_postgres(scene: Scene) -> None:
    await asyncio.to_thread(scene.cluster.services.postgres.start)


async def _restart_postgres(scene: Scene) -> None:
    def restart() -> None:
        scene.cluster.services.postgres.stop()
        scene.cluster.services.postgres.start()

    await asyncio.to_thread(restart)


async def _freeze_postgres(scene: Scene) -> None:
    scene.cluster.services.postgres.freeze()


async def _thaw_postgres(scene: Scene) -> None:
    scene.cluster.services.postgres.thaw()


async def _terminate(scene: Scene) -> None:
    postgres = scene.cluster.services.postgres
    await asyncio.to_thread(postgres.terminate_backends, scene.cluster.database)


async def _cut_postgres(scene: Scene) -> None:
    scene.node.postgres.cut()


async def _cut_one(scene: Scene) -> None:
    scene.node.postgres.cut(None if scene.pair is None else [scene.pair])


async def _refuse_postgres(scene: Scene) -> None:
    scene.node.postgres.refuse()
    mute = Mute(scene.node.number, time.monotonic() + LEASE_S)
    scene.work.ledger.mutes.append(mute)


async def _freeze_link(scene: Scene) -> None:
    scene.node.postgres.freeze()
    mute = Mute(scene.node.number, time.monotonic() + LEASE_S)
    scene.work.ledger.mutes.append(mute)


async def _freeze_renewals(scene: Scene) -> None:
    scene.node.postgres.freeze(scene.node.postgres.renewing())


async def _revoke_elsewhere(scene: Scene) -> None:
    """Somebody who is connected to the node without a lease is revoked at another one."""
    await asyncio.sleep(0.3)
    work, node = scene.work, scene.node
    there = {
        a.member for a in work.players if a.socket is not None and a.socket.node == node.number
    }
    victims = sorted(there - cast.STEWARDS)
    node.up = False
    asked = time.monotonic()
    ends = await asyncio.gather(*(work.revoke(victim, False) for victim in victims[:4]))
    took = max((end.answered_at - asked for end in ends), default=0.0)
    if took > ANSWERED_S:
        work.ledger.faults.append(f"lost: a revocation was answered after {took:.2f} s")
    node.up = True


async def _slow_link(scene: Scene) -> None:
    scene.node.postgres.delay(0.08)


async def _forward_link(scene: Scene) -> None:
    link = scene.node.postgres
    for mute in scene.work.ledger.mutes:
        mute.until = time.monotonic()
    link.forward()
    link.cut()  # what was swallowed has made them useless


async def _forward_slow(scene: Scene) -> None:
    scene.node.postgres.forward()


async def _cut_clients(scene: Scene) -> None:
    for actor in scene.work.actors:
        if actor.socket is not None and actor.socket.node == scene.node.number:
            actor.cut()


async def _deafen(scene: Scene) -> None:
    """Two clients stop to read, while everybody writes much more at a time."""
    for name in ("m00b", "m05a", "m08a"):
        scene.work.by_name[name].deafen()
    scene.work.filler = "x" * 7_000


async def _hear_again(scene: Scene) -> None:
    scene.work.filler = ""
    for actor in scene.work.actors:
        actor.hear_again()


async def _fill_disk(scene: Scene) -> None:
    assert scene.disk is not None
    await asyncio.to_thread(scene.disk.fill)


async def _empty_disk(scene: Scene) -> None:
    assert scene.disk is not None
    await asyncio.to_thread(scene.disk.empty)


def _set_clock(seconds: float) -> Step:
    async def step(scene: Scene) -> None:
        CLOCK.write(scene.cluster.environment, seconds)

    return step


_JUMPS = ("tests.faults.cluster.planted:jumping_clock",)

FAULTS = [
    Fault("node killed", _kill_node, _start_node),
    Fault("node stopped 2 s", _stop_node, _continue_node, 2.0),
    Fault("node stopped 7 s", _stop_node, _continue_node, 7.0),
    Fault("node drained", _drain_node, _start_drained),
    Fault("Redis killed", _kill_redis, _start_redis, 1.5),
    Fault("Redis away", _kill_redis, _start_redis, 1.5, quiet=True),
    Fault("Redis restarted", _restart_redis, _nothing, 0.5),
    Fault("Redis frozen", _freeze_redis, _thaw_redis, 4.0),
    Fault("Redis half-open", _half_open, _nothing, 1.0),
    Fault("Redis mute", _listens_in_vain, _nothing, 1.0),
    Fault("Redis deaf", _speaks_in_vain, _nothing, 1.0),
    Fault("Redis slow", _slow_redis, _forward_redis, 3.0),
    Fault("Redis flooded", _flood_redis, _stop_flood, 1.0),
    Fault("PostgreSQL killed", _kill_postgres, _start_postgres),
    Fault("PostgreSQL restarted", _restart_postgres, _nothing, 0.5),
    Fault("PostgreSQL frozen", _freeze_postgres, _thaw_postgres, 2.0),
    Fault("backends terminated", _terminate, _nothing, 0.5),
    Fault("link cut", _cut_postgres, _nothing, 0.5),
    Fault("one connection cut", _cut_one, _nothing, 0.5),
    Fault("link away 7 s", _refuse_postgres, _forward_link, 7.0, during=_revoke_elsewhere),
    Fault("link frozen 7 s", _freeze_link, _forward_link, 7.0, during=_revoke_elsewhere),
    Fault("renewals frozen", _freeze_renewals, _nothing, 2.5),
    Fault("link slow", _slow_link, _forward_slow, 3.0),
    Fault("clients cut", _cut_clients, _nothing, 0.5),
    Fault("clients deaf", _deafen, _hear_again, 3.0),
    Fault("disk full", _fill_disk, _empty_disk, 1.5, internal=True),
    Fault("clock ahead", _set_clock(3600), _set_clock(0), 1.5, _JUMPS, clock=True),
    Fault("clock back", _set_clock(-3600), _set_clock(0), 1.5, _JUMPS, clock=True),
]
BY_NAME = {fault.name: fault for fault in FAULTS}
