"""Real servers for tests: one in the test's own loop, or one as a process of its own."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from server import demo as sample
from server.app import Node
from server.cli import ASSETS
from server.domain.policy import DEFAULT, Policy
from server.settings import Settings
from server.store.sqlite import now_us
from server.web.http import OPERATOR
from server.web.origins import own_origins
from server.web.serving import running
from tests.support import houses, quiet

# Where syncing costs nothing: what a crash leaves behind is not tested with these.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK | os.X_OK) else None


class Running:
    """One house that serves on `base`, e.g. http://127.0.0.1:40123: a node, or several.

    Of several, WebSockets go to one after the other and HTTP to the last; `node` is the first.
    """

    def __init__(self, *served: tuple[Node, str]) -> None:
        self.nodes = [node for node, _ in served]
        self.node = self.nodes[0]
        self.bases = [base for _, base in served]
        self.base = self.bases[-1]
        self._turns: Iterator[str] = itertools.cycle(self.bases)
        self.admin_key = self.node.admin_key

    @property
    def ws(self) -> str:
        """Where the next WebSocket goes."""
        return websocket(next(self._turns))

    def ws_at(self, index: int) -> str:
        """Where a WebSocket to this node goes."""
        return websocket(self.bases[index])

    def gather(self) -> None:
        """Have WebSockets go where HTTP goes: for what each node counts by itself."""
        self._turns = itertools.repeat(self.base)

    def token(self, member: str, ttl_s: int = 3600) -> str:
        """A member's token."""
        return self.node.tokens.issue(member, ttl_s)

    async def operate(self, cmd: str, **params: Any) -> dict[str, Any]:
        """An operator's command."""
        return await self.nodes[-1].dispatcher.call(OPERATOR, cmd, params)

    async def quiet(self) -> None:
        """Wait until nothing is on its way between the nodes or inside one of them."""
        await quiet.quiet(self.nodes)

    async def attended(self) -> None:
        """Wait until every node knows which sessions the others have."""
        await quiet.attended(self.nodes)

    async def people(self, *members: str, connected: bool = True) -> None:
        """Make members, all connected to each other unless told otherwise."""
        for member in members:
            await self.operate("member.put", id=member, name=member.title())
        if connected:
            for index, a in enumerate(members):
                for b in members[index + 1 :]:
                    await self.operate("connection.put", a=a, b=b)


def websocket(base: str) -> str:
    """The address for WebSockets of a server that is reached at `base`."""
    return base.replace("http", "ws") + "/ws"


@asynccontextmanager
async def running_node(
    *,
    demo: bool = False,
    policy: Policy = DEFAULT,
    rate_limits: bool = False,
    data: Path | None = None,
    **settings: Any,
) -> AsyncIterator[Running]:
    """The house that the test runs in (see `houses`), in this loop, on a directory of its own
    unless `data` is given."""
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(dir=MEMORY)))
        shared, count = await stack.enter_async_context(houses.resources(data))
        chosen = Settings(
            data=data or directory,
            demo=demo,
            policy=policy,
            rate_limits=rate_limits,
            **{**shared, **settings},
        )
        if not data and not chosen.database:
            (directory / "subrosa.db").write_bytes(await asyncio.to_thread(houses.sqlite))
        server = Running(*await stack.enter_async_context(_serving_all(chosen, count)))
        if "redis" in shared:
            await server.quiet()
        yield server


@asynccontextmanager
async def _serving_all(settings: Settings, count: int) -> AsyncIterator[list[tuple[Node, str]]]:
    """So many nodes with these settings, opened and closed together."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    opened: list[asyncio.Future[tuple[Node, str]]] = [loop.create_future() for _ in range(count)]

    async def serve(told: asyncio.Future[tuple[Node, str]]) -> None:
        try:
            async with _serving(settings) as served:
                told.set_result(served)
                await over.wait()
        except BaseException as error:
            if told.done():
                raise
            told.set_exception(error)

    tasks = [loop.create_task(serve(told)) for told in opened]
    try:
        yield [await told for told in opened]
    finally:
        over.set()
        await asyncio.gather(*tasks)


@asynccontextmanager
async def _serving(settings: Settings) -> AsyncIterator[tuple[Node, str]]:
    clock = sample.Clock(now_us)
    node = await Node.open(settings, clock if settings.demo else now_us)
    try:
        if settings.demo:
            await sample.populate(node.store, clock)
        node.start()
        async with running(node.asgi(ASSETS), node.gateway) as served:
            base = f"http://{served.host}:{served.port}"
            node.gateway.origins.update(own_origins(served.host, served.port))
            if node.lock is not None:
                node.lock.announce(base)
            yield node, base
    finally:
        await node.close()


@asynccontextmanager
async def running_server(*, demo: bool = False, **settings: Any) -> AsyncIterator[str]:
    """The same for who needs its address alone."""
    async with running_node(demo=demo, **settings) as server:
        yield server.base


class Process:
    """`subrosa serve` as a process; `base` is where it listens, once `start` returned. `code` is
    the folder of another version of it."""

    def __init__(
        self, data: Path, *flags: str, code: Path | None = None, **environment: str
    ) -> None:
        self._data = data
        self._code = code
        self._flags = flags
        self._environment = {**os.environ, **environment}
        self._process: asyncio.subprocess.Process | None = None
        self.base = ""

    async def start(self) -> None:
        """Start it, and wait until it listens."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "server", "serve", "--port", "0", "--data", str(self._data),
            *self._flags, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env=self._environment, cwd=self._code,
        )  # fmt: skip
        assert self._process.stdout is not None
        line = (await self._process.stdout.readline()).decode()
        if " on http" not in line:
            _, errors = await self._process.communicate()
            raise RuntimeError(f"the server did not start: {line}{errors.decode()}")
        self.base = line.rsplit(" ", 1)[1].strip()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    async def kill(self, how: signal.Signals = signal.SIGKILL) -> int:
        """Send it a signal and wait for its end; answers the exit code."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(how)
        await self._process.communicate()
        assert self._process.returncode is not None
        return self._process.returncode
