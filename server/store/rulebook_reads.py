"""A snapshot's queries about groups and credits, in SQL."""

from __future__ import annotations

from sqlalchemy import Connection, select, tuple_

from server.domain.rows import Admission, Credit, Group
from server.store.rows import build, columns, fetch
from server.store.tables import admission, credit, group, group_member, member


class RulebookReads:
    """Part of a snapshot: what the rulebook's ways are read from."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def announcements(self, limit: int) -> list[tuple[int, list[int]]]:
        """Announcements that are not done, each with the next members that it is for."""
        jobs = fetch(self._connection, Admission, ~admission.c.done)
        part = group_member.c
        return [
            (
                job.conversation,
                list(
                    self._connection.scalars(
                        select(part.member)
                        .where(part.group == job.group, part.role != "", part.member > job.after)
                        .order_by(part.member)
                        .limit(limit)
                    )
                ),
            )
            for job in jobs
        ]

    def ledger(self, member_key: int, before: tuple[int, int] | None, limit: int) -> list[Credit]:
        """A member's entries, the newest first."""
        order = tuple_(credit.c.at_ms, credit.c.key)
        query = select(*columns(Credit)).where(credit.c.member == member_key)
        if before is not None:
            query = query.where(order < before)
        query = query.order_by(credit.c.at_ms.desc(), credit.c.key.desc()).limit(limit)
        return [build(Credit, values) for values in self._connection.execute(query)]

    def groups(self, member_key: int) -> list[tuple[Group, str]]:
        """The groups that a member is in, by name, with their role."""
        found = self._connection.execute(
            select(*columns(Group), group_member.c.role)
            .join(group_member, group_member.c.group == group.c.key)
            .where(group_member.c.member == member_key, group_member.c.role != "")
            .order_by(group.c.name, group.c.id)
        )
        return [(build(Group, values[:-1]), values[-1]) for values in found]

    def group_roles(self, group_id: str) -> dict[str, str]:
        """The living members of a group, by id, with their roles."""
        part = group_member.c
        found = self._connection.execute(
            select(member.c.id, part.role)
            .join(group, part.group == group.c.key)
            .join(member, part.member == member.c.key)
            .where(group.c.id == group_id, part.role != "", member.c.alive)
        )
        return {str(who): str(role) for who, role in found}
