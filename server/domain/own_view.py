"""What is one member's alone in a conversation: marks, what they cleared, drafts. Pure rules.

rules: muted, starred, archived (a new message brings it back), marked unread, and deleting a
conversation, which clears one's own view. The same on the member's every device, known to nobody
else. Archived and cleared are kept as the number of the last message of that time, so that a new
message brings a conversation back without a write.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from server.domain.conversations import View
from server.domain.rows import Conversation, Participant, Row

NEVER = -1


class Own(Row, frozen=True):
    """One member's marks on one conversation; none is stored before the first."""

    identity = ("conversation", "member")
    conversation: int
    member: int
    muted: bool = False
    starred: bool = False
    unread: bool = False  # marked so by hand; reading takes it away
    reported: bool = False
    archived_seq: int = NEVER  # the last message when it was archived
    cleared_seq: int = NEVER  # messages up to here are gone for this member


class Draft(Row, frozen=True):
    """The text that a member has begun in a conversation; empty once it is gone."""

    identity = ("conversation", "member")
    conversation: int
    member: int
    body: str


class Marks(msgspec.Struct, frozen=True):
    """What is to change of a member's marks; None leaves one as it is."""

    muted: bool | None = None
    starred: bool | None = None
    archived: bool | None = None
    unread: bool | None = None
    reported: bool | None = None


def last_seq(row: Conversation, part: Participant) -> int:
    """The last message that a participant may see; of who is gone, the last that was theirs."""
    return part.until_seq if part.until_seq >= 0 else row.seq


def archived(own: Own | None, last: int) -> bool:
    """Whether it is archived still, when `last` is the last message."""
    return own is not None and own.archived_seq >= last


def cleared(own: Own | None, last: int) -> bool:
    """Whether nothing has come since it was cleared, so that it is in no list."""
    return own is not None and own.cleared_seq >= last


def marked(own: Own, marks: Marks, last: int) -> Own:
    """The row with these marks. What is archived already stays as of then, unless a message has
    brought it back."""
    given = {
        name: value
        for name in ("muted", "starred", "unread", "reported")
        if (value := getattr(marks, name)) is not None
    }
    if marks.archived is not None and marks.archived != archived(own, last):
        given["archived_seq"] = last if marks.archived else NEVER
    return replace(own, **given)


def clear(own: Own, last: int) -> Own:
    """The row once everything up to `last` is cleared: what was archived or marked unread is gone
    with it; a muted or starred conversation is so again when it comes back."""
    return replace(own, cleared_seq=last, archived_seq=NEVER, unread=False)


def seen_of(view: View, own: Own | None) -> View:
    """A view without what its member has cleared."""
    if own is None or own.cleared_seq <= 0:
        return view
    after = own.cleared_seq
    ranges = tuple((max(start, after), until) for start, until in view.seq_ranges)
    return replace(view, seq_ranges=ranges)
