"""What the command table has a row of: a command's name, shapes, rules and handler.

From these rows come validation, dispatch, the reference documents and their tests.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from server.domain.ids import MEMBER_ID
from server.domain.rows import Member
from server.errors import Invalid

MAX_INT = 2**53 - 1

Id = Annotated[str, Meta(min_length=1, max_length=64, description="An opaque id.")]
MemberRef = Annotated[str, Meta(pattern=MEMBER_ID, description="A member's id.")]
ClientId = Annotated[
    str, Meta(min_length=1, max_length=64, description="Unique per caller, for good; ≤ 64 bytes.")
]
Seq = Annotated[int, Meta(ge=0, le=MAX_INT)]
Limit = Annotated[int, Meta(ge=1, le=MAX_INT, description="More than 200 is taken as 200.")]
PAGE = 200


class Params(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A command's parameters; unknown fields are ignored. What is left at its default is no part
    of a client_id's content, so that a field added later leaves what was created as it was."""


class Nothing(Params, frozen=True):
    """No parameters."""


class Page(Params, frozen=True):
    """A list's part: at most `limit`, after what an earlier answer gave as `next`."""

    limit: Limit = PAGE
    before: Annotated[str, Meta(max_length=64)] | None = None


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table.

    `kind`: "write" is decided in a transaction and may publish; "read" is answered from one
    snapshot; "session" is answered by the connection itself. `locks` names the topics under
    which every fact that the decision reads is stable. `rate` names the policy's token bucket.
    `result` is the shape of the result; `errors` are the codes beyond those that any command may
    answer.
    """

    name: str
    params: type[Params]
    run: Callable[[Any, Any, Any], dict[str, Any]]
    kind: Literal["write", "read", "session"]
    rate: Literal["send", "change", "signal", "read", "search", "connect", "export", "none"]
    doc: str
    result: type[Any]
    errors: tuple[str, ...] = ()
    locks: tuple[str, ...] = ()
    operator: bool = False
    http: bool = True


# Inside emojis: the zero-width joiner, and the tags that spell a region's flag.
_JOINING = frozenset(["\u200d", *map(chr, range(0xE0020, 0xE0080))])


def text(value: str, limit: int, field: str, *, empty: bool = False) -> str:
    """A text of at most `limit` characters that shows something. Raises `Invalid`."""
    if len(value) > limit:
        raise Invalid(f"{field} is longer than {limit} characters.", field=field)
    if not empty and not value.strip():
        raise Invalid(f"{field} is empty.", field=field)
    return value


def client_id(value: str | None) -> str | None:
    """A client_id within 64 bytes. Raises `Invalid`."""
    if value is not None and len(value.encode()) > 64:
        raise Invalid("client_id is longer than 64 bytes.", field="client_id")
    return value


def emoji(value: str) -> str:
    """An emoji: short, of symbols and their modifiers, not words. Raises `Invalid`."""
    wordy = any(unicodedata.category(c)[0] in "LCZ" and c not in _JOINING for c in value)
    if not value or len(value) > 32 or value.isascii() or wordy:
        raise Invalid("emoji is not an emoji.", field="emoji")
    return value


def other_than(caller: Member, member: str, field: str) -> str:
    """A member who is not the caller. Raises `Invalid`."""
    if member == caller.id:
        raise Invalid(f"{field} is yourself.", field=field)
    return member
