"""The composition root: the one place that names concrete adapters.

`Node.open` puts one process together, from the data directory to the acceptor; `Node.close`
takes it apart in reverse. Tests open nodes of their own, without a socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import logging
import mimetypes
import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Self

from msgspec.structs import replace
from starlette.applications import Starlette

from server import demo
from server import settings as configuration
from server.commands.outcome import Call, Caller, Outcome
from server.commands.work import Deployment
from server.errors import DataDirHeld, StoreUnavailable
from server.realtime.attendance import Attendance
from server.realtime.audience import is_silent
from server.realtime.fences import Fences
from server.realtime.heartbeat import Heartbeat
from server.realtime.hub import FENCES, TOO_MANY, Hub
from server.realtime.local_bus import LocalBus
from server.realtime.redis_bus import RedisBus
from server.settings import Settings
from server.store import schema
from server.store.attendance import PostgresRolls
from server.store.directory import DirectoryLock
from server.store.leases import PostgresLeases
from server.store.postgres import LINK_FAILURES, PostgresDatabase, PostgresStore
from server.store.sqlite import SqliteFile, SqliteStore, now_us
from server.web import keys
from server.web.dispatch import Dispatcher
from server.web.gateway import Gateway
from server.web.http import Api, Pages, application
from server.web.metrics import Metrics
from server.web.origins import own_origins
from server.web.reference import Reference
from server.web.remote import Operate, RemoteOperator
from server.web.serving import serve
from server.web.tokens import Tokens
from server.web.workers import Workers, inherited, watch_parent

log = logging.getLogger("subrosa.app")
HEADS_S = 1.5
DRAIN_SPREAD_MS = 5_000
DRAIN_STEP_S = 3.0
BATCH = 1_000
REDIS_S = 1.0  # for Redis to answer at the start, before it is said that it does not


class Node:
    """One process's parts, open and joined. Make it with `open`."""

    @classmethod
    async def open(cls, settings: Settings, clock_us: Callable[[], int] = now_us) -> Self:
        """Open what the settings name, and join everything to it. Raises `SetupError`."""
        if settings.database:
            keys = await asyncio.to_thread(Keys, settings)
            database = await PostgresDatabase.open(settings.database, settings.policy)
            node = cls(settings, keys, clock_us, database)
        else:
            node = cls(settings, *await asyncio.to_thread(_embedded, settings, clock_us))
        await node.take_part()
        return node

    def __init__(
        self,
        settings: Settings,
        keys: Keys,
        clock_us: Callable[[], int],
        held: Held | PostgresDatabase,
    ) -> None:
        self.settings = settings
        self.clock_us = clock_us
        self.tokens, self.admin_key = keys.tokens, keys.admin_key
        self.name = secrets.token_urlsafe(9)
        loop = asyncio.get_running_loop()
        self.bus = _bus(settings, held.deployment, self.name)
        self.hub = Hub(self.bus, settings.policy, now_ms=self._now_ms)
        self.lock: DirectoryLock | None = None
        self.fences: Fences | None = None
        self.attendance: Attendance | None = None
        self.store: SqliteStore | PostgresStore
        if isinstance(held, PostgresDatabase):
            held.deployment.node = self.name
            clock = None if clock_us is now_us else clock_us
            self.store = PostgresStore(held, settings.policy, self.deliver, clock)
            self.fences = Fences(
                PostgresLeases(held),
                self.name,
                apply=self.hub.end_access,
                lose=self.hub.lose_all,
                call=lambda: self.bus.publish(FENCES, b""),
                called=lambda: self.bus.healthy,
                count=lambda: len(self.gateway.connections),
            )
            self.hub.fences = self.fences
            self.attendance = Attendance(
                PostgresRolls(held),
                self.name,
                sessions=lambda: self.hub.sessions,
                is_silent=lambda session: is_silent(session, self.heartbeat.now()),
                end=lambda session: self.hub.end(session, *TOO_MANY),
                now_ms=self._now_ms,
            )
            self.hub.attendance = self.attendance
        else:
            self.lock = held.lock
            self.store = SqliteStore(held.file, settings.policy, self.deliver, clock_us)
        self.hub.replays.ask = self.store.read
        self.metrics = Metrics(
            self.hub, lambda: self.store.waiting, lambda: len(self.gateway.connections)
        )
        self.dispatcher = Dispatcher(
            self.store,
            self.hub,
            self.tokens,
            settings.policy,
            limited=settings.rate_limits,
            count=self.metrics.count,
        )
        self.heartbeat = Heartbeat(loop.time, self._now_ms)
        self.gateway = Gateway(self.dispatcher, self.hub, self.heartbeat, settings.origins)
        self._tasks: list[asyncio.Task[None]] = []

    async def take_part(self) -> None:
        """Be one of the nodes: from now on ends of access wait for this one too."""
        if isinstance(self.bus, RedisBus):
            self.bus.start()
        self.bus.subscribe(FENCES)
        if self.fences is not None:
            try:
                await self.fences.open()
                self.hub.signals.forget(self.fences.applied)
            except BaseException as error:
                await self.close()
                if isinstance(error, LINK_FAILURES):
                    raise StoreUnavailable("the database was lost at the start") from None
                raise
            self._begin(self.fences.run())
        if self.attendance is not None:
            self._begin(self.attendance.run())

    def _now_ms(self) -> int:
        return self.clock_us() // 1000

    def deliver(self, calls: Sequence[Call], outcomes: Sequence[Outcome]) -> None:
        """What a batch came to, in order: everybody else learns of it before its caller does."""
        for call, outcome in zip(calls, outcomes, strict=True):
            _try(self.hub.apply, call, outcome)
            if outcome.until:
                done = functools.partial(_try, call.done, call, outcome)
                self.hub.fences.when_everywhere(outcome.until, done)
            else:
                _try(call.done, call, outcome)

    def start(self) -> None:
        """Begin what runs by itself: the second's beat, comparing heads, jobs."""
        jobs = (job.run() for job in self.dispatcher.jobs)
        for work in (self._beat(), self._compare_heads(), *jobs):
            self._begin(work)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(_report)
        self._tasks.append(task)

    async def close(self) -> None:
        """Take the node apart: nothing new, what is under way finished, the store last."""
        self.dispatcher.draining = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.hub.replays.close()
        if self.attendance is not None:
            with contextlib.suppress(*LINK_FAILURES):
                await self.attendance.turn()
        if self.fences is not None:
            await self.fences.close()
        await self.store.close()
        await self.bus.close()
        if self.lock is not None:
            self.lock.release()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(1)
            for step in (self.heartbeat.beat, self.hub.outflow.sweep):
                try:
                    step()
                except Exception:
                    log.exception("a second's work failed")

    async def _compare_heads(self) -> None:
        while True:
            await asyncio.sleep(HEADS_S / 2)
            try:
                await self.hub.replays.compare_heads(HEADS_S / 2)
            except Exception:
                log.exception("heads could not be compared")

    async def drain(self) -> None:
        """Not ready; sessions told to come back, spread; what was submitted is finished."""
        self.dispatcher.draining = True
        answered = self.fences.quiet if self.fences is not None else self.store.idle
        for step in (self.store.idle, answered, self._say_goodbye):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_STEP_S):
                    await step()

    async def _say_goodbye(self) -> None:
        self.gateway.begin_drain(DRAIN_SPREAD_MS)
        await self.gateway.empty.wait()

    def ready(self) -> dict[str, bool]:
        """What /readyz asks: each must hold."""
        return {"lease": self.hub.fences.valid, "not_draining": not self.dispatcher.draining}

    def asgi(self, assets: Path) -> Starlette:
        """The HTTP application over this node."""
        members = demo.members() if self.settings.demo else None
        pages = Pages(assets, self.ready, members)
        api = Api(self.dispatcher, self.admin_key, self.metrics, pages)
        return application(api, Reference(self.settings.policy), pages)


class Keys:
    """The deployment's, read from DIR or made there. Blocks: off the loop. Raises `SetupError`."""

    def __init__(self, settings: Settings) -> None:
        mimetypes.init()  # reads files, so not at the first page that is asked for
        self.tokens = make_tokens(settings)
        self.admin_key = keys.load_or_make(settings.data, "admin.key", settings.admin_key)


class Held:
    """What an embedded node holds of its directory: the lock, and the open database. Blocks.

    Raises `SetupError`.
    """

    def __init__(self, settings: Settings) -> None:
        self.lock = DirectoryLock(settings.data)
        self.lock.take()
        try:
            self.file = SqliteFile(settings.data / "subrosa.db", settings.policy)
        except BaseException:
            self.lock.release()
            raise
        self.deployment = self.file.deployment

    def close(self) -> None:
        """Let go of both."""
        self.file.close()
        self.lock.release()


def _embedded(
    settings: Settings, clock_us: Callable[[], int]
) -> tuple[Keys, Callable[[], int], Held]:
    return Keys(settings), clock_us, Held(settings)


def _bus(settings: Settings, deployment: Deployment, node: str) -> LocalBus | RedisBus:
    if not settings.redis:
        return LocalBus()
    key = deployment.ids.derive(b"bus")
    return RedisBus(settings.redis, prefix=settings.redis_prefix, key=key, node=node)


def _try(step: Callable[[Outcome], None], call: Call, outcome: Outcome) -> None:
    try:
        step(outcome)
    except Exception:  # one command's fault is not its neighbours'
        log.exception("an outcome could not be applied", extra={"cmd": call.cmd})


def make_tokens(settings: Settings) -> Tokens:
    """The tokens of these settings; their key is made at the first use."""
    keys.make_dir(settings.data)
    if settings.token_public_key:
        return Tokens.checking(Path(settings.token_public_key), time.time)
    secret = keys.load_or_make(settings.data, "signing.key", settings.signing_key)
    return Tokens.signing(secret, time.time)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (failure := task.exception()) is not None:
        log.error("a background task ended", exc_info=failure)


async def run_server(settings: Settings, assets: Path, say: Callable[[str], None]) -> None:
    """Serve until told to stop, in this process or in workers. Raises `SetupError`."""
    if settings.workers > 1:
        environment = configuration.to_environment(replace(settings, workers=1))
        workers = Workers(settings.host, settings.port, settings.workers, environment)
        await workers.run(say)
        return
    watch_parent()
    clock = demo.Clock(now_us)
    node = await Node.open(settings, clock if settings.demo else now_us)
    try:
        if settings.demo:
            await demo.populate(node.store, clock)
        node.start()
        await _tell_of_redis(node, say)
        # What is there by now stays. A full collection stops all threads: it need not look at this.
        gc.collect()
        gc.freeze()

        def started(host: str, port: int) -> None:
            node.gateway.origins.update(own_origins(host, port))
            shown = f"[{host}]" if ":" in host else host
            if node.lock is not None:
                node.lock.announce(f"http://{shown}:{port}")
            log.info("listening", extra={"address": f"{host}:{port}"})
            say(f"Subrosa listens on http://{shown}:{port}")

        await serve(
            node.asgi(assets),
            node.gateway,
            host=settings.host,
            port=settings.port,
            started=started,
            drain=node.drain,
            listening=inherited(),
        )
    finally:
        await node.close()


async def _tell_of_redis(node: Node, say: Callable[[str], None]) -> None:
    try:
        async with asyncio.timeout(REDIS_S):
            while not node.bus.healthy:  # noqa: ASYNC110 - for a second, at the start
                await asyncio.sleep(REDIS_S / 50)
    except TimeoutError:
        say("Redis cannot be reached: degraded, what happens on other nodes arrives late")


async def migrate(settings: Settings) -> str:
    """Bring the database to this version; answers which it is. Raises `SetupError`."""
    if settings.database:
        database = await PostgresDatabase.open(settings.database, settings.policy)
        await database.close()
    else:
        held = await asyncio.to_thread(Held, settings)
        await asyncio.to_thread(held.close)
    return schema.version()


@contextlib.asynccontextmanager
async def operating(settings: Settings) -> AsyncIterator[Operate]:
    """The operator's commands on what the settings name: carried out here, or by the embedded
    server that holds it. Raises `SetupError`."""
    try:
        node = await Node.open(settings)
    except DataDirHeld as held:
        if held.address is None:
            raise
        key = await asyncio.to_thread(
            keys.load_or_make, settings.data, "admin.key", settings.admin_key
        )
        async with RemoteOperator(held.address, key) as remote:
            yield remote.call
        return
    try:
        yield functools.partial(node.dispatcher.call, Caller(""))
    finally:
        await node.close()


async def run_commands(
    settings: Settings, commands: Sequence[tuple[str, dict[str, Any]]]
) -> list[str | None]:
    """Carry out the operator's commands in order; answers what each was refused with, if it was."""
    outcomes: list[str | None] = []
    async with operating(settings) as operate:
        for start in range(0, len(commands), BATCH):
            some = [{"cmd": c, "params": p} for c, p in commands[start : start + BATCH]]
            results = (await operate("batch", {"commands": some}))["results"]
            outcomes += [r["error"]["message"] if "error" in r else None for r in results]
    return outcomes
