"""Commands that change who is in a conversation of more than two, or what it is called.

Roster changes are events of the conversation's own log, under its topic; joining and leaving are
told to those concerned on their own topics. The hub ends access as it delivers the event.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta
from msgspec.structs import replace

from server.commands import access, creations, results, views
from server.commands.command import (
    ClientId,
    Command,
    Id,
    MemberRef,
    Params,
    client_id,
    other_than,
    text,
)
from server.commands.facts import FenceHead, Handle, Memberships, Roster
from server.commands.places import Place, open_one_to_one, place
from server.commands.work import Work
from server.domain import contact, conversations, relations
from server.domain.ids import conversation_topic
from server.domain.rows import Conversation, Creation, Member, Pair, Participant, Topic
from server.errors import Refused, Unreachable

Map = dict[str, Any]
CONVERSATION = ("member:caller", "conversation", "member:each concerned")


def _connected(me: Member, members: list[str], work: Work) -> list[Member]:
    """These members, each reachable by the caller as a direct message. Raises `Unreachable`."""
    work.want(*((Handle, member) for member in members))
    others = [access.reachable(member, work) for member in members]
    work.want(
        *((Pair, relations.ident(me.key, other.key)) for other in others),
        *((Topic, other.topic) for other in others),
    )
    for other in others:
        pair = work.find(Pair, relations.ident(me.key, other.key))
        way = contact.way(me, other, pair)
        if way is None or way.kind != "direct":
            raise Unreachable
    return others


def _tell_joined(row: Conversation, topic: str, pos: int, member: Member, work: Work) -> None:
    data = {"conversation": work.ids.conversation(row.key), "topic": topic, "pos": pos}
    work.emit(member.topic, "conversation.joined", data, conversation=row.key, refs={"pos": pos})


def _found(me: Member, others: list[Member], title: str, work: Work) -> Conversation:
    """A new conversation of the caller and these; founders have no roster event."""
    key = work.new_key()
    topic = Topic(
        work.new_key(), conversation_topic(work.ids.conversation(key)), changed_ms=work.now_ms
    )
    row = Conversation(
        key, conversations.SEVERAL, topic.key, 0, 0, work.now_ms, me.key, title=title,
        active_ms=work.now_ms,
    )  # fmt: skip
    work.put(topic)
    work.put(row)
    for member in (me, *others):
        work.put(conversations.join(row, 0, member.key, None, work.policy))
        _tell_joined(row, topic.name, 0, member, work)
    return row


def _room(count: int, work: Work) -> None:
    if count > work.policy.participants_per_conversation:
        raise Refused(
            "participants_per_conversation",
            f"A conversation has at most {work.policy.participants_per_conversation} participants.",
        )


class Start(Params, frozen=True):
    """conversation.start."""

    members: Annotated[list[MemberRef], Meta(min_length=1, max_length=1000)]
    title: str = ""
    group: Id | None = None
    client_id: ClientId | None = None


def _made(me: Member, p: Start | Add, command: str, work: Work) -> Map | None:
    client_id(p.client_id)
    if p.client_id is None:
        return None
    work.want((Creation, (me.key, p.client_id)), (Topic, me.topic))
    made = creations.made(me, p.client_id, command, p, work)
    if made is None:
        return None
    return {"conversation": work.ids.conversation(made), "duplicate": True}


def start(me: Member, p: Start, work: Work) -> Map:
    """Begin a conversation with one's connections; with a single one, the pair's own."""
    text(p.title, work.policy.title_characters, "title", empty=True)
    members = list(dict.fromkeys(p.members))
    for member in members:
        other_than(me, member, "members")
    if p.group is not None:
        raise Unreachable
    made = _made(me, p, "conversation.start", work)
    if made is not None:
        return made
    _room(len(members) + 1, work)
    work.want((Topic, me.topic))
    others = _connected(me, members, work)
    if len(others) == 1:
        pair = work.need(Pair, relations.ident(me.key, others[0].key))
        key = pair.conversation or open_one_to_one(me, others[0], pair, work)[0].key
    else:
        key = _found(me, others, p.title, work).key
    creations.remember(me, p.client_id, "conversation.start", p, key, work)
    return {"conversation": work.ids.conversation(key), "duplicate": False}


class Add(Params, frozen=True):
    """conversation.add."""

    conversation: Id
    member: MemberRef
    client_id: ClientId | None = None


def _inside(me: Member, conversation: str, work: Work) -> Place:
    """A conversation that the caller is in now. Raises `Unreachable`."""
    where = place(me, work.ids.conversation_key(conversation), work)
    if not where.view.current:
        raise Unreachable
    return where


def _of_several(me: Member, conversation: str, work: Work) -> tuple[Place, Roster]:
    """Raises `Unreachable`; `Refused` for a conversation of two."""
    where = _inside(me, conversation, work)
    if where.of_two:
        raise Refused("one_to_one", "A conversation between two stays as it is.")
    work.want((Roster, where.row.key), (Topic, where.row.topic), (FenceHead, 0))
    return where, work.need(Roster, where.row.key)


def add(me: Member, p: Add, work: Work) -> Map:
    """Bring one's own connection in; to a one_to_one it makes a new conversation of three."""
    other_than(me, p.member, "member")
    made = _made(me, p, "conversation.add", work)
    if made is not None:
        return made
    where = _inside(me, p.conversation, work)
    if where.other is not None:
        members = [where.other.id, p.member]
        if p.member == where.other.id:
            raise Refused("already_participant", "They are in this conversation.")
        work.want((Topic, me.topic))
        row = _found(me, _connected(me, members, work), "", work)
        creations.remember(me, p.client_id, "conversation.add", p, row.key, work)
        return {"conversation": work.ids.conversation(row.key), "duplicate": False}
    where, roster = _of_several(me, p.conversation, work)
    key = where.row.key
    (other,) = _connected(me, [p.member], work)
    work.want((Participant, (key, other.key)), (Memberships, other.key))
    creations.remember(me, p.client_id, "conversation.add", p, key, work)
    if other.key not in roster.roles:
        _room(len(roster.roles) + 1, work)
        row = replace(where.row, rev=where.row.rev + 1)
        changes = [[other.key, "added", "participant"]]
        pos = _change_roster(row, changes, len(roster.roles) + 1, (), work)
        before = work.find(Participant, (key, other.key))
        work.put(conversations.join(row, pos, other.key, before, work.policy))
        topic = work.need(Topic, row.topic)
        _tell_joined(row, topic.name, pos, other, work)
    return {"conversation": p.conversation, "duplicate": False}


def _change_roster(
    row: Conversation,
    changes: list[list[Any]],
    count: int,
    ended: tuple[str, ...],
    work: Work,
) -> int:
    work.put(row)
    data = views.roster_change(row, row.rev, changes, count, work)
    refs: dict[str, object] = {"rev": row.rev, "changes": changes, "count": count}
    return work.emit(
        row.topic, "roster.changed", data, ended=ended, conversation=row.key, refs=refs
    )


def end_part(where: Place, roster: Roster, member: Member, change: str, work: Work) -> None:
    """End a participant's access: in the log, on their own topic, and behind a fence."""
    key = where.row.key
    work.want((Participant, (key, member.key)), (Topic, member.topic), (Memberships, member.key))
    row = replace(where.row, rev=where.row.rev + 1)
    role = roster.roles[member.key]
    count = len(roster.roles)
    changes = [[member.key, change, role]]
    pos = _change_roster(row, changes, count - 1, (member.id,), work)
    part = work.need(Participant, (key, member.key))
    work.put(conversations.leave(row, pos, part))
    if member.alive:
        data = {
            "conversation": work.ids.conversation(key),
            "topic": work.need(Topic, row.topic).name,
            "pos": pos - 1,
        }
        refs: dict[str, object] = {"pos": pos - 1}
        work.emit(member.topic, "conversation.left", data, conversation=key, refs=refs)
    work.fence("removed", member, conversation=row, pos=pos - 1)


class Remove(Params, frozen=True):
    """conversation.remove."""

    conversation: Id
    member: MemberRef


def remove(me: Member, p: Remove, work: Work) -> Map:
    """Take a participant out; they keep what they could see until then."""
    other_than(me, p.member, "member")
    where, roster = _of_several(me, p.conversation, work)
    other = access.reachable(p.member, work)
    if other.key not in roster.roles:
        raise Unreachable
    end_part(where, roster, other, "removed", work)
    return {}


class Leave(Params, frozen=True):
    """conversation.leave."""

    conversation: Id


def leave(me: Member, p: Leave, work: Work) -> Map:
    """Leave; one keeps what one could see until then."""
    where, roster = _of_several(me, p.conversation, work)
    end_part(where, roster, me, "left", work)
    return {}


class Rename(Params, frozen=True):
    """conversation.rename."""

    conversation: Id
    title: str


def rename(me: Member, p: Rename, work: Work) -> Map:
    """Give a conversation another title; an empty one goes back to its participants' names."""
    text(p.title, work.policy.title_characters, "title", empty=True)
    where, _ = _of_several(me, p.conversation, work)
    if where.row.title != p.title:
        row = replace(where.row, title=p.title, rev=where.row.rev + 1)
        work.put(row)
        data = {"conversation": p.conversation, "title": row.title, "rev": row.rev}
        work.emit(
            row.topic, "conversation.renamed", data, conversation=row.key,
            refs={"title": row.title, "before": where.row.title, "rev": row.rev},
        )  # fmt: skip
    return {}


class Request(Params, frozen=True):
    """request.accept and request.decline."""

    conversation: Id


def answer_request(me: Member, p: Request, work: Work) -> Map:
    """Answer a message request. Direct messages are none, so there is nothing to answer yet."""
    place(me, work.ids.conversation_key(p.conversation), work)
    raise Refused("already_answered", "This conversation is no open request.")


_ERRORS = ("unreachable", "refused")
COMMANDS = (
    Command(
        name="conversation.start", params=Start, run=start, kind="write", rate="change",
        locks=("member:caller", "member:each of members"),
        doc="Begin a conversation with up to 49 connections.",
        result=results.Placed,
        errors=(*_ERRORS, "client_id_reused"),
    ),
    Command(
        name="conversation.add", params=Add, run=add, kind="write", rate="change",
        locks=CONVERSATION, doc="Add a connection; a one_to_one becomes a new conversation.",
        result=results.Placed,
        errors=(*_ERRORS, "client_id_reused"),
    ),
    Command(
        name="conversation.remove", params=Remove, run=remove, kind="write", rate="change",
        locks=CONVERSATION, doc="Remove a participant.", result=results.Done, errors=_ERRORS,
    ),
    Command(
        name="conversation.leave", params=Leave, run=leave, kind="write", rate="change",
        locks=CONVERSATION, doc="Leave a conversation.", result=results.Done, errors=_ERRORS,
    ),
    Command(
        name="conversation.rename", params=Rename, run=rename, kind="write", rate="change",
        locks=CONVERSATION, doc="Change a conversation's title.",
        result=results.Done, errors=_ERRORS,
    ),
    Command(
        name="request.accept", params=Request, run=answer_request, kind="write", rate="change",
        locks=CONVERSATION, doc="Accept a message request.", result=results.Done, errors=_ERRORS,
    ),
    Command(
        name="request.decline", params=Request, run=answer_request, kind="write", rate="change",
        locks=CONVERSATION, doc="Decline a message request.", result=results.Done, errors=_ERRORS,
    ),
)  # fmt: skip
