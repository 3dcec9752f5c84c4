"""What can go wrong in the embedded store of one node: a batch that fails at its end."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from server.commands.outcome import Call, Outcome
from server.store.sqlite import SqliteStore


class EmbeddedFaults:
    """Those of one store."""

    def __init__(self, store: SqliteStore, counts: Counter[str]) -> None:
        commits = store.commits
        self._counts = counts
        self._spoilt = False
        self._calls: Sequence[Call] = []
        self._undelivered: set[int] = set()  # of what is being committed, until it is delivered
        self._one_by_one: deque[Sequence[Call]] = deque(maxlen=8)
        self._transaction, self._run = commits._transaction, commits._one_transaction
        commits._transaction = self._spoiling
        commits._one_transaction = self._batch  # type: ignore[method-assign]

    def spoil_a_write(self) -> None:
        """The next batch of several fails at its end, and is taken back."""
        self._spoilt = True

    async def settled(self) -> None:
        """Until whatever has been committed has been delivered."""
        before = set(self._undelivered)
        while not before.isdisjoint(self._undelivered):
            await asyncio.sleep(0.0002)

    def delivered(self, calls: Sequence[Call]) -> None:
        """These have been."""
        self._undelivered.difference_update(map(id, calls))

    def alone(self, calls: Sequence[Call]) -> bool:
        """Whether each of these was committed by itself."""
        return any(calls is spoilt for spoilt in self._one_by_one)

    def _batch(self, calls: Sequence[Call]) -> list[Outcome]:
        self._calls = calls
        return self._run(calls)

    @contextmanager
    def _spoiling(self) -> Iterator[Connection]:
        with self._transaction() as connection:
            yield connection
            if self._spoilt and len(self._calls) > 1:  # those of a batch are run again, each alone
                self._spoilt = False
                self._one_by_one.append(self._calls)
                self._counts["spoilt batches"] += 1
                raise OperationalError("spoilt", {}, Exception("by the test"))
            # A reader may see it before the loop does: the writing thread can be kept waiting.
            self._undelivered.update(map(id, self._calls))
