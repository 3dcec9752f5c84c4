"""The entities as they are stored: one frozen value a row, by integer keys.

A decision reads rows and puts new versions of them; the store reads and writes them by type and
`ident`. No entity refers to another but by key.
"""

from __future__ import annotations

from operator import attrgetter
from typing import ClassVar

import msgspec


class Row(msgspec.Struct, frozen=True, gc=False):
    """One stored row. `identity` names the fields that identify it among its kind. None refers to
    anything that refers back, so that the collector need not look at the many that are cached."""

    identity: ClassVar[tuple[str, ...]] = ("key",)
    ident: ClassVar[property]
    """The value of the identity: bare for one field, a tuple for several."""

    def __init_subclass__(cls) -> None:
        cls.ident = property(attrgetter(*cls.identity))


class Member(Row, frozen=True):
    """A member. A deleted one stays as a row (`alive` false) for the messages it wrote."""

    key: int
    id: str
    topic: int
    name: str
    headline: str = ""
    avatar: str = ""
    plan: str = "basic"
    facets: dict[str, list[str]] = {}
    receipts: bool = True
    active_status: bool = True
    inmail: bool = True
    sponsored: bool = True
    open_profile: bool = False
    alive: bool = True
    refused_until_us: int = 0  # tokens with `iat` up to here are refused, in microseconds
    devices_revoked: bool = False  # some jti of this member is refused: look it up
    erased_ms: int = 0  # since when they are shown as nobody; see `domain.rights`
    erased_whole: bool = False  # and since when what they wrote is out of sight


class Topic(Row, frozen=True):
    """A topic's head: the position of its last event. Locking this row locks the topic."""

    key: int
    name: str
    head: int = 0
    floor: int = 0  # events up to here have been trimmed
    changed_ms: int = 0  # when the head last moved: a head check asks for the recent ones


class Entry(Row, frozen=True):
    """One event in a topic's log, by reference: its text is built from the rows as they are."""

    identity = ("topic", "pos")
    topic: int
    pos: int
    name: str  # the event's name on the wire
    at_ms: int
    conversation: int = 0
    message: int = 0
    member: int = 0
    data: dict[str, object] = {}  # what is not a reference: a title, a roster change by keys


class Pair(Row, frozen=True):
    """All there is between two members, `low` < `high` by key; a side's fields are 0 for never."""

    identity = ("low", "high")
    low: int
    high: int
    connected_ms: int = 0
    conversation: int = 0
    low_blocks: bool = False
    high_blocks: bool = False
    low_unblocked_ms: int = 0
    high_unblocked_ms: int = 0
    low_invitation: int = 0  # pending, sent by `low`
    high_invitation: int = 0
    low_withdrew_ms: int = 0
    high_withdrew_ms: int = 0
    low_refuses: bool = False  # `low` said of `high`: I don't know this person
    high_refuses: bool = False
    # How somebody reached the other without being connected, and what came of it.
    approach: str = ""  # "open_profile", "group", "inmail"; "" for never
    approacher: int = 0
    approached_ms: int = 0
    paid: int = 0  # credits, to be given back by an answer
    stage: str = ""  # "pending", "open" once answered, "closed" to the approacher, or to both


# States of an invitation that its sender cannot tell apart: to them it waits for an answer.
WAITING = ("pending", "ignored", "refused", "blocked")


class Invitation(Row, frozen=True):
    """An invitation to connect; `state` is pending, ignored, refused, blocked (by its recipient
    since), accepted or withdrawn."""

    key: int
    sender: int
    recipient: int
    note: str
    sent_at: int
    state: str = "pending"


class Conversation(Row, frozen=True):
    """A conversation; `topic` is 0 for a one_to_one, whose events go to both members' topics."""

    key: int
    kind: str
    topic: int
    low: int  # of a one_to_one: its pair
    high: int
    created_ms: int
    founder: int
    title: str = ""
    seq: int = 0
    last_message: int = 0
    active_ms: int = 0
    rev: int = 0  # counts changes of title and roster
    group: int = 0  # of a group's conversation: which
    size: int = 0  # participants now; 0 for a one_to_one
    viewers: int = 0
    newcomers: int = 0  # participants who see it from some position on


class Span(msgspec.Struct, frozen=True, array_like=True):
    """One stay in a conversation, in positions of its topic and in message sequence numbers.

    From `joined` until `left` (exclusive; -1 while it lasts) the member was a participant, and
    may see what is in (after, until]: `until` is the last position before `left`. Of a `viewer`
    it is the same, but for being a participant.
    """

    joined: int
    after_pos: int
    after_seq: int
    left: int = -1
    until_seq: int = -1
    viewer: bool = False


class Participant(Row, frozen=True):
    """One member's part in one conversation: the stays, and the two watermarks."""

    identity = ("conversation", "member")
    conversation: int
    member: int
    role: str  # "participant", "manager", "viewer"; "" once gone
    spans: list[Span]
    read: int = 0
    shown: int = 0
    shown_ms: int = 0
    ended_ms: int = 0  # once gone: the conversation's last activity that they saw
    # For queries: whatever they may see is in (after, until], though there may be gaps in it.
    after_seq: int = 0
    until_seq: int = -1
    since_pos: int = 0  # of a participant: behind which position all that they see now begins


class Group(Row, frozen=True):
    """A group of members. Its topic is a lock alone, without a log."""

    key: int
    id: str
    topic: int
    name: str
    owner: int
    size: int = 0
    managers: int = 0
    announced_ms: int = 0


class GroupMember(Row, frozen=True):
    """One member's part in a group: "owner", "manager", "member", or "" once gone."""

    identity = ("group", "member")
    group: int
    member: int
    role: str


class Admission(Row, frozen=True):
    """An announcement's job: the group's members up to key `after` are in its conversation."""

    identity = ("conversation",)
    conversation: int
    group: int
    after: int = 0
    done: bool = False


class Tally(Row, frozen=True):
    """How often a member did something in a week or month, numbered; see `domain.quotas`."""

    identity = ("member", "what", "period")
    member: int
    what: str
    period: int
    count: int


class Wallet(Row, frozen=True):
    """A member's account of credits. `balance` is the sum of its entries; `months` counts the
    grants of the plan that began at `since_ms`."""

    identity = ("member",)
    member: int
    since_ms: int = 0
    months: int = 0
    balance: int = 0


class Credit(Row, frozen=True):
    """One entry of a ledger; `left` is what is unspent of credits that came in by it."""

    key: int
    member: int
    at_ms: int
    change: int
    reason: str
    expires_ms: int = 0
    left: int = 0


class Message(Row, frozen=True):
    """One message, shared by everybody who may see it."""

    key: int
    conversation: int
    seq: int
    sender: int
    kind: str
    body: str
    client_id: str
    sent_at: int
    rev: int = 0
    edited_at: int = 0
    deleted_at: int = 0
    subject: str = ""
    reply_to: int = 0
    mentions: list[int] = []


class Revision(Row, frozen=True):
    """A change of a message: when, in positions of its conversation's topic (0 where that has
    none), and what the text was before; a reaction leaves the text and has none."""

    identity = ("message", "rev")
    message: int
    rev: int
    pos: int
    body: str | None = None
    edited_at: int = 0


class Reaction(Row, frozen=True):
    """One emoji of one member on one message, from one of its revisions until another."""

    identity = ("message", "member", "emoji", "added_rev")
    message: int
    member: int
    emoji: str
    added_rev: int
    removed_rev: int = 0


class Creation(Row, frozen=True):
    """What a caller's client_id made, for good: the command, a digest of its content, the key."""

    identity = ("caller", "client_id")
    caller: int
    client_id: str
    command: str
    digest: bytes
    ref: int


class DeviceToken(Row, frozen=True):
    """A token that a device has connected with, so that the device's revocation refuses it."""

    identity = ("member", "device", "jti")
    member: int
    device: str
    jti: str
    expires_ms: int


class Refusal(Row, frozen=True):
    """A token refused for good, by its jti, until it would have expired anyway."""

    identity = ("member", "jti")
    member: int
    jti: str
    expires_ms: int


class Fence(Row, frozen=True):
    """A change that every node must have applied before it is answered, in one dense order."""

    identity = ("seq",)
    seq: int
    kind: str  # "switch", "removed", "parted", "revoked"
    at_ms: int
    member: int
    other: int = 0
    conversation: int = 0
    pos: int = 0
    device: str = ""
    on: bool = False
    who: str = ""  # the member's id at that time: it may be another's by the time this is read


class LiveSession(Row, frozen=True):
    """An open session on one of several nodes; void once that node's lease has run out."""

    identity = ("id",)
    id: str
    member: int
    node: str
    opened_ms: int
    silent_ms: int = 0  # since when it has shown no life; 0 while it does
    unwanted: bool = False  # to make room for another: its node ends it
