"""Reports: what a member reported, and the texts that go with it. Pure rules.

rules: a reporter stays anonymous; a report stores what was reported, with the original of what was
edited or deleted, out of everybody's sight. It holds nothing that its reporter could not see: to
who has left, messages are as they were then.
"""

from __future__ import annotations

import msgspec

from server.domain.rows import Message, Revision, Row

REASONS = ("spam", "fraud", "harassment", "threat", "impersonation", "other")


class Version(msgspec.Struct, frozen=True, array_like=True):
    """One text that a message had, from when on."""

    body: str
    at_ms: int


class Exhibit(msgspec.Struct, frozen=True, array_like=True):
    """A reported message as its reporter could see it, with all its texts, the oldest first."""

    message: int
    seq: int
    sender: int
    sent_at: int
    subject: str
    versions: list[Version]
    deleted_at: int = 0
    left_out: int = 0  # texts between the original and the newest kept ones


class Report(Row, frozen=True):
    """A report by one member; open until an operator closes it, which forgets its texts."""

    key: int
    reporter: int
    conversation: int
    message: int  # 0 for the conversation as a whole
    reason: str
    text: str
    at_ms: int
    exhibits: list[Exhibit]
    closed_ms: int = 0


def exhibit(message: Message, changes: list[Revision], until: int, most: int) -> Exhibit:
    """A message with its texts, as of the topic's position `until` (-1: now), at most `most` of
    them: the original and the newest. `changes` are all that changed its text, ascending by rev."""
    then = [change for change in changes if until < 0 or change.pos <= until]
    later = [change for change in changes if not (until < 0 or change.pos <= until)]
    deleted = message.deleted_at if not later else 0
    texts = [(change.body or "", change.edited_at) for change in then]
    if later:
        texts.append((later[0].body or "", later[0].edited_at))
    elif not deleted:
        texts.append((message.body, message.edited_at))
    versions = [Version(body, at or message.sent_at) for body, at in texts]
    over = max(0, len(versions) - most)
    kept = [versions[0], *versions[over + 1 :]] if over else versions
    return Exhibit(
        message.key, message.seq, message.sender, message.sent_at, message.subject, kept,
        deleted, over,
    )  # fmt: skip
