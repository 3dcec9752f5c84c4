"""The job of retention: what is older than it is kept is removed, once an hour, in small steps.

A step is at most 50 messages of one conversation, through the same group commit behind live sends,
and the next one waits for it. Where several nodes run, each does the job: a step that another has
done changes nothing, and one lock of all steps keeps two from working at once.
"""

from __future__ import annotations

from server.commands.audit import Trim
from server.commands.purging import Expire
from server.commands.rights_port import Found
from server.commands.snapshot import Snapshot
from server.domain import rights
from server.domain.policy import Policy
from server.store.port import Store
from server.web.jobs import SETTLE_S, Job
from server.web.steps import OPERATOR, carried_out

STEP = 50
LOOKED_AT = 1_000  # conversations in one read
EVERY_S = 3_600.0


class Retention(Job):
    """One node's runner of the job."""

    def __init__(self, store: Store, policy: Policy) -> None:
        super().__init__(store)
        self._policy = policy
        self._settled = True

    async def turn(self) -> float:
        """Remove what there is."""
        await self.remove()
        return EVERY_S if self._settled else SETTLE_S

    async def remove(self) -> int:
        """Remove what is older than it is kept; answers how many messages and entries."""
        removed = 0
        if self._policy.retention_days:
            removed += await self._messages()
        if self._policy.audit_days:
            removed += await self._acts()
        if removed or not self._settled:
            self._settled = await self.store.settle()
        return removed

    async def _messages(self) -> int:
        removed, after = 0, 0
        while True:

            def ask(snapshot: Snapshot, after: int = after) -> Found:
                before_ms = rights.expired_before_ms(self._policy, snapshot.now_ms)
                return snapshot.rights.expired(before_ms, after, LOOKED_AT)

            found = await self.store.read(ask)
            for conversation, seq in found.keys:
                removed += await self._conversation(conversation, seq)
            if found.after is None:
                return removed
            after = found.after

    async def _conversation(self, conversation: int, seq: int) -> int:
        removed = 0
        while True:

            def ask(snapshot: Snapshot, seq: int = seq) -> list[tuple[int, int]]:
                before_ms = rights.expired_before_ms(self._policy, snapshot.now_ms)
                return snapshot.rights.expired_messages(conversation, seq, before_ms, STEP)

            rows = await self.store.read(ask)
            if not rows:
                return removed
            keys = [key for key, _ in rows]
            step = Expire(conversation=conversation, keys=keys, until=rows[-1][1])
            if "held" in await carried_out(self.store, OPERATOR, "message.expire", step):
                return removed
            removed += len(rows)
            seq = rows[-1][1] + 1

    async def _acts(self) -> int:
        removed = 0
        while True:

            def ask(snapshot: Snapshot) -> list[int]:
                since_ms = rights.kept_since_ms(self._policy.audit_days, snapshot.now_ms)
                return snapshot.rights.acts_before(since_ms, STEP)

            keys = await self.store.read(ask)
            if not keys:
                return removed
            step = await carried_out(self.store, OPERATOR, "audit.trim", Trim(keys=keys))
            removed += int(step["removed"])
            if not step["removed"]:  # the clocks disagree: with the next turn
                return removed
