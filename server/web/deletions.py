"""The jobs behind `member.delete` and `member.erase`: what is left to end and to remove, in steps.

What was decided has committed with its command; these steps are idempotent, go through the same
group commit behind live sends, and go on at the next start if the server stops between them. Where
several nodes run, each may do them: a step that another has done changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

from server.commands import erasing, holds
from server.commands.operator import Part
from server.commands.rights_port import Found
from server.commands.snapshot import Snapshot
from server.domain.rights import Erasure
from server.store.port import Store
from server.web.steps import OPERATOR, carried_out, submitted

log = logging.getLogger("subrosa.web")
STEP = 200
MESSAGES = 50  # each is some rows and events: a send that comes in between waits for one step
AGAIN_S = 1.0  # an erasure that waits for another node
SETTLE_S = 5.0  # a log that a reader was in the way of emptying
FAILED_S = 60.0
WAKES = frozenset({"member.delete", "member.erase", "hold.delete"})


class Deletions:
    """One node's runner of the jobs."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._wanted = asyncio.Event()
        self._wanted.set()  # the last run may have stopped in the middle
        self._settled = False

    def wake(self) -> None:
        """Somebody was deleted, or is not held any more."""
        self._wanted.set()

    async def run(self) -> None:
        """Work until cancelled; what fails is tried again after a while."""
        wait_s: float | None = None
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._wanted.wait()
            self._wanted.clear()
            try:
                while await self._step():
                    pass
                wait_s = AGAIN_S if await self.erase() else None if self._settled else SETTLE_S
            except Exception:
                log.exception("a deletion's job stopped; it goes on in a minute")
                wait_s = FAILED_S

    async def _step(self) -> bool:
        parts = await self._store.read(lambda snapshot: snapshot.leftovers(STEP))
        steps = (Part(member=m, conversation=c, other=o) for m, c, o in parts)
        done = [submitted(self._store, OPERATOR, "member.part", step) for step in steps]
        outcomes = await asyncio.gather(*done)
        return bool(parts) and all(outcome.error is None for outcome in outcomes)

    async def erase(self) -> bool:
        """Bring every erasure as far as it can go; answers whether one waits for another node."""
        pending = await self._store.read(lambda snapshot: snapshot.rights.erasures(STEP))
        waits = [await self._erase(erasure) for erasure in pending]
        if pending or not self._settled:
            self._settled = await self._store.settle()
        return any(waits)

    async def _erase(self, gone: Erasure) -> bool:
        if not await self._store.read(lambda snapshot: snapshot.rights.is_parted(gone.member)):
            return True
        if not gone.hidden:
            for what in erasing.BEFORE_HIDDEN:
                await self._each(what, gone)
        changes = await self._store.read(holds.changes)
        for what in erasing.STEPS:
            if what == erasing.IDENTITY:
                if await self._is_awaited(gone):
                    return True
                await self._scrub(what, gone, [changes])
            elif not await self._each(what, gone):
                break  # held: it goes on when that is lifted
        return False

    async def _each(self, what: str, gone: Erasure) -> bool:
        """One kind of step, page by page; False where a hold forbids it."""
        if what in erasing.WHOLE:
            return await self._scrub(what, gone, [])
        after = None
        while True:
            found = await self._left(what, gone, after)
            if found.keys and not await self._scrub(what, gone, list(found.keys)):
                return False
            after = found.after
            if after is None:
                return True

    async def _scrub(self, what: str, gone: Erasure, keys: list[Any]) -> bool:
        step = erasing.Step(member=gone.member, what=what, keys=keys)
        return "held" not in await carried_out(self._store, OPERATOR, "member.scrub", step)

    async def _is_awaited(self, gone: Erasure) -> bool:
        """Whether a node has still to read who it was that lost their access."""
        return bool((await self._left("fences", gone, None)).keys)

    async def _left(self, what: str, gone: Erasure, after: Any) -> Found:
        def ask(snapshot: Snapshot) -> Found:
            limit = MESSAGES if what in ("messages", "reactions") else STEP
            return snapshot.rights.left_of(what, gone, after, limit)

        return await self._store.read(ask)
