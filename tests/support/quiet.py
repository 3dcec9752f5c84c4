"""When nothing is on its way in a house any more, between its nodes or inside one of them.

A node that has just subscribed to a topic may miss what is published until Redis has confirmed it:
signals are lost then, and events come from the store, as they are by now. That is as it should be,
and not what most tests are about: they begin once the house is quiet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sqlalchemy import select

from server.app import Node
from server.commands.snapshot import Snapshot
from server.realtime.audience import is_silent
from server.realtime.redis_bus import RedisBus
from server.store.postgres import PostgresStore
from server.store.tables import live_session

PAUSE_S = 0.002


async def quiet(nodes: Sequence[Node]) -> None:
    """Wait until all nodes have delivered all that is stored and hear everything from now on.

    Nobody may be changing anything meanwhile, and the store and the bus have to be there.
    """
    while not _hear_all(nodes) or not await _have_all(nodes) or not _hear_all(nodes):
        await asyncio.sleep(PAUSE_S)


def _hear_all(nodes: Sequence[Node]) -> bool:
    """Whether every node is subscribed to what it follows, has no replay under way, and knows
    the others."""
    for node in nodes:
        if isinstance(node.bus, RedisBus) and not node.bus.settled:
            return False
        if node.hub.replays._tasks:
            return False
        if not all(other is node or node.hub.fences.lives(other.name) for other in nodes):
            node.hub.fences.poke()  # it reads the leases with the fences, else once a second
            return False
    return True


async def _have_all(nodes: Sequence[Node]) -> bool:
    if len(nodes) == 1:
        return True  # what it commits it has delivered
    followed = {name for node in nodes for name in node.hub.topics}

    def ask(snapshot: Snapshot) -> dict[str, int]:
        return snapshot.changed_heads(list(followed), 0)

    heads = await nodes[0].store.read(ask)
    return all(
        node.hub.topics[name].pos >= head
        for node in nodes
        for name, head in heads.items()
        if name in node.hub.topics
    )


async def attended(nodes: Sequence[Node]) -> None:
    """Wait until the nodes know of each other's sessions: which there are, and which are silent.

    They are told within seconds, and are made to tell it now.
    """
    for node in nodes:
        if node.attendance is None:
            return
        node.attendance._looked_ms = 0
        node.attendance._news.set()
    while await _on_the_roll(nodes[0]) != _there(nodes):
        await asyncio.sleep(PAUSE_S)


def _there(nodes: Sequence[Node]) -> dict[str, bool]:
    return {
        session.id: is_silent(session, node.heartbeat.now())
        for node in nodes
        for session in node.hub.sessions
    }


async def _on_the_roll(node: Node) -> dict[str, bool]:
    assert isinstance(node.store, PostgresStore)
    async with node.store._database.reading.connect() as connection:
        rows = await connection.execute(select(live_session.c.id, live_session.c.silent_ms))
        return {row.id: bool(row.silent_ms) for row in rows}
