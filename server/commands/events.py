"""The event table: every event and signal a session can get, in which topic, and what it carries.

Made for whoever writes a client: the reference documents come from it, and tests hold what a
running node sends against it. What builds events is `log` and the handlers.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from server.commands import shapes
from server.commands.outcome import PASSED

_MEMBER: tuple[Literal["member", "conversation"], ...] = ("member",)
_CONVERSATION: tuple[Literal["member", "conversation"], ...] = ("conversation",)
_EITHER = _MEMBER + _CONVERSATION


class Told(msgspec.Struct, frozen=True):
    """One row: the shape of `data`, which topics it comes on, and what it says."""

    data: type[Any]
    topics: tuple[Literal["member", "conversation"], ...]
    doc: str


# With a position, in a topic's log. Those on `_EITHER` come on the member's own topic for a
# one_to_one, on the conversation's otherwise.
EVENTS = {
    "message.created": Told(shapes.Message, _EITHER, "A message, one's own included."),
    "message.edited": Told(shapes.Message, _EITHER, "A message as it now is, whole."),
    "message.deleted": Told(shapes.Message, _EITHER, "A message's tombstone."),
    "message.reacted": Told(
        shapes.Reactions, _EITHER, "All emojis that one member now has on a message."
    ),
    "conversation.joined": Told(
        shapes.Topic, _MEMBER, "One is in a conversation: its topic is the session's from now on."
    ),
    "conversation.left": Told(
        shapes.Topic, _MEMBER, "One is no longer in it, by oneself or another; with its last pos."
    ),
    "conversation.renamed": Told(shapes.Renamed, _CONVERSATION, "A conversation's new title."),
    "roster.changed": Told(
        shapes.Roster,
        _CONVERSATION,
        "Others came or went; above 50 participants the count alone. Founders have none.",
    ),
    "invitation.received": Told(shapes.Invitation, _MEMBER, "Somebody asks to connect."),
    "invitation.answered": Told(
        shapes.Answered,
        _MEMBER,
        "To both when it was accepted; ignored or refused, to one's own devices alone.",
    ),
    "invitation.withdrawn": Told(
        shapes.Withdrawn, _MEMBER, "An invitation that one had received was taken back."
    ),
    "connection.added": Told(shapes.Profile, _MEMBER, "A new connection."),
    "connection.removed": Told(shapes.Member, _MEMBER, "A connection has ended, whoever did it."),
    "block.changed": Told(shapes.Blocked, _MEMBER, "One's own block; the other is never told."),
    "settings.changed": Told(shapes.AllSettings, _MEMBER, "One's settings, all of them."),
    "request.received": Told(
        shapes.Requested, _MEMBER, "A message request or an InMail, behind its message."
    ),
    "request.answered": Told(
        shapes.RequestAnswered, _MEMBER, "It was accepted or declined: to both."
    ),
    "conversation.closed": Told(
        shapes.Closed, _MEMBER, "Somebody has ended what an approach opened: to both."
    ),
    "credits.changed": Told(shapes.Credits, _MEMBER, "One's credits."),
    PASSED: Told(
        shapes.Passed,
        _CONVERSATION,
        "To a viewer: something about a message from before they were mentioned.",
    ),
    "conversation.changed": Told(
        shapes.Marked, _MEMBER, "One's own marks on a conversation; nobody else is told."
    ),
    "draft.changed": Told(shapes.Draft, _MEMBER, "One's own draft in a conversation."),
    "read.moved": Told(shapes.Moved, _MEMBER, "One has read further, on some device."),
}

# Without a position: only for those whose `receipts` switch is on, only while connected.
SIGNALS = {
    "receipt.read": Told(shapes.Seen, _EITHER, "A participant has seen up to a message."),
    "typing.started": Told(shapes.IsTyping, _EITHER, "A participant is typing."),
    "typing.stopped": Told(
        shapes.Stopped, _EITHER, "A participant has stopped; so they have with their message."
    ),
}
