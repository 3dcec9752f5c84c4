"""Two hubs over one store and a bus that loses, repeats and reorders: as two nodes will have it.

Commands are carried out at the hub `here`; `there` hears of them by the bus, or not. Sessions are
opened by hand, without a gateway; what each was given is in the order it was given.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgpack
import msgspec

from server.commands import table
from server.commands.outcome import Call, Caller, Outcome
from server.domain.policy import DEFAULT, Policy
from server.protocol.codec import MSGPACK
from server.realtime.hub import Hub
from server.realtime.local_bus import Exchange, LocalBus
from server.realtime.session import Session
from server.store.sqlite import SqliteFile, SqliteStore
from tests.support.fake_wire import payloads

Map = dict[str, Any]
FAR_MS = 1 << 50


class FaultyBus(LocalBus):
    """Each message out meets the next of `fates`: "pass", "lose", "twice" or "later"."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(exchange)
        self.fates: list[str] = []
        self.held: list[tuple[str, bytes]] = []

    def publish(self, topic: str, message: bytes) -> None:
        fate = self.fates.pop(0) if self.fates else "pass"
        if fate == "later":
            self.held.append((topic, message))
        for _ in range({"pass": 1, "twice": 2}.get(fate, 0)):
            super().publish(topic, message)

    def release(self, order: Callable[[list[Any]], None] = list.reverse) -> None:
        """What was held back arrives, in another order."""
        held, self.held = self.held, []
        order(held)
        for topic, message in held:
            super().publish(topic, message)


class Listener:
    """A session's wire, and all that it was given."""

    peer = "nobody"

    def __init__(self) -> None:
        self.full = False
        self.code: int | None = None
        self.given: list[Map] = []

    def write(self, frames: Sequence[bytes]) -> None:
        assert self.code is None
        for _, payload in payloads(b"".join(frames)):
            self.given.append(msgpack.unpackb(payload))

    def close(self, code: int, reason: str = "") -> None:
        self.code = code

    def abort(self) -> None:
        self.code = 1006

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def positions(self, topic: str) -> list[int]:
        """The positions given of a topic, in the order given."""
        return [one["pos"] for one in self.given if one.get("topic") == topic and "pos" in one]

    def signals(self) -> list[tuple[str, str]]:
        """The signals given: what, and whose."""
        return [(one["event"], one["data"]["member"]) for one in self.given if "pos" not in one]


class Rig:
    """The two hubs, their store, and a clock."""

    def __init__(self, file: SqliteFile, policy: Policy) -> None:
        exchange = Exchange()
        self.now_ms = 1_750_000_000_000
        self.bus, other = FaultyBus(exchange), LocalBus(exchange)
        self.here = Hub(self.bus, policy, now_ms=lambda: self.now_ms)
        self.there = Hub(other, policy, now_ms=lambda: self.now_ms)
        self.store = SqliteStore(file, policy, self._deliver, lambda: self.now_ms * 1000)
        self.gate = asyncio.Event()  # while it is closed, reads for replays wait
        self.gate.set()
        self.waiting = 0
        for hub in (self.here, self.there):
            hub.replays.ask = self._ask
        self._made = 0

    def _deliver(self, calls: Sequence[Call], outcomes: Sequence[Outcome]) -> None:
        for call, outcome in zip(calls, outcomes, strict=True):
            self.here.apply(outcome)
            call.done(outcome)

    async def _ask(self, question: Callable[[Any], Any]) -> Any:
        self.waiting += 1
        await self.gate.wait()
        self.waiting -= 1
        return await self.store.read(question)

    async def run(self, caller: str, cmd: str, /, **params: Any) -> Map:
        """A command's result. Raises its error. `caller` is "" for the operator."""
        outcome = await self.outcome(caller, cmd, params, lambda _outcome: None)
        if outcome.error is not None:
            raise outcome.error
        return outcome.result or {}

    async def outcome(
        self, member: str, cmd: str, params: Map, done: Callable[[Outcome], None]
    ) -> Outcome:
        """What a command came to; `done` is called as it is delivered."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def finish(outcome: Outcome) -> None:
            done(outcome)
            future.set_result(outcome)

        caller = Caller(member, 1, "t", "phone", FAR_MS) if member else Caller("")
        kind = table.of(caller)[cmd].params
        self.store.submit(Call(caller, cmd, msgspec.convert(params, kind), finish))
        return await future

    async def send(self, member: str, **where: str) -> Map:
        """Another message."""
        self._made += 1
        text = str(self._made)
        return await self.run(member, "message.send", body=text, client_id=text, **where)

    async def people(self, *members: str) -> None:
        """Members, all connected."""
        for member in members:
            await self.run("", "member.put", id=member, name=member)
        for index, a in enumerate(members):
            for b in members[index + 1 :]:
                await self.run("", "connection.put", a=a, b=b)

    async def attend(self, hub: Hub, member: str, resume: dict[str, int] | None = None) -> Session:
        """A session of a member's at a hub; its wire is a `Listener`."""
        self._made += 1
        session = Session(f"s{self._made}", Listener(), MSGPACK, hub.audience(member), "phone", 0.0)
        hub.register(session)

        def opened(outcome: Outcome) -> None:
            assert outcome.opened is not None
            session.live = True
            hub.open(session, outcome.opened, resume)

        params = {"token": "t", **({"resume": resume} if resume else {})}
        await self.outcome(member, "connect", params, opened)
        return session

    async def quiet(self) -> None:
        """Until nothing is being read for anybody, and what is due has been given."""
        for _ in range(4):
            while tasks := [t for hub in (self.here, self.there) for t in hub.replays._tasks]:
                await asyncio.wait(tasks)
            await asyncio.sleep(0)

    async def asked(self) -> None:
        """Until somebody waits at the gate."""
        while not self.waiting:
            await asyncio.sleep(0)

    async def let_through(self) -> None:
        """Let who waits at the gate read, and close it behind them."""
        await self.asked()
        self.gate.set()
        while self.waiting:
            await asyncio.sleep(0)
        self.gate.clear()


def listener(session: Session) -> Listener:
    """What a session of the rig has for a wire."""
    assert isinstance(session.wire, Listener)
    return session.wire


@asynccontextmanager
async def rig(directory: Path, policy: Policy = DEFAULT) -> AsyncIterator[Rig]:
    """A rig on a fresh database in this directory."""
    file = await asyncio.to_thread(SqliteFile, directory / "subrosa.db", policy)
    made = Rig(file, policy)
    try:
        yield made
    finally:
        made.gate.set()
        for hub in (made.here, made.there):
            await hub.replays.close()
        await made.store.close()
