"""Commands that change who is in a conversation of more than two, or what it is called.

Roster changes are events of the conversation's own log, under its topic; joining and leaving are
told to those concerned on their own topics. The hub ends access as it delivers the event.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta
from msgspec.structs import replace

from server.commands import access, creations, group_talk, reach, results
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
from server.commands.facts import FenceHead, Handle
from server.commands.places import Place, manages, open_one_to_one, place, present
from server.commands.roster_changes import bring_in, end_part, found, room
from server.commands.work import Work
from server.domain import contact, relations
from server.domain.rows import Creation, Member, Pair, Participant, Topic
from server.errors import Invalid, Refused, Unreachable

Map = dict[str, Any]
CONVERSATION = ("member:caller", "conversation", "member:each concerned")


def _connected(me: Member, members: list[str], work: Work) -> list[Member]:
    """These members, each reachable by the caller as a direct message. Raises `Unreachable`."""
    work.want((Topic, me.topic), *((Handle, member) for member in members))
    keys = [reach.key_of(member, work) for member in members]
    work.want(*((Pair, relations.ident(me.key, key)) for key in keys))
    others = []
    for member in members:
        other, pair = reach.between(me, member, work)
        if other is None or not (contact.visible(other, pair) and relations.connected(pair)):
            raise Unreachable
        others.append(other)
    work.want(*((Topic, other.topic) for other in others))
    return others


class Start(Params, frozen=True):
    """conversation.start."""

    members: Annotated[
        tuple[MemberRef, ...], Meta(max_length=1000, description="None: all of the group.")
    ] = ()
    title: str = ""
    group: Id | None = None
    client_id: ClientId | None = None


def _made(me: Member, p: Start | Add, command: str, work: Work) -> Map | None:
    client_id(p.client_id)
    if p.client_id is None:
        return None
    work.want((Creation, (me.key, p.client_id)), (Topic, me.topic))
    made = creations.made(me.key, p.client_id, command, p, work)
    if made is None:
        return None
    return {"conversation": work.ids.conversation(made), "duplicate": True}


def start(me: Member, p: Start, work: Work) -> Map:
    """Begin a conversation with one's connections; with a single one, the pair's own."""
    text(p.title, work.policy.title_characters, "title", empty=True)
    members = list(dict.fromkeys(p.members))
    for member in members:
        other_than(me, member, "members")
    if not members and p.group is None:
        raise Invalid("members: at least one, outside a group.", field="members")
    made = _made(me, p, "conversation.start", work)
    if made is not None:
        return made
    work.want((Topic, me.topic))
    if p.group is not None:
        key = group_talk.start(me, p.group, members, p.title, work)
    else:
        key = _start(me, members, p.title, work)
    creations.remember(me.key, p.client_id, "conversation.start", p, key, work)
    return {"conversation": work.ids.conversation(key), "duplicate": False}


def _start(me: Member, members: list[str], title: str, work: Work) -> int:
    room(len(members) + 1, work)
    others = _connected(me, members, work)
    if len(others) > 1:
        return found(me, others, title, 0, work).key
    pair = work.need(Pair, relations.ident(me.key, others[0].key))
    return pair.conversation or open_one_to_one(me, others[0], pair, work)[0].key


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


def _of_several(me: Member, conversation: str, work: Work) -> Place:
    """Raises `Unreachable`; `Refused` for a conversation of two."""
    where = _inside(me, conversation, work)
    if where.of_two:
        raise Refused("one_to_one", "A conversation between two stays as it is.")
    work.want((Topic, where.row.topic), (FenceHead, 0))
    return where


def _changeable(me: Member, conversation: str, work: Work) -> Place:
    """One whose roster and title the caller may change: any participant's own, of a group's its
    owner and managers. Raises `Unreachable`, `Refused`."""
    where = _of_several(me, conversation, work)
    present(where)
    if where.row.group and not manages(me, where.row.group, work):
        raise Refused("managers_only", "Only the group's owner and managers change this.")
    return where


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
        row = found(me, _connected(me, members, work), "", 0, work)
        creations.remember(me.key, p.client_id, "conversation.add", p, row.key, work)
        return {"conversation": work.ids.conversation(row.key), "duplicate": False}
    where = _changeable(me, p.conversation, work)
    group = where.row.group
    (other,) = (
        group_talk.fellows(me, group, [p.member], work)
        if group
        else _connected(me, [p.member], work)
    )
    creations.remember(me.key, p.client_id, "conversation.add", p, where.row.key, work)
    bring_in(where.row, [other], work, limited=True)
    return {"conversation": p.conversation, "duplicate": False}


class Remove(Params, frozen=True):
    """conversation.remove."""

    conversation: Id
    member: MemberRef


def remove(me: Member, p: Remove, work: Work) -> Map:
    """Take a participant out; they keep what they could see until then."""
    other_than(me, p.member, "member")
    where = _changeable(me, p.conversation, work)
    other = access.named(p.member, work)
    part = work.find(Participant, (where.row.key, reach.key_of(p.member, work)))
    if other is None or part is None or not part.role:
        raise Unreachable
    end_part(where, other, "removed", work)
    return {}


class Leave(Params, frozen=True):
    """conversation.leave."""

    conversation: Id


def leave(me: Member, p: Leave, work: Work) -> Map:
    """Leave; one keeps what one could see until then."""
    end_part(_of_several(me, p.conversation, work), me, "left", work)
    return {}


class Rename(Params, frozen=True):
    """conversation.rename."""

    conversation: Id
    title: str


def rename(me: Member, p: Rename, work: Work) -> Map:
    """Give a conversation another title; an empty one goes back to its participants' names."""
    text(p.title, work.policy.title_characters, "title", empty=True)
    where = _changeable(me, p.conversation, work)
    if where.row.title != p.title:
        row = replace(where.row, title=p.title, rev=where.row.rev + 1)
        work.put(row)
        data = {"conversation": p.conversation, "title": row.title, "rev": row.rev}
        work.emit(
            row.topic, "conversation.renamed", data, conversation=row.key,
            refs={"title": row.title, "before": where.row.title, "rev": row.rev},
        )  # fmt: skip
    return {}


_ERRORS = ("unreachable", "refused")
COMMANDS = (
    Command(
        name="conversation.start", params=Start, run=start, kind="write", rate="change",
        locks=("member:caller", "member:each of members"),
        doc="Begin a conversation with connections, or a group's with its members.",
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
)  # fmt: skip
