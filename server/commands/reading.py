"""Reads of conversations: the inbox, one conversation, its history. Answered from one snapshot.

To whoever's access has ended, everything is answered as of their last position.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta
from msgspec.structs import replace

from server.commands import cursor, results, shapes, views
from server.commands.command import PAGE, Command, Id, Limit, Params, Seq
from server.commands.facts import Reactions
from server.commands.places import (
    Place,
    all_at_once,
    carries_signals,
    counted,
    counted_at,
    manages,
    viewed,
)
from server.commands.snapshot import Snapshot
from server.domain import contact, conversations
from server.domain.own_view import Draft
from server.domain.rows import (
    GroupMember,
    Member,
    Message,
    Participant,
    Revision,
    Topic,
)
from server.errors import Invalid

Map = dict[str, Any]


def messages_of(me: Member, where: Place, rows: list[Message], snapshot: Snapshot) -> list[Map]:
    """These messages as their reader sees them, reactions and all."""
    snapshot.want(
        *((Reactions, row.key) for row in rows),
        *((Member, row.sender) for row in rows),
        *((Member, key) for row in rows for key in row.mentions),
    )
    moments = {row.key: where.view.moment_of(row.seq) for row in rows}
    many = {
        moment: counted(where.row, snapshot)
        if moment < 0
        else counted_at(where.row.key, moment, snapshot)
        for moment in set(moments.values())
    }
    changes: dict[int, list[Revision]] = {}
    earlier = [row.key for row in rows if row.rev and moments[row.key] >= 0]
    if earlier:
        changes = snapshot.revisions(earlier, min(moments[key] for key in earlier))
    out = []
    for row in rows:
        then = conversations.as_of(row, changes.get(row.key, []), moments[row.key])
        known = snapshot.find(Reactions, row.key)
        reacted = conversations.reactions_as_of(known.reactions if known else [], then.rev)
        snapshot.want(*((Member, r.member) for r in reacted))
        out.append(views.message(then, snapshot, reacted, counted=many[moments[row.key]]))
    return out


def at_of(me: Member, where: Place, snapshot: Snapshot) -> Map:
    """The positions at which this was read; of a conversation that one has left, the last."""
    at = snapshot.heads([me.topic, *([where.row.topic] if where.row.topic else [])])
    if where.view.pos >= 0:
        topic = snapshot.find(Topic, where.row.topic)
        assert topic is not None
        at[topic.name] = where.view.pos
    return at


def _shown(me: Member, other: Member, part: Participant, where: Place, s: Snapshot) -> bool:
    """Whether a participant's receipt is for the reader to see: the switch is reciprocal, and a
    message from before the reader's stay is not told of."""
    on = me.receipts and other.receipts and part.shown > 0
    return on and where.view.follows(part.shown) and carries_signals(me, where, s)


def _conversation(me: Member, where: Place, unread: int, snapshot: Snapshot) -> Map:
    row, mine, view = where.row, where.mine, where.view
    last_seq = row.seq if view.seq < 0 else view.seq
    newest: list[Message] = []
    for low, high in reversed(ranges(where)):
        newest = newest or snapshot.messages(row.key, low, high + 1, 1, newest=True)
    shown_last = messages_of(me, where, newest, snapshot)
    title = row.title if view.pos < 0 else snapshot.title_at(row, view.pos)
    out: Map = {
        "id": snapshot.ids.conversation(row.key),
        "kind": row.kind,
        "title": title,
        "last": shown_last[0] if shown_last else None,
        "seq": last_seq,
        "read": mine.read,
        "unread": unread,
        "state": _state(where),
        "at": at_of(me, where, snapshot),
        **views.marks(where.own, last_seq),
    }
    draft = snapshot.find(Draft, (row.key, me.key))
    if draft is not None and draft.body:
        out["draft"] = draft.body
    out |= _roster(me, where, snapshot)
    return out


def _state(where: Place) -> str:
    """ "closed" says that one has left, or that a request was declined; never a block."""
    if where.other is None:
        return "open" if where.view.current else "closed"
    if contact.is_request(where.pair):
        return "request"
    return "closed" if contact.is_closed(where.pair) else "open"


def _roster(me: Member, where: Place, snapshot: Snapshot) -> Map:
    """Who is in it as its reader sees it; of a large one only how many."""
    stays = conversations.view(where.row, where.mine)
    assert stays is not None
    where = replace(where, view=stays)  # what its reader has cleared changes nothing of it
    row, large = where.row, snapshot.policy.signals_up_to
    if where.view.current and row.size > large:
        return {"participant_count": row.size, "participants": []}
    everybody = snapshot.participants(row.key)
    if where.other is None:
        pos = where.view.pos if where.view.pos >= 0 else 2**62
        roles = {part.member: conversations.role_at(part, pos) for part in everybody}
        everybody = [part for part in everybody if roles[part.member]]
    else:
        roles = dict.fromkeys((part.member for part in everybody), conversations.PARTICIPANT)
    count = sum(role != conversations.VIEWER for role in roles.values() if role)
    listed = everybody if count <= large else []
    snapshot.want(
        *((Member, part.member) for part in listed),
        *((GroupMember, (row.group, part.member)) for part in listed if _leads_show(where)),
    )
    return {
        "participant_count": count,
        "participants": [
            _participant(me, part, roles[part.member], where, snapshot) for part in listed
        ],
    }


def _leads_show(where: Place) -> bool:
    """Whether its group's owner and managers are named: who they were at an earlier moment is
    not kept, and who they are now is not for somebody who is out of it."""
    return where.row.group > 0 and where.view.pos < 0


def _participant(me: Member, part: Participant, role: str, where: Place, snapshot: Snapshot) -> Map:
    member = snapshot.find(Member, part.member)
    assert member is not None
    if role == conversations.PARTICIPANT and _leads_show(where):
        role = "manager" if manages(member, where.row.group, snapshot) else role
    entry: Map = {**views.shown(member), "role": role}
    if _shown(me, member, part, where, snapshot):
        entry["shown"] = part.shown
    return entry


class Get(Params, frozen=True):
    """conversation.get."""

    conversation: Id


def get(me: Member, p: Get, snapshot: Snapshot) -> Map:
    """One conversation as the caller sees it."""
    where = viewed(me, snapshot.ids.conversation_key(p.conversation), snapshot)
    (unread,) = snapshot.unread(me.key, [(where.row, where.mine)])
    return _conversation(me, where, unread, snapshot)


Filter = Annotated[
    Literal[
        "all", "unread", "requests", "connections", "others", "archived", "starred", "reported"
    ],
    Meta(description="all: the inbox, without archived, reported and cleared conversations."),
]


class List(Params, frozen=True):
    """conversation.list."""

    limit: Limit = 50
    before: str | None = None
    filter: Filter = "all"


def inbox(me: Member, p: List, snapshot: Snapshot) -> Map:
    """The caller's conversations, the latest active first."""
    limit = min(p.limit, PAGE)
    before = cursor.read(p.before, snapshot.ids.conversation_key)
    found = snapshot.inbox(me.key, before, limit + 1, p.filter)
    rows = found[:limit]
    unread = snapshot.unread(me.key, rows)
    all_at_once(me, [row.key for row, _ in rows], snapshot)
    places = [viewed(me, row.key, snapshot) for row, _ in rows]
    listed = [
        (where, count)
        for where, count in zip(places, unread, strict=True)
        if count or p.filter != "unread" or (where.own is not None and where.own.unread)
    ]
    out: Map = {
        "conversations": [_conversation(me, where, count, snapshot) for where, count in listed],
        "more": len(found) > limit,
        "at": snapshot.heads([me.topic]),
    }
    if len(found) > limit:
        last, mine = rows[-1]
        when = mine.ended_ms or last.active_ms
        out["next"] = cursor.write(when, snapshot.ids.conversation(last.key))
    return out


class History(Params, frozen=True):
    """conversation.history: the newest, or those before or after a seq."""

    conversation: Id
    before: Seq | None = None
    after: Seq | None = None
    limit: Limit = 50


def history(me: Member, p: History, snapshot: Snapshot) -> Map:
    """Messages in ascending order, and whether there are more in the direction asked."""
    if p.before is not None and p.after is not None:
        raise Invalid("Give before or after, not both.", field="after")
    where = viewed(me, snapshot.ids.conversation_key(p.conversation), snapshot)
    limit = min(p.limit, PAGE)
    top = (where.row.seq if where.view.seq < 0 else where.view.seq) + 1
    newest = p.after is None
    after = 0 if p.after is None else p.after
    before = top if p.before is None else min(p.before, top)
    stays = ranges(where)
    rows: list[Message] = []
    # Stays may overlap (a newcomer sees all) or leave gaps (or only what follows).
    for low, high in stays if not newest else reversed(stays):
        wanted = limit + 1 - len(rows)
        if wanted <= 0:
            break
        page = snapshot.messages(
            where.row.key, max(after, low), min(before, high + 1), wanted, newest=newest
        )
        rows = page + rows if newest else rows + page
    more = len(rows) > limit
    rows = (rows[-limit:] if newest else rows[:limit]) if more else rows
    return {
        "messages": messages_of(me, where, rows, snapshot),
        "more": more,
        "at": at_of(me, where, snapshot),
    }


def ranges(where: Place) -> list[tuple[int, int]]:
    """The sequence numbers a reader may see: (after, until] in order, overlapping ones joined."""
    stays = [(a, u if u >= 0 else where.row.seq) for a, u in where.view.seq_ranges]
    out: list[tuple[int, int]] = []
    for after, until in sorted((a, u) for a, u in stays if a < u):
        if out and after <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], until))
        else:
            out.append((after, until))
    return out


COMMANDS = (
    Command(
        name="conversation.list", params=List, run=inbox, kind="read", rate="read",
        doc="One's conversations, the latest active first.",
        result=results.Conversations,
    ),
    Command(
        name="conversation.get", params=Get, run=get, kind="read", rate="read",
        doc="One conversation.", result=shapes.Conversation, errors=("unreachable",),
    ),
    Command(
        name="conversation.history", params=History, run=history, kind="read", rate="read",
        doc="A conversation's messages, ascending by seq.",
        result=results.Messages,
        errors=("unreachable",),
    ),
)  # fmt: skip
