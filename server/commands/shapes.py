"""What things look like on the wire: the one description of entities, errors and events' data.

The reference documents are made from these types, and tests hold what a running node sends
against them; `results` is the same for commands. Handlers build the maps by `views`: nothing is
checked or copied through here while serving. A field whose default is UNSET may be absent.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from server.commands.command import Id, MemberRef

Millis = Annotated[int, Meta(ge=0, description="Unix milliseconds.")]
Seq = Annotated[int, Meta(ge=0, description="A message's number in its conversation, from 1.")]
Pos = Annotated[int, Meta(ge=0, description="A position in a topic's log.")]
At = Annotated[dict[str, Pos], Meta(description="The positions at which this was read, by topic.")]


KINDS = "How it was allowed: direct, open_profile, group or inmail."


class Shape(msgspec.Struct, frozen=True):
    """A map on the wire. More fields may come with a later version: ignore unknown ones."""


# Entities


class Profile(Shape, frozen=True):
    """A member as lists show them."""

    member: MemberRef
    name: str
    headline: str
    avatar: Annotated[str, Meta(description="An http address, or empty.")]


class AllSettings(Shape, frozen=True):
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
    kind: Annotated[str, Meta(description=KINDS)] | UnsetType = UNSET
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


class Marks(Shape, frozen=True, kw_only=True):
    """What is one's own in a conversation, and known to nobody else."""

    muted: bool
    starred: bool
    archived: Annotated[bool, Meta(description="Until a message brings it back.")]
    unread_mark: Annotated[bool, Meta(description="Marked unread by hand, until it is read.")]
    reported: Annotated[bool, Meta(description="One has reported it: it is not in the inbox.")]
    archived_seq: (
        Annotated[int, Meta(ge=0, description="The last message when it was archived.")] | UnsetType
    ) = UNSET
    cleared_seq: (
        Annotated[int, Meta(ge=0, description="Messages up to here are gone for oneself.")]
        | UnsetType
    ) = UNSET


class Conversation(Marks, frozen=True, kw_only=True):
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
        Meta(
            description="request: the first message waits for an answer. closed: one has left it or"
            " was removed, or a request was declined. Never by a block."
        ),
    ]
    draft: Annotated[str, Meta(description="One's own, if there is one.")] | UnsetType = UNSET
    at: At


class Change(Shape, frozen=True):
    """One participant's change in a roster."""

    member: MemberRef
    name: str
    change: Literal["added", "removed", "left"]
    role: str


class Error(Shape, frozen=True):
    """The answer to a command that was not carried out."""

    code: str
    message: Annotated[str, Meta(description="For a person.")]
    retryable: Annotated[bool, Meta(description="Whether the same may succeed later.")]
    field: Annotated[str, Meta(description="invalid: what was wrong.")] | UnsetType = UNSET
    rule: Annotated[str, Meta(description="refused: the rule.")] | UnsetType = UNSET
    retry_after_ms: (
        Annotated[int, Meta(description="rate_limited: how long to wait.")] | UnsetType
    ) = UNSET
    ref: (
        Annotated[str, Meta(description="internal: where the server's log says more.")] | UnsetType
    ) = UNSET
    cost: Annotated[int, Meta(description="costs_credit: in credits.")] | UnsetType = UNSET
    balance: Annotated[int, Meta(description="costs_credit: those there are.")] | UnsetType = UNSET


# Events' data, where it is none of these


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
    """An invitation that is no longer open, and who answered it."""

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


class Requested(Shape, frozen=True):
    """A conversation that waits to be accepted or declined."""

    conversation: Id


class Marked(Marks, frozen=True, kw_only=True):
    """One's own marks on a conversation, all of them."""

    conversation: Id


class RequestAnswered(Shape, frozen=True):
    """A request that has been answered, one's own or another's."""

    conversation: Id
    accepted: bool


class Closed(Shape, frozen=True):
    """A conversation that was closed to one of the two."""

    conversation: Id


class Credits(Shape, frozen=True):
    """One's credits."""

    balance: int


class Passed(Shape, frozen=True):
    """Nothing: the position alone counts."""


class Draft(Shape, frozen=True):
    """One's own text that is not sent yet; empty when there is none."""

    conversation: Id
    body: str


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


class IsTyping(Shape, frozen=True):
    """Who is typing, and for how long without renewal."""

    conversation: Id
    member: MemberRef
    expires_in_ms: int


class Stopped(Shape, frozen=True):
    """Who is not."""

    conversation: Id
    member: MemberRef
