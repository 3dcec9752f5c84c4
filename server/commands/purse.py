"""Commands on credits: the operator's grants and ledger, and a member's own balance."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from server.commands import creations, cursor, ledger, results
from server.commands.access import known
from server.commands.command import (
    PAGE,
    ClientId,
    Command,
    Limit,
    MemberRef,
    Page,
    Params,
    client_id,
    text,
)
from server.commands.snapshot import Snapshot
from server.commands.work import Work
from server.domain import credit
from server.domain.credit import Account
from server.domain.rows import Creation, Credit, Member, Topic
from server.errors import Refused

Map = dict[str, Any]
OPERATOR = 0  # the caller of what an operator creates, and the lock of its client_ids


class Grant(Params, frozen=True):
    """credits.grant."""

    member: MemberRef
    amount: Annotated[int, Meta(ge=1, le=10_000)]
    reason: Annotated[str, Meta(max_length=100, description='"purchase" for bought ones.')]
    client_id: ClientId


def grant(operator: None, p: Grant, work: Work) -> Map:
    """Give a member credits, once for this client_id."""
    client_id(p.client_id)
    text(p.reason, 100, "reason")
    work.want((Topic, OPERATOR), (Creation, (OPERATOR, p.client_id)))
    made = creations.made(OPERATOR, p.client_id, "credits.grant", p, work)
    if made is not None:
        row = work.need(Member, made)
        return {"balance": ledger.account(row, work).balance, "duplicate": True}
    row = known(p.member, "member", work)
    work.want((Topic, row.topic))
    if p.reason == credit.PURCHASE and not work.policy.credits_for_sale:
        raise Refused("credits_for_sale", "Credits are not sold here.")
    account = ledger.account(row, work)
    account = credit.grant(account, p.amount, p.reason, work.now_ms, work.policy)
    ledger.write(row, account, work)
    creations.remember(OPERATOR, p.client_id, "credits.grant", p, row.key, work)
    return {"balance": account.balance, "duplicate": False}


class OfMember(Params, frozen=True):
    """credits.ledger."""

    member: MemberRef
    limit: Limit = PAGE
    before: Annotated[str, Meta(max_length=64)] | None = None


def entries(operator: None, p: OfMember, snapshot: Snapshot) -> Map:
    """A member's balance and ledger, the newest entries first."""
    row = known(p.member, "member", snapshot)
    return _ledger(row, p.limit, p.before, snapshot)


def own(me: Member, p: Page, snapshot: Snapshot) -> Map:
    """One's own balance and ledger, the newest entries first."""
    return _ledger(me, p.limit, p.before, snapshot)


def _ledger(member: Member, limit: int, before: str | None, snapshot: Snapshot) -> Map:
    limit, older = min(limit, PAGE), cursor.read(before, snapshot.ids.entry_key)
    account = ledger.account(member, snapshot)
    rows = snapshot.ledger(member.key, older, limit + 1)
    listed = [*(_due(account) if older is None else []), *map(_entry, rows[:limit])]
    out: Map = {
        "balance": account.balance, "entries": listed, "more": len(rows) > limit,
        "at": snapshot.heads([member.topic]),
    }  # fmt: skip
    if len(rows) > limit:
        last = rows[limit - 1]
        out["next"] = cursor.write(last.at_ms, snapshot.ids.entry(last.key))
    return out


def _due(account: Account) -> list[Map]:
    """What has fallen due and is written with the next change: the newest first."""
    return [_entry(row) for row in reversed(account.entries) if row.key == credit.NEW]


def _entry(row: Credit) -> Map:
    out: Map = {"at_ms": row.at_ms, "change": row.change, "reason": row.reason}
    if row.expires_ms:
        out["expires_at"] = row.expires_ms
    return out


COMMANDS = (
    Command(
        name="credits.get", params=Page, run=own, kind="read", rate="read",
        doc="One's credits and the ledger that they are the sum of.", result=results.Ledger,
    ),
)  # fmt: skip
OPERATORS = (
    Command(
        name="credits.grant", params=Grant, run=grant, kind="write", rate="none", operator=True,
        locks=("operator", "member:named"), doc="Give a member credits.",
        result=results.Granted, errors=("refused", "client_id_reused"),
    ),
    Command(
        name="credits.ledger", params=OfMember, run=entries, kind="read", rate="none",
        operator=True, doc="A member's credits and the ledger that they are the sum of.",
        result=results.Ledger, errors=("unknown_outcome",),
    ),
)  # fmt: skip
