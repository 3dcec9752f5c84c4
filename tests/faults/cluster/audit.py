"""What the healed cluster says in the end: heads, histories, whole logs, read by new sessions."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any

from tests.faults.cluster import cast
from tests.faults.cluster.actor import Actor
from tests.faults.cluster.ledger import Ledger
from tests.faults.cluster.workload import Workload

PAGE = 200


@dataclass
class Audit:
    """`heads` by member and topic; `histories` and conversations' `logs` by place, in order."""

    heads: dict[str, dict[str, int]] = field(default_factory=dict)
    histories: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    logs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


class _Reader(Actor):
    """A member's further session: does not go on from anywhere unless told to."""

    async def head(self) -> dict[str, int]:
        await self._live.wait()
        return dict(self.opened["topics"])

    def _opened(self, result: dict[str, Any]) -> None:
        self.opened: dict[str, Any] = result
        super()._opened(result)


async def audit(work: Workload) -> Audit:
    """Read everything, by the members whose it is."""
    found = Audit()
    places: dict[str, list[str]] = {}
    for ident, place in work.ledger.places.items():
        reader = next((r.steward for r in cast.ROOMS if r.place == place), place.split("-")[0])
        places.setdefault(reader, []).append(ident)
    await asyncio.gather(*(_by(work, m, places.get(m, []), found) for m in cast.EVERYBODY))
    return found


async def _by(work: Workload, member: str, idents: list[str], found: Audit) -> None:
    reader = _Reader(work.cluster, Ledger(), member, "audit", random.Random(0))
    rooms = [i for i in idents if i in work.conversations]
    if rooms:  # its whole log is what a session gets that goes on from its beginning
        reader.positions = {f"conversation:{i}": 0 for i in rooms}
    running = asyncio.create_task(reader.run())
    try:
        found.heads[member] = heads = await reader.head()
        for ident in idents:
            found.histories[work.ledger.places[ident]] = await _history(reader, ident)
        for ident in rooms:
            topic = f"conversation:{ident}"
            while reader.positions[topic] < heads[topic]:
                reader.heard.clear()
                await reader.heard.wait()
            found.logs[work.conversations[ident]] = [e for _, _, e in reader.seen.get(topic, [])]
    finally:
        await reader.close()
        await running


async def _history(reader: Actor, ident: str) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    before: dict[str, int] = {}
    while True:
        page, _ = await reader.call(
            "conversation.history", conversation=ident, limit=PAGE, **before
        )
        if page is None:  # somebody was told of a conversation that there is not
            return messages
        messages[:0] = page["messages"]
        if not page["more"]:
            return messages
        before = {"before": page["messages"][0]["seq"]}
