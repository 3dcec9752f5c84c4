"""The ledger of InMail credits: what comes in by itself, what runs out, what is spent first.

Pure. An account is a `Wallet` and its lots, the entries that still have credits `left`. Grants and
expiries fall due at fixed moments; `settle` writes down those that have passed, so that it does
not matter when an account is looked at. The balance is always the sum of all entries.
"""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from msgspec.structs import replace

from server.domain.policy import Policy
from server.domain.rows import Credit, Wallet

BASIC = "basic"
PLAN, SPENT, REFUND, EXPIRED, ENDED = "plan", "inmail", "refund", "expired", "plan_ended"
PURCHASE = "purchase"
NEW = 0  # the key of an entry that has none yet


class Account(msgspec.Struct, frozen=True):
    """A wallet, its lots oldest first, and entries that are to be written."""

    wallet: Wallet
    lots: tuple[Credit, ...] = ()
    entries: tuple[Credit, ...] = ()

    @property
    def balance(self) -> int:
        """Credits that can be spent."""
        return self.wallet.balance


def open_account(member: int, wallet: Wallet | None, lots: Sequence[Credit]) -> Account:
    """A member's account as it was last written."""
    return Account(
        wallet or Wallet(member), tuple(sorted(lots, key=lambda lot: (lot.at_ms, lot.key)))
    )


def month_after(since_ms: int, months: int) -> int:
    """The same day and time so many months later, UTC; the month's last day where it has none."""
    since = datetime.fromtimestamp(since_ms / 1000, UTC)
    year, month = divmod(since.year * 12 + since.month - 1 + months, 12)
    day = min(since.day, calendar.monthrange(year, month + 1)[1])
    then = since.replace(year=year, month=month + 1, day=day, microsecond=0)
    return int(then.timestamp()) * 1000 + since_ms % 1000


def settle(account: Account, plan: str, now_ms: int, policy: Policy) -> Account:
    """What has fallen due up to now: expiries and the plan's monthly grants, in order of time.

    A plan from before there were accounts begins its months now.
    """
    if plan != BASIC and not account.wallet.since_ms:
        account = replace(account, wallet=replace(account.wallet, since_ms=now_ms))
    while True:
        wallet = account.wallet
        expiring = min((lot for lot in account.lots), key=lambda lot: lot.expires_ms, default=None)
        granted = month_after(wallet.since_ms, wallet.months) if plan != BASIC else None
        if expiring is not None and (granted is None or expiring.expires_ms <= granted):
            if expiring.expires_ms > now_ms:
                return account
            account = _out(account, expiring, expiring.left)
            account = _write(account, expiring.expires_ms, -expiring.left, EXPIRED)
        elif granted is not None and granted <= now_ms:
            account = replace(account, wallet=replace(wallet, months=wallet.months + 1))
            pile = sum(lot.left for lot in account.lots if lot.reason == PLAN)
            amount = min(policy.credits_monthly.of(plan), policy.credits_most.of(plan) - pile)
            if amount > 0:
                account = grant(account, amount, PLAN, granted, policy)
        else:
            return account


def grant(account: Account, amount: int, reason: str, at_ms: int, policy: Policy) -> Account:
    """Credits that come in; they expire after the policy's time."""
    return _write(account, at_ms, amount, reason, at_ms + policy.credits_expire_ms)


def spend(account: Account, amount: int, at_ms: int) -> Account:
    """Spend of the oldest first. The account must be settled and hold as much."""
    if amount > account.balance:
        raise ValueError("more is spent than there is")
    rest = amount
    for lot in account.lots:
        taken = min(rest, lot.left)
        account, rest = _out(account, lot, taken), rest - taken
    return _write(account, at_ms, -amount, SPENT)


def change_plan(account: Account, before: str, plan: str, now_ms: int, policy: Policy) -> Account:
    """The account at a change of plan: with the plan's end all credits are gone; a plan that is
    new begins its months now."""
    account = settle(account, before, now_ms, policy)
    if plan == BASIC:
        gone = account.balance
        for lot in account.lots:
            account = _out(account, lot, lot.left)
        return _write(account, now_ms, -gone, ENDED) if gone else account
    fresh = replace(account.wallet, since_ms=now_ms, months=0)
    return settle(replace(account, wallet=fresh), plan, now_ms, policy)


def _out(account: Account, lot: Credit, amount: int) -> Account:
    """Take so much of a lot; it is a lot no more once it is empty."""
    if not amount:
        return account
    taken = replace(lot, left=lot.left - amount)
    lots = [taken if one is lot else one for one in account.lots]
    entries = account.entries
    if any(one is lot for one in entries):  # not written yet: it is written as it then is
        entries = tuple(taken if one is lot else one for one in entries)
    else:
        entries = (*entries, taken)
    return replace(account, lots=tuple(one for one in lots if one.left), entries=entries)


def _write(account: Account, at_ms: int, change: int, reason: str, expires_ms: int = 0) -> Account:
    wallet = replace(account.wallet, balance=account.wallet.balance + change)
    entry = Credit(NEW, wallet.member, at_ms, change, reason, expires_ms, max(change, 0))
    lots = (*account.lots, entry) if entry.left else account.lots
    return Account(wallet, lots, (*account.entries, entry))
