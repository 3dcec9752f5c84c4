"""What the oracle's memory is made of: members, bonds, conversations, logs, as plain values.

A moment is a count of commits. Imports nothing from server.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Map = dict[str, Any]
DAY = 86_400_000
CREDITS = {  # by plan: a month's grant, and the most that piles up
    "career": (5, 15), "business": (15, 45), "sales_navigator": (50, 150),
    "recruiter_lite": (30, 120),
}  # fmt: skip
SETTINGS = {
    "receipts": True, "active_status": True, "inmail": True, "sponsored": True,
    "open_profile": False,
}  # fmt: skip


class Disagreement(AssertionError):
    """The server did something else than the rulebook says."""


class No(Exception):
    """The answer is this error."""

    def __init__(self, code: str, **more: int) -> None:
        super().__init__(code)
        self.code = code
        self.more = more


class Answer(NamedTuple):
    """What a command must be answered with: `result`, or the `error` code with more about it."""

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
    note_paid: int = 300
    subject: int = 200
    inmail: int = 2_000
    viewers: int = 50
    managers: int = 10
    group_members: int = 20_000
    openers: int = 15  # a month
    invitations: int = 100  # a week
    notes: int = 5  # a month, on the plan basic
    cost: int = 1
    credits: dict[str, tuple[int, int]] = field(default_factory=lambda: dict(CREDITS))
    credits_expire_ms: int = 90 * DAY
    refund_ms: int = 90 * DAY
    announce_ms: int = 7 * DAY
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


class Deed(NamedTuple):
    """Something done to an account: "spend", a "plan" begun or ended, or why credits came in."""

    ms: int
    what: str
    amount: int = 0
    plan: str = ""


@dataclass
class Person:
    """A member, with what has been refused of their tokens. `balance` is as it was last told."""

    id: str
    name: str
    settings: list[tuple[int, Map]]  # since which moment
    refused_ms: int = -1
    devices: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    refused: set[str] = field(default_factory=set)
    plan: str = "basic"
    deeds: list[Deed] = field(default_factory=list)
    balance: int = 0
    counted: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    def setting(self, name: str) -> bool:
        return bool(self.settings[-1][1][name])

    @property
    def topic(self) -> str:
        return f"member:{self.id}"

    @property
    def receipts(self) -> bool:
        return self.setting("receipts")

    @property
    def open_to_all(self) -> bool:
        return self.setting("open_profile") and self.plan != "basic"

    def profile(self) -> Map:
        return {"member": self.id, "name": self.name, "headline": "", "avatar": ""}


@dataclass
class Invitation:
    """`state` is pending, ignored, refused, blocked, accepted or withdrawn."""

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
class Approach:
    """How somebody reached the other without being connected, and what came of it: `stage` is
    pending, open once answered, closed to the `sender` or to both (""), or over."""

    kind: str
    sender: str
    ms: int
    stage: str = "pending"

    @property
    def request(self) -> bool:
        """Whether it is one that waits to be accepted or declined."""
        return self.stage == "pending" and self.kind in ("group", "inmail")


@dataclass
class Group:
    """A group: roles by member, and when something was last announced."""

    id: str
    name: str
    roles: dict[str, str] = field(default_factory=dict)
    announced_ms: int = 0

    def leads(self, member: str) -> bool:
        return self.roles.get(member) in ("owner", "manager")

    def count(self, role: str) -> int:
        return list(self.roles.values()).count(role)


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
    approach: Approach | None = None  # the last, by whom of the two ever


@dataclass
class Stay:
    """From one event until before another, in positions, with their moments."""

    joined: int
    begun: int
    after: int  # what they may see begins behind this position
    viewer: bool = False
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
    """A conversation. `rosters` of participants, `watchers`, its viewers, `titles` and `active`
    say since which moment they hold."""

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
    group: str = ""
    watchers: list[tuple[int, tuple[str, ...]]] = field(default_factory=lambda: [(0, ())])
    admitted: int = 0  # an announcement: how far its steps have come

    @property
    def kind(self) -> str:
        return "one_to_one" if self.two else "group" if self.group else "several"

    @property
    def viewers(self) -> tuple[str, ...]:
        return self.watchers[-1][1]

    @property
    def present(self) -> tuple[str, ...]:
        """Who may read what comes: participants and viewers."""
        return (*self.roster, *self.viewers)

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
    """One event of a log: its data, or the message (and who reacted) that it is about. Those that
    it is `kept` from are told its position alone."""

    moment: int
    name: str
    data: Map
    message: Message | None = None
    member: str = ""
    kept: frozenset[str] = frozenset()


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
