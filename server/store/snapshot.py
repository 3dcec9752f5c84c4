"""Reads over one snapshot of the store: the port's queries, in SQL.

A snapshot is a read transaction on one connection; it lives for one answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, and_, case, func, literal, or_, select, tuple_, union_all

from server.commands.facts import Ident, Want, World
from server.commands.work import Deployment
from server.domain import conversations
from server.domain.ids import Ids
from server.domain.policy import Policy
from server.domain.rows import (
    Conversation,
    Entry,
    Invitation,
    Member,
    Message,
    Participant,
    Revision,
    Row,
    Topic,
)
from server.store import facts
from server.store.rights import SqlRights
from server.store.rows import among, build, by_identity, columns, fetch, padded
from server.store.tables import (
    conversation,
    entry,
    invitation,
    last_seen,
    live_session,
    member,
    message,
    pair,
    participant,
    revision,
    topic,
)

R = TypeVar("R", bound=Row)


class SqlSnapshot:
    """The store as of one moment."""

    def __init__(self, connection: Connection, deployment: Deployment, now_ms: int) -> None:
        self._connection = connection
        self._deployment = deployment
        self._world = World()
        self._now_ms = now_ms

    @property
    def now_ms(self) -> int:
        """When the snapshot was taken."""
        return self._now_ms

    @property
    def ids(self) -> Ids:
        """Keys to wire ids and back."""
        return self._deployment.ids

    @property
    def policy(self) -> Policy:
        """The numbers in force."""
        return self._deployment.policy

    def want(self, *wants: Want) -> None:
        """Read these at once."""
        facts.load(self._connection, wants, self._world)

    def find(self, kind: type[R], ident: Ident) -> R | None:
        """The row of this identity, or None."""
        known = self._world.of(kind)
        if ident not in known:
            self.want((kind, ident))
        return known[ident]

    @property
    def rights(self) -> SqlRights:
        """What only members' rights ask."""
        return SqlRights(self._connection)

    def heads(self, topics: Sequence[int]) -> dict[str, int]:
        """The heads of these topics, by name."""
        return {row.name: row.head for row in by_identity(self._connection, Topic, topics)}

    def invitations(self, member_key: int, before: int | None, limit: int) -> list[Invitation]:
        """Pending ones received, and sent ones that are pending to their sender, newest first."""
        t = invitation.c
        query = (
            select(*columns(Invitation))
            .join(sender := member.alias(), sender.c.key == t.sender)
            .join(recipient := member.alias(), recipient.c.key == t.recipient)
            .where(
                or_(
                    and_(t.recipient == member_key, t.state == "pending"),
                    and_(t.sender == member_key, t.state.in_(("pending", "ignored", "refused"))),
                ),
                sender.c.alive,
                recipient.c.alive,
            )
            .order_by(t.key.desc())
            .limit(limit)
        )
        if before is not None:
            query = query.where(t.key < before)
        return [build(Invitation, values) for values in self._connection.execute(query)]

    def others(self, member_key: int, which: str, after: Member | None, limit: int) -> list[Member]:
        """Living members who are connected to this one or blocked by it, by name and id."""
        low, high = pair.c.low, pair.c.high
        connected = pair.c.connected_ms > 0
        low_has, high_has = {
            "connected": (connected, connected),
            "blocked": (pair.c.low_blocks, pair.c.high_blocks),
        }[which]
        theirs = union_all(
            select(high.label("key")).where(low == member_key, low_has),
            select(low.label("key")).where(high == member_key, high_has),
        ).subquery()
        query = (
            select(*columns(Member))
            .join(theirs, theirs.c.key == member.c.key)
            .where(member.c.alive)
            .order_by(member.c.name, member.c.id)
            .limit(limit)
        )
        if after is not None:
            query = query.where(tuple_(member.c.name, member.c.id) > (after.name, after.id))
        return [build(Member, values) for values in self._connection.execute(query)]

    def leftovers(self, limit: int) -> list[tuple[int, int, int]]:
        """What deleted members still have, some of it at a time."""
        parts = self._connection.execute(
            select(participant.c.member, participant.c.conversation)
            .join(member, member.c.key == participant.c.member)
            .join(conversation, conversation.c.key == participant.c.conversation)
            .where(~member.c.alive, participant.c.role != "", conversation.c.topic != 0)
            .limit(limit)
        )
        found = [(gone, key, 0) for gone, key in parts]
        held = or_(pair.c.connected_ms > 0, pair.c.low_invitation > 0, pair.c.high_invitation > 0)
        for mine, other in ((pair.c.low, pair.c.high), (pair.c.high, pair.c.low)):
            pairs = self._connection.execute(
                select(mine, other)
                .join(member, member.c.key == mine)
                .where(~member.c.alive, held)
                .limit(limit)
            )
            found += [(gone, 0, key) for gone, key in pairs]
        return found

    def inbox(
        self, member_key: int, before: tuple[int, int] | None, limit: int, *, unread: bool
    ) -> list[tuple[Conversation, Participant]]:
        """Conversations this member is or was in, the latest active first as they saw it."""
        part = participant.c
        active = case((part.ended_ms > 0, part.ended_ms), else_=conversation.c.active_ms)
        query = (
            select(*columns(Conversation), *columns(Participant))
            .join(participant, part.conversation == conversation.c.key)
            .where(part.member == member_key)
            .order_by(active.desc(), conversation.c.key.desc())
            .limit(limit)
        )
        if before is not None:
            query = query.where(tuple_(active, conversation.c.key) < before)
        if unread:
            query = query.where(
                select(message.c.key).where(*_unread(member_key)).correlate_except(message).exists()
            )
        split = len(columns(Conversation))
        return [
            (build(Conversation, values[:split]), build(Participant, values[split:]))
            for values in self._connection.execute(query)
        ]

    def unread(
        self, member_key: int, rows: Sequence[tuple[Conversation, Participant]]
    ) -> list[int]:
        """For each, how many messages of others after `read` this member may see."""
        keys = [row.key for row, _ in rows]
        counts: dict[int, int] = {}
        gaps = [row.key for row, part in rows if len(part.spans) > 1]
        found = self._connection.execute(
            select(participant.c.conversation, func.count(message.c.key))
            .join(message, and_(*_unread(member_key)))
            .where(participant.c.member == member_key, participant.c.conversation.in_(keys))
            .group_by(participant.c.conversation)
        )
        counts = {key: count for key, count in found if key not in gaps}
        for row, part in rows:
            if row.key in gaps:
                counts[row.key] = self._unread_in_stays(member_key, row, part)
        deleted = self._deleted_in_time(member_key, rows)
        return [counts.get(key, 0) - deleted.get(key, 0) for key in keys]

    def _deleted_in_time(
        self, member_key: int, rows: Sequence[tuple[Conversation, Participant]]
    ) -> dict[int, int]:
        """Of conversations that the member has left: how many of what would be unread were
        tombstones by their last position. What was deleted later is as it was then."""
        views = {row.key: conversations.view(row, part) for row, part in rows if part.ended_ms}
        counts: dict[int, int] = {}
        if not views:
            return counts
        mine = participant.c
        found = self._connection.execute(
            select(message.c.conversation, message.c.seq, func.max(revision.c.pos))
            .join(participant, mine.conversation == message.c.conversation)
            .join(revision, revision.c.message == message.c.key)
            .where(
                mine.member == member_key, mine.conversation.in_(views),
                message.c.seq > mine.read, message.c.sender != member_key,
                message.c.deleted_at > 0,
            )
            .group_by(message.c.conversation, message.c.seq)
        )  # fmt: skip
        for key, seq, pos in found:
            view = views[key]
            if view is not None and view.sees_seq(seq) and pos <= view.pos:
                counts[key] = counts.get(key, 0) + 1
        return counts

    def _unread_in_stays(self, member_key: int, row: Conversation, part: Participant) -> int:
        """The same for who left and came back: only what falls within a stay."""
        view = conversations.view(row, part)
        found = self._connection.scalars(
            select(message.c.seq).where(
                message.c.conversation == row.key,
                message.c.seq > part.read,
                message.c.sender != member_key,
                or_(message.c.deleted_at == 0, literal(part.ended_ms > 0)),
            )
        )
        return sum(1 for seq in found if view is not None and view.sees_seq(seq))

    def messages(
        self, key: int, after: int, before: int, limit: int, *, newest: bool
    ) -> list[Message]:
        """Messages with after < seq < before, ascending: the newest of them or the oldest."""
        seq = message.c.seq
        found = self._connection.execute(
            select(*columns(Message))
            .where(message.c.conversation == key, seq > after, seq < before)
            .order_by(seq.desc() if newest else seq)
            .limit(limit)
        )
        rows = [build(Message, values) for values in found]
        return rows[::-1] if newest else rows

    def revisions(self, messages: Sequence[int], after_pos: int) -> dict[int, list[Revision]]:
        """Changes of these messages at positions after `after_pos`, ascending by rev."""
        changes: dict[int, list[Revision]] = {}
        rows = fetch(
            self._connection,
            Revision,
            revision.c.message.in_(list(messages)),
            revision.c.pos > after_pos,
        )
        for row in sorted(rows, key=lambda row: row.rev):
            changes.setdefault(row.message, []).append(row)
        return changes

    def participants(self, key: int) -> list[Participant]:
        """Everybody who is or was in a conversation, in order of joining."""
        rows = fetch(self._connection, Participant, participant.c.conversation == key)
        return sorted(rows, key=lambda p: (p.spans[0].joined if p.spans else 0, p.member))

    def title_at(self, row: Conversation, pos: int) -> str:
        """The title as of a position of the conversation's topic."""
        renamed = select(entry.c.pos, entry.c.data).where(
            entry.c.topic == row.topic, entry.c.name == "conversation.renamed"
        )
        found = self._connection.execute(
            renamed.where(entry.c.pos <= pos).order_by(entry.c.pos.desc()).limit(1)
        ).first()
        if found is not None:
            return str(found[1]["title"])
        later = self._connection.execute(renamed.order_by(entry.c.pos).limit(1)).first()
        return row.title if later is None else str(later[1]["before"])

    def entries(self, key: int, after: int, limit: int) -> list[Entry]:
        """A topic's events with positions after `after`, in order."""
        found = self._connection.execute(
            select(*columns(Entry))
            .where(entry.c.topic == key, entry.c.pos > after)
            .order_by(entry.c.pos)
            .limit(limit)
        )
        return [build(Entry, values) for values in found]

    def attendance(self, members: Sequence[int]) -> dict[int, tuple[list[str], int]]:
        """On which nodes each of these has a session, and when the last was there."""
        found: dict[int, tuple[list[str], int]] = {key: ([], 0) for key in members}
        wanted = padded(members)
        for key, at_ms in self._connection.execute(
            select(last_seen.c.member, last_seen.c.at_ms).where(last_seen.c.member.in_(wanted))
        ):
            found[key] = ([], at_ms)
        for key, node in self._connection.execute(
            select(live_session.c.member, live_session.c.node).where(
                live_session.c.member.in_(wanted)
            )
        ):
            found[key][0].append(node)
        return found

    def changed_heads(self, names: Sequence[str], since_ms: int) -> dict[str, int]:
        """The heads of those of these topics that moved since then, by name."""
        found = self._connection.execute(
            select(topic.c.name, topic.c.head).where(
                among(self._connection, topic.c.name, names), topic.c.changed_ms >= since_ms
            )
        )
        return {row.name: row.head for row in found}


def _unread(member_key: int) -> tuple[Any, ...]:
    """What makes a message unread, beside a participant row; a stay's end bounds it."""
    gone = participant.c.ended_ms > 0
    return (
        message.c.conversation == participant.c.conversation,
        message.c.seq > participant.c.read,
        message.c.sender != member_key,
        or_(message.c.deleted_at == 0, gone),
        or_(~gone, message.c.seq <= participant.c.until_seq),
        message.c.seq > participant.c.after_seq,
    )
