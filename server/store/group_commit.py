"""The group commit: many commands' decisions, one transaction.

A batch decides its commands in order of arrival, each on what the one before it left, writes
what they put with one statement a kind of row, and commits once. A refused command leaves
nothing. If the write fails, the batch is taken back whole and its commands run again one a
transaction, so that one bad write cannot fail its neighbours. Whoever runs it owns the connection
and the thread or greenlet; nothing here waits for anything but the database.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import Connection

from server.commands import table
from server.commands.facts import Missing, Want, World
from server.commands.outcome import Call, Caller, Outcome
from server.commands.work import Deployment, Work
from server.domain.rows import Row, Topic
from server.errors import CommandError, Internal, OutcomeUnknown, StoreFailed, UnknownOutcome
from server.store import facts, rows
from server.store.tables import TABLES

log = logging.getLogger("subrosa.store")
BATCH = 64
_PURGE_US = 3_600_000_000
_ROUNDS = 16  # of loading facts for one command; more means a handler that never settles


class Unclaimed(Exception):
    """A decision needs topics that its batch has not claimed: it goes into a later one with them.

    Only where several processes write: see `server.store.claims`.
    """

    def __init__(self, topics: Sequence[int]) -> None:
        super().__init__("topics to claim first")
        self.topics = topics


Decide = Callable[[Call, Work], dict[str, Any]]
Transaction = Callable[[], AbstractContextManager[Connection]]


class GroupCommit:
    """Runs batches. `transaction` opens one that commits at its end, raising `OutcomeUnknown`
    where the commit itself failed and anything else where nothing was stored."""

    def __init__(
        self,
        transaction: Transaction,
        deployment: Deployment,
        world: World,
        now_us: Callable[[], int],
        decide: Decide = table.decide,
    ) -> None:
        self._transaction = transaction
        self._deployment = deployment
        self._world = world
        self._now_us = now_us
        self._decide = decide
        self._last_us = 0
        self._purged_us = 0

    def run(self, calls: Sequence[Call]) -> list[Outcome]:
        """Decide and store these commands; their outcomes in the same order."""
        try:
            return self._one_transaction(calls)
        except OutcomeUnknown:
            log.exception("a commit failed: its outcome is unknown")
            return [Outcome(error=UnknownOutcome()) for _ in calls]
        except Exception:
            if len(calls) > 1:
                log.warning(
                    "a batch could not be written: its commands run one by one", exc_info=True
                )
                return [outcome for call in calls for outcome in self.run([call])]
            log.exception("a command could not be written", extra={"cmd": calls[0].cmd})
            return [internal(calls[0])]

    def _one_transaction(self, calls: Sequence[Call]) -> list[Outcome]:
        # Time never runs backwards in the log, whatever the clock does.
        self._last_us = now_us = max(self._now_us(), self._last_us + 1)
        self._world.trim()
        try:
            with self._transaction() as connection:
                world, deployment = self._world, self._deployment
                batch = Batch(
                    connection,
                    world,
                    lambda caller: Work(world, deployment, caller, now_us),
                    self._decide,
                )
                outcomes = list(batch.decide_all(calls))
                batch.flush()
                if now_us - self._purged_us > _PURGE_US:
                    rows.purge(connection, now_us // 1000)
                    self._purged_us = now_us
            return outcomes
        except BaseException:
            self._world.forget()
            raise


class Batch:
    """One batch's pass over its commands. `begin` makes the work of a caller's command; `topics`
    gets the topics that they write."""

    def __init__(
        self,
        connection: Connection,
        world: World,
        begin: Callable[[Caller], Work],
        decide: Decide,
        topics: set[int] | None = None,
    ) -> None:
        self._topics = topics
        self._connection = connection
        self._world = world
        self._begin = begin
        self._decide = decide
        self._dirty: dict[type[Row], dict[Any, Row]] = {}

    def decide_all(self, calls: Sequence[Call]) -> Iterator[Outcome]:
        """Each command in order, on the facts that the ones before it left."""
        for index, call in enumerate(calls):
            yield self.outcome(call, calls[index + 1 :])

    def outcome(self, call: Call, following: Sequence[Call]) -> Outcome:
        """What one command comes to; what it put is the later ones' to see. `following` are
        those whose facts may be read with its own. Raises `Unclaimed` where it is put off."""
        for _ in range(_ROUNDS):
            work = self._begin(call.caller)
            try:
                result = self._decide(call, work)
            except Missing as missing:
                self._load([*missing.wants, *self._ahead(following)])
                continue
            except CommandError as error:
                return Outcome(error=error)
            except Unclaimed:
                raise
            except Exception:
                log.exception("a command failed", extra={"cmd": call.cmd})
                return internal(call)
            self._apply(work)
            return Outcome(
                result=result,
                events=work.events,
                signals=work.signals,
                endings=work.endings,
                opened=work.opened,
                until=work.until,
            )
        raise StoreFailed(f"{call.cmd} asked for facts without end")

    def _ahead(self, following: Sequence[Call]) -> list[Want]:
        """What the commands behind will miss too, so that it is read in the same statements."""
        wants: list[Want] = []
        for call in following:
            try:
                self._decide(call, self._begin(call.caller))
            except Missing as missing:
                wants += missing.wants
            except Exception:  # noqa: BLE001, S112 - it is decided for good when its turn comes
                continue
        return wants

    def _load(self, wants: Sequence[Want]) -> None:
        """Read these facts."""
        self.flush()  # an index is read from the tables: they must know what was put so far
        facts.load(self._connection, wants, self._world)

    def _apply(self, work: Work) -> None:
        if work.drops:
            self.flush()
            for kind, those in work.drops:
                rows.drop(self._connection, kind, those)
            self._world.trim()  # what is known of these kinds may be gone
        apply, dirty = self._world.apply, self._dirty
        for (kind, ident), row in work.put_rows.items():
            apply(row)
            if kind in dirty:
                dirty[kind][ident] = row
            elif kind in TABLES:
                dirty[kind] = {ident: row}
            if self._topics is not None and isinstance(row, Topic):
                self._topics.add(row.key)

    def flush(self) -> None:
        """Write what was put since the last flush."""
        rows.write(self._connection, {kind: some.values() for kind, some in self._dirty.items()})
        self._dirty = {}


def internal(call: Call) -> Outcome:
    """The answer to a fault, which is logged under its reference."""
    ref = secrets.token_hex(4)
    log.error("answered internal", extra={"cmd": call.cmd, "ref": ref})
    return Outcome(error=Internal(ref=ref))
