"""The job behind an announcement: brings a group's members into its conversation, step by step."""

from __future__ import annotations

import asyncio

from server.commands.group_talk import Admit
from server.web.jobs import Job, submit

STEP = 50  # members: their topics are held for one commit
REST = 2.0  # so many times as long as a step took, everybody else has the store to themselves


class Announcements(Job):
    """One node's runner."""

    async def step(self) -> bool:
        """The next members of each announcement that is not done."""
        found = await self.store.read(lambda snapshot: snapshot.announcements(STEP))
        loop, failed = asyncio.get_running_loop(), False
        for conversation, members in found:
            began = loop.time()
            admit = Admit(conversation=conversation, members=tuple(members))
            outcome = await submit(self.store, "conversation.admit", admit)
            failed = failed or outcome.error is not None
            await asyncio.sleep(REST * (loop.time() - began))
        return bool(found) and not failed
