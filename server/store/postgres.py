"""The store that several processes share: PostgreSQL.

Small pools of their own for sends, reads and renewals, so that none waits for another's; nothing
waits for a connection without limit. Everything runs on the event loop's thread, each transaction
in a greenlet of its own. No statement is cancelled: a link that has said nothing for too long is
taken for dead and dropped, which tells a commit under way from one that failed: unknown.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Literal, TypeVar

import asyncpg
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from server.commands.outcome import Call, Outcome
from server.commands.snapshot import Snapshot
from server.commands.work import Deployment
from server.domain.policy import Policy
from server.errors import Busy, StoreUnavailable, UnknownOutcome
from server.store import schema
from server.store.backlog import PATIENCE, Backlog, Waiting
from server.store.claims import ROUNDS
from server.store.group_commit import BATCH, internal
from server.store.port import Deliver
from server.store.shared_commit import Decided, SharedCommit, database_us
from server.store.snapshot import SqlSnapshot

T = TypeVar("T")
log = logging.getLogger("subrosa.store")
WRITERS: Final = 2  # one decides while another's commit syncs
READERS: Final = 4
READS_WAITING: Final = 1_024
DEAD_S: Final = 10.0
"""A link that has said nothing for so long, in a transaction or a commit, is taken for dead."""

CONNECT_S: Final = 5.0
"""The only host, which may just be busy. A lease may run out over it, and is taken again."""

CONNECT_EACH_S: Final = 1.5  # one of several: they fit into a lease's time
CLOSE_S: Final = 3.0  # for what was submitted, at the end
AGAIN_S: Final = 0.002
ATTEMPTS: Final = 3  # of a batch whose connection turned out to be lost, with nothing stored
LOCK_NOT_AVAILABLE: Final = "55P03"
RACES: Final = ("23505", "40001", "40P01")
"""Somebody else made the same thing at the same time, for which there is no topic to claim."""

UNREACHED = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError,
             asyncpg.InternalClientError)  # fmt: skip
LINK_FAILURES = (*UNREACHED, DBAPIError, PoolTimeout)


class PostgresDatabase:
    """The deployment's database, reached and of this version. Make it with `open`."""

    def __init__(self, url: str, deployment: Deployment) -> None:
        self.deployment = deployment
        self.writing = _engine(url, WRITERS)
        self.reading = _engine(
            url, READERS, isolation="REPEATABLE READ", readonly=True, statement_timeout="10s"
        )
        self.renewing = _engine(url, 2, statement_timeout="3s")

    @classmethod
    async def open(cls, url: str, policy: Policy) -> PostgresDatabase:
        """Connect, migrate under a lock, and read what is one for all nodes.

        Raises `StoreUnavailable`.
        """

        async def prepare() -> Deployment:
            engine = _engine(url, 1, lock_timeout="60s")
            try:
                async with engine.begin() as connection:
                    return await connection.run_sync(schema.open_shared, policy)
            finally:
                await engine.dispose()

        try:  # migrations are files: off the loop
            return cls(url, await asyncio.to_thread(lambda: asyncio.run(prepare())))
        except LINK_FAILURES as error:
            raise StoreUnavailable(
                f"the database {_shown(url)} cannot be used: {_why(error)}"
            ) from error
        except ValueError:  # its text quotes the address, with whatever is secret in it
            raise StoreUnavailable(
                "--database is no address that can be read: in a password, write / ? # @ as %2F"
                " %3F %23 %40"
            ) from None

    async def close(self) -> None:
        """Let go of every connection."""
        for engine in (self.writing, self.reading, self.renewing):
            await engine.dispose()


def _engine(
    url: str,
    size: int,
    *,
    isolation: Literal["READ COMMITTED", "REPEATABLE READ"] = "READ COMMITTED",
    readonly: bool = False,
    **settings: str,
) -> AsyncEngine:
    hosts = addresses(url)
    patience_s = CONNECT_S if len(hosts) == 1 else CONNECT_EACH_S

    async def connect() -> Any:
        failure: Exception | None = None
        for one in hosts:  # asyncpg's own bound is for all of them together
            try:
                return await asyncpg.connect(
                    one,
                    timeout=patience_s,
                    server_settings={
                        "application_name": "subrosa",
                        # Who vanishes in the midst of a transaction holds its locks no longer.
                        "idle_in_transaction_session_timeout": "5s",
                        "client_connection_check_interval": "2s",
                        "lock_timeout": "3s",
                        "jit": "off",
                        **settings,
                    },
                )
            except UNREACHED as error:
                failure = error
        assert failure is not None
        raise failure

    # The creator alone connects: asyncpg reads the URL as PostgreSQL's own clients do, with
    # several hosts, `target_session_attrs` and `sslmode`.
    return create_async_engine(
        "postgresql+asyncpg://?prepared_statement_cache_size=500",
        async_creator=connect,
        pool_size=size,
        max_overflow=0,
        pool_timeout=DEAD_S,
        hide_parameters=True,  # in errors: they are what members write
        isolation_level=isolation,
        execution_options={"postgresql_readonly": readonly},
    )


def addresses(url: str) -> list[str]:
    """An address for each of the hosts of one; the order is that in which they are tried."""
    scheme, _, rest = url.partition("://")
    end = min((place for mark in "/?" if (place := rest.find(mark)) >= 0), default=len(rest))
    user, at, hosts = rest[:end].rpartition("@")
    return [f"{scheme}://{user}{at}{host}{rest[end:]}" for host in hosts.split(",")]


def _shown(url: str) -> str:
    """A database's address without a password, or what else may be one."""
    rest = url.partition("://")[2].partition("?")[0]
    return f"postgresql://{rest.rpartition('@')[2]}"


def _why(error: BaseException) -> str:
    cause = error.__cause__ or error
    return str(cause).partition("\n")[0] or type(cause).__name__


class PostgresStore:
    """The shared store over an open database. Make it on the loop that is to use it."""

    def __init__(
        self,
        database: PostgresDatabase,
        policy: Policy,
        deliver: Deliver,
        clock_us: Callable[[], int] | None = None,
    ) -> None:
        self._database = database
        self.deployment = database.deployment
        self._loop = asyncio.get_running_loop()
        self._deliver = deliver
        self._clock_us = clock_us
        self._limit = policy.commands_waiting
        self.commits = SharedCommit(self.deployment, clock_us)
        self.waiting = 0  # commands submitted and not yet delivered
        self._backlog = Backlog()
        self._news = asyncio.Event()
        self._closing = False
        self._reads = asyncio.Semaphore(READERS)
        self._reading = 0
        self._idle: asyncio.Future[None] | None = None
        self._writers = [self._loop.create_task(self._write_on()) for _ in range(WRITERS)]

    def submit(self, call: Call) -> None:
        """Have a command decided and stored. Raises `Busy` when too many wait."""
        if self.waiting >= self._limit or self._closing:
            raise Busy
        self.waiting += 1
        self._backlog.add(call)
        self._news.set()

    async def read(self, question: Callable[[Snapshot], T]) -> T:
        """Ask something of one snapshot. Raises what the question raises, or `Busy`."""
        if self._reading >= READS_WAITING:
            raise Busy
        self._reading += 1
        try:
            async with self._reads, watched(self._database.reading) as connection:
                return await connection.run_sync(self._ask, question)
        except LINK_FAILURES as error:
            log.warning("the database could not be read", exc_info=error)
            raise Busy from error
        finally:
            self._reading -= 1

    def _ask(self, connection: Connection, question: Callable[[Snapshot], T]) -> T:
        now_us = self._clock_us() if self._clock_us is not None else database_us(connection)
        return question(SqlSnapshot(connection, self.deployment, now_us // 1000))

    async def idle(self) -> None:
        """Wait until everything submitted so far has been delivered."""
        if self.waiting:
            self._idle = self._idle or self._loop.create_future()
            await asyncio.shield(self._idle)

    async def settle(self, *, rewrite: bool = False) -> bool:
        """Nothing to do: the database's vacuum does."""
        return True

    async def close(self) -> None:
        """Finish what was submitted, then let go of the database."""
        self._closing = True
        self._news.set()
        _, late = await asyncio.wait(self._writers, timeout=CLOSE_S)
        for writer in late:  # the database does not answer: what waits was never acknowledged
            writer.cancel()
        await asyncio.gather(*self._writers, return_exceptions=True)
        await self._database.close()

    async def _write_on(self) -> None:
        """One of the writers: whatever has come in while another's commit synced is the next."""
        while True:
            batch = self._backlog.take(BATCH, self._loop.time())
            if batch:
                put_off = await self._carry_out(batch)
                self._backlog.end(batch, put_off)
                self._news.set()
            elif self._closing and not self.waiting:
                return
            else:
                await self._something_new()

    async def _something_new(self) -> None:
        self._news.clear()
        until = self._backlog.next_at()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._news.wait()

    async def _carry_out(self, batch: Sequence[Waiting]) -> list[Waiting]:
        """Decide, store and deliver; answers those that are put off."""
        for _ in range(ATTEMPTS):
            try:
                return await self._transaction(batch)
            except LINK_FAILURES as error:
                self.commits.forget()
                if isinstance(error, DBAPIError) and not _link_is_lost(error):
                    return await self._after_failure(batch, error)
                log.warning("the database was lost in a transaction: nothing of it is stored")
            except Exception as error:  # noqa: BLE001 - logged, and answered one by one
                self.commits.forget()
                return await self._after_failure(batch, error)
        self._done([(waiting, Outcome(error=Busy())) for waiting in batch])
        return []

    async def _transaction(self, batch: Sequence[Waiting]) -> list[Waiting]:
        decided: Decided | None = None
        try:
            async with watched(self._database.writing) as connection:
                decided = await connection.run_sync(self.commits.decide_all, batch)
                try:
                    await connection.commit()
                except Exception:
                    log.exception("a commit failed: its outcome is unknown")
                    self.commits.forget()
                    unknown = Outcome(error=UnknownOutcome())
                    decided.outcomes = [(waiting, unknown) for waiting, _ in decided.outcomes]
                    # Not back into the pool: its transaction may still be open.
                    await connection.invalidate()
        except Exception:
            if decided is None:
                raise
            log.warning("a connection could not be let go of", exc_info=True)
        # The hub hears of it before anybody here goes on from it.
        self._done(decided.outcomes)
        self.commits.release(decided)
        for waiting in decided.put_off:
            waiting.not_before = self._next_try(waiting)
        return decided.put_off

    def _next_try(self, waiting: Waiting) -> float:
        """Who lacked a topic goes on at once; who found one held, after a while."""
        if not waiting.tries:
            return 0.0
        wait_s = AGAIN_S * (1 << min(waiting.tries, PATIENCE))
        return self._loop.time() + wait_s * (0.5 + random.random())  # noqa: S311 - a spread

    async def _after_failure(self, batch: Sequence[Waiting], error: Exception) -> list[Waiting]:
        """Nothing is stored: one by one, so that one bad write does not fail its neighbours."""
        if isinstance(error, DBAPIError) and _state(error) == LOCK_NOT_AVAILABLE:
            return list(batch)
        if len(batch) == 1 and isinstance(error, DBAPIError) and _state(error) in RACES:
            batch[0].rounds += 1
            batch[0].asks = None
            if batch[0].rounds < ROUNDS:
                return list(batch)  # decided anew, on what the other has stored
        if len(batch) == 1:
            log.error("a command could not be written", exc_info=error)
            self._done([(batch[0], internal(batch[0].call))])
            return []
        log.warning("a batch could not be written: its commands run one by one", exc_info=error)
        put_off: list[Waiting] = []
        held_back: set[str] = set()
        for waiting in batch:
            member = waiting.call.caller.member
            late = [waiting] if member in held_back else await self._carry_out([waiting])
            if late and member:
                held_back.add(member)
            put_off += late
        return put_off

    def _done(self, outcomes: Sequence[tuple[Waiting, Outcome]]) -> None:
        self.waiting -= len(outcomes)
        self._deliver([waiting.call for waiting, _ in outcomes], [o for _, o in outcomes])
        if not self.waiting and self._idle is not None:
            self._idle.set_result(None)
            self._idle = None


@asynccontextmanager
async def watched(engine: AsyncEngine, dead_s: float = DEAD_S) -> AsyncIterator[AsyncConnection]:
    """A connection for one transaction, dropped when the link says nothing for too long."""
    watch: asyncio.TimerHandle | None = None
    try:
        async with engine.connect() as connection:
            link = (await connection.get_raw_connection()).driver_connection
            assert link is not None
            watch = asyncio.get_running_loop().call_later(dead_s, link.terminate)
            yield connection
    finally:  # only now: giving the connection back says ROLLBACK, which waits as well
        if watch is not None:
            watch.cancel()


def _state(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", "") or "")


def _link_is_lost(error: DBAPIError) -> bool:
    # 08: connection exceptions; 53: out of resources; 57: shut down or starting; 25P03: taken for
    # dead by the server.
    return error.connection_invalidated or _state(error)[:2] in ("08", "53", "57", "25")
