"""Commands on messages: send, edit, delete, react.

Each is decided from the rows under the locked topics; the kind is the server's to decide.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta
from msgspec.structs import replace

from server.commands import creations, newcomers, reach, results, shapes, viewers, views
from server.commands.command import (
    MAX_INT,
    ClientId,
    Command,
    Id,
    MemberRef,
    Params,
    client_id,
    emoji,
    other_than,
    text,
)
from server.commands.facts import Handle, Reactions
from server.commands.places import (
    BOTH,
    Place,
    counted,
    open_one_to_one,
    place,
    present,
    reactable,
    seen_message,
    writable,
)
from server.commands.work import Work
from server.domain import contact, conversations, relations
from server.domain.rows import (
    Creation,
    Member,
    Message,
    Participant,
    Reaction,
    Revision,
    Topic,
)
from server.errors import Invalid, Refused, Unreachable

Map = dict[str, Any]


class Send(Params, frozen=True):
    """message.send: `to` a member or into a `conversation`, exactly one of the two."""

    body: str
    client_id: ClientId
    to: MemberRef | None = None
    conversation: Id | None = None
    subject: str | None = None
    reply_to: Annotated[Id, Meta(description="A message of the same conversation.")] | None = None
    mentions: Annotated[
        tuple[MemberRef, ...], Meta(max_length=1000, description="Others are left out silently.")
    ] = ()
    max_cost: Annotated[
        int, Meta(ge=0, le=MAX_INT, description="The credits that it may cost.")
    ] = 0


def _sent(row: Message, work: Work, *, duplicate: bool) -> Map:
    return {
        "conversation": work.ids.conversation(row.conversation),
        "message": work.ids.message(row.key),
        "seq": row.seq,
        "kind": row.kind,
        "sent_at": row.sent_at,
        "duplicate": duplicate,
    }


def _one_to_one(me: Member, to: str, work: Work) -> Place:
    """The place of messages to a member; of two without one, a place that is not made yet."""
    found, pair = reach.between(me, to, work)
    if pair is not None and pair.conversation:
        return place(me, pair.conversation, work)
    other = reach.meet(me, to, found, pair, work)
    nowhere = conversations.nowhere(me.key, other.key)
    return Place(
        row=nowhere, mine=Participant(nowhere.key, me.key, conversations.PARTICIPANT, []),
        view=conversations.EVERYTHING, topics=(me.topic, other.topic), other=other,
        pair=pair or relations.new(me.key, other.key),
    )  # fmt: skip


def _passage(me: Member, where: Place, p: Send, work: Work) -> tuple[Place, reach.Passage]:
    """How this message passes, and the place that it goes to, made where it is the first."""
    if where.other is None or where.pair is None:
        writable(me, where, work)
        kind = contact.GROUP if where.row.group else contact.DIRECT
        return where, reach.Passage(kind)
    taken = reach.passage(me, where.other, where.pair, p.max_cost, work)
    if taken.begins and taken.kind == contact.INMAIL:
        text(p.body, work.policy.inmail_characters, "body")
    if not where.pair.conversation:
        work.want(*((Topic, key) for key in where.topics))
        row, mine, pair = open_one_to_one(me, where.other, where.pair, work)
        where = replace(where, row=row, mine=mine, pair=pair)
    return where, taken


def send(me: Member, p: Send, work: Work) -> Map:
    """Decide and store one message; the kind and cost are the rulebook's."""
    if (p.to is None) == (p.conversation is None):
        raise Invalid("Give exactly one of to and conversation.", field="to")
    text(p.body, work.policy.body_characters, "body")
    if p.subject is not None:
        text(p.subject, work.policy.subject_characters, "subject", empty=True)
    if len(p.mentions) > work.policy.mentions_per_message:
        raise Invalid("Too many mentions.", field="mentions")
    client_id(p.client_id)
    creation = (Creation, (me.key, p.client_id))
    if p.to is not None:
        other_than(me, p.to, "to")
        work.want(creation, (Topic, me.topic), (Handle, p.to))
    else:
        work.want(creation, (Topic, me.topic))
    made = creations.made(me.key, p.client_id, "message.send", p, work)
    if made is not None:
        return _sent(work.need(Message, made), work, duplicate=True)
    if p.to is not None:
        where = _one_to_one(me, p.to, work)
    else:
        where = place(me, work.ids.conversation_key(p.conversation or ""), work)
    where, taken = _passage(me, where, p, work)
    work.want(*((Topic, key) for key in where.topics))
    reply_to = 0
    if p.reply_to is not None:
        answered, there = seen_message(me, p.reply_to, work)
        if there.row.key != where.row.key:
            raise Unreachable
        reply_to = answered.key
    row = Message(
        work.new_key(), where.row.key, where.row.seq + 1, me.key, taken.kind, p.body, p.client_id,
        work.now_ms, subject=p.subject or "", reply_to=reply_to,
    )  # fmt: skip
    into = where.row
    if p.mentions:
        mentioned, into = viewers.mentioned(me, p.mentions, where, work)
        row = replace(row, mentions=mentioned)
    creations.remember(me.key, p.client_id, "message.send", p, row.key, work)
    work.put(replace(into, seq=row.seq, last_message=row.key, active_ms=work.now_ms))
    work.put(row)
    data = views.message(row, work)
    for topic in where.topics:
        work.emit(topic, "message.created", data, conversation=row.conversation, message=row.key)
    if where.other is not None and where.pair is not None and (taken.begins or taken.answers):
        reach.take(me, where.other, where.pair, taken, where.row, work)
    return _sent(row, work, duplicate=False)


class Edit(Params, frozen=True):
    """message.edit: the whole new text."""

    message: Id
    body: str


def _as_it_is(row: Message, where: Place) -> None:
    """Raises `Refused` for a message that the caller sees as it was in an earlier stay."""
    if not where.view.follows(row.seq):
        raise Refused("earlier_stay", "It is from before you came back: you see it as it was then.")


def _own(me: Member, row: Message, work: Work) -> None:
    """Raises `Refused` unless the caller sent it and the window is open."""
    if row.sender != me.key:
        raise Refused("not_sender", "Only its sender can do that.")
    if row.deleted_at:
        raise Refused("deleted", "The message is deleted.")
    if not conversations.changeable(row, work.now_ms, work.policy):
        raise Refused("edit_window", "It is too late to change this message.")


def _changed(row: Message, where: Place, before: Message | None, name: str, work: Work) -> Map:
    """Store a message's new text and tell everybody who may see it."""
    work.want((Reactions, row.key), *((Topic, key) for key in where.topics))
    pos = 0 if where.of_two else work.need(Topic, where.row.topic).head + 1
    work.put(row)
    if before is not None:
        work.put(Revision(row.key, row.rev, pos, before.body, before.edited_at))
    data = views.message_now(row, work, counted=counted(where.row, work))
    apart = newcomers.before_whom(where.row, row.seq, work)
    for topic in where.topics:
        work.emit(topic, name, data, conversation=row.conversation, message=row.key, apart=apart)
    return data


def edit(me: Member, p: Edit, work: Work) -> Map:
    """Replace the text of one's own message within 60 minutes; it is marked as edited."""
    text(p.body, work.policy.body_characters, "body")
    row, where = seen_message(me, p.message, work)
    writable(me, where, work)
    _as_it_is(row, where)
    _own(me, row, work)
    edited = replace(row, body=p.body, rev=row.rev + 1, edited_at=work.now_ms)
    return _changed(edited, where, row, "message.edited", work)


class Delete(Params, frozen=True):
    """message.delete: for everyone."""

    message: Id


def delete(me: Member, p: Delete, work: Work) -> Map:
    """Leave a tombstone of one's own message within 60 minutes; the original is kept unseen."""
    row, where = seen_message(me, p.message, work)
    if where.other is None:
        present(where)
    elif not contact.visible(where.other, where.pair):
        raise Unreachable
    _as_it_is(row, where)
    if row.sender == me.key and row.deleted_at:
        return views.message(row, work)
    _own(me, row, work)
    gone = replace(row, body="", rev=row.rev + 1, deleted_at=work.now_ms)
    return _changed(gone, where, row, "message.deleted", work)


class React(Params, frozen=True):
    """message.react and message.unreact."""

    message: Id
    emoji: Annotated[str, Meta(min_length=1, max_length=32)]


def _react(me: Member, p: React, work: Work, *, on: bool) -> Map:
    emoji(p.emoji)
    row, where = seen_message(me, p.message, work)
    reactable(me, where, work)
    _as_it_is(row, where)
    if row.deleted_at:
        raise Refused("deleted", "The message is deleted.")
    many = counted(where.row, work)
    known = work.find(Reactions, row.key)
    rows = list(known.reactions) if known is not None else []
    work.want(*((Member, r.member) for r in rows), *((Topic, key) for key in where.topics))
    mine = [r for r in views.present(rows) if r.member == me.key]
    old = next((r for r in mine if r.emoji == p.emoji), None)
    if (old is not None) != on:
        if on and len(mine) >= work.policy.reactions_per_member:
            raise Refused("reactions_per_member", "That is enough reactions to one message.")
        row = replace(row, rev=row.rev + 1)
        if old is None:
            new = Reaction(row.key, me.key, p.emoji, row.rev)
        else:
            new = replace(old, removed_rev=row.rev)
        rows = [r for r in rows if r is not old] + [new]
        pos = 0 if where.of_two else work.need(Topic, where.row.topic).head + 1
        work.put(row)
        work.put(new)
        work.put(Revision(row.key, row.rev, pos))
        data = views.reacted(row, me.key, rows, work)
        apart = newcomers.before_whom(where.row, row.seq, work)
        for topic in where.topics:
            work.emit(
                topic, "message.reacted", data, conversation=row.conversation, message=row.key,
                member=me.key, apart=apart,
            )  # fmt: skip
    return {"reactions": views.reactions(views.present(rows), work, counted=many)}


def react(me: Member, p: React, work: Work) -> Map:
    """Add one emoji of one's own."""
    return _react(me, p, work, on=True)


def unreact(me: Member, p: React, work: Work) -> Map:
    """Take one emoji of one's own back."""
    return _react(me, p, work, on=False)


COMMANDS = (
    Command(
        name="message.send", params=Send, run=send, kind="write", rate="send", locks=BOTH,
        doc="Send a message to a member, or into a conversation.",
        result=results.Sent,
        errors=("unreachable", "client_id_reused", "costs_credit", "refused"),
    ),
    Command(
        name="message.edit", params=Edit, run=edit, kind="write", rate="change", locks=BOTH,
        doc="Replace the text of one's own message, within 60 minutes.",
        result=shapes.Message, errors=("unreachable", "refused"),
    ),
    Command(
        name="message.delete", params=Delete, run=delete, kind="write", rate="change", locks=BOTH,
        doc="Delete one's own message for everyone, within 60 minutes.",
        result=shapes.Message, errors=("unreachable", "refused"),
    ),
    Command(
        name="message.react", params=React, run=react, kind="write", rate="change", locks=BOTH,
        doc="Add an emoji to a message.",
        result=results.Reacted, errors=("unreachable", "refused"),
    ),
    Command(
        name="message.unreact", params=React, run=unreact, kind="write", rate="change", locks=BOTH,
        doc="Take an emoji back.",
        result=results.Reacted, errors=("unreachable", "refused"),
    ),
)  # fmt: skip
