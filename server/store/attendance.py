"""The nodes' sessions and when members were last there, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from server.store.leases import DEAD_S
from server.store.postgres import PostgresDatabase, watched
from server.store.tables import last_seen, live_session, member


class Changes(Protocol):
    """See `server.realtime.attendance.Changes`."""

    gone: dict[str, None]
    seen: dict[str, int]
    silent: dict[str, int]
    unwanted: dict[str, None]


_GONE = delete(live_session).where(live_session.c.id == bindparam("session"))
_SILENT = (
    update(live_session)
    .where(live_session.c.id == bindparam("session"))
    .values(silent_ms=bindparam("since_ms"))
)
_UNWANTED = (
    update(live_session).where(live_session.c.id == bindparam("session")).values(unwanted=True)
)
_SEEN = insert(last_seen).from_select(
    ["member", "at_ms"],
    select(member.c.key, bindparam("seen_ms", type_=last_seen.c.at_ms.type)).where(
        member.c.id == bindparam("whose")
    ),
)
_SEEN = _SEEN.on_conflict_do_update(
    index_elements=["member"],
    set_={"at_ms": func.greatest(last_seen.c.at_ms, _SEEN.excluded.at_ms)},
)


class PostgresRolls:
    """The rolls of all nodes of one database."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._engine = database.renewing

    async def write(self, node: str, changes: Changes) -> Sequence[str]:
        """Write these in one transaction; answers this node's sessions that are unwanted."""
        async with watched(self._engine, DEAD_S) as connection:
            if changes.gone:
                await connection.execute(_GONE, [{"session": one} for one in changes.gone])
            if changes.silent:
                since = [{"session": one, "since_ms": ms} for one, ms in changes.silent.items()]
                await connection.execute(_SILENT, since)
            if changes.unwanted:
                unwanted = [{"session": one} for one in changes.unwanted]
                await connection.execute(_UNWANTED, unwanted)
            if changes.seen:
                seen = [{"whose": one, "seen_ms": ms} for one, ms in sorted(changes.seen.items())]
                await connection.execute(_SEEN, seen)
            found = await connection.scalars(
                select(live_session.c.id).where(
                    live_session.c.node == node, live_session.c.unwanted
                )
            )
            await connection.commit()
            return list(found)

    async def opened(self, node: str, before_ms: int) -> Sequence[str]:
        """The sessions that are said to be on this node since before that time."""
        async with watched(self._engine, DEAD_S) as connection:
            found = await connection.scalars(
                select(live_session.c.id).where(
                    live_session.c.node == node, live_session.c.opened_ms < before_ms
                )
            )
            return list(found)
