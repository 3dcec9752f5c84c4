"""A cell: one fault at one phase, under everything that clients do, and what came of it.

The phases are those of a commit (accepted, locked, written, committed), of what follows it
(published, delivered), of sessions that come back (resuming) and of an end of access (revoking).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.faults.cluster import audit, checker
from tests.faults.cluster.faults import NODES, Fault, Scene
from tests.faults.cluster.ledger import Ledger
from tests.faults.cluster.links import TappedPair
from tests.faults.cluster.planted import CLOCK
from tests.faults.cluster.recovery import recovered
from tests.faults.cluster.rig import Cluster, Services
from tests.faults.cluster.tiny_disk import TinyDisk
from tests.faults.cluster.workload import Workload

PHASES = ("accepted", "locked", "written", "committed", "published", "delivered", "resuming",
          "revoking")  # fmt: skip
WARM = 40  # sends acknowledged before the fault
REACH_S = 20.0  # for a phase to come
SETTLE_S = (
    25.0  # until it is taken to stay broken: far beyond what it takes, as machines may be busy
)
AFTER = 20  # sends acknowledged after it


@dataclass
class Verdict:
    """What one cell came to."""

    cell: str
    seed: str
    acknowledged: int = 0
    findings: dict[str, int] = field(default_factory=dict)
    recovery_s: float = 0.0
    unknown: int = 0
    resumes: int = 0
    took_s: float = 0.0
    wrong: list[str] = field(default_factory=list)
    log: str = ""
    latencies: dict[str, list[float]] = field(default_factory=dict)

    def line(self) -> str:
        """In one line."""
        found = self.findings
        return (
            f"{self.cell}: {self.acknowledged} acknowledged, {found['lost']} lost, "
            f"{found['twice']} twice, {found['order']} out of order, "
            f"{found['phantom']} made up, {found['leak']} leaked, {found['internal']} internal, "
            f"recovered in {self.recovery_s:.2f} s, took {self.took_s:.1f} s"
        )

    def keep(self, folder: Path) -> None:
        """Leave it for the summary over all cells."""
        folder.mkdir(parents=True, exist_ok=True)
        known = {k: v for k, v in asdict(self).items() if k != "log"}
        known["wrong"] = self.wrong[:20]
        if self.wrong:
            known["log"] = self.log[-20_000:]
        name = self.cell.replace(" ", "-").replace("/", "_")
        (folder / f"{name}.json").write_text(json.dumps(known))


@contextlib.asynccontextmanager
async def stage(
    services: Services, fault: Fault, seed: str, *, nodes: int = NODES,
    prepared: tuple[str, ...] = (), think_s: float = 0.3,
) -> AsyncIterator[Scene]:  # fmt: skip
    """A cluster with everybody connected and at work; what the fault broke is put right in the
    end, whatever happened."""
    with tempfile.TemporaryDirectory() as folder:
        environment = CLOCK.make(Path(folder))
        cluster = Cluster(
            services, nodes, prepared=fault.prepared + prepared, environment=environment
        )
        if fault.clock:
            cluster.token_age_s = 4_000.0
        disk = None
        try:
            if fault.name == "disk full":
                disk = TinyDisk(services.postgres, cluster.database)
                cluster.before_start = disk.prepare
            async with cluster:
                work = Workload(cluster, Ledger(), seed, revokes=not fault.clock, think_s=think_s)
                scene = Scene(cluster, work)
                scene.disk = disk
                try:
                    await work.start()
                    yield scene
                finally:
                    await work.close()
        finally:
            if disk is not None:
                await asyncio.to_thread(disk.close)
            _services_right(services)


def _services_right(services: Services) -> None:
    with contextlib.suppress(AssertionError):
        services.redis.thaw()
    with contextlib.suppress(AssertionError):
        services.redis.start()
    services.postgres.thaw()
    with contextlib.suppress(AssertionError):
        services.postgres.start()


async def run_cell(
    services: Services, fault: Fault, phase: str, seed: str,
    prepared: tuple[str, ...] = (), settle_s: float = SETTLE_S, nodes: int = NODES,
) -> Verdict:  # fmt: skip
    """Run one cell. What it found wrong is in the verdict."""
    began = time.monotonic()
    verdict = Verdict(f"{fault.name} / {phase}", seed)
    full_seed = f"{seed}/{fault.name}/{phase}"
    place = stage(services, fault, full_seed, prepared=prepared, nodes=nodes)
    try:
        async with place as scene:
            await _through(scene, fault, phase, verdict, settle_s)
    except TimeoutError:  # of the stages before anything can be said
        verdict.wrong.append(f"lost: it did not go on: {traceback.format_exc(limit=-3)}")
    else:
        verdict.log = scene.cluster.log
    if fault.internal:
        verdict.wrong = [w for w in verdict.wrong if not w.startswith("internal ")]
    counts = Counter(wrong.split(" ")[0].rstrip(":") for wrong in verdict.wrong)
    verdict.findings = {kind: counts[kind] for kind in checker.KINDS}
    verdict.took_s = time.monotonic() - began
    return verdict


async def _through(
    scene: Scene, fault: Fault, phase: str, verdict: Verdict, settle_s: float
) -> None:
    """From the first commands to what is found in the end."""
    work = scene.work
    await _more(work, WARM)
    await _begin_at(scene, fault, phase)
    async with asyncio.TaskGroup() as meanwhile:
        if fault.during is not None:
            meanwhile.create_task(fault.during(scene))
        await asyncio.sleep(fault.lasts_s)
    if fault.quiet:
        verdict.wrong = await _finished(work, settle_s) or await _judged(work, settle_s)
    await fault.heal(scene)
    verdict.recovery_s, unhealed = await recovered(work, settle_s)
    if not unhealed and not fault.quiet:
        await _more(work, AFTER)
        unhealed = await _finished(work, settle_s)
    work.check()
    if not fault.quiet and not unhealed:
        verdict.wrong = await _judged(work, settle_s)
    verdict.wrong += unhealed
    verdict.unknown = sum(actor.unknown for actor in work.actors)
    verdict.resumes = sum(actor.lives - 1 for actor in work.actors)
    verdict.acknowledged = work.ledger.acknowledged
    verdict.latencies = dict(work.ledger.latencies)
    codes = (code for actor in work.actors for code in actor.codes)
    stopped = Counter(code for code in codes if code >= 4500 and code != 4508)
    if stopped and not fault.clock:
        verdict.wrong.append(f"lost: clients were told to stop: {dict(stopped)}")


async def _more(work: Workload, sends: int) -> None:
    """Wait for so many more sends to be acknowledged."""
    before = work.ledger.acknowledged
    async with asyncio.timeout(REACH_S):
        while work.ledger.acknowledged < before + sends:
            work.check()
            await asyncio.sleep(0.01)


async def _begin_at(scene: Scene, fault: Fault, phase: str) -> None:
    """Have the fault begin at the next time that this phase is reached."""
    cluster, work = scene.cluster, scene.work

    async def begin(pair: TappedPair | None) -> None:
        scene.pair = pair
        if pair is not None:
            scene.node = cluster.nodes[pair.link.node]
        await fault.begin(scene)

    async with asyncio.timeout(REACH_S):
        if phase == "resuming":
            again = asyncio.Event()
            lot = [a for a in work.actors if a.socket is not None][::2]
            for actor in lot:
                actor.on_resume = again
                actor.cut()
            await again.wait()
            await begin(None)
        elif phase == "delivered":
            heard = work.chance.choice(work.players)
            heard.heard.clear()
            await heard.heard.wait()
            await begin(None)
        else:
            cluster.tap.set(phase, begin)
            await cluster.tap.done()


async def _finished(work: Workload, limit_s: float) -> list[str]:
    """Have the work end; answers who waits for an answer in vain."""
    try:
        async with asyncio.timeout(limit_s):
            await work.finish()
    except TimeoutError:
        return [f"lost {a.name}: {a.giving} is not answered" for a in work.actors if a.giving]
    return []


async def _judged(work: Workload, settle_s: float) -> list[str]:
    """Wait until everything is quiet and everybody has everything, then check."""
    for actor in work.actors:
        actor.hear_again()
    async with asyncio.timeout(settle_s):
        found = await audit.audit(work)
    end = time.monotonic() + settle_s
    asked: set[tuple[str, int]] = set()
    while checker.complete(work, found) and time.monotonic() < end:
        for actor in work.actors:  # who was removed before having all that is theirs asks for it
            if actor.behind and (actor.name, actor.lives) not in asked:
                asked.add((actor.name, actor.lives))
                actor.cut()
        await asyncio.sleep(0.05)
    return checker.check(work, found)
