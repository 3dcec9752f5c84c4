"""The oracle's memory: a deployment as plain lists, and who could see what of it, at any moment.

A moment is a count of commits. Nothing is forgotten or overwritten, so that "what did this say
then" is a search through a list. Called by the oracle's decisions and reads; imports nothing from
server, so that agreement means something.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Map = dict[str, Any]
SETTINGS = {
    "receipts": True, "active_status": True, "inmail": True, "sponsored": True,
    "open_profile": False,
}  # fmt: skip


class Disagreement(AssertionError):
    """The server did something else than the rulebook says."""


class No(Exception):
    """The answer is this error."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Answer(NamedTuple):
    """What a command must be answered with: `result`, or the `error` code."""

    result: Map
    error: str = ""


@dataclass(frozen=True)
class Rules:
    """The numbers in force."""

    newcomers: str = "full"
    participants: int = 50
    signals_up_to: int = 50
    reactions: int = 20
    body: int = 8_000
    title: int = 100
    note: int = 200
    edit_ms: int = 3_600_000
    reinvite_ms: int = 1_814_400_000
    reblock_ms: int = 172_800_000
    typing_renew_ms: int = 3_000
    resume_events: int = 5_000


@dataclass(frozen=True)
class Token:
    """Who calls, and by what token; the operator has no member."""

    member: str
    jti: str = ""
    issued_ms: int = 0
    expires_ms: int = 0
    device: str = ""


@dataclass
class Person:
    """A member, with what has been refused of their tokens."""

    id: str
    name: str
    settings: list[tuple[int, Map]]  # since which moment
    refused_ms: int = -1
    devices: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    refused: set[str] = field(default_factory=set)

    @property
    def topic(self) -> str:
        return f"member:{self.id}"

    @property
    def receipts(self) -> bool:
        return bool(self.settings[-1][1]["receipts"])

    def profile(self) -> Map:
        return {"member": self.id, "name": self.name, "headline": "", "avatar": ""}


@dataclass
class Invitation:
    """`state` is pending, ignored, refused, accepted or withdrawn."""

    id: str
    sender: str
    to: str
    note: str
    sent_at: int
    state: str = "pending"

    def map(self) -> Map:
        return {
            "invitation": self.id, "from": self.sender, "to": self.to, "note": self.note,
            "sent_at": self.sent_at,
        }  # fmt: skip


@dataclass
class Bond:
    """All there is between two members; dicts are by the member whose doing it was."""

    connected: bool = False
    blockers: set[str] = field(default_factory=set)
    unblocked: dict[str, int] = field(default_factory=dict)
    invited: dict[str, Invitation] = field(default_factory=dict)
    withdrew: dict[str, int] = field(default_factory=dict)
    strangers: set[str] = field(default_factory=set)  # who said "I don't know this person"
    talk: Talk | None = None


@dataclass
class Stay:
    """From one event until before another, in positions, with their moments."""

    joined: int
    begun: int
    after: int  # what they may see begins behind this position
    left: int = 0  # 0: still there
    ended: int = 0


class Version(NamedTuple):
    """A message from one moment on; `reacted` is (member, emoji) in the order added."""

    moment: int
    map: Map
    reacted: tuple[tuple[str, str], ...]


@dataclass
class Message:
    """`pos` is where it was created in its conversation's log; 0 in a conversation of two."""

    talk: Talk
    sender: str
    pos: int
    versions: list[Version]

    def at(self, moment: int) -> Version:
        return next(v for v in reversed(self.versions) if v.moment <= moment)

    @property
    def now(self) -> Version:
        return self.versions[-1]


class Marks(NamedTuple):
    """What a member has marked for themselves in a conversation, and drafted."""

    muted: bool = False
    starred: bool = False
    unread: bool = False
    archived: int = -1
    cleared: int = -1
    draft: str = ""


@dataclass
class Talk:
    """A conversation. `rosters`, `titles` and `active` say since which moment they hold."""

    id: str
    two: bool
    rosters: list[tuple[int, tuple[str, ...]]]
    titles: list[tuple[int, str]]
    active: list[tuple[int, int]]
    rev: int = 0
    stays: dict[str, list[Stay]] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    read: dict[str, int] = field(default_factory=dict)
    shown: dict[str, int] = field(default_factory=dict)
    own: dict[str, list[tuple[int, Marks]]] = field(default_factory=dict)

    @property
    def topic(self) -> str:
        return f"conversation:{self.id}"

    @property
    def roster(self) -> tuple[str, ...]:
        return self.rosters[-1][1]

    def topics(self) -> list[str]:
        return [f"member:{one}" for one in self.roster] if self.two else [self.topic]

    def other(self, member: str) -> str:
        return next(one for one in self.roster if one != member)


class Entry(NamedTuple):
    """One event of a log: its data, or the message (and who reacted) that it is about."""

    moment: int
    name: str
    data: Map
    message: Message | None = None
    member: str = ""


class Signal(NamedTuple):
    """A signal that went out at a moment, and whom it was for."""

    moment: int
    name: str
    data: Map
    talk: Talk
    to: frozenset[str]
    ms: int


def at_moment(history: list[tuple[int, Any]], moment: int) -> Any:
    """What held then."""
    return next(value for since, value in reversed(history) if since <= moment)


class World:
    """Everything there is and was; `Oracle` changes it."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.now = 0  # commits so far
        self.ms = 0
        self.people: dict[str, Person] = {}
        self.bonds: defaultdict[frozenset[str], Bond] = defaultdict(Bond)
        self.talks: dict[str, Talk] = {}
        self.messages: dict[str, Message] = {}
        self.invitations: dict[str, Invitation] = {}
        self.logs: defaultdict[str, list[Entry]] = defaultdict(list)
        self.signals: list[Signal] = []
        self.revoked: list[tuple[int, str, str]] = []  # moment, member, device

    # Who is where, and who may reach whom

    def bond(self, a: str, b: str) -> Bond:
        return self.bonds[frozenset((a, b))]

    def way_open(self, a: str, b: str) -> bool:
        """Whether a direct message may pass: connections, and neither blocks."""
        bond = self.bond(a, b)
        return bond.connected and not bond.blockers

    def inside(self, member: str, talk: Talk) -> bool:
        """Whether somebody is in a conversation now."""
        return member in talk.roster

    def visible_talks(self, member: str) -> list[Talk]:
        """The conversations that somebody is or was in."""
        return [t for t in self.talks.values() if member in t.roster or member in t.stays]

    def small(self, talk: Talk) -> bool:
        return len(talk.roster) <= self.rules.signals_up_to

    def both_show(self, talk: Talk, sender: str, receiver: str) -> bool:
        """Whether nothing that ends access stands between one's signals and another now."""
        if sender == receiver or not {sender, receiver} <= set(talk.roster):
            return False
        if not (self.people[sender].receipts and self.people[receiver].receipts):
            return False
        return not talk.two or self.way_open(sender, receiver)

    def signals_pass(self, talk: Talk, sender: str, receiver: str) -> bool:
        """Whether typing and receipts of one may be shown to another now."""
        return self.both_show(talk, sender, receiver) and (talk.two or self.small(talk))

    # What can be seen

    def head(self, topic: str) -> int:
        return len(self.logs[topic])

    def sees(self, member: str, topic: str, pos: int) -> bool:
        """Whether this event is, now, this member's to see."""
        kind, _, name = topic.partition(":")
        if kind == "member":
            return name == member
        stays = self.talks[name].stays.get(member, []) if name in self.talks else []
        return any(stay.after < pos and (not stay.left or pos < stay.left) for stay in stays)

    def last_pos(self, member: str, talk: Talk) -> int:
        """The last position of a conversation that is theirs: its head while they are in it."""
        left = talk.stays[member][-1].left
        return left - 1 if left else self.head(talk.topic)

    def as_of(self, member: str, talk: Talk, moment: int) -> int:
        """The moment as of which somebody was answered then: the last of their last stay."""
        stays = [stay for stay in talk.stays.get(member, []) if stay.begun <= moment]
        if talk.two or not stays or not 0 < stays[-1].ended <= moment:
            return moment
        return stays[-1].ended - 1

    def message_map(self, message: Message, moment: int) -> Map:
        """A message as it was then, reactions and all; its tombstone once it was deleted."""
        version, talk = message.at(moment), message.talk
        if "deleted_at" in version.map:
            return version.map
        by_emoji: dict[str, list[str]] = {}
        for member, emoji in version.reacted:
            by_emoji.setdefault(emoji, []).append(member)
        many = not talk.two and len(at_moment(talk.rosters, moment)) > self.rules.signals_up_to
        reactions = [
            {"emoji": emoji, **({"count": len(who)} if many else {"members": who})}
            for emoji, who in by_emoji.items()
        ]
        return {**version.map, "reactions": reactions}

    def data(self, member: str, entry: Entry, moment: int) -> Map:
        """What an event of a log says to its reader at a moment."""
        message = entry.message
        if message is None:
            if entry.name == "settings.changed":
                return dict(at_moment(self.people[member].settings, moment))
            return entry.data
        then = self.as_of(member, message.talk, moment)
        if entry.name != "message.reacted":
            return self.message_map(message, then)
        version = message.at(then)
        deleted = "deleted_at" in version.map
        emojis = [] if deleted else [e for who, e in version.reacted if who == entry.member]
        known = {key: version.map[key] for key in ("conversation", "message", "rev")}
        return {**known, "member": entry.member, "emojis": emojis}

    def ever_saw(self, member: str, message: Message, version: Version) -> bool:
        """Whether somebody could ever see a message as it was in this version."""
        talk = message.talk
        if talk.two:
            return member in talk.roster
        until = next((v.moment for v in message.versions if v.moment > version.moment), None)
        for stay in talk.stays.get(member, []):
            here = not stay.ended or stay.ended > version.moment
            in_time = here and (until is None or stay.begun < until)
            theirs = version.moment > stay.begun or self.sees(member, talk.topic, message.pos)
            if in_time and theirs:
                return True
        return False

    def topics_of(self, member: str) -> dict[str, int]:
        """A member's topics with their heads."""
        inside = (t.topic for t in self.talks.values() if not t.two and member in t.roster)
        return {name: self.head(name) for name in (f"member:{member}", *inside)}

    def since(self, member: str, topic: str) -> int:
        """The position behind which a member's present stay lets them see a topic."""
        kind, _, name = topic.partition(":")
        return self.talks[name].stays[member][-1].after if kind == "conversation" else 0
