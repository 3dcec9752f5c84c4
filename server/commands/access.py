"""The one place where a caller is let in: whose token this is, and whether it still counts.

Called inside the transaction or snapshot of every command, so that a revocation holds for what
is decided after it, whatever was on its way.
"""

from __future__ import annotations

from server.commands.facts import Handle
from server.commands.outcome import Caller
from server.commands.work import Facts
from server.domain.ids import MemberId
from server.domain.rows import Member, Refusal
from server.errors import Invalid, TokenExpired, TokenRevoked, Unauthenticated


def named(member: str, facts: Facts) -> Member | None:
    """The living member of this id, or None."""
    handle = facts.find(Handle, MemberId(member))
    if handle is None or not handle.member:
        return None
    row = facts.find(Member, handle.member)
    return row if row is not None and row.alive else None


def known(member: str, field: str, facts: Facts) -> Member:
    """The living member whom the operator names. Raises `Invalid`: operators are told plainly."""
    row = named(member, facts)
    if row is None:
        raise Invalid(f"{field}: there is no such member.", field=field)
    return row


def member(caller: Caller, facts: Facts) -> Member:
    """The member who calls.

    Raises `Unauthenticated` for who does not exist (any more), `TokenRevoked` for a token that
    was revoked, by its time or with its device, `TokenExpired` for one past its end.
    """
    row = named(caller.member, facts)
    if row is None:
        raise Unauthenticated
    if caller.issued_us <= row.refused_until_us:
        raise TokenRevoked
    if row.devices_revoked and facts.find(Refusal, (row.key, caller.jti)) is not None:
        raise TokenRevoked
    if facts.now_ms >= caller.expires_ms:
        raise TokenExpired
    return row
