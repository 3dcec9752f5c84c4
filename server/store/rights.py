"""What members' rights ask, in SQL: what is left to erase or expire, holds, the audit log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    and_,
    exists,
    func,
    literal_column,
    or_,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.sql.elements import ColumnElement

from server.commands.facts import Held, Passed, World
from server.commands.rights_port import Found
from server.domain.rights import Audit, Erasure, Hold
from server.domain.rows import Invitation, Pair, Participant, Reaction
from server.store.rows import build, columns
from server.store.tables import (
    audit,
    conversation,
    creation,
    device_token,
    entry,
    erasure,
    expiry,
    fence,
    group_member,
    hold,
    invitation,
    last_seen,
    lease,
    member,
    message,
    pair,
    participant,
    reaction,
    report,
)

LOOKED_AT = 100  # conversations in one question


def _is_held(key: Any) -> ColumnElement[bool]:
    """Whether a conversation is under hold, itself or by somebody who is or was in it."""
    theirs = participant.alias()
    return and_(
        exists(select(hold.c.key).limit(1)),  # most often there is none at all
        or_(
            exists().where(hold.c.conversation == key, hold.c.conversation != 0),
            exists().where(
                theirs.c.conversation == key, hold.c.member == theirs.c.member, hold.c.member != 0
            ),
        ),
    )


def learn_held(connection: Connection, idents: list[Any], world: World) -> None:
    """The index `Held`."""
    mine = participant.c
    held: dict[str, Callable[[int], ColumnElement[bool]]] = {
        "conversation": _is_held,
        "member": lambda key: exists().where(hold.c.member == key),
        "anything": lambda key: or_(
            exists().where(hold.c.member == key),
            exists().where(mine.member == key, _is_held(mine.conversation)),
        ),
    }
    for ident in idents:
        what, key = ident
        found = connection.scalar(select(held[what](key)))
        world.learn(Held, ident, Held(what, key, bool(found)))


def learn_passed(connection: Connection, idents: list[Any], world: World) -> None:
    """The index `Passed`: without leases there is nobody else to read fences."""
    passed = connection.scalar(select(func.min(lease.c.passed)))
    world.learn(Passed, 0, Passed(0, 2**62 if passed is None else passed))


class SqlRights:
    """The queries over one snapshot's connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def erasures(self, after: Erasure | None, limit: int) -> list[Erasure]:
        """Members that are being erased, in the order in which it was asked for."""
        order = (erasure.c.asked_ms, erasure.c.member)
        query = select(*columns(Erasure)).order_by(*order).limit(limit)
        if after is not None:
            query = query.where(tuple_(*order) > (after.asked_ms, after.member))
        return [build(Erasure, values) for values in self._connection.execute(query)]

    def is_parted(self, member: int) -> bool:
        """Whether a deleted member's parts, groups and connections have all ended."""
        there = or_(
            exists().where(group_member.c.member == member, group_member.c.role != ""),
            exists().where(
                participant.c.member == member, participant.c.role != "",
                conversation.c.key == participant.c.conversation, conversation.c.topic != 0,
            ),
            exists().where(_of(member), _is_open()),
        )  # fmt: skip
        return not self._connection.scalar(select(there))

    def left_of(self, what: str, erasure: Erasure, after: Any, limit: int) -> Found:
        """What there is to do for an erasure; see the port."""
        if what in _IN_CONVERSATIONS:
            held = _is_held(message.c.conversation)
            query = _IN_CONVERSATIONS[what](erasure.member)
            query = query.where(held if what == "withdraw" else ~held)
            rows, after = self._in_conversations(erasure.member, query, after, limit)
            return Found([row[-1] for row in rows], after)
        found = self._connection.scalars(_LEFT[what](erasure, after).limit(limit)).all()
        return Found(found, found[-1] if len(found) == limit else None)

    def _in_conversations(
        self, member: int, query: Select[Any], after: Any, limit: int
    ) -> tuple[list[Any], tuple[int, int] | None]:
        """What is asked of messages, whose number is the first column, conversation by
        conversation: no index is by sender, and in one statement all messages would be read."""
        first, seq = after or (0, 0)
        parts = self.conversations_of(member, first - 1, LOOKED_AT)
        rows: list[Any] = []
        for part in parts:
            start = seq if part.conversation == first else 0
            found = self._connection.execute(
                query.where(
                    message.c.conversation == part.conversation, message.c.seq > start
                ).limit(limit - len(rows))
            ).all()
            rows += [(part.conversation, *row) for row in found]
            if len(rows) >= limit:
                return rows, (part.conversation, found[-1][0])
        if len(parts) < LOOKED_AT:
            return rows, None
        return rows, (parts[-1].conversation + 1, 0)

    def expired(self, before_ms: int, after: int, limit: int) -> Found:
        """Conversations with messages that have expired; see the port."""
        keys = self._connection.scalars(
            select(conversation.c.key)
            .where(conversation.c.key > after)
            .order_by(conversation.c.key)
            .limit(limit)
        ).all()
        if not keys:
            return Found([])
        first = func.coalesce(expiry.c.seq, 0) + 1
        found = self._connection.execute(
            select(conversation.c.key, first)
            .outerjoin_from(conversation, expiry, expiry.c.conversation == conversation.c.key)
            .join(message, and_(message.c.conversation == conversation.c.key,
                                message.c.seq == first))
            .where(
                conversation.c.key.between(keys[0], keys[-1]), message.c.sent_at < before_ms,
                ~_is_held(conversation.c.key),
            )
            .order_by(conversation.c.key)
        )  # fmt: skip
        more = keys[-1] if len(keys) == limit else None
        return Found([(key, seq) for key, seq in found], more)

    def expired_messages(
        self, conversation: int, seq: int, before_ms: int, limit: int
    ) -> list[tuple[int, int]]:
        """The messages of a conversation from `seq` on that were sent before then."""
        c = message.c
        found = self._connection.execute(
            select(c.key, c.seq)
            .where(c.conversation == conversation, c.seq >= seq, c.sent_at < before_ms)
            .order_by(c.seq)
            .limit(limit)
        )
        return [(key, seq) for key, seq in found]

    def conversations_of(self, member: int, after: int, limit: int) -> list[Participant]:
        """The parts of a member, in order of the conversations' keys."""
        query = (
            select(*columns(Participant))
            .where(participant.c.member == member, participant.c.conversation > after)
            .order_by(participant.c.conversation)
            .limit(limit)
        )
        return [build(Participant, values) for values in self._connection.execute(query)]

    def reactions_of(
        self, member: int, after: tuple[int, int], limit: int
    ) -> tuple[list[tuple[int, int, Reaction]], tuple[int, int] | None]:
        """A member's present reactions, in order of conversation and message."""
        query = (
            select(message.c.seq, *columns(Reaction))
            .where(reaction.c.removed_rev == 0, *_reacted(member))
            .order_by(message.c.seq, reaction.c.added_rev)
        )
        rows, more = self._in_conversations(member, query, after, limit)
        return [(key, seq, build(Reaction, values)) for key, seq, *values in rows], more

    def invitations_of(self, member: int, before: int | None, limit: int) -> list[Invitation]:
        """Every invitation that a member sent or got, the newest first."""
        c = invitation.c
        query = (
            select(*columns(Invitation))
            .where(or_(c.sender == member, c.recipient == member))
            .order_by(c.key.desc())
            .limit(limit)
        )
        if before is not None:
            query = query.where(c.key < before)
        return [build(Invitation, values) for values in self._connection.execute(query)]

    def devices_of(self, member: int, after: str, limit: int) -> list[tuple[str, int]]:
        """The devices that a member has connected with lately, and when their last token ends."""
        c = device_token.c
        found = self._connection.execute(
            select(c.device, func.max(c.expires_ms))
            .where(c.member == member, c.device > after)
            .group_by(c.device)
            .order_by(c.device)
            .limit(limit)
        )
        return [(device, ends) for device, ends in found]

    def last_seen(self, member: int) -> int:
        """When a member was last there, where there are several nodes; 0 if that is not known."""
        query = select(last_seen.c.at_ms).where(last_seen.c.member == member)
        return self._connection.scalar(query) or 0

    def holds(self, before: int | None, limit: int) -> list[Hold]:
        """The holds, the newest first."""
        query = select(*columns(Hold)).order_by(hold.c.key.desc()).limit(limit)
        if before is not None:
            query = query.where(hold.c.key < before)
        return [build(Hold, values) for values in self._connection.execute(query)]

    def acts(
        self, member: str | None, since_ms: int, before: tuple[int, int] | None, limit: int
    ) -> list[Audit]:
        """What the audit log says, the newest first."""
        c = audit.c
        query = (
            select(*columns(Audit))
            .where(c.at_ms >= since_ms)
            .order_by(c.at_ms.desc(), c.key.desc())
            .limit(limit)
        )
        if member is not None:
            query = query.where(or_(c.about == member, c.other == member, c.actor == member))
        if before is not None:
            query = query.where(tuple_(c.at_ms, c.key) < before)
        return [build(Audit, values) for values in self._connection.execute(query)]

    def acts_before(self, before_ms: int, limit: int) -> list[int]:
        """The oldest entries of the audit log from before then, by key."""
        query = select(audit.c.key).where(audit.c.at_ms < before_ms).order_by(audit.c.at_ms)
        return list(self._connection.scalars(query.limit(limit)))


def _of(key: int) -> ColumnElement[bool]:
    return or_(pair.c.low == key, pair.c.high == key)


def _is_open() -> ColumnElement[bool]:
    return or_(pair.c.connected_ms > 0, pair.c.low_invitation > 0, pair.c.high_invitation > 0)


def _others(key: int, which: ColumnElement[bool]) -> Any:
    return union_all(
        select(pair.c.high.label("key")).where(pair.c.low == key, which),
        select(pair.c.low.label("key")).where(pair.c.high == key, which),
    ).subquery()


def _topics(gone: Erasure, after: Any) -> Select[Any]:
    """The topics in whose logs they are named: of their conversations, of the others."""
    others = _others(gone.member, true())
    found = union_all(
        select(conversation.c.topic.label("key"))
        .join(participant, participant.c.conversation == conversation.c.key)
        .where(participant.c.member == gone.member),
        select(member.c.topic.label("key")).join(others, others.c.key == member.c.key),
    ).subquery()
    query = select(found.c.key).where(found.c.key > (after or 0), found.c.key != gone.topic)
    return query.distinct().order_by(found.c.key)


def _their_messages(member: int) -> Select[Any]:
    c = message.c
    return select(c.seq, c.key).where(c.sender == member, c.client_id != "").order_by(c.seq)


def _withdrawn(member: int) -> Select[Any]:
    return _their_messages(member).where(message.c.deleted_at == 0)


def _reacted(member: int) -> list[ColumnElement[bool]]:
    return [reaction.c.message == message.c.key, reaction.c.member == member]


def _reacted_messages(member: int) -> Select[Any]:
    c = message.c
    return select(c.seq, c.key).where(*_reacted(member)).distinct().order_by(c.seq)


def _pairs(gone: Erasure, after: Any) -> Select[Any]:
    """The others of whom something is left but the conversation that the two had."""
    bare = Pair(0, 0)
    kept = ("low", "high", "conversation")
    left = or_(*(c != getattr(bare, c.name) for c in pair.c if c.name not in kept))
    others = _others(gone.member, left)
    return select(others.c.key).where(others.c.key > (after or 0)).order_by(others.c.key)


def _reports(gone: Erasure, after: Any) -> Select[Any]:
    """The open reports in conversations that they are or were in."""
    query = (
        select(report.c.key)
        .join(participant, participant.c.conversation == report.c.conversation)
        .where(
            participant.c.member == gone.member, report.c.closed_ms == 0,
            report.c.key > (after or 0),
        )
    )  # fmt: skip
    return query.order_by(report.c.key)


def _notes(gone: Erasure, after: Any) -> Select[Any]:
    c = invitation.c
    query = select(c.key).where(c.sender == gone.member, c.note != "", c.key > (after or 0))
    return query.order_by(c.key)


def _parts(gone: Erasure, after: Any) -> Select[Any]:
    c = participant.c
    query = select(c.conversation).where(
        c.member == gone.member, c.read + c.shown + c.shown_ms > 0, c.conversation > (after or 0),
        ~_is_held(c.conversation),
    )  # fmt: skip
    return query.order_by(c.conversation)


def _creations(gone: Erasure, after: Any) -> Select[Any]:
    return _client_ids(after, creation.c.caller == gone.member)


def _grants(gone: Erasure, after: Any) -> Select[Any]:
    # The operator is named literally, for the index of what the operator has made.
    c = creation.c
    return _client_ids(after, c.caller == literal_column("0"), c.ref == gone.member)


def _client_ids(after: Any, *those: ColumnElement[bool]) -> Select[Any]:
    c = creation.c
    query = select(c.client_id).where(*those).order_by(c.client_id)
    return query.where(c.client_id > after) if after is not None else query


def _log(gone: Erasure, after: Any) -> Select[Any]:
    c = entry.c
    query = select(c.pos).where(c.topic == gone.topic, c.pos <= gone.head, c.pos > (after or 0))
    return query.order_by(c.pos)


def _fences(gone: Erasure, after: Any) -> Select[Any]:
    c = fence.c
    query = select(c.seq).where(
        c.member == gone.member, or_(c.who != "", c.device != ""), c.seq > (after or 0)
    )
    return query.order_by(c.seq)


_IN_CONVERSATIONS: dict[str, Callable[[int], Select[Any]]] = {
    "messages": _their_messages,
    "withdraw": _withdrawn,
    "reactions": _reacted_messages,
}
_LEFT: dict[str, Callable[[Erasure, Any], Select[Any]]] = {
    "topics": _topics,
    "pairs": _pairs,
    "reports": _reports,
    "notes": _notes,
    "parts": _parts,
    "creations": _creations,
    "grants": _grants,
    "log": _log,
    "fences": _fences,
}
