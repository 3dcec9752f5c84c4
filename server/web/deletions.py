"""The jobs behind `member.delete` and `member.erase`: what is left to end and remove, in steps."""

from __future__ import annotations

import asyncio
from typing import Any

from server.commands import erasing, holds
from server.commands.operator import Part
from server.commands.rights_port import Found
from server.commands.snapshot import Snapshot
from server.domain.rights import Erasure
from server.store.port import Store
from server.web.jobs import LOOK_S, SETTLE_S, Job
from server.web.steps import OPERATOR, carried_out, submitted

STEP = 200
MESSAGES = 50  # each is some rows and events: a send that comes in between waits for one step
PER_MESSAGE = ("withdraw", "messages", "reactions", "reports")
AGAIN_S = 1.0  # an erasure that waits for another node
WAKES = frozenset({"member.delete", "member.erase", "hold.delete"})


class Deletions(Job):
    """One node's runner: woken when somebody was deleted, or is not held any more."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._settled = False
        self._removed = False

    @property
    def settled(self) -> bool:
        """Whether nothing that this node removed is left on its disk."""
        return self._settled and not self._removed

    async def turn(self) -> float:
        """End and remove all that there is."""
        while await self._step():
            pass
        if await self.erase():
            return AGAIN_S
        return LOOK_S if self._settled else SETTLE_S

    async def _step(self) -> bool:
        parts = await self.store.read(lambda snapshot: snapshot.leftovers(STEP))
        steps = (Part(**part) for part in parts)
        done = [submitted(self.store, OPERATOR, "member.part", step) for step in steps]
        outcomes = await asyncio.gather(*done)
        return bool(parts) and all(outcome.error is None for outcome in outcomes)

    async def erase(self) -> bool:
        """Bring every erasure as far as it can go; answers whether one waits for another node."""
        waits: list[bool] = []
        last: Erasure | None = None
        while True:  # those under hold stay: the ones asked for after them come too
            pending = await self._pending(last)
            waits += [await self._erase(erasure) for erasure in pending]
            if len(pending) < STEP:
                break
            last = pending[-1]
        if waits or not self._settled:
            self._settled = await self.store.settle(rewrite=self._removed)
            self._removed = self._removed and not self._settled
        return any(waits)

    async def _pending(self, after: Erasure | None) -> list[Erasure]:
        return await self.store.read(lambda snapshot: snapshot.rights.erasures(after, STEP))

    async def _erase(self, gone: Erasure) -> bool:
        if not await self.store.read(lambda snapshot: snapshot.rights.is_parted(gone.member)):
            return True
        if not gone.hidden:
            for what in erasing.BEFORE_HIDDEN:
                await self._each(what, gone)
        for what in erasing.OUT_OF_SIGHT:
            await self._each(what, gone)
        changes = await self.store.read(holds.changes)
        for what in erasing.STEPS:
            if what == erasing.IDENTITY:
                if await self._is_awaited(gone):
                    return True
                self._removed |= await self._scrub(what, gone, [changes])
            elif not await self._each(what, gone):
                break  # held: it goes on when that is lifted
        return False

    async def _each(self, what: str, gone: Erasure) -> bool:
        """One kind of step, page by page; False where a hold forbids it."""
        if what in erasing.KEYLESS:
            return await self._scrub(what, gone, [])
        if what in erasing.WITH_MESSAGES and not gone.whole:
            return True
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
        return "held" not in await carried_out(self.store, OPERATOR, "member.scrub", step)

    async def _is_awaited(self, gone: Erasure) -> bool:
        """Whether a node has still to read who it was that lost their access."""
        return bool((await self._left("fences", gone, None)).keys)

    async def _left(self, what: str, gone: Erasure, after: Any) -> Found:
        def ask(snapshot: Snapshot) -> Found:
            limit = MESSAGES if what in PER_MESSAGE else STEP
            return snapshot.rights.left_of(what, gone, after, limit)

        return await self.store.read(ask)
