"""What results and events look like on the wire: the one description of every map a client gets.

The reference documents are made from these types, and tests hold real results and events against
them. Handlers build the maps by `views`; nothing is checked or copied through here while serving.
A field whose default is UNSET may be absent.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from server.commands.command import Id, MemberRef

Millis = Annotated[int, Meta(ge=0, description="Unix milliseconds.")]
Seq = Annotated[int, Meta(ge=0, description="A message's number in its conversation, from 1.")]
Pos = Annotated[int, Meta(ge=0, description="A position in a topic's log.")]
Heads = Annotated[
    dict[str, Pos], Meta(description="Topics, each with the position of its last event.")
]
At = Annotated[dict[str, Pos], Meta(description="The positions at which this was read, by topic.")]
More = Annotated[bool, Meta(description="Whether there are more that way.")]
Duplicate = Annotated[bool, Meta(description="Whether this client_id had been here before.")]


class Shape(msgspec.Struct, frozen=True):
    """A map on the wire. More fields may come with a later version: ignore unknown ones."""


class Done(Shape, frozen=True):
    """Nothing but that it is done."""


# Entities


class Profile(Shape, frozen=True):
    """A member as lists show them."""

    member: MemberRef
    name: str
    headline: str
    avatar: Annotated[str, Meta(description="An http address, or empty.")]


class Settings(Shape, frozen=True):
    """All of a member's settings."""

    receipts: Annotated[
        bool, Meta(description="Read receipts and typing, both ways: off gives and gets none.")
    ]
    active_status: Annotated[bool, Meta(description="Presence, both ways.")]
    inmail: bool
    sponsored: bool
    open_profile: bool


class Invitation(Shape, frozen=True, rename={"sender": "from"}):
    """An invitation to connect."""

    invitation: Id
    sender: MemberRef
    to: MemberRef
    note: str
    sent_at: Millis


class Reaction(Shape, frozen=True):
    """One emoji on a message: by whom, or above 50 participants how often."""

    emoji: str
    members: list[MemberRef] | UnsetType = UNSET
    count: int | UnsetType = UNSET


class Message(Shape, frozen=True):
    """A message; or its tombstone, which has `deleted_at`, and no kind, text or reactions."""

    conversation: Id
    message: Id
    seq: Seq
    sender: MemberRef
    sent_at: Millis
    rev: Annotated[int, Meta(ge=0, description="Counts its changes, reactions included.")]
    kind: Annotated[str, Meta(description="How it was allowed: direct.")] | UnsetType = UNSET
    body: str | UnsetType = UNSET
    client_id: Annotated[str, Meta(description="The sender's.")] | UnsetType = UNSET
    reactions: list[Reaction] | UnsetType = UNSET
    edited_at: Millis | UnsetType = UNSET
    deleted_at: Millis | UnsetType = UNSET
    subject: str | UnsetType = UNSET
    reply_to: Id | UnsetType = UNSET
    mentions: list[MemberRef] | UnsetType = UNSET


class Participant(Shape, frozen=True):
    """A member in a conversation."""

    member: MemberRef
    name: str
    role: Literal["participant", "manager", "viewer"]
    shown: (
        Annotated[int, Meta(ge=0, description="Their receipt: they have seen up to this seq.")]
        | UnsetType
    ) = UNSET


class Conversation(Shape, frozen=True):
    """A conversation as its reader sees it; to who left or was removed, as of then."""

    id: Id
    kind: Literal["one_to_one", "several", "group"]
    title: str
    participants: Annotated[
        list[Participant], Meta(description="Empty above 50: then there is only the count.")
    ]
    participant_count: int
    last: Message | None
    seq: Annotated[int, Meta(ge=0, description="Of its last message; 0 without any.")]
    read: Annotated[int, Meta(ge=0, description="The reader's own watermark, a seq.")]
    unread: int
    state: Annotated[
        Literal["open", "request", "closed"],
        Meta(description="closed: one has left it or was removed. Never by a block."),
    ]
    at: At


class Change(Shape, frozen=True):
    """One participant's change in a roster."""

    member: MemberRef
    name: str
    change: Literal["added", "removed", "left"]
    role: str


# Results


class Limits(Shape, frozen=True):
    """This server's limits, as far as a client meets them."""

    frame_bytes: int
    body_characters: int
    participants_per_conversation: int
    sessions_per_member: int
    in_flight: Annotated[int, Meta(description="Commands not yet answered; then it waits.")]
    page: Annotated[int, Meta(description="The most that one list answers.")]


class Connected(Shape, frozen=True):
    """A session has begun."""

    session: str
    member: Annotated[MemberRef, Meta(description="Whom the token names.")]
    epoch: Annotated[str, Meta(description="The incarnation of the store: keep it for resuming.")]
    topics: Heads
    reset: Annotated[list[str], Meta(description="Topics whose state is to be read anew.")]
    ping_s: Annotated[int, Meta(description="Seconds between the server's pings.")]
    now: Millis
    expires_at: Annotated[int, Meta(description="When the token does, in Unix milliseconds.")]
    limits: Limits


class Refreshed(Shape, frozen=True):
    """The new token counts."""

    expires_at: Annotated[int, Meta(description="When it does not any more, Unix milliseconds.")]


class Resumed(Shape, frozen=True):
    """What can be gone on from."""

    topics: Heads
    reset: Annotated[list[str], Meta(description="Topics whose state is to be read anew.")]


class Now(Shape, frozen=True):
    """The server's time."""

    now: Millis


class Activity(Shape, frozen=True):
    """Whether a member is there; inactive also where one may not know."""

    active: bool
    last_active: Millis | UnsetType = UNSET


class Presence(Shape, frozen=True):
    """Each member that was asked about."""

    members: dict[str, Activity]


class Way(Shape, frozen=True):
    """One way to a member."""

    kind: str
    allowed: bool
    cost: Annotated[int, Meta(description="In credits.")]
    needs: Annotated[list[str], Meta(description="What would open it: connect.")]


class Ways(Shape, frozen=True):
    """All ways to a member, in the order in which they are tried."""

    ways: list[Way]


class Invited(Shape, frozen=True):
    """The invitation, one's own or the one that this answered."""

    invitation: Id
    duplicate: Duplicate


class Invitations(Shape, frozen=True):
    """Open ones, received and sent."""

    invitations: list[Invitation]
    at: At


class Members(Shape, frozen=True):
    """Members by name."""

    members: list[Profile]
    at: At


class Sent(Shape, frozen=True):
    """A message is stored, and on its way."""

    conversation: Id
    message: Id
    seq: Seq
    kind: Annotated[str, Meta(description="How it was allowed: direct.")]
    sent_at: Millis
    duplicate: Duplicate


class Reacted(Shape, frozen=True):
    """All reactions to the message."""

    reactions: list[Reaction]


class ReadUpTo(Shape, frozen=True):
    """One's own watermark now."""

    read: Annotated[int, Meta(ge=0, description="A seq.")]


class Placed(Shape, frozen=True):
    """The conversation that this led to."""

    conversation: Id
    duplicate: Duplicate


class Conversations(Shape, frozen=True):
    """A page of conversations."""

    conversations: list[Conversation]
    more: More
    at: At
    next: Annotated[str, Meta(description="Give it as before.")] | UnsetType = UNSET


class History(Shape, frozen=True):
    """A page of messages, ascending by seq."""

    messages: list[Message]
    more: More
    at: At


class Put(Shape, frozen=True):
    """The member is there."""

    id: MemberRef


class Token(Shape, frozen=True):
    """A member's token."""

    token: Annotated[str, Meta(description="A JWT.")]


class Batch(Shape, frozen=True):
    """Each command's {result} or {error}, in order."""

    results: list[dict[str, Any]]


# What else an event carries


class Reactions(Shape, frozen=True):
    """All of one member's emojis on a message."""

    conversation: Id
    message: Id
    rev: int
    member: MemberRef
    emojis: list[str]


class Topic(Shape, frozen=True):
    """A topic that comes or goes."""

    conversation: Id
    topic: str
    pos: Annotated[int, Meta(ge=0, description="Joined: go on from here. Left: the last of it.")]


class Renamed(Shape, frozen=True):
    """A conversation's title."""

    conversation: Id
    title: str
    rev: int


class Roster(Shape, frozen=True):
    """Who came or went, by one command."""

    conversation: Id
    rev: int
    participant_count: int
    changes: list[Change] | UnsetType = UNSET


class Answered(Shape, frozen=True):
    """An invitation that is no longer open, and the other: who accepted, or who had asked."""

    invitation: Id
    member: MemberRef
    accepted: bool


class Withdrawn(Shape, frozen=True):
    """An invitation that its sender took back."""

    invitation: Id
    member: MemberRef


class Member(Shape, frozen=True):
    """Another member."""

    member: MemberRef


class Blocked(Shape, frozen=True):
    """A block of one's own."""

    member: MemberRef
    blocked: bool


class Moved(Shape, frozen=True):
    """One's own watermark."""

    conversation: Id
    read: int


class Seen(Shape, frozen=True):
    """Another's receipt."""

    conversation: Id
    member: MemberRef
    seq: Seq
    seen_at: Millis


class Typing(Shape, frozen=True):
    """Who is typing, and for how long without renewal."""

    conversation: Id
    member: MemberRef
    expires_in_ms: int


class Stopped(Shape, frozen=True):
    """Who is not."""

    conversation: Id
    member: MemberRef
