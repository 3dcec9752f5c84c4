"""A member's inbox, in SQL: which conversations a list shows, and what is unread in each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, and_, case, func, literal, or_, select
from sqlalchemy.sql.elements import ColumnElement

from server.domain import contact, conversations
from server.domain.own_view import NEVER
from server.domain.rows import Conversation, Participant
from server.store.tables import conversation, message, own, pair, participant, revision


def _so(mark: ColumnElement[Any]) -> ColumnElement[bool]:
    return func.coalesce(mark, literal(False))


def narrowed(query: Select[Any], member_key: int, which: str) -> Select[Any]:
    """A query of this member's conversations and parts, of those that the filter `which` shows.

    "connections" are the one_to_ones with them, and what is begun among them, a conversation of
    several; "others" is the rest.
    """
    if which == "everything":
        return query
    part = participant.c
    mine = and_(own.c.conversation == conversation.c.key, own.c.member == member_key)
    last = case((part.until_seq >= 0, part.until_seq), else_=conversation.c.seq)
    archived = func.coalesce(own.c.archived_seq, NEVER) >= last
    query = query.outerjoin(own, mine).where(func.coalesce(own.c.cleared_seq, NEVER) < last)
    if which == "reported":
        return query.where(_so(own.c.reported))
    query = query.where(~_so(own.c.reported))
    if which == "starred":
        return query.where(_so(own.c.starred))
    query = query.where(archived if which == "archived" else ~archived)
    if which == "requests":
        between = and_(pair.c.low == conversation.c.low, pair.c.high == conversation.c.high)
        return query.join(pair, between).where(
            pair.c.stage == contact.PENDING, pair.c.approach.in_(contact.REQUESTS),
            pair.c.approacher != member_key, pair.c.connected_ms == 0,
        )  # fmt: skip
    if which in ("connections", "others"):
        between = and_(pair.c.low == conversation.c.low, pair.c.high == conversation.c.high)
        known = or_(
            conversation.c.kind == conversations.SEVERAL,
            func.coalesce(pair.c.connected_ms, 0) > 0,
        )
        query = query.outerjoin(pair, between).where(known if which == "connections" else ~known)
    return query


def unread(
    connection: Connection, member_key: int, rows: Sequence[tuple[Conversation, Participant]]
) -> list[int]:
    """For each, how many messages of others after `read` this member may see."""
    keys = [row.key for row, _ in rows]
    counts: dict[int, int] = {}
    gaps = [row.key for row, part in rows if len(part.spans) > 1]
    found = connection.execute(
        select(participant.c.conversation, func.count(message.c.key))
        .join(message, and_(*_is_unread(member_key, participant.c.ended_ms > 0)))
        .where(participant.c.member == member_key, participant.c.conversation.in_(keys))
        .group_by(participant.c.conversation)
    )
    counts = {key: count for key, count in found if key not in gaps}
    for row, part in rows:
        if row.key in gaps:
            counts[row.key] = _unread_in_stays(connection, member_key, row, part)
    deleted = _deleted_in_time(connection, member_key, rows)
    return [counts.get(key, 0) - deleted.get(key, 0) for key in keys]


def _deleted_in_time(
    connection: Connection, member_key: int, rows: Sequence[tuple[Conversation, Participant]]
) -> dict[int, int]:
    """Where the member has left, or been away: how many of what would be unread were tombstones by
    the end of the stay that shows them. What was deleted later is as it was then."""
    views = {
        row.key: conversations.view(row, part)
        for row, part in rows
        if part.ended_ms or len(part.spans) > 1
    }
    counts: dict[int, int] = {}
    if not views:
        return counts
    mine = participant.c
    found = connection.execute(
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
        if view is not None and view.sees_seq(seq):
            moment = view.moment_of(seq)
            counts[key] = counts.get(key, 0) + (moment < 0 or pos <= moment)
    return counts


def _unread_in_stays(
    connection: Connection, member_key: int, row: Conversation, part: Participant
) -> int:
    """The same for who left and came back: only what falls within a stay, tombstones included."""
    view = conversations.view(row, part)
    found = connection.scalars(
        select(message.c.seq).where(
            message.c.conversation == row.key,
            message.c.seq > part.read,
            message.c.sender != member_key,
        )
    )
    return sum(1 for seq in found if view is not None and view.sees_seq(seq))


def may_be_unread(member_key: int) -> tuple[Any, ...]:
    """What bounds the messages that may be unread, beside a participant row. To who has left, or
    has come back and sees only what follows, one that was deleted later is as it was."""
    part = participant.c
    dated = or_(part.ended_ms > 0, part.role == conversations.VIEWER, part.since_pos > 0)
    return _is_unread(member_key, dated)


def _is_unread(member_key: int, tombstones: ColumnElement[bool]) -> tuple[Any, ...]:
    """The same, with tombstones where one says so; a stay's end bounds it."""
    gone = participant.c.ended_ms > 0
    return (
        message.c.conversation == participant.c.conversation,
        message.c.seq > participant.c.read,
        message.c.sender != member_key,
        or_(message.c.deleted_at == 0, tombstones),
        or_(~gone, message.c.seq <= participant.c.until_seq),
        message.c.seq > participant.c.after_seq,
    )
