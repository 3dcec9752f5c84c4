"""The shared store of several nodes: its commits one after the other, and what can go wrong.

Transactions overlap as they do in the product; only from its commit until its outcomes have been
delivered has each the floor to itself, so that the order of deliveries is that of commits. What a
read has seen is told behind that. Faults are asked for one at a time and meet the next transaction:
its last write fails, its connection is lost, or its commit is, with or without having happened.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.commands.outcome import Call, Outcome
from server.store import postgres
from server.store.backlog import Waiting
from server.store.postgres import DEAD_S, PostgresStore
from server.store.shared_commit import Decided

FAULTS = ("a write", "a link", "a commit that happened", "a commit that did not")
Transaction = Callable[[Sequence[Waiting]], Coroutine[Any, Any, list[Waiting]]]


class SharedFaults:
    """Those of all stores of one database."""

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        self._floor = asyncio.Lock()
        self._has_it: asyncio.Task[Any] | None = None
        self._next = ""
        self._writing: list[AsyncEngine] = []
        self._truths: dict[int, Outcome | None] = {}

    def watching(self) -> AbstractContextManager[object]:
        """While this lasts, commits are those of the stores that are `watch`ed."""
        watched = postgres.watched

        @asynccontextmanager
        async def watching(engine: AsyncEngine, dead_s: float = DEAD_S) -> AsyncIterator[Any]:
            async with watched(engine, dead_s) as connection:
                ours = any(engine is one for one in self._writing)
                yield _Committing(self, connection) if ours else connection

        return patch.object(postgres, "watched", watching)

    def watch(self, store: PostgresStore) -> None:
        """Have a store's transactions meet faults, and commit in order."""
        self._writing.append(store._database.writing)
        store._transaction = partial(self._ordered, store._transaction)  # type: ignore[method-assign]
        decide = store.commits._decide_ready
        store.commits._decide_ready = partial(self._failing, decide)  # type: ignore[method-assign]

    def ask_for(self, fault: str) -> None:
        """The next transaction meets this; "" for none."""
        self._next = fault

    def take(self, *faults: str) -> str:
        """The fault that was asked for, if it is one of these."""
        if self._next not in faults:
            return ""
        taken, self._next = self._next, ""
        self._counts[f"lost: {taken}"] += 1
        return taken

    def truth(self, call: Call) -> Outcome | None:
        """What a command whose outcome is unknown came to; None where nothing happened."""
        return self._truths.pop(id(call))

    async def settled(self) -> None:
        """Until whatever has been committed has been delivered."""
        async with self._floor:
            pass

    async def _ordered(self, transaction: Transaction, batch: Sequence[Waiting]) -> list[Waiting]:
        try:
            return await transaction(batch)
        finally:
            if self._has_it is asyncio.current_task():
                self._has_it = None
                self._floor.release()

    def _failing(
        self, decide: Callable[..., None], connection: Connection, ready: Sequence[Waiting],
        *args: Any,
    ) -> None:  # fmt: skip
        if self.take("a link"):
            connection.connection.driver_connection.terminate()  # type: ignore[union-attr]
        decide(connection, ready, *args)
        if len(ready) > 1 and self.take("a write"):
            raise OperationalError("spoilt", {}, Exception("by the test"))

    async def commit(self, connection: AsyncConnection, decided: Decided) -> None:
        """Commit in one's turn, as it was asked for."""
        await self._floor.acquire()
        self._has_it = asyncio.current_task()
        fault = self.take("a commit that happened", "a commit that did not")
        happened = fault == "a commit that happened"
        for waiting, outcome in decided.outcomes:
            self._truths[id(waiting.call)] = outcome if happened else None
        link: Any = (await connection.get_raw_connection()).driver_connection
        if fault == "a commit that did not":
            link.terminate()
        await connection.commit()  # fails as well where the link was lost before it had to say
        if happened:
            link.terminate()
            raise ConnectionResetError("by the test")
        for waiting, _ in decided.outcomes:
            del self._truths[id(waiting.call)]


class _Committing:
    """A connection whose transaction is committed in its turn."""

    def __init__(self, faults: SharedFaults, connection: AsyncConnection) -> None:
        self._faults = faults
        self._connection = connection
        self._decided: Decided | None = None

    async def run_sync(self, decide: Callable[..., Decided], *args: Any) -> Decided:
        self._decided = await self._connection.run_sync(decide, *args)
        return self._decided

    async def invalidate(self) -> None:
        await self._connection.invalidate()

    async def commit(self) -> None:
        assert self._decided is not None
        await self._faults.commit(self._connection, self._decided)
