"""The entities behind members' rights: what is kept of an erasure, a hold, an expiry, an act.

Rows like those of `rows`, and the pure rules over them. Who erases, holds and lists is `commands`.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final

from msgspec.structs import replace

from server.domain.policy import DAY, HOUR, Policy
from server.domain.rows import Member, Message, Row

HOLDS: Final = -2
"""The lock of all holds, among those of topics, whose keys are positive: who removes something has
it, so that a hold that is answered holds. Its row's head counts the changes of holds."""

ERASED: Final = "erased.member"
"""The id that every erased member is shown by: the same, so that it links nothing. It is no
member's own."""

LATEST: Final = ""
"""The `Departed` row that is nobody's: its head is the highest of any erased member's log."""


class Erasure(Row, frozen=True):
    """A member that is being erased. `topic` and `head` are those of their log when it was asked
    for: an id may be given to somebody else meanwhile. `hidden` once nobody is shown them; `whole`
    if what they wrote goes too."""

    identity = ("member",)
    member: int
    topic: int
    head: int
    asked_ms: int
    hidden: bool = False
    whole: bool = False


class Departed(Row, frozen=True):
    """What must be known of an id whose member was erased, without the id: up to when tokens are
    refused, for as long as there can be one."""

    identity = ("digest",)
    digest: str
    head: int
    refused_until_us: int
    expires_ms: int


class Expiry(Row, frozen=True):
    """Up to which number the messages of a conversation have been removed by their age."""

    identity = ("conversation",)
    conversation: int
    seq: int


class Hold(Row, frozen=True):
    """A legal hold on a member or on a conversation; the other of the two is 0."""

    key: int
    member: int
    conversation: int
    reason: str
    at_ms: int


class Audit(Row, frozen=True):
    """An act: by "operator", "server" or "member" (`actor`), about whom, by ids at that time."""

    key: int
    at_ms: int
    by: str
    actor: str
    cmd: str
    about: str
    other: str
    outcome: str
    detail: dict[str, Any]


class LastSeen(Row, frozen=True):
    """When a member was last there, where there are several nodes."""

    identity = ("member",)
    member: int
    at_ms: int


def digest(secret: bytes, member: str) -> str:
    """An id as something that only who has the secret can compare."""
    return blake2b(member.encode(), digest_size=16, key=secret).hexdigest()


def departed(row: Member, head: int, secret: bytes) -> Departed:
    """What is kept of a member's id: a token lives for a day at most."""
    expires_ms = row.refused_until_us // 1000 + DAY + HOUR
    return Departed(digest(secret, row.id), head, row.refused_until_us, expires_ms)


def nobody(row: Member, member_id: str, now_ms: int) -> Member:
    """A member's row without anything that was theirs; messages go on referring to it."""
    return Member(
        row.key, member_id, 0, "", receipts=False, active_status=False, inmail=False,
        sponsored=False, alive=False, erased_ms=row.erased_ms or now_ms,
        erased_whole=row.erased_whole,
    )  # fmt: skip


def is_empty(row: Message) -> bool:
    """Whether nothing is left of a message but its place."""
    return bool(row.deleted_at) and not (row.body or row.subject or row.client_id)


def emptied(row: Message, now_ms: int) -> Message:
    """A message's tombstone without anything that somebody wrote. One that is a tombstone already
    looks the same afterwards; else this is its next revision."""
    bare = replace(row, body="", subject="", client_id="", mentions=[], reply_to=0)
    if row.deleted_at:
        return bare
    return replace(bare, rev=row.rev + 1, deleted_at=now_ms)


def kept_since_ms(days: int, now_ms: int) -> int:
    """What is older than this is removed; 0 where everything is kept for ever."""
    return max(0, now_ms - days * DAY) if days else 0


def expired_before_ms(policy: Policy, now_ms: int) -> int:
    """Messages sent before this are removed; 0 for none."""
    return kept_since_ms(policy.retention_days, now_ms)
