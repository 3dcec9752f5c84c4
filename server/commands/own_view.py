"""Commands on one's own view of a conversation: marks, clearing it, a draft.

Nobody else is told or can find out: everything is in rows of the member's own, and events of their
own topic. A send reads and writes none of it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta
from msgspec.structs import replace

from server.commands import shapes, views
from server.commands.command import Command, Id, Params, text
from server.commands.places import BOTH, Place, place
from server.commands.work import Work
from server.domain import own_view
from server.domain.own_view import Draft, Marks, Own
from server.domain.rows import Member, Topic

Map = dict[str, Any]


def _here(me: Member, conversation: str, work: Work) -> tuple[Place, Own]:
    """The conversation, and one's own marks on it. Raises `Unreachable`."""
    where = place(me, work.ids.conversation_key(conversation), work)
    # The other topic holds still what the last message is.
    work.want((Topic, me.topic), *((Topic, key) for key in where.topics))
    own = work.find(Own, (where.row.key, me.key))
    return where, own if own is not None else Own(where.row.key, me.key)


def store(me: Member, where: Place, before: Own, after: Own, work: Work) -> Map:
    """Keep changed marks and tell one's own devices; answers all of them, changed or not."""
    last = own_view.last_seq(where.row, where.mine)
    data = {
        "conversation": work.ids.conversation(where.row.key),
        **views.marks(after, last),
    }
    if after != before:
        work.put(after)
        work.emit(me.topic, "conversation.changed", data, conversation=where.row.key, member=me.key)
    return data


class Set(Params, frozen=True):
    """conversation.set: those to change."""

    conversation: Id
    muted: bool | None = None
    starred: bool | None = None
    archived: bool | None = None
    unread: bool | None = None
    reported: Annotated[
        Literal[False] | None, Meta(description="Back into the inbox; the report stands.")
    ] = None


def set_marks(me: Member, p: Set, work: Work) -> Map:
    """Change some marks of one's own."""
    where, own = _here(me, p.conversation, work)
    marks = Marks(p.muted, p.starred, p.archived, p.unread, p.reported)
    last = own_view.last_seq(where.row, where.mine)
    return store(me, where, own, own_view.marked(own, marks, last), work)


class Clear(Params, frozen=True):
    """conversation.clear."""

    conversation: Id


def clear(me: Member, p: Clear, work: Work) -> Map:
    """Delete a conversation for oneself: its messages up to now, and one's draft.

    What was unread counts as read, for oneself alone: no receipt says so, now or later.
    """
    where, own = _here(me, p.conversation, work)
    work.want((Draft, (where.row.key, me.key)))
    last = own_view.last_seq(where.row, where.mine)
    if where.mine.read < last:
        work.put(replace(where.mine, read=last))
        data = {"conversation": p.conversation, "read": last}
        work.emit(me.topic, "read.moved", data, conversation=where.row.key, refs={"read": last})
    _draft(me, where, "", work)
    return store(me, where, own, own_view.clear(own, last), work)


def was_read(me: Member, where: Place, seq: int, work: Work) -> None:
    """Take the mark away by which a conversation was unread, once it is read as far as it was
    when it was marked; a late word of something read before changes nothing."""
    own = work.find(Own, (where.row.key, me.key))
    if own is not None and own.unread and seq >= where.mine.read:
        store(me, where, own, replace(own, unread=False), work)


class SetDraft(Params, frozen=True):
    """draft.set: the whole text; an empty one removes it."""

    conversation: Id
    body: str


def _draft(me: Member, where: Place, body: str, work: Work) -> Map:
    before = work.find(Draft, (where.row.key, me.key))
    data = {"conversation": work.ids.conversation(where.row.key), "body": body}
    if body != (before.body if before is not None else ""):
        work.put(Draft(where.row.key, me.key, body))
        work.emit(me.topic, "draft.changed", data, conversation=where.row.key, member=me.key)
    return data


def set_draft(me: Member, p: SetDraft, work: Work) -> Map:
    """Keep the text that one has begun, for all of one's own devices."""
    text(p.body, work.policy.body_characters, "body", empty=True)
    where, _ = _here(me, p.conversation, work)
    return _draft(me, where, p.body, work)


COMMANDS = (
    Command(
        name="conversation.set", params=Set, run=set_marks, kind="write", rate="change",
        locks=BOTH, doc="Mute, star, archive or mark unread, for oneself alone.",
        result=shapes.Marked, errors=("unreachable",),
    ),
    Command(
        name="conversation.clear", params=Clear, run=clear, kind="write", rate="change",
        locks=BOTH, doc="Delete a conversation's messages up to now, for oneself alone.",
        result=shapes.Marked, errors=("unreachable",),
    ),
    Command(
        name="draft.set", params=SetDraft, run=set_draft, kind="write", rate="change",
        locks=BOTH, doc="Keep an unsent text, for one's own devices.",
        result=shapes.Draft, errors=("unreachable",),
    ),
)  # fmt: skip
