"""The job behind an announcement: brings a group's members into its conversation, step by step."""

from __future__ import annotations

import asyncio

from server.commands.group_talk import Admit
from server.errors import CommandError
from server.web.jobs import LOOK_S, Job
from server.web.steps import OPERATOR, carried_out

STEP = 50  # members: their topics are held for one commit
REST = 2.0  # so many times as long as a step took, everybody else has the store to themselves


class Announcements(Job):
    """One node's runner: woken when a conversation was started."""

    async def turn(self) -> float:
        """Bring in all the members that there are."""
        while await self._step():
            pass
        return LOOK_S

    async def _step(self) -> bool:
        """The next members of each announcement that is not done; whether all of it went well."""
        found = await self.store.read(lambda snapshot: snapshot.announcements(STEP))
        loop, failed = asyncio.get_running_loop(), False
        for conversation, members in found:
            began = loop.time()
            step = Admit(conversation=conversation, members=tuple(members))
            try:
                await carried_out(self.store, OPERATOR, "conversation.admit", step)
            except CommandError:
                failed = True
            await asyncio.sleep(REST * (loop.time() - began))
        return bool(found) and not failed
