"""Two nodes over one store in one loop, in which a seed alone decides what happens when.

The store's transactions and snapshots run on the loop, each with a wait of some turns before and
behind it; the bus carries every message after some turns, or loses it; each node reads the fences
when its turn comes. No thread, clock or socket has a say, so a seed always gives the same run.
Everything that commits, is answered or is handed to a socket gets the next number.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from server.commands import table
from server.commands.facts import World
from server.commands.outcome import Call, Caller, Ending, Lease, Outcome
from server.domain.policy import DEFAULT, Policy
from server.errors import CommandError
from server.protocol.codec import MSGPACK
from server.realtime.fences import Fences
from server.realtime.hub import FENCES, Hub
from server.realtime.local_bus import Exchange, LocalBus
from server.realtime.session import Session
from server.store.group_commit import GroupCommit
from server.store.snapshot import SqlSnapshot
from server.store.sqlite import SqliteFile
from tests.races.wire import RecordingWire

Map = dict[str, Any]
FAR_MS = 1 << 50
BATCH = 64  # commands in one transaction, at most


class SlowBus(LocalBus):
    """Each message arrives some turns later, on its own; some never do."""

    def __init__(self, exchange: Exchange, arena: Arena) -> None:
        super().__init__(exchange)
        self._arena = arena
        self.under_way = 0

    def publish(self, topic: str, message: bytes) -> None:
        dice = self._arena.dice
        if not self._arena.racing:
            super().publish(topic, message)
        elif topic == FENCES or dice.random() < 0.9:
            self.under_way += 1
            self._later(dice.randint(0, 6), topic, message)

    def _later(self, turns: int, topic: str, message: bytes) -> None:
        if turns:
            asyncio.get_running_loop().call_soon(self._later, turns - 1, topic, message)
        else:
            self.under_way -= 1
            super().publish(topic, message)


class Leases:
    """The leases and the fence log of all nodes, in memory."""

    def __init__(self, wait: Callable[[], Any]) -> None:
        self.log: list[Ending] = []
        self._leases: dict[str, Lease] = {}
        self._wait = wait

    async def head(self) -> int:
        return len(self.log)

    async def renew(self, node: str, passed: int, sessions: int) -> int:
        await self._wait()
        beat = self._leases[node].beat + 1 if node in self._leases else 1
        self._leases[node] = Lease(node, beat, passed, sessions)
        return beat

    async def look(self, after: int) -> tuple[Sequence[Lease], Sequence[Ending]]:
        await self._wait()
        return list(self._leases.values()), self.log[after:]

    async def forget(self, lease: Lease) -> None:
        raise AssertionError("nobody's lease runs out here")

    async def leave(self, node: str) -> None:
        self._leases.pop(node, None)


class Place:
    """One of the two nodes."""

    def __init__(self, name: str, arena: Arena, exchange: Exchange) -> None:
        self.bus = SlowBus(exchange, arena)
        self.hub = Hub(self.bus, arena.policy, now_ms=lambda: arena.now_ms)
        self.fences = Fences(
            arena.leases, name, apply=self.hub.end_access, lose=self.hub.lose_all,
            call=lambda: self.bus.publish(FENCES, b""), clock=lambda: 0.0,
        )  # fmt: skip
        self.hub.fences = self.fences
        self.hub.replays.ask = arena.ask


class Arena:
    """The nodes, their store, and what happened, in numbers."""

    def __init__(self, file: SqliteFile, policy: Policy, seed: int) -> None:
        self.policy = policy
        self.dice = Random(seed)
        self.racing = False  # before that, everything is put in place without a wait or a loss
        self.now_ms = 1_750_000_000_000
        self._file = file
        self._now = itertools.count(1)
        self._world = World()
        self.deployment = file.deployment
        self._commits = GroupCommit(
            file.writing.begin, file.deployment, self._world, lambda: self.now_ms * 1000
        )
        self._queue: list[tuple[Place, Call]] = []
        self._reads = 0
        self._writing: asyncio.Task[None] | None = None
        self.leases = Leases(self.turns)
        exchange = Exchange()
        self.places = [Place(name, self, exchange) for name in ("here", "there")]

    def number(self) -> int:
        """The next number."""
        return next(self._now)

    async def turns(self, most: int = 4) -> None:
        """Let others have some turns."""
        for _ in range(self.dice.randint(0, most) if self.racing else 0):
            await asyncio.sleep(0)

    # The store

    def submit(self, place: Place, call: Call) -> None:
        """Have a command decided and stored; its outcome is delivered at this node."""
        self._queue.append((place, call))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        await asyncio.sleep(0)  # whatever is said in one turn
        while self._queue:
            await self.turns(3)
            count = self.dice.randint(1, BATCH) if self.racing else BATCH
            batch, self._queue = self._queue[:count], self._queue[count:]
            calls = [call for _, call in batch]
            outcomes = self._commits.run(calls)
            for outcome in outcomes:
                self.leases.log += outcome.endings
            committed = [self.number() for _ in outcomes]
            await self.turns(3)  # until the loop hears of it; others may read what is committed
            for (place, call), outcome, number in zip(batch, outcomes, committed, strict=True):
                place.hub.apply(outcome)
                self._answer(place, call, outcome, number)

    def _answer(self, place: Place, call: Call, outcome: Outcome, number: int) -> None:
        assert outcome.error is None or outcome.error.code != "internal"
        result = outcome.result
        outcome = msgspec.structs.replace(outcome, result={**(result or {}), "committed": number})
        if outcome.until:
            place.fences.when_everywhere(outcome.until, lambda: call.done(outcome))
        else:
            call.done(outcome)

    async def ask(self, question: Callable[[Any], Any]) -> Any:
        """Ask something of one snapshot."""
        self._reads += 1
        try:
            await self.turns()
            with self._file.reading.begin() as connection:
                answer = question(SqlSnapshot(connection, self.deployment, self.now_ms))
            await self.turns()
            return answer
        finally:
            self._reads -= 1

    # Members

    async def command(
        self, place: Place, caller: Caller, cmd: str, params: Map,
        first: Callable[[Outcome], None] = lambda _outcome: None,
    ) -> Outcome:  # fmt: skip
        """What a command came to, once it is answered; `first` is called before that."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def done(outcome: Outcome) -> None:
            first(outcome)
            future.set_result(outcome)

        kind = table.of(caller)[cmd]
        valid = msgspec.convert(params, kind.params)
        call = Call(caller, cmd, valid, done)
        if kind.kind == "read":
            return await self._read(call)
        self.submit(place, call)
        return await future

    async def _read(self, call: Call) -> Outcome:
        def ask(snapshot: Any) -> Map:
            return {**table.answer(call, snapshot), "committed": self.number()}

        try:
            return Outcome(result=await self.ask(ask))
        except CommandError as error:
            return Outcome(error=error)

    def session(self, place: Place, caller: Caller) -> Session:
        """A session that is about to connect."""
        audience = place.hub.audience(caller.member)
        session = Session(
            str(self.number()), RecordingWire(self.number), MSGPACK, audience, caller.device, 0.0
        )  # fmt: skip
        session.go_on_with(caller)
        place.hub.register(session)
        return session

    async def connect(
        self, place: Place, caller: Caller, session: Session, resume: dict[str, int] | None = None
    ) -> Outcome:
        """Open it, as the connection does."""

        def opened(outcome: Outcome) -> None:
            if outcome.opened is None:
                place.hub.leave(session)
            elif not session.ended:
                session.live = True
                can = {
                    topic: pos for topic, pos in (resume or {}).items()
                    if topic in outcome.opened.past
                    or outcome.opened.since.get(topic, pos + 1) <= pos
                }  # fmt: skip
                place.hub.open(session, outcome.opened, can)

        params = {"token": "t", "device": caller.device, **({"resume": resume} if resume else {})}
        return await self.command(place, caller, "connect", params, opened)

    # Time

    async def beat(self) -> None:
        """Each node reads the fences again and again."""
        while True:
            for place in self.places:
                await place.fences.turn()
                await self.turns(2)
            await asyncio.sleep(0)

    async def quiet(self) -> None:
        """Until nothing is under way, and no node lacks anything that is stored."""
        for _ in range(2):
            while self._busy():
                await asyncio.sleep(0)
            for place in self.places:
                await place.hub.replays.compare_heads()
        while self._busy():
            await asyncio.sleep(0)
        await asyncio.sleep(0)

    def _busy(self) -> bool:
        writing = self._writing is not None and not self._writing.done()
        return bool(self._queue or self._reads or writing) or any(map(self._late, self.places))

    def _late(self, place: Place) -> bool:
        behind = place.fences.waiting or place.fences.applied < len(self.leases.log)
        return bool(place.bus.under_way or place.hub.replays._tasks or behind)


@asynccontextmanager
async def arena(directory: Path, seed: int, policy: Policy = DEFAULT) -> AsyncIterator[Arena]:
    """One on a fresh database in this directory."""
    file = SqliteFile(directory / f"{seed}.db", policy)
    made = Arena(file, policy, seed)
    for place in made.places:
        await place.fences.open()
    beat = asyncio.get_running_loop().create_task(made.beat())
    try:
        yield made
    finally:
        beat.cancel()
        await asyncio.gather(beat, return_exceptions=True)
        for place in made.places:
            await place.hub.replays.close()
        file.close()
