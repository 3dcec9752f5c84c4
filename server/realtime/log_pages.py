"""Questions to a snapshot about a topic's log: whole for a hub, and as one member may see it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from server.commands import access, log
from server.commands.facts import Named
from server.commands.outcome import Event
from server.commands.snapshot import Snapshot
from server.domain import conversations
from server.domain.rows import Conversation, Participant, Topic

PAGE = 200


class Page(msgspec.Struct, frozen=True):
    """Some events in order. `end` is the position up to which they are complete; `more` that the
    log went on behind it; `over` that nothing more of this topic is this reader's."""

    events: list[Event]
    end: int
    over: bool = False
    more: bool = False


def whole(topic: str, after: int) -> Callable[[Snapshot], Page]:
    """The events after a position, for a hub that delivers them under its own roster."""

    def ask(snapshot: Snapshot) -> Page:
        row = _topic(topic, snapshot)
        if row is None:
            return Page([], after, True)
        entries = snapshot.entries(row.key, after, PAGE)
        end = entries[-1].pos if entries else after
        return Page(log.events(row, entries, snapshot), end, more=end < row.head)

    return ask


def seen_by(member: str, topic: str, after: int) -> Callable[[Snapshot], Page]:
    """The events after a position that this member may see, decided in the same snapshot."""

    def ask(snapshot: Snapshot) -> Page:
        row = _topic(topic, snapshot)
        me = access.named(member, snapshot)
        if row is None or me is None:
            return Page([], after, True)
        if row.key == me.topic:
            view: conversations.View | None = conversations.EVERYTHING
        else:
            view = _view(topic, me.key, snapshot)
        if view is None:
            return Page([], after, True)
        entries = snapshot.entries(row.key, after, PAGE)
        visible = [entry for entry in entries if view.sees_pos(entry.pos)]
        over = not view.current and (not entries or entries[-1].pos >= view.pos)
        end = entries[-1].pos if entries else after
        return Page(log.events(row, visible, snapshot, view.pos), end, over, end < row.head)

    return ask


def _topic(name: str, snapshot: Snapshot) -> Topic | None:
    named = snapshot.find(Named, name)
    return snapshot.find(Topic, named.topic) if named is not None and named.topic else None


def _view(topic: str, member: int, snapshot: Snapshot) -> conversations.View | None:
    kind, _, conversation = topic.partition(":")
    key = snapshot.ids.conversation_key(conversation) if kind == "conversation" else None
    if key is None:
        return None
    row = snapshot.find(Conversation, key)
    if row is None:
        return None
    return conversations.view(row, snapshot.find(Participant, (key, member)))
