"""The shape of each command's result, as the command table names it.

Like `shapes`, for the reference documents and the tests; nothing passes through here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from server.commands.command import Id, MemberRef
from server.commands.shapes import (
    KINDS,
    At,
    Conversation,
    Invitation,
    Message,
    Millis,
    Pos,
    Profile,
    Reaction,
    Seq,
    Shape,
)

Heads = Annotated[
    dict[str, Pos], Meta(description="Topics, each with the position of its last event.")
]
More = Annotated[bool, Meta(description="Whether there are more that way.")]
Next = Annotated[str, Meta(description="Give it as before.")]
Duplicate = Annotated[bool, Meta(description="Whether this client_id had been here before.")]


class Done(Shape, frozen=True):
    """Nothing but that it is done."""


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


class Presences(Shape, frozen=True):
    """Each member that was asked about."""

    members: dict[str, Activity]


class Way(Shape, frozen=True):
    """One way to a member."""

    kind: str
    allowed: bool
    cost: Annotated[int, Meta(description="In credits.")]
    needs: Annotated[
        list[str], Meta(description="What would open it: connect, wait, upgrade, buy credits.")
    ]


class Ways(Shape, frozen=True):
    """All ways to a member, in the order in which they are tried."""

    ways: list[Way]


class Invited(Shape, frozen=True):
    """The invitation, one's own or the one that this answered."""

    invitation: Id
    duplicate: Duplicate


class Invitations(Shape, frozen=True):
    """Open ones, received and sent, the newest first."""

    invitations: list[Invitation]
    more: More
    at: At
    next: Next | UnsetType = UNSET


class Members(Shape, frozen=True):
    """Members by name."""

    members: list[Profile]
    more: More
    at: At
    next: Next | UnsetType = UNSET


class Sent(Shape, frozen=True):
    """A message is stored, and on its way."""

    conversation: Id
    message: Id
    seq: Seq
    kind: Annotated[str, Meta(description=KINDS)]
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
    next: Next | UnsetType = UNSET


class Messages(Shape, frozen=True):
    """A page of messages, ascending by seq."""

    messages: list[Message]
    more: More
    at: At


class Found(Shape, frozen=True):
    """A page of messages, the newest first."""

    messages: list[Message]
    more: Annotated[bool, Meta(description="Whether there is more to look through, found or not.")]
    at: At
    next: Next | UnsetType = UNSET


class Reported(Shape, frozen=True):
    """The report is kept."""

    report: Id
    duplicate: Annotated[bool, Meta(description="Whether one had reported this before.")]


class Put(Shape, frozen=True):
    """The member is there."""

    id: MemberRef


class Token(Shape, frozen=True):
    """A member's token."""

    token: Annotated[str, Meta(description="A JWT.")]


class Text(Shape, frozen=True):
    """One text that a reported message had, and since when."""

    body: str
    at: Millis


class Exhibit(Shape, frozen=True):
    """A reported message as its reporter could see it."""

    message: Id
    seq: Seq
    sender: MemberRef
    sent_at: Millis
    texts: Annotated[list[Text], Meta(description="The original first, then each edit.")]
    left_out: Annotated[int, Meta(ge=0, description="Texts between them that were not kept.")]
    subject: str | UnsetType = UNSET
    deleted_at: Millis | UnsetType = UNSET


class Report(Shape, frozen=True):
    """An open report."""

    report: Id
    reporter: Annotated[MemberRef, Meta(description="Never told to a member.")]
    conversation: Id
    kind: Annotated[str, Meta(description="Of the conversation.")]
    reason: str
    text: str
    at: Millis
    exhibits: list[Exhibit]
    message: Annotated[Id, Meta(description="Where one message was reported.")] | UnsetType = UNSET


class Reports(Shape, frozen=True):
    """A page of open reports, the newest first."""

    reports: list[Report]
    more: More
    next: Next | UnsetType = UNSET


class Batched(Shape, frozen=True):
    """Each command's {result} or {error}, in order."""

    results: list[dict[str, Any]]


class Granted(Shape, frozen=True):
    """A member's credits now."""

    balance: int
    duplicate: Duplicate


class LedgerEntry(Shape, frozen=True):
    """A change of a balance."""

    at_ms: Millis
    change: Annotated[int, Meta(description="Credits that came in, or went if below 0.")]
    reason: Annotated[
        str,
        Meta(
            description="plan, inmail, refund, expired, plan_ended; or the operator's for a grant."
        ),
    ]
    expires_at: Annotated[int, Meta(description="When they do, Unix ms.")] | UnsetType = UNSET


class Ledger(Shape, frozen=True):
    """A page of a ledger, the newest entries first."""

    balance: int
    entries: list[LedgerEntry]
    more: More
    at: At
    next: Next | UnsetType = UNSET


class Group(Shape, frozen=True):
    """A group that one is in."""

    group: Annotated[str, Meta(description="Its id, the operator's.")]
    name: str
    role: Annotated[str, Meta(description="owner, manager or member.")]
    size: int


class Groups(Shape, frozen=True):
    """The groups that one is in, by name."""

    groups: list[Group]
    at: At


class Held(Shape, frozen=True):
    """A hold is in force."""

    hold: Annotated[Id, Meta(description="To lift it by.")]


class Hold(Shape, frozen=True):
    """A hold, on a member or on a conversation."""

    hold: Id
    reason: str
    at_ms: Millis
    member: MemberRef | UnsetType = UNSET
    conversation: Id | UnsetType = UNSET


class Holds(Shape, frozen=True):
    """Those in force, the newest first."""

    holds: list[Hold]
    more: More
    next: Next | UnsetType = UNSET


class Act(Shape, frozen=True):
    """One entry of the audit log."""

    at_ms: Millis
    by: Literal["operator", "member", "server"]
    cmd: str
    outcome: Annotated[str, Meta(description="done; of an erasure begun, then complete.")]
    about: Annotated[list[str], Meta(description="Whom it was about, by ids at that time.")]
    detail: Annotated[
        dict[str, Any], Meta(description="Names of fields, ids and numbers; never what was said.")
    ]
    member: Annotated[MemberRef, Meta(description="Who, if it was a member.")] | UnsetType = UNSET


class Acts(Shape, frozen=True):
    """A page of the audit log, the newest first."""

    entries: list[Act]
    more: More
    next: Next | UnsetType = UNSET


class ExportPlace(Shape, frozen=True):
    """Where an export goes on."""

    section: str
    before: str | UnsetType = UNSET


class Exported(Shape, frozen=True):
    """A part of what is a member's."""

    section: str
    items: list[dict[str, Any]]
    at_ms: Annotated[int, Meta(description="Of which moment this is, Unix milliseconds.")]
    next: (
        Annotated[ExportPlace, Meta(description="Ask with these next; absent at the end.")]
        | UnsetType
    ) = UNSET
