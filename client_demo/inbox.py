"""What a member's messenger knows: conversations and messages, kept true by events. Pure.

State is read (`load`, `load_history`) and says at which positions it was read; events are applied
on top. An event at or below those positions is in the state already and moves no number; messages
carry a `rev`, so applying one twice, or onto a newer one, is harmless. `Applied.news` says whether
the user has not been told yet.
State plus events equals state read afresh. Where an event cannot say all (a joining, a read mark
in the middle, a contact that ended) the conversation is put into `stale`, to be read again.

Not kept: whether the others' switches are on. A receipt that is no longer shown disappears with
the next reading.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from client_demo.conversations import Conversation, Message, Own, Person, newest
from client_demo.protocol import Event, Map


@dataclass(frozen=True, slots=True)
class Applied:
    """What an event came to: whether it was news, where, and the message before and after."""

    news: bool
    conversation: Conversation | None = None
    message: Message | None = None
    before: Message | None = None


NOTHING = Applied(news=False)


class Inbox:
    """All that one member's messenger knows."""

    def __init__(self) -> None:
        self.me = ""
        self.conversations: dict[str, Conversation] = {}
        self.names: dict[str, str] = {}
        """Everybody whose name was told, by member id."""
        self.stale: set[str] = set()
        """Conversations to read again."""
        self._typing: dict[tuple[str, str], float] = {}

    # --- state ------------------------------------------------------------------------------

    def load(self, data: Map) -> Conversation:
        """Take over a conversation as it was read; messages that are loaded stay."""
        fresh = Conversation.of(data)
        known = self.conversations.get(fresh.id)
        if known is not None:
            if any(known.at.get(topic, 0) > pos for topic, pos in fresh.at.items()):
                return known  # read before what is known; its events have been applied
            # An event on its way may still tell of what this state holds already.
            fresh.messages, fresh.older, fresh.told = known.messages, known.older, known.told
            fresh.mark(fresh.own)
        self.conversations[fresh.id] = fresh
        self.names.update((member, person.name) for member, person in fresh.people.items())
        self.stale.discard(fresh.id)
        return fresh

    def load_history(self, conversation: str, data: Map, *, before: int | None) -> list[Message]:
        """Take over a page of history: the newest (`before` None), which begins the run anew
        unless it joins what is loaded, or the one that ends at `before`. Returns the page."""
        room = self.conversations[conversation]
        page = [Message.of(item) for item in data["messages"]]
        loaded = room.messages
        if before is None:
            joins = bool(loaded) and bool(page) and page[0].seq <= max(loaded) + 1
            if not joins:
                loaded.clear()
            if not joins or page[0].seq <= min(loaded):
                room.older = data["more"]
        else:
            room.older = data["more"]
        for message in page:
            known = loaded.get(message.seq)
            loaded[message.seq] = newest(known, message) if known else message
        room.messages = dict(sorted(loaded.items()))
        room.told = max(room.told, *room.messages, 0)
        return [room.messages[message.seq] for message in page]

    # --- events -----------------------------------------------------------------------------

    def apply(self, event: Event, now_s: float) -> Applied:
        """Take one event over; `now_s` is any clock's time, for typing that runs out."""
        data = event.data
        match event.name:
            case "message.created" | "message.edited" | "message.deleted":
                return self._message(event, Message.of(data))
            case "message.reacted":
                return self._reacted(event)
            case "receipt.read":
                return self._receipt(data)
            case "typing.started":
                key = (data["conversation"], data["member"])
                news = self._typing.get(key, 0.0) <= now_s
                self._typing[key] = now_s + data["expires_in_ms"] / 1000
                return Applied(news, self.conversations.get(key[0]))
            case "typing.stopped":
                gone = self._typing.pop((data["conversation"], data["member"]), None)
                return Applied(gone is not None, self.conversations.get(data["conversation"]))
            case "connection.added" | "connection.removed" | "block.changed":
                return self._contact(data["member"])
            case "settings.changed":
                self.stale.update(self.conversations)  # whose receipts are shown
                return Applied(news=True)
            case "position.passed":
                return NOTHING  # what it stands for is not this member's to see
            case _ if "conversation" in data:
                return self._conversation(event, data)
            case _:
                return Applied(news=True)

    def typing(self, conversation: str, now_s: float) -> list[str]:
        """The members who are typing there now."""
        return [m for (c, m), until in self._typing.items() if c == conversation and until > now_s]

    def _message(self, event: Event, message: Message) -> Applied:
        room = self.conversations.get(message.conversation)
        if room is None:
            self.stale.add(message.conversation)
            return Applied(news=True, message=message)
        before = self._known(room, message)
        created = event.name == "message.created"
        if created:
            self._typing.pop((room.id, message.sender), None)
        if not room.covers(event):
            if message.sender != self.me:
                if created:
                    room.count(message)
                elif event.name == "message.deleted":
                    room.uncount(message)
            room.seq = max(room.seq, message.seq)
            self._advance(room, event)
        message = self._put(room, message, before)
        if created:
            news, room.told = message.seq > room.told, max(message.seq, room.told)
        else:
            news = before is not None and before.rev < message.rev
        return Applied(news, room, message, before)

    def _reacted(self, event: Event) -> Applied:
        data = event.data
        room = self.conversations.get(data["conversation"])
        if room is None:
            self.stale.add(data["conversation"])
            return NOTHING
        found = [*room.messages.values(), *([room.last] if room.last else [])]
        before = next((m for m in found if m.id == data["message"]), None)
        if not room.covers(event):
            self._advance(room, event)
        if before is None or before.rev > data["rev"] or before.deleted_at:
            return NOTHING
        after = before.with_emojis(data["member"], data["emojis"], data["rev"])
        self._put(room, after, before)
        return Applied(before.rev < after.rev, room, after, before)

    def _receipt(self, data: Map) -> Applied:
        room = self.conversations.get(data["conversation"])
        person = room.people.get(data["member"]) if room else None
        if room is None or person is None or data["seq"] <= (person.shown or 0):
            return NOTHING
        room.people[data["member"]] = replace(person, shown=data["seq"])
        return Applied(news=True, conversation=room)

    def _contact(self, member: str) -> Applied:
        """Who may write and whose receipts are shown has changed with this member."""
        for room in self.conversations.values():
            if member in room.people:
                self.stale.add(room.id)
        return Applied(news=True)

    def _conversation(self, event: Event, data: Map) -> Applied:
        room = self.conversations.get(data["conversation"])
        if room is None:
            self.stale.add(data["conversation"])
            return Applied(news=True)
        if room.covers(event):
            return NOTHING
        match event.name:
            case "read.moved":
                if not room.mark_read(data["read"]):
                    self.stale.add(room.id)
            case "conversation.changed":
                room.mark(Own.of(data))
            case "draft.changed":
                room.draft = data["body"]
            case "conversation.renamed":
                room.title = data["title"]
            case "roster.changed":
                self._roster(room, data)
            case "conversation.left":
                room.state = "closed"
                room.people = {m: replace(p, shown=None) for m, p in room.people.items()}
            case _:  # joined again, or a request that was received or answered
                self.stale.add(room.id)
        self._advance(room, event)
        return Applied(news=True, conversation=room)

    def _roster(self, room: Conversation, data: Map) -> None:
        for change in data.get("changes", ()):
            member = change["member"]
            if change["change"] == "added":
                self.names[member] = change["name"]
                room.people[member] = Person(change["name"], change["role"])
                self.stale.add(room.id)  # who comes back may have been seen reading before
            else:
                room.people.pop(member, None)
        room.participant_count = data["participant_count"]

    # --- messages ---------------------------------------------------------------------------

    def _known(self, room: Conversation, message: Message) -> Message | None:
        known = room.messages.get(message.seq)
        if known is None and room.last is not None and room.last.seq == message.seq:
            return room.last
        return known

    def _put(self, room: Conversation, message: Message, known: Message | None) -> Message:
        """Keep a message where it belongs: in the run that is loaded, and as the last one."""
        message = newest(known, message) if known else message
        if message.seq <= room.own.cleared_seq:
            return message  # gone for oneself, whatever becomes of it
        loaded = room.messages
        if message.seq in loaded or (loaded and message.seq == max(loaded) + 1):
            loaded[message.seq] = message
        elif not loaded and message.seq == 1:
            loaded[1], room.older = message, False
        if room.last is None or message.seq >= room.last.seq:
            room.last = message
        return message

    def _advance(self, room: Conversation, event: Event) -> None:
        if event.pos is not None:
            room.at[event.topic] = event.pos


def as_read(inbox: Inbox) -> dict[str, Any]:
    """All that a reading of the state would tell, for comparing one inbox with another."""
    return {
        room.id: {
            "kind": room.kind,
            "title": room.title,
            "people": {m: (p.name, p.role) for m, p in room.people.items()},
            "shown": {m: p.shown or 0 for m, p in room.people.items() if m != inbox.me},
            "count": room.participant_count,
            "seq": room.seq,
            "read": room.read,
            "unread": room.unread,
            "state": room.state,
            "last": room.last,
            "own": room.own,
            "draft": room.draft,
        }
        for room in inbox.conversations.values()
    }
