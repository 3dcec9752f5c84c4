"""A member's credits within a command: the account as it is now, and what changed written down."""

from __future__ import annotations

from msgspec.structs import replace

from server.commands.facts import Lots
from server.commands.work import Facts, Work
from server.domain import credit
from server.domain.credit import Account
from server.domain.rows import Member, Wallet


def account(member: Member, facts: Facts) -> Account:
    """A member's account, with all that has fallen due by now."""
    facts.want((Wallet, member.key), (Lots, member.key))
    wallet, lots = facts.find(Wallet, member.key), facts.find(Lots, member.key)
    known = credit.open_account(member.key, wallet, lots.lots if lots is not None else ())
    return credit.settle(known, member.plan, facts.now_ms, facts.policy)


def write(member: Member, account: Account, work: Work) -> None:
    """Store an account's new entries, and tell its owner's devices if the balance is another."""
    before = work.find(Wallet, member.key)
    keyed = {
        id(entry): replace(entry, key=work.new_key()) if entry.key == credit.NEW else entry
        for entry in account.entries
    }
    for entry in keyed.values():
        work.put(entry)
    if account.wallet != before:
        work.put(account.wallet)
    work.put(Lots(member.key, [keyed.get(id(lot), lot) for lot in account.lots]))
    if account.balance != (before.balance if before is not None else 0):
        balance = account.balance
        work.emit(member.topic, "credits.changed", {"balance": balance}, refs={"balance": balance})


def change_plan(member: Member, plan: str, work: Work) -> None:
    """The account's part of a change of plan."""
    if member.plan != plan:
        now = account(member, work)
        write(member, credit.change_plan(now, member.plan, plan, work.now_ms, work.policy), work)
