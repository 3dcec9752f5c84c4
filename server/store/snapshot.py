"""Reads over one snapshot of the store: the port's queries, in SQL.

A snapshot is a read transaction on one connection; it lives for one answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import Connection, and_, case, func, literal, or_, select, tuple_, union_all

from server.commands.facts import Ident, Want, World
from server.commands.work import Deployment
from server.domain import contact
from server.domain.ids import Ids
from server.domain.policy import Policy
from server.domain.reports import Report
from server.domain.rows import (
    WAITING,
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
from server.domain.search import Moment, Span
from server.store import facts, inboxes, reports, search
from server.store.lookups import by_identity
from server.store.rights import SqlRights
from server.store.rows import among, build, columns, entries_of, fetch, padded
from server.store.rulebook_reads import RulebookReads
from server.store.tables import (
    conversation,
    entry,
    group_member,
    invitation,
    last_seen,
    live_session,
    member,
    message,
    own,
    pair,
    participant,
    revision,
    topic,
)

R = TypeVar("R", bound=Row)


class SqlSnapshot(RulebookReads):
    """The store as of one moment."""

    def __init__(self, connection: Connection, deployment: Deployment, now_ms: int) -> None:
        super().__init__(connection)
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
        """Pending ones received, and sent ones that are pending to their sender, newest first.

        A deleted recipient does not end one, since a block must not show by its staying.
        """
        t = invitation.c
        query = (
            select(*columns(Invitation))
            .join(sender := member.alias(), sender.c.key == t.sender)
            .join(recipient := member.alias(), recipient.c.key == t.recipient)
            .where(
                or_(
                    and_(t.recipient == member_key, t.state == "pending", sender.c.alive),
                    and_(t.sender == member_key, t.state.in_(WAITING), recipient.c.erased_ms == 0),
                )
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

    def leftovers(self, limit: int) -> list[dict[str, int]]:
        """What deleted members still have, some of it at a time."""
        part, grouped = participant.c, group_member.c
        held = or_(pair.c.connected_ms > 0, pair.c.low_invitation > 0, pair.c.high_invitation > 0)
        asking = pair.c.stage == contact.PENDING
        gone = select(member.c.key).where(~member.c.alive)
        asked = (
            ("conversation", part.member, part.conversation, and_(
                part.role != "",
                part.conversation.in_(select(conversation.c.key).where(conversation.c.topic != 0)),
            )),
            ("group", grouped.member, grouped.group, grouped.role != ""),
            ("other", pair.c.low, pair.c.high,
             or_(held, and_(asking, pair.c.approacher == pair.c.low))),
            ("other", pair.c.high, pair.c.low,
             or_(held, and_(asking, pair.c.approacher == pair.c.high))),
        )  # fmt: skip
        return [
            {"member": key, what: of}
            for what, mine, other, still in asked
            for key, of in self._connection.execute(
                select(mine, other).where(mine.in_(gone), still).limit(limit)
            )
        ]

    def inbox(
        self, member_key: int, before: tuple[int, int] | None, limit: int, which: str
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
        query = inboxes.narrowed(query, member_key, which)
        if which == "unread":
            anything = (
                select(message.c.key)
                .where(*inboxes.may_be_unread(member_key))
                .correlate_except(message)
                .exists()
            )
            query = query.where(or_(anything, func.coalesce(own.c.unread, literal(False))))
        split = len(columns(Conversation))
        return [
            (build(Conversation, values[:split]), build(Participant, values[split:]))
            for values in self._connection.execute(query)
        ]

    def unread(
        self, member_key: int, rows: Sequence[tuple[Conversation, Participant]]
    ) -> list[int]:
        """For each, how many messages of others after `read` this member may see."""
        return inboxes.unread(self._connection, member_key, rows)

    def candidates(self, spans: Sequence[Span], words: Sequence[str]) -> list[Message]:
        """The messages in these spans that may have all of these words, in any order."""
        return search.candidates(self._connection, spans, words)

    def moments(self, points: Sequence[tuple[int, int]]) -> dict[int, tuple[Moment, int]]:
        """By conversation: the newest message up to a seq, and its key."""
        return search.moments(self._connection, points)

    def reports(self, before: Report | None, limit: int) -> list[Report]:
        """Open reports, the newest first."""
        return reports.open_reports(self._connection, before, limit)

    def reports_of(self, member: int, before: int | None, limit: int) -> list[Report]:
        """A member's own, the newest first."""
        return reports.reports_of(self._connection, member, before, limit)

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

    def entries(self, ranges: Sequence[tuple[int, int, int]]) -> list[Entry]:
        """The events of several topics, those of a topic in order."""
        return entries_of(self._connection, ranges)

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
