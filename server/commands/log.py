"""The log's entries as events again: for whoever resumes, and for a hub that heals a gap.

An entry holds references, so what it says is the message as it is now: a deleted one is its
tombstone. To someone whose access has ended it is as of their last position. The live event of
the same command says the same, by the same views.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from server.commands import views
from server.commands.facts import Reactions
from server.commands.outcome import PASSED, Event
from server.commands.places import counted, counted_at
from server.commands.snapshot import Snapshot
from server.commands.work import APART
from server.domain import conversations, own_view
from server.domain.ids import conversation_topic
from server.domain.own_view import Draft, Own
from server.domain.rows import (
    Conversation,
    Entry,
    Invitation,
    Member,
    Message,
    Participant,
    Topic,
)

Map = dict[str, Any]
_MESSAGES = ("message.created", "message.edited", "message.deleted", "message.reacted")


def events(
    topic: Topic, entries: Sequence[Entry], snapshot: Snapshot, as_of: int = -1
) -> list[Event]:
    """These entries of one topic as events; `as_of` is the reader's last position in a
    conversation that they are no longer in, else -1. Quick for what has been `read` before."""
    changes = {}
    if as_of >= 0:
        changes = snapshot.revisions([e.message for e in entries if e.message], as_of)
    counts: dict[int, bool] = {}  # by conversation: whether it was large as of then
    out = []
    for entry in entries:
        if entry.name in _MESSAGES:
            data = _of_message(entry, changes.get(entry.message, []), as_of, snapshot, counts)
        else:
            data = _BUILD[entry.name](entry, snapshot)
        ended, apart = _ended(entry, snapshot), _apart(entry, snapshot)
        out.append(Event(topic.name, entry.pos, entry.name, data, ended, apart))
    return out


def _ended(entry: Entry, snapshot: Snapshot) -> tuple[str, ...]:
    """Whose access ends: said by the entry itself, whatever its event tells of it."""
    gone = (snapshot.find(Member, key) for key, change, _ in _changes(entry) if change != "added")
    return tuple(row.id for row in gone if row is not None)


def _apart(entry: Entry, snapshot: Snapshot) -> tuple[str, ...]:
    """From whom it is kept."""
    kept = (snapshot.find(Member, key) for key in _kept_from(entry))
    return tuple(row.id for row in kept if row is not None)


def _changes(entry: Entry) -> Any:
    return entry.data.get("changes", ())


def _kept_from(entry: Entry) -> Any:
    return entry.data.get(APART, ())


def read(entries: Sequence[Entry], snapshot: Snapshot) -> None:
    """Read all that these entries refer to, whatever their topics, in a statement for each kind."""
    snapshot.want(
        *((Message, e.message) for e in entries if e.message),
        *((Reactions, e.message) for e in entries if e.message),
        *((Conversation, e.conversation) for e in entries if e.conversation),
        *((Member, e.member) for e in entries if e.member),
        *((Member, key) for e in entries for key, _, _ in _changes(e)),
        *((Member, key) for e in entries for key in _kept_from(e)),
        *((Invitation, _number(e, "key")) for e in entries if e.name == "invitation.received"),
    )
    members: set[int] = set()
    for key in {e.message for e in entries if e.message}:
        row, known = snapshot.find(Message, key), snapshot.find(Reactions, key)
        assert row is not None
        members.update((row.sender, *row.mentions))
        if known is not None:
            members.update(reaction.member for reaction in known.reactions)
    for entry in entries:
        if entry.name == "invitation.received":
            invitation = snapshot.find(Invitation, _number(entry, "key"))
            assert invitation is not None
            members.update((invitation.sender, invitation.recipient))
    snapshot.want(*((Member, key) for key in members))


def _of_message(
    entry: Entry, changes: list[Any], as_of: int, snapshot: Snapshot, counts: dict[int, bool]
) -> Map:
    row = snapshot.find(Message, entry.message)
    conversation = snapshot.find(Conversation, entry.conversation)
    known = snapshot.find(Reactions, entry.message)
    assert row is not None
    assert conversation is not None
    reacted = known.reactions if known is not None else []
    if as_of >= 0:
        row = conversations.as_of(row, changes, as_of)
        reacted = conversations.reactions_as_of(reacted, row.rev)
    else:
        reacted = views.present(reacted)
    if entry.name == "message.reacted":
        return views.reacted(row, entry.member, reacted, snapshot)
    many = counted(conversation, snapshot)
    if as_of >= 0 and reacted:
        if entry.conversation not in counts:
            counts[entry.conversation] = counted_at(entry.conversation, as_of, snapshot)
        many = counts[entry.conversation]
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
    assert row is not None
    return views.roster_change(
        row, _number(entry, "rev"), _changes(entry), _number(entry, "count"), snapshot
    )


def _read_moved(entry: Entry, snapshot: Snapshot) -> Map:
    return {"conversation": _conversation(entry, snapshot), "read": _number(entry, "read")}


def _marked(entry: Entry, snapshot: Snapshot) -> Map:
    row = snapshot.find(Conversation, entry.conversation)
    part = snapshot.find(Participant, (entry.conversation, entry.member))
    assert row is not None
    assert part is not None
    own = snapshot.find(Own, (entry.conversation, entry.member))
    return {
        "conversation": _conversation(entry, snapshot),
        **views.marks(own, own_view.last_seq(row, part)),
    }


def _drafted(entry: Entry, snapshot: Snapshot) -> Map:
    row = snapshot.find(Draft, (entry.conversation, entry.member))
    return {
        "conversation": _conversation(entry, snapshot),
        "body": row.body if row is not None else "",
    }


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
    return views.invitation(row, snapshot)


def _invitation_id(entry: Entry, snapshot: Snapshot) -> Map:
    return {
        "invitation": snapshot.ids.invitation(_number(entry, "key")),
        **_member(entry, snapshot),
    }


def _answered(entry: Entry, snapshot: Snapshot) -> Map:
    return {**_invitation_id(entry, snapshot), "accepted": entry.data["accepted"]}


def _in_conversation(entry: Entry, snapshot: Snapshot) -> Map:
    return {"conversation": _conversation(entry, snapshot)}


def _request_answered(entry: Entry, snapshot: Snapshot) -> Map:
    return {**_in_conversation(entry, snapshot), "accepted": entry.data["accepted"]}


def _credits(entry: Entry, snapshot: Snapshot) -> Map:
    return {"balance": _number(entry, "balance")}


_BUILD = {
    "request.received": _in_conversation,
    "request.answered": _request_answered,
    "conversation.closed": _in_conversation,
    "credits.changed": _credits,
    "conversation.joined": _joined_or_left,
    "conversation.left": _joined_or_left,
    "conversation.renamed": _renamed,
    "roster.changed": _roster_changed,
    "conversation.changed": _marked,
    "draft.changed": _drafted,
    "read.moved": _read_moved,
    "settings.changed": _settings,
    "connection.added": _added,
    "connection.removed": _member,
    "block.changed": _block,
    "invitation.received": _invited,
    "invitation.answered": _answered,
    "invitation.withdrawn": _invitation_id,
}
EVENTS = (*_MESSAGES, *_BUILD, PASSED)
