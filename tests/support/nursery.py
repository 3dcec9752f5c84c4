"""The command line as processes of their own, forked from one that has imported it already.

Starting Python and importing the server takes longer than most of what is tested about a process,
so `Nursery` pays for it once. What it forks is a real process in every other respect: `subrosa`'s
own `main`, with arguments, an environment and pipes, that can be killed and leaves an exit code.
`IMPATIENT` in its environment shortens the waits that no outside can shorten; `PLANTED` makes it
answer before it commits, for a test that must notice; `PREPARED` names functions, as
"module:function" with commas between, that are called in it before it runs.

Run as a module it is the mother: it listens on the socket it is given and forks what it is asked.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
IMPATIENT = "TEST_IMPATIENT"
PLANTED = "TEST_PLANTED"
PREPARED = "TEST_PREPARED"
START_S = 40.0
RUN_S = 20.0
MESSAGE = 65_536


class Pipe:
    """The reading end of a pipe."""

    def __init__(self) -> None:
        self.reader = asyncio.StreamReader()
        read, self.write_end = os.pipe()
        self._read_end = os.fdopen(read, "rb")
        self._transport: asyncio.BaseTransport | None = None

    async def open(self) -> None:
        """Begin to read; the end to write to is somebody else's by now."""
        os.close(self.write_end)
        self._transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(self.reader), self._read_end
        )

    def close(self) -> None:
        """Let go of it."""
        if self._transport is not None:
            self._transport.close()


class Child:
    """One forked `subrosa`. `out` and `err` are its pipes."""

    def __init__(self, pid: int, pipes: list[Pipe]) -> None:
        self.pid = pid
        self._pipes = pipes
        self.out, self.err, self._status = (pipe.reader for pipe in pipes)
        self._code: int | None = None

    async def wait(self) -> int:
        """Its exit code, negative for the signal that killed it."""
        if self._code is None:
            self._code = int(await self._status.readline())
        return self._code

    async def kill(self, how: signal.Signals = signal.SIGKILL) -> int:
        """Send it a signal and wait for its end; answers the exit code."""
        if self._code is None:
            os.kill(self.pid, how)
        return await self.wait()

    def close(self) -> None:
        """Let go of its pipes."""
        for pipe in self._pipes:
            pipe.close()

    async def address(self) -> str:
        """Where the server listens, e.g. http://127.0.0.1:40123."""
        async with asyncio.timeout(START_S):
            line = (await self.out.readline()).decode()
            if " on http" not in line:
                raise RuntimeError(f"it did not start: {line}{(await self.err.read()).decode()}")
        return line.rsplit(" ", 1)[1].strip()


class Nursery:
    """The mother process, as a context; at its end whatever is left of its children is killed."""

    def __enter__(self) -> Self:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._mother = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                cwd=ROOT,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()
        self._mother.wait(timeout=10)

    async def start(self, *arguments: str, **environment: str) -> Child:
        """Run `subrosa` with these arguments, and this beside the usual environment."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("SUBROSA_")}
        order = json.dumps({"argv": arguments, "env": {**clean, **environment}}).encode()
        pipes = [Pipe() for _ in range(3)]
        socket.send_fds(self._socket, [order], [pipe.write_end for pipe in pipes])
        for pipe in pipes:
            await pipe.open()
        async with asyncio.timeout(START_S):
            return Child(int(await pipes[2].reader.readline()), pipes)

    async def run(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        """Run `subrosa` to its end: exit code, what it printed, what it complained of."""
        child = await self.start(*arguments, **environment)
        try:
            async with asyncio.timeout(RUN_S):
                out, err = await asyncio.gather(child.out.read(), child.err.read())
                return await child.wait(), out.decode(), err.decode()
        finally:
            await child.kill()
            child.close()

    @asynccontextmanager
    async def serving(
        self, data: Path, *flags: str, **environment: str
    ) -> AsyncIterator[tuple[Child, str]]:
        """`subrosa serve` on this directory and a free port, and its address; killed at the end."""
        child = await self.start("serve", "--port", "0", "--data", str(data), *flags, **environment)
        try:
            yield child, await child.address()
        finally:
            await child.kill()
            child.close()


# The mother's side.


def _mother(descriptor: int) -> None:
    import server.app  # what all children start with
    import server.cli  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children report by their own pipes
    with socket.socket(fileno=descriptor) as orders:
        while True:
            order, pipes, _, _ = socket.recv_fds(orders, MESSAGE, 3)
            if not order:  # whoever asked is gone, however that came: nothing is left behind
                os.killpg(0, signal.SIGKILL)
            if os.fork() == 0:
                orders.close()
                _watch(json.loads(order), pipes)
            for pipe in pipes:
                os.close(pipe)


def _watch(order: dict[str, Any], pipes: list[int]) -> None:
    """Fork the process itself, and say on the last pipe first its id and then its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    out, err, status = pipes
    pid = os.fork()
    if pid == 0:
        os.close(status)
        _become(order, out, err)
    os.close(out)
    os.close(err)
    os.write(status, f"{pid}\n".encode())
    _, ended = os.waitpid(pid, 0)
    # Nobody may be left to be told.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.write(status, f"{os.waitstatus_to_exitcode(ended)}\n".encode())
    os._exit(0)


def _become(order: dict[str, Any], out: int, err: int) -> None:
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.close(out)
    os.close(err)
    os.environ.clear()
    os.environ.update(order["env"])
    sys.argv = ["subrosa", *order["argv"]]
    code = 1
    try:
        if IMPATIENT in os.environ:
            _be_impatient()
        if PLANTED in os.environ:
            _commit_late()
        for name in filter(None, os.environ.get(PREPARED, "").split(",")):
            module, _, function = name.partition(":")
            getattr(importlib.import_module(module), function)()
        code = _main()
    except BaseException:  # noqa: BLE001 - a child tells all before it exits
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _main() -> int:
    from server import cli

    try:
        cli.main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _be_impatient() -> None:
    """What takes 5, 10 and 20 seconds takes one to three."""
    from server.realtime import heartbeat
    from server.web import endpoint, serving

    heartbeat.CONNECT_S = 3
    vars(serving)["Limits"] = functools.partial(endpoint.Limits, close_s=1.0, request_s=2.0)


def _commit_late() -> None:
    """Only every fiftieth transaction is committed, and those before it with it."""
    from server.store.sqlite import SqliteStore

    opened: list[Any] = []
    count = 0

    @contextmanager
    def late(self: SqliteStore) -> Iterator[Any]:
        nonlocal count
        if not opened:
            connection = self._file.writing.connect()
            opened.extend((connection, connection.begin()))
        yield opened[0]
        count += 1
        if count % 50 == 0:
            connection, transaction = opened
            transaction.commit()
            connection.close()
            opened.clear()

    SqliteStore._transaction = late  # type: ignore[method-assign]


if __name__ == "__main__":
    _mother(int(sys.argv[1]))
