"""The job behind `member.delete`: ends what a deleted member still has, in small steps."""

from __future__ import annotations

import asyncio

from server.commands.operator import Part
from server.web.jobs import Job, submit

STEP = 200


class Deletions(Job):
    """One node's runner."""

    async def step(self) -> bool:
        """Some of what deleted members still have."""
        parts = await self.store.read(lambda snapshot: snapshot.leftovers(STEP))
        outcomes = await asyncio.gather(
            *(submit(self.store, "member.part", Part(**part)) for part in parts)
        )
        return bool(parts) and all(outcome.error is None for outcome in outcomes)
