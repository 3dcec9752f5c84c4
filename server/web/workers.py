"""Several worker processes behind one port of one machine.

The first process holds a listening socket for each worker, and keeps them: what connects while a
worker is started anew waits in its socket's queue and is served by the next one. Each worker is a
whole node with a lease of its own; nothing passes between them but what passes between nodes.
Workers end with the process that started them, however that ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from typing import Final

from server.errors import SetupError
from server.web.serving import listen

log = logging.getLogger("subrosa.workers")
SOCKET: Final = "SUBROSA_WORKER_SOCKET"
"""The descriptor of a worker's listening socket; `LIFE` is that of a pipe that its parent holds."""

LIFE: Final = "SUBROSA_WORKER_LIFE"
START_S: Final = 60.0
END_S: Final = 12.0  # longer than a drain
AGAIN_S: Final = (0.5, 10.0)  # before a worker that ended is started anew
STEADY_S: Final = 30.0  # lived so long, it did not fail at its start


def inherited() -> socket.socket | None:
    """The listening socket of a worker, or None for a process that is none. A worker's process is
    told to stop when its parent is gone."""
    descriptor = os.environ.pop(SOCKET, "")
    return socket.socket(fileno=int(descriptor)) if descriptor else None


def watch_parent() -> None:
    """Stop as if asked to once the parent is gone. To be called with the loop running."""
    descriptor = os.environ.pop(LIFE, "")
    if descriptor:
        life = int(descriptor)

        def gone() -> None:
            asyncio.get_running_loop().remove_reader(life)
            os.kill(os.getpid(), signal.SIGTERM)

        asyncio.get_running_loop().add_reader(life, gone)


class Workers:
    """Starts `count` workers on host:port and keeps them going until it is told to stop."""

    def __init__(self, host: str, port: int, count: int, environment: Mapping[str, str]) -> None:
        self._sockets = [listen(host, port, shared=True)]
        self.address: tuple[str, int] = self._sockets[0].getsockname()[:2]
        for _ in range(count - 1):
            self._sockets.append(listen(host, self.address[1], shared=True, beside=True))
        self._environment = dict(environment)
        self._life, self._held = os.pipe()
        self._stop = asyncio.Event()
        self._processes: set[asyncio.subprocess.Process] = set()
        self._say: Callable[[str], None] = print

    async def run(self, say: Callable[[str], None]) -> None:
        """Run until SIGTERM or SIGINT; `say` is told the address once all serve.

        Raises `SetupError` where a worker cannot start, which has said why by then.
        """
        self._say = say
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        try:
            first = [await self._start(one) for one in self._sockets]
            host, port = self.address
            shown = f"[{host}]" if ":" in host else host
            say(f"Subrosa listens on http://{shown}:{port}")
            async with asyncio.TaskGroup() as group:
                for one, process in zip(self._sockets, first, strict=True):
                    group.create_task(self._keep(one, process))
        finally:
            await self._end()

    async def _start(self, listening: socket.socket) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "server",
            "serve",
            env={
                **self._environment,
                SOCKET: str(listening.fileno()),
                LIFE: str(self._life),
            },
            pass_fds=(listening.fileno(), self._life),
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # a terminal's interrupt is for this process to pass on
        )
        self._processes.add(process)
        if not await self._serves(process):
            if process.returncode is None:
                process.kill()
            await process.wait()
            self._processes.discard(process)
            raise SetupError("a worker did not start")
        return process

    async def _serves(self, process: asyncio.subprocess.Process) -> bool:
        """Wait until it listens, passing on what else it says; until it ends, or this does."""
        assert process.stdout is not None
        stopped = asyncio.ensure_future(self._stop.wait())
        try:
            async with asyncio.timeout(START_S):
                while True:
                    read = asyncio.ensure_future(process.stdout.readline())
                    await asyncio.wait([read, stopped], return_when=asyncio.FIRST_COMPLETED)
                    if not read.done():
                        read.cancel()
                        return False
                    line = read.result().decode().rstrip()
                    if " listens on " in line or not line:
                        return bool(line)
                    self._say(line)
        except TimeoutError:
            return False
        finally:
            stopped.cancel()

    async def _keep(self, listening: socket.socket, process: asyncio.subprocess.Process) -> None:
        wait_s = AGAIN_S[0]
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            ended = loop.create_task(process.wait())
            stopped = loop.create_task(self._stop.wait())
            await asyncio.wait([ended, stopped], return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            if self._stop.is_set():
                ended.cancel()
                return
            self._processes.discard(process)
            log.error("a worker ended: starting another", extra={"code": process.returncode})
            if loop.time() - began > STEADY_S:
                wait_s = AGAIN_S[0]
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._stop.wait()
                        return
                wait_s = min(wait_s * 2, AGAIN_S[1])
                try:
                    process = await self._start(listening)
                    break
                except SetupError:
                    if self._stop.is_set():
                        return
                    log.error("a worker could not be started anew: trying on")

    async def _end(self) -> None:
        """Tell every worker to drain, and wait for it; what does not end is killed."""
        for process in self._processes:
            if process.returncode is None:
                process.terminate()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_S):
                await asyncio.gather(*(process.wait() for process in self._processes))
        for process in self._processes:
            if process.returncode is None:
                process.kill()
                await process.wait()
        os.close(self._held)
        os.close(self._life)
        for one in self._sockets:
            one.close()
