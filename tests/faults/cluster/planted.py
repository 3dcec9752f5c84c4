"""What is done in a forked node before it runs: bugs for the checker to find, and a clock to set.

Called by the nursery's child, by name (see `PREPARED` there); nothing of it is in the product.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import struct
import time
from pathlib import Path
from typing import Any

VARIABLE = "TEST_CLOCK"


class Clock:
    """How many seconds a cell's nodes and database are ahead, in a file that all of them map."""

    def make(self, folder: Path) -> dict[str, str]:
        """Make it in this folder; answers the environment that names it."""
        file = folder / "clock"
        file.write_bytes(struct.pack("d", 0.0))
        return {VARIABLE: str(file)}

    def write(self, environment: dict[str, str], seconds: float) -> None:
        """From now on they are so far ahead."""
        with Path(environment[VARIABLE]).open("r+b") as file:
            file.write(struct.pack("d", seconds))


CLOCK = Clock()


def jumping_clock() -> None:
    """Time of day is what it is and what the file says; clocks that only run on are left alone."""
    from server.store import postgres, shared_commit

    with Path(os.environ[VARIABLE]).open("r+b") as file:
        shared = mmap.mmap(file.fileno(), 8)
    real_time, real_ns, real_us = time.time, time.time_ns, shared_commit.database_us

    def ahead() -> float:
        return float(struct.unpack("d", shared[:8])[0])

    vars(time)["time"] = lambda: real_time() + ahead()
    vars(time)["time_ns"] = lambda: real_ns() + int(ahead() * 1e9)
    for module in (postgres, shared_commit):
        vars(module)["database_us"] = lambda c: real_us(c) + int(ahead() * 1e6)
    lock = shared_commit.SharedCommit._lock

    def locked(self: Any, connection: Any, batch: Any) -> tuple[set[int], int]:
        held, told_us = lock(self, connection, batch)
        return held, told_us and told_us + int(ahead() * 1e6)

    vars(shared_commit)["SharedCommit"]._lock = locked


def publish_before_commit() -> None:
    from server.store.postgres import PostgresStore

    begin = PostgresStore.__init__

    def made(self: Any, database: Any, policy: Any, deliver: Any, *more: Any) -> None:
        begin(self, database, policy, deliver, *more)
        decide_all, hub = self.commits.decide_all, deliver.__self__.hub

        def early(*given: Any) -> Any:
            decided = decide_all(*given)
            for _, outcome in decided.outcomes:
                hub.apply(outcome)
            return decided

        self.commits.decide_all = early

    PostgresStore.__init__ = made  # type: ignore[method-assign,assignment]


def answer_before_commit() -> None:
    from server.store.postgres import PostgresStore

    begin = PostgresStore.__init__

    def made(self: Any, *given: Any) -> None:
        begin(self, *given)
        decide_all = self.commits.decide_all

        def early(*asked: Any) -> Any:
            decided = decide_all(*asked)
            self._done(decided.outcomes)
            decided.outcomes = []
            return decided

        self.commits.decide_all = early

    PostgresStore.__init__ = made  # type: ignore[method-assign,assignment]


def no_head_comparison() -> None:
    from server.realtime.replays import Replays

    async def nothing(self: Any, spread_s: float = 0.0) -> None:
        return

    Replays.compare_heads = nothing  # type: ignore[method-assign]


def no_probe() -> None:
    from server.realtime.probe import Probe

    Probe.tick = lambda self: None  # type: ignore[method-assign]


def fences_skipped() -> None:
    """The lease is renewed as if what was read had been applied."""
    from server.realtime.fences import Fences

    def skip(self: Any, endings: Any) -> None:
        self.applied = endings[-1].seq

    Fences._take = skip  # type: ignore[method-assign]


def subscriptions_forgotten() -> None:
    """A new connection to Redis is subscribed to the probe alone."""
    from server.realtime.subscriptions import Subscriptions

    def forget(self: Any) -> None:
        self._states.clear()
        self._due = {topic: None for topic in self._wanted if topic.startswith("probe:")}

    Subscriptions.lost = forget  # type: ignore[method-assign]


def gaps_not_healed() -> None:
    from server.realtime.replays import Replays

    Replays.heal = lambda self, live: None  # type: ignore[method-assign]


def fence_not_awaited() -> None:
    from server.realtime.fences import Fences

    Fences.when_everywhere = lambda self, fence, done: done()  # type: ignore[method-assign]


def lease_for_ever() -> None:
    from server.realtime.fences import Fences

    Fences.valid = True  # type: ignore[method-assign,assignment]


def failure_is_success() -> None:
    from sqlalchemy.ext.asyncio import AsyncConnection

    commit = AsyncConnection.commit

    async def careless(self: Any) -> None:
        try:
            await commit(self)
        except Exception:  # noqa: BLE001 - that is the bug
            await self.invalidate()

    AsyncConnection.commit = careless  # type: ignore[method-assign]


def not_idempotent() -> None:
    from server.commands import creations

    vars(creations)["remember"] = lambda *given: None


def roster_after_delivery() -> None:
    """Who is removed by an event gets it, and loses access a moment later."""
    from msgspec.structs import replace

    from server.realtime.hub import Hub

    deliver, end, follow = Hub._deliver, Hub._end, Hub.follow

    def too_late(self: Any, live: Any, event: Any, *, late: bool) -> None:
        deliver(self, live, replace(event, ended=()), late=late)
        for member in event.ended:
            asyncio.get_running_loop().call_later(0.05, self._lose, member, live.name, event.pos)

    def without_removals(self: Any, ending: Any) -> None:
        if ending.kind != "removed":
            end(self, ending)

    def followed(self: Any, session: Any, event: Any, *, late: bool = True) -> None:
        wait_s = 0.05 if event.name == "conversation.left" else 0.0
        asyncio.get_running_loop().call_later(
            wait_s, lambda: follow(self, session, event, late=late)
        )

    Hub._deliver = too_late  # type: ignore[method-assign]
    Hub.follow = followed  # type: ignore[method-assign]
    Hub._end = without_removals  # type: ignore[method-assign]


def resume_without_rights() -> None:
    """A topic that was asked for is attached, whether or not the member is still in it."""
    from server.realtime.hub import Hub

    opening = Hub.open

    def careless(self: Any, session: Any, opened: Any, resume: Any) -> None:
        opening(self, session, opened, resume)
        for topic in opened.past:
            if resume and topic in resume:
                live = self._hold(session, topic, resume[topic], resume[topic])
                if live is not None:
                    live.sessions[session] = None

    Hub.open = careless  # type: ignore[method-assign]


def locks_not_taken() -> None:
    """What pg_try_advisory_xact_lock answers is ignored."""
    from sqlalchemy import text

    from server.store import shared_commit

    vars(shared_commit)["_TRY"] = text(
        "SELECT key, 0 FROM unnest(CAST(:keys AS bigint[])) AS key"
        " WHERE pg_try_advisory_xact_lock(key) IS NOT NULL"
    ).bindparams(shared_commit._KEYS)


def signals_not_fenced() -> None:
    from server.realtime.session import Session
    from server.realtime.signals import Signals

    Signals._outdated = lambda self, signal, who: False  # type: ignore[method-assign]
    Session.drop_signals = lambda self: 0  # type: ignore[method-assign]


def keys_shared() -> None:
    """Every node takes its keys from the same block."""
    from server.store.schema import KeyBlocks

    def same(self: Any, connection: Any) -> None:
        if not self._end and not self._keys:
            self._keys.append(range(900 * self.SIZE, 950 * self.SIZE))

    KeyBlocks.fill = same  # type: ignore[method-assign]
