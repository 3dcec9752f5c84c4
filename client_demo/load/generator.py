"""One generator process: told what to do over a pipe, and telling what came of it.

The parent sends an `Assignment`, then ("go", start), ("settle", seconds) and ("end",), and at any
time ("stop",). This process answers with ("ready", seconds), ("sent",), ("outcome", Outcome), a
`Progress` every half second, and ("failed", words) instead of any of them. When the parent is
gone, so is this.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from multiprocessing.connection import Connection
from typing import Any

import uvloop

from client_demo.load import deeds
from client_demo.load.fleet import Fleet
from client_demo.load.plan import Assignment

TOLD_EVERY_S = 0.5
ANSWERED_WITHIN_S = 20.0


class _Gone(Exception):
    """The parent is."""


def main(pipe: Connection) -> None:
    """The process's entry. Being asked to end is the parent's affair."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        uvloop.run(_run(pipe, pipe.recv()))
    except (EOFError, BrokenPipeError):
        return
    except BaseException as error:
        with contextlib.suppress(OSError):
            pipe.send(("failed", _words(error)))
        raise


def _words(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


class Orders:
    """What the parent says, as it comes."""

    def __init__(self, pipe: Connection, fleet: Fleet) -> None:
        self._pipe = pipe
        self._fleet = fleet
        self._come: asyncio.Queue[tuple[Any, ...] | None] = asyncio.Queue()
        asyncio.get_running_loop().add_reader(pipe.fileno(), self._read)

    def _read(self) -> None:
        try:
            while self._pipe.poll():
                order = self._pipe.recv()
                if order[0] == "stop":
                    self._fleet.stopping.set()
                self._come.put_nowait(order)
        except (EOFError, OSError):
            self.close()
            self._fleet.stopping.set()
            self._come.put_nowait(None)

    async def next(self, kind: str) -> tuple[Any, ...]:
        """Wait for an order of this kind. Raises: _Gone."""
        while True:
            order = await self._come.get()
            if order is None:
                raise _Gone
            if order[0] == kind:
                return order

    def close(self) -> None:
        """Listen no more."""
        asyncio.get_running_loop().remove_reader(self._pipe.fileno())


async def _run(pipe: Connection, assignment: Assignment) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            fleet = Fleet(assignment, group)
            orders = Orders(pipe, fleet)
            telling = group.create_task(_tell(pipe, fleet))
            try:
                await _obey(pipe, fleet, orders)
            finally:
                telling.cancel()
                orders.close()
    except* _Gone:
        pass


async def _obey(pipe: Connection, fleet: Fleet, orders: Orders) -> None:
    begun = time.monotonic()
    await deeds.opening(fleet)
    pipe.send(("ready", time.monotonic() - begun))
    _, start = await orders.next("go")
    await deeds.perform(fleet, start)
    await fleet.until(lambda: fleet.unanswered == 0, ANSWERED_WITHIN_S)
    pipe.send(("sent",))
    _, seconds = await orders.next("settle")
    outcome = await fleet.judge(seconds)
    pipe.send(fleet.progress(0.0))
    pipe.send(("outcome", outcome))
    await orders.next("end")
    await fleet.leave()


async def _tell(pipe: Connection, fleet: Fleet) -> None:
    """Say how it goes. The share of the processor is this process's own, of one core."""
    before, used = time.monotonic(), time.process_time()
    while True:
        await asyncio.sleep(TOLD_EVERY_S)
        now, using = time.monotonic(), time.process_time()
        pipe.send(fleet.progress((using - used) / (now - before)))
        before, used = now, using
