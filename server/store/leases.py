"""Nodes' leases and the fence log in PostgreSQL, over a connection of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from server.commands.outcome import Ending, Lease
from server.domain.ids import conversation_topic
from server.domain.rows import Conversation, Fence, Member
from server.store.lookups import by_identity
from server.store.postgres import PostgresDatabase, watched
from server.store.rows import columns
from server.store.tables import device_token, fence, lease, live_session, refusal

PAGE: Final = 1_000
DEAD_S: Final = 2.0  # two tries within a lease's time


class PostgresLeases:
    """The leases of all nodes of one database."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._engine = database.renewing
        self._ids = database.deployment.ids

    async def head(self) -> int:
        """The last fence."""
        async with watched(self._engine, DEAD_S) as connection:
            return await connection.scalar(select(func.max(fence.c.seq))) or 0

    async def renew(self, node: str, passed: int, sessions: int) -> int:
        """Write a node's lease anew; answers its beat once it is stored."""
        row = insert(lease).values(node=node, beat=1, passed=passed, sessions=sessions)
        again = {"beat": lease.c.beat + 1, "passed": passed, "sessions": sessions}
        async with watched(self._engine, DEAD_S) as connection:
            beat = await connection.scalar(
                row.on_conflict_do_update(index_elements=["node"], set_=again).returning(
                    lease.c.beat
                )
            )
            await connection.commit()
        return int(beat or 1)

    async def look(self, after: int) -> tuple[Sequence[Lease], Sequence[Ending]]:
        """All leases, and the first fences behind `after`."""
        async with watched(self._engine, DEAD_S) as connection:
            rows = await connection.execute(select(*lease.c))
            leases = [Lease(*row) for row in rows]
            return leases, await connection.run_sync(self._endings, after)

    async def forget(self, lease_: Lease) -> None:
        """Remove a lease and its node's sessions, unless it has been renewed since."""
        async with watched(self._engine, DEAD_S) as connection:
            gone = await connection.execute(
                delete(lease).where(lease.c.node == lease_.node, lease.c.beat == lease_.beat)
            )
            if gone.rowcount:
                await connection.execute(
                    delete(live_session).where(live_session.c.node == lease_.node)
                )
            await connection.commit()

    async def leave(self, node: str) -> None:
        """Remove a node's own."""
        async with watched(self._engine, DEAD_S) as connection:
            await connection.execute(delete(lease).where(lease.c.node == node))
            await connection.execute(delete(live_session).where(live_session.c.node == node))
            await connection.commit()

    def _endings(self, connection: Connection, after: int) -> list[Ending]:
        found = connection.execute(
            select(*columns(Fence)).where(fence.c.seq > after).order_by(fence.c.seq).limit(PAGE)
        )
        rows = [Fence(*values) for values in found]
        if not rows:
            return []
        others = by_identity(connection, Member, {row.other for row in rows if row.other})
        ids = {row.key: row.id for row in others}
        conversations = by_identity(
            connection, Conversation, {row.conversation for row in rows if row.conversation}
        )
        topics = {
            row.key: conversation_topic(self._ids.conversation(row.key)) for row in conversations
        }
        return [
            Ending(
                row.seq, row.kind, row.who, ids.get(row.other, ""),
                topics.get(row.conversation, ""), row.pos, row.device, row.on,
                _jtis(connection, row) if row.device else frozenset(),
            )
            for row in rows
        ]  # fmt: skip


def _jtis(connection: Connection, row: Fence) -> frozenset[str]:
    """The tokens that a device's revocation refused."""
    return frozenset(
        connection.scalars(
            select(refusal.c.jti)
            .join(
                device_token,
                (device_token.c.member == refusal.c.member) & (device_token.c.jti == refusal.c.jti),
            )
            .where(refusal.c.member == row.member, device_token.c.device == row.device)
        )
    )
