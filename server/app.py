"""The composition root: the one place that names concrete adapters.

`Node.open` puts one process together, from the data directory to the acceptor; `Node.close`
takes it apart in reverse. Tests open nodes of their own, without a socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import mimetypes
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from starlette.applications import Starlette

from server import demo
from server.commands.outcome import Call, Caller, Outcome
from server.errors import CommandError
from server.realtime.heartbeat import Heartbeat
from server.realtime.hub import Hub
from server.realtime.local_bus import LocalBus
from server.settings import Settings
from server.store.directory import DirectoryLock
from server.store.sqlite import SqliteFile, SqliteStore, now_us
from server.web import keys
from server.web.dispatch import Dispatcher
from server.web.gateway import Gateway
from server.web.http import Api, Pages, application
from server.web.metrics import Metrics
from server.web.origins import own_origins
from server.web.reference import Reference
from server.web.serving import serve
from server.web.tokens import Tokens

log = logging.getLogger("subrosa.app")
HEADS_S = 1.5
DRAIN_SPREAD_MS = 5_000
DRAIN_STEP_S = 3.0


class Directory:
    """What a node holds of its data directory: the lock, the keys, the open database.

    Opening blocks: do it off the loop. Raises `SetupError`.
    """

    def __init__(self, settings: Settings) -> None:
        mimetypes.init()  # reads files, so not at the first page that is asked for
        self.lock = DirectoryLock(settings.data)
        self.tokens = make_tokens(settings)
        self.admin_key = keys.load_or_make(settings.data, "admin.key", settings.admin_key)
        self.lock.take()
        try:
            self.file = SqliteFile(settings.data / "subrosa.db", settings.policy)
        except BaseException:
            self.lock.release()
            raise


class Node:
    """One process's parts, open and joined. Make it with `open`."""

    @classmethod
    async def open(cls, settings: Settings, clock_us: Callable[[], int] = now_us) -> Node:
        """Open the data directory, and join everything to it. Raises `SetupError`."""
        return cls(settings, await asyncio.to_thread(Directory, settings), clock_us)

    def __init__(
        self, settings: Settings, directory: Directory, clock_us: Callable[[], int]
    ) -> None:
        self.settings = settings
        self.clock_us = clock_us
        self.lock = directory.lock
        self.tokens = directory.tokens
        self.admin_key = directory.admin_key
        loop = asyncio.get_running_loop()
        self.bus = LocalBus()
        self.hub = Hub(self.bus, settings.policy, now_ms=self._now_ms)
        self.store = SqliteStore(directory.file, settings.policy, self.deliver, clock_us)
        self.hub.replays.ask = self.store.read
        self.metrics = Metrics(self.hub, lambda: self.store.waiting)
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

    def _now_ms(self) -> int:
        return self.clock_us() // 1000

    def deliver(self, calls: Sequence[Call], outcomes: Sequence[Outcome]) -> None:
        """What a batch came to, in order: everybody else learns of it before its caller does."""
        for call, outcome in zip(calls, outcomes, strict=True):
            for step in (self.hub.apply, call.done):
                try:
                    step(outcome)
                except Exception:  # one command's fault is not its neighbours'
                    log.exception("an outcome could not be applied", extra={"cmd": call.cmd})

    def start(self) -> None:
        """Begin what runs by itself: the second's beat, comparing heads, deletions' jobs."""
        for work in (self._beat(), self._compare_heads(), self.dispatcher.deletions.run()):
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
        await self.store.close()
        await self.bus.close()
        self.lock.release()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(1)
            for step in (self.heartbeat.beat, self.hub.sweep):
                try:
                    step()
                except Exception:
                    log.exception("a second's work failed")

    async def _compare_heads(self) -> None:
        while True:
            await asyncio.sleep(HEADS_S)
            try:
                await self.hub.replays.compare_heads(self._now_ms())
            except Exception:
                log.exception("heads could not be compared")

    async def drain(self) -> None:
        """Not ready; sessions told to come back, spread; what was submitted is finished."""
        self.dispatcher.draining = True
        for step in (self.store.idle, self._say_goodbye):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_STEP_S):
                    await step()

    async def _say_goodbye(self) -> None:
        self.gateway.begin_drain(DRAIN_SPREAD_MS)
        await self.gateway.empty.wait()

    def ready(self) -> dict[str, bool]:
        """What /readyz asks: each must hold."""
        return {"lease": True, "not_draining": not self.dispatcher.draining}

    def asgi(self, assets: Path) -> Starlette:
        """The HTTP application over this node."""
        members = demo.members() if self.settings.demo else None
        pages = Pages(assets, self.ready, members)
        api = Api(self.dispatcher, self.admin_key, self.metrics, pages)
        return application(api, Reference(self.settings.policy), pages)


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
    """Serve until told to stop. Raises `SetupError`."""
    clock = demo.Clock(now_us)
    node = await Node.open(settings, clock)
    try:
        if settings.demo:
            await demo.populate(node.store, clock)
        node.start()

        def started(host: str, port: int) -> None:
            node.gateway.origins.update(own_origins(host, port))
            shown = f"[{host}]" if ":" in host else host
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
        )
    finally:
        await node.close()


async def run_commands(
    settings: Settings, commands: list[tuple[str, dict[str, object]]]
) -> list[str | None]:
    """Carry out the operator's commands on a directory that no server holds, in order."""
    node = await Node.open(settings)
    outcomes: list[str | None] = []
    try:
        for cmd, params in commands:
            try:
                await node.dispatcher.call(Caller(""), cmd, params)
                outcomes.append(None)
            except CommandError as error:
                outcomes.append(error.message)
    finally:
        await node.close()
    return outcomes
