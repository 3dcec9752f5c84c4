"""Messages and conversations as values of the messenger, made from the wire's maps. Pure.

Counting unread messages is here: the state gives a number, events change it. `inbox` decides
which event reaches which conversation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace

from client_demo.protocol import Event, Map

ONE_TO_ONE = "one_to_one"
VIEWER = "viewer"  # of a group's conversation: was mentioned, reads from there on, writes nothing


@dataclass(frozen=True, slots=True)
class Message:
    """A message, or its tombstone: `deleted_at` is set and the body empty. Times in Unix ms."""

    conversation: str
    id: str
    seq: int
    sender: str
    sent_at: int
    rev: int
    body: str = ""
    kind: str = ""
    client_id: str = ""
    edited_at: int = 0
    deleted_at: int = 0
    subject: str = ""
    reply_to: str = ""
    reactions: tuple[tuple[str, tuple[str, ...] | int], ...] = ()

    @classmethod
    def of(cls, data: Map) -> Message:
        """From the wire's map. `reactions` are (emoji, members), above 50 (emoji, count)."""
        return cls(
            conversation=data["conversation"],
            id=data["message"],
            seq=data["seq"],
            sender=data["sender"],
            sent_at=data["sent_at"],
            rev=data["rev"],
            body=data.get("body", ""),
            kind=data.get("kind", ""),
            client_id=data.get("client_id", ""),
            edited_at=data.get("edited_at") or 0,
            deleted_at=data.get("deleted_at") or 0,
            subject=data.get("subject") or "",
            reply_to=data.get("reply_to") or "",
            reactions=tuple(
                (r["emoji"], tuple(r["members"]) if "members" in r else r["count"])
                for r in data.get("reactions", ())
            ),
        )

    def with_emojis(self, member: str, emojis: Iterable[str], rev: int) -> Message:
        """With all of one member's emojis as given; what others added stays as it is, and in what
        order emojis first came is as far as events tell."""
        given = list(emojis)
        left: dict[str, tuple[str, ...]] = {}
        for emoji, who in self.reactions:
            if isinstance(who, int):
                return replace(self, rev=rev)  # counted: the next reading has the numbers
            left[emoji] = who if emoji in given else tuple(m for m in who if m != member)
        for emoji in given:
            who = left.get(emoji, ())
            left[emoji] = who if member in who else (*who, member)
        return replace(self, rev=rev, reactions=tuple((e, w) for e, w in left.items() if w))


@dataclass(frozen=True, slots=True)
class Person:
    """A participant; `shown` is how far they have let themselves be seen reading, if at all."""

    name: str
    role: str = "participant"
    shown: int | None = None


@dataclass(frozen=True, slots=True)
class Own:
    """What one has marked for oneself; the numbers are of the last message at that time."""

    muted: bool = False
    starred: bool = False
    unread_mark: bool = False
    reported: bool = False
    archived_seq: int = -1
    cleared_seq: int = -1

    @classmethod
    def of(cls, data: Map) -> Own:
        """From a conversation's map or an event's."""
        return cls(**{f.name: data[f.name] for f in fields(cls) if f.name in data})


@dataclass(slots=True)
class Conversation:
    """One conversation as its reader sees it; `messages` are those loaded, a run without gaps."""

    id: str
    kind: str
    title: str
    people: dict[str, Person]
    participant_count: int
    seq: int
    read: int
    state: str
    last: Message | None
    at: dict[str, int]
    messages: dict[int, Message] = field(default_factory=dict)
    own: Own = field(default_factory=Own)
    draft: str = ""
    older: bool = True
    """Whether there are messages before those loaded."""
    told: int = 0
    """The last message that the user has been told of, by event or by opening."""
    _unread: int = 0  # among the messages up to `_counted`, as the state said
    _counted: int = 0
    _fresh: set[int] = field(default_factory=set)  # unread ones that came by event since

    @classmethod
    def of(cls, data: Map) -> Conversation:
        """From the wire's map."""
        last = data.get("last")
        return cls(
            id=data["id"],
            kind=data["kind"],
            title=data.get("title") or "",
            people={
                p["member"]: Person(p["name"], p["role"], p.get("shown"))
                for p in data.get("participants", ())
            },
            participant_count=data.get("participant_count", len(data.get("participants", ()))),
            seq=data["seq"],
            read=data["read"],
            state=data["state"],
            last=Message.of(last) if last else None,
            at=dict(data["at"]),
            own=Own.of(data),
            draft=data.get("draft", ""),
            told=data["seq"],
            _unread=data["unread"],
            _counted=data["seq"],
        )

    @property
    def unread(self) -> int:
        """How many messages of others were not read."""
        return self._unread + len(self._fresh)

    @property
    def archived(self) -> bool:
        """Whether it is, until a message brings it back."""
        return self.own.archived_seq >= self.seq

    @property
    def in_inbox(self) -> bool:
        """Whether it belongs into the list of all."""
        return not (self.archived or self.own.reported or self.own.cleared_seq >= self.seq)

    def mark(self, own: Own) -> None:
        """Take one's own marks over, and forget what is cleared by them."""
        self.own = own
        self.messages = {s: m for s, m in self.messages.items() if s > own.cleared_seq}
        if self.last is not None and self.last.seq <= own.cleared_seq:
            self.last = None
        if own.cleared_seq >= self.seq:
            self.older = False

    def covers(self, event: Event) -> bool:
        """Whether the state was read at the event's position or later."""
        return event.pos is not None and event.pos <= self.at.get(event.topic, 0)

    def count(self, message: Message) -> None:
        """Count a new message of another as unread."""
        if message.seq > max(self.read, self._counted) and not message.deleted_at:
            self._fresh.add(message.seq)

    def uncount(self, message: Message) -> None:
        """A message of another was deleted: it is not unread any more."""
        if message.seq in self._fresh:
            self._fresh.remove(message.seq)
        elif self.read < message.seq <= self._counted:
            self._unread = max(0, self._unread - 1)

    def mark_read(self, seq: int) -> bool:
        """Move the read mark; False if how many are left unread must be asked."""
        if seq <= self.read:
            return True
        self.read = seq
        self._fresh = {s for s in self._fresh if s > seq}
        if seq >= self._counted:
            self._unread = 0
        return self._unread == 0


def newest(known: Message, other: Message) -> Message:
    """The one that has seen more changes; the other one if neither has."""
    return known if known.rev > other.rev else other


def title(room: Conversation, me: str) -> str:
    """What a conversation is called: its title, or the names of the others in it."""
    people = room.people.items()
    others = [one.name or member for member, one in people if member != me and one.role != VIEWER]
    return room.title or ", ".join(others) or f"{room.participant_count} participants"
