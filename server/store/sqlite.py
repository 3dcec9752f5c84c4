"""The embedded store: SQLite in one directory, held by one process.

One thread owns the one connection that writes, and its group commit; two threads answer reads,
each from its own snapshot. Being the only writer, the process keeps facts across batches.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from server.commands.facts import World
from server.commands.outcome import Call, Outcome
from server.commands.snapshot import Snapshot
from server.commands.work import Deployment
from server.domain.policy import Policy
from server.errors import Busy, OutcomeUnknown, StoreUnavailable
from server.store import schema
from server.store.group_commit import BATCH, GroupCommit
from server.store.port import Deliver
from server.store.snapshot import SqlSnapshot

log = logging.getLogger(__name__)

T = TypeVar("T")
READERS = 2
READS_WAITING = 1_024
PATIENCE_S = 0.05  # for readers, while nobody writes
COMPACTED_UP_TO = 256 << 20  # bytes; sends wait meanwhile, some seconds at most
BY_HAND = (
    "bytes of erased texts can be left between its rows until VACUUM is run while the server is"
    " stopped"
)


def now_us() -> int:
    """Unix time in microseconds."""
    return time.time_ns() // 1000


def _engine(path: Path, begin: str) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}", connect_args={"check_same_thread": False, "timeout": 10}
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # transactions are begun below, and only there
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",  # acknowledged means synced
            "foreign_keys=ON",
            "secure_delete=ON",  # what is erased is overwritten, not only forgotten
            "cache_size=-65536",
            "wal_autocheckpoint=4000",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.connection.cursor().execute(begin)

    return engine


class SqliteFile:
    """An open database file of this version. Opening blocks: do it off the loop.

    Raises `StoreUnavailable`.
    """

    def __init__(self, path: Path, policy: Policy) -> None:
        try:
            # Made before SQLite does, and its owner's alone; what lies beside it takes after it.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            path.chmod(0o600)
        except OSError as error:
            raise StoreUnavailable(f"{path} cannot be opened: {error.strerror}") from error
        self._path = path
        self.writing = _engine(path, "BEGIN IMMEDIATE")
        self.reading = _engine(path, "BEGIN")
        try:
            with self.writing.begin() as connection:
                schema.migrate(connection)
                self.deployment: Deployment = schema.deployment(connection, policy)
        except (DBAPIError, sqlite3.Error) as error:
            self.close()
            raise StoreUnavailable(f"{path} cannot be opened: {error.__cause__}") from error
        except BaseException:
            self.close()
            raise

    def empty_log(self) -> bool:
        """Checkpoint, and truncate what was written ahead; False where a reader was in the way."""
        connection = sqlite3.connect(self._path, timeout=PATIENCE_S)
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")  # most of it, beside the writer
            ((busy, _, _),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.OperationalError:  # somebody writes
            return False
        finally:
            connection.close()
        return not busy

    def compact(self) -> bool:
        """Write the file anew: pages keep bytes of rows that were moved from them, whatever
        secure_delete is. False where somebody was in the way; where it cannot be, the log says
        what to do."""
        if self._path.stat().st_size > COMPACTED_UP_TO:
            log.warning("the database is too large to be written anew while serving: %s", BY_HAND)
            return True
        connection = sqlite3.connect(self._path, timeout=1.0)
        try:
            connection.execute("VACUUM")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:  # somebody writes
                return False
            log.warning("the database could not be written anew: %s", BY_HAND, exc_info=error)
        finally:
            connection.close()
        return True

    def close(self) -> None:
        """Let go of the file."""
        self.reading.dispose()
        self.writing.dispose()


class SqliteStore:
    """The embedded store over an open file. Make it on the loop that is to use it."""

    def __init__(
        self,
        file: SqliteFile,
        policy: Policy,
        deliver: Deliver,
        clock_us: Callable[[], int] = now_us,
    ) -> None:
        self._file = file
        self._connection: Connection | None = None  # the writing thread's, from batch to batch
        self.deployment = file.deployment
        self._loop = asyncio.get_running_loop()
        self._deliver = deliver
        self._clock_us = clock_us
        self._limit = policy.commands_waiting
        self.waiting = 0  # commands submitted and not yet delivered
        self._reading = 0
        self._idle: asyncio.Future[None] | None = None
        self._inbox: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self.commits = self.make_commits(World())
        self._readers = ThreadPoolExecutor(READERS, "subrosa-read")
        self._thread = threading.Thread(target=self._run, name="subrosa-write")
        self._thread.start()

    def make_commits(self, world: World) -> GroupCommit:
        """The group commit that this store's thread runs."""
        return GroupCommit(self._transaction, self.deployment, world, self._clock_us)

    def submit(self, call: Call) -> None:
        """Have a command decided and stored. Raises `Busy` when too many wait."""
        if self.waiting >= self._limit:
            raise Busy
        self.waiting += 1
        self._inbox.put(call)

    async def read(self, question: Callable[[Snapshot], T]) -> T:
        """Ask something of one snapshot. Raises what the question raises, or `Busy`."""
        if self._reading >= READS_WAITING:
            raise Busy
        self._reading += 1
        try:
            return await self._loop.run_in_executor(self._readers, self._ask, question)
        finally:
            self._reading -= 1

    async def idle(self) -> None:
        """Wait until everything submitted so far has been delivered."""
        if self.waiting:
            self._idle = self._idle or self._loop.create_future()
            await asyncio.shield(self._idle)

    async def settle(self, *, rewrite: bool = False) -> bool:
        """Write the log into the database and empty it: it holds pages as they were."""
        if rewrite and not await self._loop.run_in_executor(self._readers, self._file.compact):
            return False
        return await self._loop.run_in_executor(self._readers, self._file.empty_log)

    async def close(self) -> None:
        """Finish what was submitted, then let go of the database."""
        self._inbox.put(None)
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._thread.join()
        if self._connection is not None:
            self._connection.close()
        self._readers.shutdown()
        self._file.close()

    def _ask(self, question: Callable[[Snapshot], T]) -> T:
        with self._file.reading.begin() as connection:
            return question(SqlSnapshot(connection, self.deployment, self._clock_us() // 1000))

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        connection = self._connection
        if connection is None or connection.closed:
            connection = self._connection = self._file.writing.connect()
        transaction = connection.begin()
        try:
            yield connection
        except BaseException:
            try:
                transaction.rollback()
            finally:
                connection.close()
            raise
        try:
            transaction.commit()
        except DBAPIError as error:
            # It may still be in the midst of it: the next one begins on a connection anew.
            connection.invalidate()
            connection.close()
            raise OutcomeUnknown("the commit failed") from error

    def _run(self) -> None:
        """The writing thread: whatever has come in while the last commit synced is the next."""
        open_for_more = True
        while open_for_more:
            calls: list[Call] = []
            call = self._inbox.get()
            while call is not None:
                calls.append(call)
                if len(calls) >= BATCH:
                    break
                try:
                    call = self._inbox.get_nowait()
                except queue.Empty:
                    break
            open_for_more = call is not None
            if calls:
                outcomes = self.commits.run(calls)
                self._loop.call_soon_threadsafe(self._done, calls, outcomes)

    def _done(self, calls: Sequence[Call], outcomes: Sequence[Outcome]) -> None:
        self.waiting -= len(calls)
        self._deliver(calls, outcomes)
        if not self.waiting and self._idle is not None:
            self._idle.set_result(None)
            self._idle = None
