"""The job behind `member.delete`: ends what a deleted member still has, in small steps.

What the deletion decides has committed with it; these steps are idempotent, go through the same
group commit behind live sends, and go on at the next start if the server stops between them.
"""

from __future__ import annotations

import asyncio
import logging

from server.commands.operator import Part
from server.commands.outcome import Call, Caller, Outcome
from server.errors import Busy
from server.store.port import Store

log = logging.getLogger("subrosa.web")
STEP = 200
_OPERATOR = Caller("")


class Deletions:
    """One node's runner of the job."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._wanted = asyncio.Event()
        self._wanted.set()  # the last run may have stopped in the middle

    def wake(self) -> None:
        """Somebody was deleted."""
        self._wanted.set()

    async def run(self) -> None:
        """Work until cancelled; a step that fails is tried again with the next deletion."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                while await self._step():
                    pass
            except Exception:
                log.exception("a deletion's job stopped; it goes on with the next one")

    async def _step(self) -> bool:
        parts = await self._store.read(lambda snapshot: snapshot.leftovers(STEP))
        done = [self._submit(*part) for part in parts]
        outcomes = await asyncio.gather(*done)
        return bool(parts) and all(outcome.error is None for outcome in outcomes)

    def _submit(self, member: int, conversation: int, other: int) -> asyncio.Future[Outcome]:
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        params = Part(member=member, conversation=conversation, other=other)

        def done(outcome: Outcome) -> None:
            if not future.done():
                future.set_result(outcome)

        try:
            self._store.submit(Call(_OPERATOR, "member.part", params, done))
        except Busy as error:
            future.set_result(Outcome(error=error))
        return future
