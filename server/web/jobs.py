"""Jobs: what a command has decided, but concerns so many that it follows in small steps.

Steps are idempotent commands of the house's own, given behind live sends through the same group
commit. A job goes on at the next start if the server stops between them, and is looked for now
and then, since another node may have stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod

from server.commands.command import Params
from server.commands.outcome import Call, Caller, Outcome
from server.errors import Busy
from server.store.port import Store

log = logging.getLogger("subrosa.web")
LOOK_S = 30
_OPERATOR = Caller("")


async def submit(store: Store, cmd: str, params: Params) -> Outcome:
    """Carry out one step; what has been submitted happens, whoever still waits."""
    future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    def done(outcome: Outcome) -> None:
        if not future.done():
            future.set_result(outcome)

    try:
        store.submit(Call(_OPERATOR, cmd, params, done))
    except Busy as error:
        return Outcome(error=error)
    return await asyncio.shield(future)


class Job(ABC):
    """One node's runner of one kind of job."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._wanted = asyncio.Event()
        self._wanted.set()  # the last run may have stopped in the middle

    def wake(self) -> None:
        """There is something to do."""
        self._wanted.set()

    async def run(self) -> None:
        """Work until cancelled; a step that fails is tried again with the next look."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._wanted.wait()
            self._wanted.clear()
            try:
                while await self.step():
                    pass
            except Exception:
                log.exception("a job stopped; it goes on with the next look")

    @abstractmethod
    async def step(self) -> bool:
        """Do a little; answers whether there is more."""
