"""The log's entries as events again: for whoever resumes, and for a hub that heals a gap.

An entry holds references, so what it says is the message as it is now: a deleted one is its
tombstone. To someone whose access has ended it is as of their last position. The live event of
the same command says the same, by the same views.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from server.commands import views
from server.commands.facts import Reactions, Roster
from server.commands.outcome import Event
from server.commands.places import counted_at
from server.commands.snapshot import Snapshot
from server.domain import conversations
from server.domain.ids import conversation_topic
from server.domain.rows import Conversation, Entry, Invitation, Member, Message, Topic

Map = dict[str, Any]
_MESSAGES = ("message.created", "message.edited", "message.deleted", "message.reacted")


def events(
    topic: Topic, entries: Sequence[Entry], snapshot: Snapshot, as_of: int = -1
) -> list[Event]:
    """These entries of one topic as events; `as_of` is the reader's last position in a
    conversation that they are no longer in, else -1."""
    _read_all(entries, snapshot)
    changes = {}
    if as_of >= 0:
        changes = snapshot.revisions([e.message for e in entries if e.message], as_of)
    out = []
    for entry in entries:
        if entry.name in _MESSAGES:
            data = _of_message(entry, changes.get(entry.message, []), as_of, snapshot)
        else:
            data = _BUILD[entry.name](entry, snapshot)
        out.append(Event(topic.name, entry.pos, entry.name, data, _ended(entry, snapshot)))
    return out


def _ended(entry: Entry, snapshot: Snapshot) -> tuple[str, ...]:
    """Whose access ends: said by the entry itself, whatever its event tells of it."""
    changes: Any = entry.data.get("changes", ())
    gone = (snapshot.find(Member, key) for key, change, _ in changes if change != "added")
    return tuple(row.id for row in gone if row is not None)


def _read_all(entries: Sequence[Entry], snapshot: Snapshot) -> None:
    snapshot.want(
        *((Message, e.message) for e in entries if e.message),
        *((Reactions, e.message) for e in entries if e.message),
        *((Conversation, e.conversation) for e in entries if e.conversation),
        *((Roster, e.conversation) for e in entries if e.conversation),
        *((Member, e.member) for e in entries if e.member),
    )


def _of_message(entry: Entry, changes: list[Any], as_of: int, snapshot: Snapshot) -> Map:
    row = snapshot.find(Message, entry.message)
    conversation = snapshot.find(Conversation, entry.conversation)
    known = snapshot.find(Reactions, entry.message)
    assert row is not None
    assert conversation is not None
    roster = snapshot.find(Roster, entry.conversation)
    many = roster is not None and len(roster.roles) > snapshot.policy.signals_up_to
    reacted = known.reactions if known is not None else []
    if as_of >= 0:
        many = counted_at(entry.conversation, as_of, snapshot)
        row = conversations.as_of(row, changes, as_of)
        reacted = conversations.reactions_as_of(reacted, row.rev)
    else:
        reacted = views.present(reacted)
    snapshot.want(*((Member, r.member) for r in reacted), (Member, row.sender))
    if entry.name == "message.reacted":
        return views.reacted(row, entry.member, reacted, snapshot)
    return views.message(row, snapshot, reacted, counted=many)


def _number(entry: Entry, name: str) -> int:
    value = entry.data[name]
    assert isinstance(value, int)
    return value


def _conversation(entry: Entry, snapshot: Snapshot) -> str:
    return snapshot.ids.conversation(entry.conversation)


def _joined_or_left(entry: Entry, snapshot: Snapshot) -> Map:
    conversation = _conversation(entry, snapshot)
    return {
        "conversation": conversation,
        "topic": conversation_topic(conversation),
        "pos": _number(entry, "pos"),
    }


def _renamed(entry: Entry, snapshot: Snapshot) -> Map:
    return {
        "conversation": _conversation(entry, snapshot),
        "title": entry.data["title"],
        "rev": _number(entry, "rev"),
    }


def _roster_changed(entry: Entry, snapshot: Snapshot) -> Map:
    row = snapshot.find(Conversation, entry.conversation)
    changes: Any = entry.data["changes"]
    assert row is not None
    snapshot.want(*((Member, key) for key, _, _ in changes))
    return views.roster_change(
        row, _number(entry, "rev"), changes, _number(entry, "count"), snapshot
    )


def _read_moved(entry: Entry, snapshot: Snapshot) -> Map:
    return {"conversation": _conversation(entry, snapshot), "read": _number(entry, "read")}


def _settings(entry: Entry, snapshot: Snapshot) -> Map:
    row = snapshot.find(Member, entry.member)
    assert row is not None
    return views.settings(row)


def _added(entry: Entry, snapshot: Snapshot) -> Map:
    row = snapshot.find(Member, entry.member)
    assert row is not None
    return views.profile(row)


def _member(entry: Entry, snapshot: Snapshot) -> Map:
    return {"member": views.member_id(entry.member, snapshot)}


def _block(entry: Entry, snapshot: Snapshot) -> Map:
    return {**_member(entry, snapshot), "blocked": entry.data["blocked"]}


def _invited(entry: Entry, snapshot: Snapshot) -> Map:
    row = snapshot.find(Invitation, _number(entry, "key"))
    assert row is not None
    snapshot.want((Member, row.sender), (Member, row.recipient))
    return views.invitation(row, snapshot)


def _invitation_id(entry: Entry, snapshot: Snapshot) -> Map:
    return {
        "invitation": snapshot.ids.invitation(_number(entry, "key")),
        **_member(entry, snapshot),
    }


def _answered(entry: Entry, snapshot: Snapshot) -> Map:
    return {**_invitation_id(entry, snapshot), "accepted": entry.data["accepted"]}


_BUILD = {
    "conversation.joined": _joined_or_left,
    "conversation.left": _joined_or_left,
    "conversation.renamed": _renamed,
    "roster.changed": _roster_changed,
    "read.moved": _read_moved,
    "settings.changed": _settings,
    "connection.added": _added,
    "connection.removed": _member,
    "block.changed": _block,
    "invitation.received": _invited,
    "invitation.answered": _answered,
    "invitation.withdrawn": _invitation_id,
}
EVENTS = (*_MESSAGES, *_BUILD)
