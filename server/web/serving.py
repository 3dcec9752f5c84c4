"""One listening socket served by uvicorn: how it opens, who is told, and how it ends.

Owns the socket's options, uvicorn's settings and the order of an end: asked by a signal, `drain`
while everything still works, then what is left is closed and, after a moment, aborted. It knows
neither the application's routes nor its sessions. The composition root opens its adapters before
and closes them after; ASGI's lifespan is not run. Called by `app`, and by tests through `running`.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import resource
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

import uvicorn

from server.errors import SetupError
from server.protocol.wire import Acceptor
from server.web.endpoint import Endpoint, Limits, message_opcode
from server.web.http_protocol import HttpProtocol, http_protocol
from server.web.uvicorn_protocol import WebSocketProtocol

_log = logging.getLogger(__name__)

DRAIN_S: Final = 8.0
"""For `drain`. With what follows it, the process is gone within ten seconds of the signal."""

_LEAVE_S: Final = 0.7
"""For requests and closing handshakes still under way when the drain is over."""

_CANCEL_S: Final = 1
"""For the application to notice that its client is gone; then its requests are cancelled."""

_TICK_S: Final = 0.1
_TICKS: Final = 864_000
"""uvicorn's: every tenth writes the responses' date anew."""

_BACKLOG: Final = 4096
"""A storm of connections waits here while the loop accepts them; Linux allows no more by itself."""


@dataclass(frozen=True, slots=True)
class Served:
    """Where a server listens, and its task, which ends only when the server does."""

    host: str
    port: int
    task: asyncio.Task[None]


async def serve(
    app: Callable[..., Awaitable[None]],
    acceptor: Acceptor,
    *,
    host: str,
    port: int,
    started: Callable[[str, int], None],
    drain: Callable[[], Awaitable[None]],
    limits: Limits | None = None,
    listening: socket.socket | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain and stop. Run it on uvloop, in the main thread.

    `listening` is a socket to serve instead of host and port. `started` is told the address once
    connections are taken: a real port where 0 was asked for. `drain` runs once, while requests and
    sessions still work: it makes the server unready, says goodbye to sessions and finishes writes.
    It is cancelled after DRAIN_S seconds, or by a second signal: what must not be cancelled it has
    to shield. Then nothing new is taken, the rest get a second to finish, and are aborted.

    Raises:
        SetupError: the address cannot be listened on; the message is for a person.
    """
    _allow_open_files()
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    limit: asyncio.Timeout | None = None

    def on_signal() -> None:
        nonlocal limit
        stop.set()
        if limit is not None:
            limit.reschedule(loop.time())
            limit = None

    async with running(
        app, acceptor, host=host, port=port, limits=limits, listening=listening
    ) as served:
        served.task.add_done_callback(lambda _: stop.set())
        with _signals(on_signal):
            started(served.host, served.port)
            await stop.wait()
            try:
                async with asyncio.timeout(DRAIN_S) as limit:
                    await drain()
            except TimeoutError:
                _log.warning("draining was cut short")
            limit = None


@contextlib.asynccontextmanager
async def running(
    app: Callable[..., Awaitable[None]],
    acceptor: Acceptor,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    limits: Limits | None = None,
    listening: socket.socket | None = None,
    opcode_of: Callable[[str], int] = message_opcode,
) -> AsyncIterator[Served]:
    """A server for the length of a block, in the running loop, without handling any signal.

    At the block's end WebSockets are closed with 4001, requests under way get a second, and what
    is left is aborted: none of its connections or tasks outlives it. `opcode_of` says which kind
    of message a subprotocol is made of, where its name does not.

    Raises:
        SetupError: the address cannot be listened on.
    """
    endpoint = Endpoint(acceptor, limits or Limits(), opcode_of)
    if listening is None:
        listening = listen(host, port, endpoint.limits)
    address = listening.getsockname()
    server = _Server(_config(app, endpoint))
    task = asyncio.get_running_loop().create_task(server.serve(sockets=[listening]))
    task.add_done_callback(lambda _: server.listening.set())
    try:
        await server.listening.wait()
        yield Served(address[0], address[1], task)
    finally:
        server.leave()
        await task


class _Server(uvicorn.Server):
    """uvicorn's server without its signals, and with an end that waits for nobody's peer."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()
        self._deserted = asyncio.Event()

    @property
    def _alone(self) -> bool:
        return not self.server_state.connections and not self.server_state.tasks

    def leave(self) -> None:
        """Begin the end: with the next tick, or at once when nobody is there."""
        self.should_exit = True
        if self._alone:
            self._deserted.set()

    async def main_loop(self) -> None:
        counter = 0
        while not await self.on_tick(counter):
            counter = (counter + 1) % _TICKS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_S):
                    await self._deserted.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._alone:  # there is nothing to wait for
            for server in self.servers:
                server.close()
            for listening in sockets or []:
                listening.close()
            return
        patience = asyncio.get_running_loop().call_later(_LEAVE_S, self._abort_all)
        await super().shutdown(sockets)
        patience.cancel()
        self._abort_all()
        # The loop tells them that they are lost in its next turn.
        await asyncio.sleep(0)

    def _abort_all(self) -> None:
        left = cast("set[HttpProtocol | WebSocketProtocol]", self.server_state.connections)
        for connection in list(left):
            connection.abort()


def _config(app: Callable[..., Awaitable[None]], endpoint: Endpoint) -> uvicorn.Config:
    return uvicorn.Config(
        cast(Any, app),
        http=http_protocol(endpoint),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        # Who is asked from where is decided by the application, which sees the headers.
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=_CANCEL_S,
    )


def listen(
    host: str,
    port: int,
    limits: Limits | None = None,
    *,
    shared: bool = False,
    beside: bool = False,
) -> socket.socket:
    """A listening socket whose options every connection inherits; `shared` is for several on one
    port, of which the others are `beside` the first.

    Raises:
        SetupError: the address cannot be listened on.
    """
    limits = limits or Limits()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        if shared and not beside:  # with others that share it, it would not be refused
            with socket.create_server((host, port), family=family) as alone:
                port = alone.getsockname()[1]
        listening = socket.create_server(
            (host, port), family=family, backlog=_BACKLOG, reuse_port=shared
        )
    except OSError as error:
        raise SetupError(_reason(host, port, error)) from error
    listening.setblocking(False)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, limits.send_buffer)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        patience_ms = int(limits.unacknowledged_s * 1000)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, patience_ms)
    return listening


def _reason(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{host}:{port} is in use by another program; choose another --port"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"no permission to listen on {host}:{port}; ports below 1024 need it"
    why = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
    return f"cannot listen on {host}:{port}: {why}"


@contextlib.contextmanager
def _signals(handler: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, handler)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def _allow_open_files() -> None:
    """A connection is a file, and the usual soft limit of 1,024 is far below the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
