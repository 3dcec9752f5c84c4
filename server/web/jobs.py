"""Jobs: what a command has decided, but concerns so many that it follows in small steps.

Steps are idempotent commands of the house's own, given behind live sends through the same group
commit. A job goes on at the next start if the server stops between them, and is looked for now
and then, since another node may have stopped. Where several nodes run, each may do it: a step that
another has done changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod

from server.store.port import Store

log = logging.getLogger("subrosa.web")
SETTLE_S = 5.0  # a log that a reader was in the way of emptying
START_S = 1.0  # sessions that come back at the start come first
LOOK_S = 30.0
FAILED_S = 60.0


class Job(ABC):
    """One node's runner of one kind of job."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._wanted = asyncio.Event()

    def wake(self) -> None:
        """There is something to do."""
        self._wanted.set()

    async def run(self) -> None:
        """Work until cancelled; what fails is tried again after a while."""
        wait_s = START_S  # the last run may have stopped in the middle
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._wanted.wait()
            self._wanted.clear()
            try:
                wait_s = await self.turn()
            except Exception:
                log.exception("a job stopped; it goes on in a minute")
                wait_s = FAILED_S

    @abstractmethod
    async def turn(self) -> float:
        """Do what there is to do; answers after how many seconds to look again."""
