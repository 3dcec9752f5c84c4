"""The group commit of a store that several processes write.

One batch is one transaction: rehearse its commands, lock what they claim, read the facts under the
locks, decide in order of arrival, write. A command whose topics others hold is put off, and so are
the same member's behind it; nothing waits for a lock but a command that has been put off too
often, which then has a transaction of its own and stands in line.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import BigInteger, Connection, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from server.commands import table
from server.commands.facts import (
    GroupNamed,
    GroupsOf,
    Handle,
    Memberships,
    Named,
    Newcomers,
    Viewers,
    Want,
    World,
)
from server.commands.outcome import Outcome
from server.commands.work import Deployment
from server.domain.rows import (
    Conversation,
    Group,
    GroupMember,
    Member,
    Pair,
    Participant,
    Row,
    Topic,
    Wallet,
)
from server.store import facts, rows
from server.store.backlog import PATIENCE, Waiting
from server.store.claims import ROUNDS, GuardedWork, rehearse
from server.store.group_commit import Batch, Decide, Unclaimed, internal
from server.store.schema import KeyBlocks

log = logging.getLogger("subrosa.store")
CLAIMS = 1_000  # a batch's locks: the database's table of them is for all nodes
_PURGE_US = 3_600_000_000
_REMEMBERED: tuple[type[Row], ...] = (
    Handle, Named, Member, Topic, Pair, Conversation, Participant, Viewers, Newcomers,
    Memberships, Group, GroupNamed, GroupMember, GroupsOf, Wallet,
)  # fmt: skip
_KEYS = bindparam("keys", type_=ARRAY(BigInteger))
_CLOCK = "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)"
# A row's time is told once its lock has been taken, so the last one's is behind them all.
_TRY = text(
    f"SELECT key, {_CLOCK} FROM unnest(CAST(:keys AS bigint[])) AS key"  # noqa: S608 - ours
    " WHERE pg_try_advisory_xact_lock(key)"
).bindparams(_KEYS)
# In one order everywhere; the fences' lock is the last, so that it is not held while waiting.
_WAIT = text(
    "SELECT pg_advisory_xact_lock(key) FROM"
    " (SELECT key FROM unnest(CAST(:keys AS bigint[])) AS key ORDER BY key DESC) AS sorted"
).bindparams(_KEYS)


class Decided(msgspec.Struct):
    """What a batch came to, before its commit: outcomes by command, in order, and those put off.

    `held` are the topics that are this transaction's until its end.
    """

    outcomes: list[tuple[Waiting, Outcome]]
    put_off: list[Waiting]
    held: set[int]


class SharedCommit:
    """Decides batches for one process. `elsewhere` are topics that its other transactions hold;
    `now_us` tells the time, by default that of the database."""

    def __init__(
        self,
        deployment: Deployment,
        now_us: Callable[[], int] | None = None,
        decide: Decide = table.decide,
    ) -> None:
        self.elsewhere: set[int] = set()
        self._deployment = deployment
        self._clock_us = now_us
        self.decide = decide
        self._hints = World()
        self._last_us = 0
        self._purged_us = 0

    def decide_all(self, connection: Connection, batch: Sequence[Waiting]) -> Decided:
        """Lock, read, decide and write; the caller commits. Raises what the database raises, with
        nothing stored."""
        keys = self._deployment.keys
        if isinstance(keys, KeyBlocks):
            keys.fill(connection)
        self._rehearse(connection, batch)
        held, told_us = self._lock(connection, batch)
        # Not the time before: what others held has been stored by now.
        now_us = self._now_us(connection, told_us)
        self.elsewhere |= held
        decided = Decided([], [], held)
        try:
            self._carry_out(connection, batch, now_us, decided)
        except BaseException:
            self.release(decided)
            raise
        places = {id(waiting): place for place, waiting in enumerate(batch)}
        decided.put_off.sort(key=lambda waiting: places[id(waiting)])
        if now_us - self._purged_us > _PURGE_US:
            self._purged_us = now_us  # also if it fails: the next hour's turn
            rows.purge(connection, now_us // 1000)
        return decided

    def release(self, decided: Decided) -> None:
        """The transaction is over, however it ended."""
        self.elsewhere -= decided.held

    def _now_us(self, connection: Connection, told_us: int) -> int:
        now = self._clock_us() if self._clock_us is not None else told_us
        now = now or database_us(connection)
        # Time never runs backwards in the log, whatever the clock does.
        self._last_us = max(now, self._last_us + 1)
        return self._last_us

    def _rehearse(self, connection: Connection, batch: Sequence[Waiting]) -> None:
        self._hints.trim()
        new = [waiting for waiting in batch if waiting.asks is None]
        calls = [waiting.call for waiting in new]
        works = rehearse(
            calls, self._hints, self._deployment, self._last_us, self.decide, connection
        )
        for waiting, work in zip(new, works, strict=True):
            waiting.asks = (work.claims, list(work.wants))

    def _lock(self, connection: Connection, batch: Sequence[Waiting]) -> tuple[set[int], int]:
        """The topics that are held now, and the time behind that, 0 where it was not told."""
        claims: set[int] = set()
        for waiting in batch:
            if len(claims) < CLAIMS:  # what lies beyond is put off like what others hold
                claims |= _claims(waiting)
        if len(batch) == 1 and batch[0].tries >= PATIENCE:
            connection.execute(_WAIT, {"keys": sorted(claims)})
            return claims, 0
        wanted = sorted(claims - self.elsewhere)
        taken = connection.execute(_TRY, {"keys": wanted}).all() if wanted else ()
        return {key for key, _ in taken}, max((us for _, us in taken), default=0)

    def _carry_out(
        self,
        connection: Connection,
        batch: Sequence[Waiting],
        now_us: int,
        decided: Decided,
    ) -> None:
        ready: list[Waiting] = []
        wants: dict[Want, None] = {}
        held_back: set[str] = set()
        for waiting in batch:
            member = waiting.call.caller.member
            if member and member in held_back:
                decided.put_off.append(waiting)
            elif not _claims(waiting) <= decided.held:
                waiting.tries += 1
                held_back.add(member)
                decided.put_off.append(waiting)
            else:
                ready.append(waiting)
                wants.update(dict.fromkeys(waiting.asks[1] if waiting.asks else ()))
        if ready:
            world = World()
            facts.load(connection, wants, world)
            self._decide_ready(connection, ready, world, now_us, decided)
            self._remember(world)

    def _decide_ready(
        self,
        connection: Connection,
        ready: Sequence[Waiting],
        world: World,
        now_us: int,
        decided: Decided,
    ) -> None:
        held, deployment = decided.held, self._deployment
        batch = Batch(
            connection,
            world,
            lambda caller: GuardedWork(world, deployment, caller, now_us, held),
            self.decide,
            held,
        )
        held_back: set[str] = set()
        calls = [waiting.call for waiting in ready]
        for index, waiting in enumerate(ready):
            member = waiting.call.caller.member
            if member and member in held_back:
                decided.put_off.append(waiting)
                continue
            try:
                outcome = batch.outcome(waiting.call, calls[index + 1 :])
            except Unclaimed as more:
                waiting.claims.update(more.topics)
                waiting.asks = None  # what it was rehearsed on is no longer so
                waiting.rounds += 1
                if waiting.rounds < ROUNDS:
                    held_back.add(member)
                    decided.put_off.append(waiting)
                    continue
                log.error("a command claimed topics without end", extra={"cmd": waiting.call.cmd})
                outcome = internal(waiting.call)
            decided.outcomes.append((waiting, outcome))
        batch.flush()

    def _remember(self, world: World) -> None:
        for kind in _REMEMBERED:
            known = world.known.get(kind)
            if known:
                self._hints.of(kind).update(known)

    def forget(self) -> None:
        """A transaction failed: what was believed may be why."""
        self._hints.forget()


def _claims(waiting: Waiting) -> set[int]:
    rehearsed = waiting.asks[0] if waiting.asks is not None else set()
    return rehearsed | waiting.claims


def database_us(connection: Connection) -> int:
    """The database's time, Unix microseconds: one clock for all nodes."""
    return int(connection.scalar(text(f"SELECT {_CLOCK}")) or 0)
