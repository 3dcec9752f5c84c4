"""The ledger: what comes in, runs out and is spent, always adding up."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from server.domain import credit, quotas
from server.domain.credit import Account
from server.domain.policy import DAY, DEFAULT
from server.domain.rows import Credit, Wallet


def at(year: int, month: int, day: int, hour: int = 0) -> int:
    return int(datetime(year, month, day, hour, tzinfo=UTC).timestamp()) * 1000


START = at(2026, 1, 31, 12)


def fresh(since_ms: int = START) -> Account:
    return Account(Wallet(7, since_ms))


def written(account: Account, key: int = 1) -> Account:
    """The account as it is read again: its entries have keys."""
    keyed = {id(e): replace(e, key=key + n) for n, e in enumerate(account.entries)}
    lots = [keyed.get(id(lot), lot) for lot in account.lots]
    return credit.open_account(7, account.wallet, lots)


def changes(account: Account) -> list[tuple[str, int]]:
    return [(e.reason, e.change) for e in account.entries if e.key == credit.NEW]


def test_a_plan_grants_at_once_and_then_every_month() -> None:
    account = credit.settle(fresh(), "career", START, DEFAULT)
    assert changes(account) == [("plan", 5)]
    account = credit.settle(account, "career", at(2026, 2, 28, 12), DEFAULT)
    assert account.balance == 10
    assert credit.settle(account, "career", at(2026, 3, 31, 11), DEFAULT).balance == 10
    assert credit.settle(account, "career", at(2026, 3, 31, 12), DEFAULT).balance == 15


def test_no_more_piles_up_than_the_plan_allows_and_bought_ones_do_not_count() -> None:
    account = credit.grant(fresh(), 100, credit.PURCHASE, START, DEFAULT)
    account = credit.settle(account, "career", at(2026, 4, 30, 12), DEFAULT)
    assert account.balance == 100 + 15  # the fourth grant found the pile full


def test_credits_run_out_after_ninety_days() -> None:
    account = credit.grant(fresh(), 3, "gift", START, DEFAULT)
    account = credit.settle(account, credit.BASIC, START + 90 * DAY - 1, DEFAULT)
    assert account.balance == 3
    account = credit.settle(account, credit.BASIC, START + 90 * DAY, DEFAULT)
    assert changes(account) == [("gift", 3), ("expired", -3)]
    assert account.balance == 0
    assert not account.lots


def test_the_oldest_are_spent_first() -> None:
    account = credit.grant(fresh(), 1, "old", START, DEFAULT)
    account = written(credit.grant(account, 2, "new", START + DAY, DEFAULT))
    account = credit.spend(account, 2, START + 2 * DAY)
    assert [(lot.reason, lot.left) for lot in account.lots] == [("new", 1)]
    assert account.balance == 1
    with pytest.raises(ValueError, match="more is spent"):
        credit.spend(account, 2, START + 2 * DAY)


def test_with_the_plan_all_credits_go() -> None:
    account = credit.settle(fresh(), "business", START, DEFAULT)
    account = credit.change_plan(account, "business", "basic", START + DAY, DEFAULT)
    assert changes(account) == [("plan", 15), ("plan_ended", -15)]
    account = credit.change_plan(written(account), "basic", "career", START + 2 * DAY, DEFAULT)
    assert account.balance == 5


def test_another_plan_begins_its_months_at_once() -> None:
    account = credit.settle(fresh(), "career", START, DEFAULT)
    account = credit.change_plan(account, "career", "business", START + DAY, DEFAULT)
    assert account.balance == 20
    assert account.wallet.since_ms == START + DAY


steps = st.lists(
    st.tuples(
        st.sampled_from(["spend", "grant", "settle", "write", "basic", "career", "business"]),
        st.integers(0, 70),
    ),
    max_size=40,
)


@given(steps)
def test_the_balance_is_the_sum_of_all_entries_and_never_below_zero(
    steps: list[tuple[str, int]],
) -> None:
    account, plan, now, total = fresh(), "career", START, 0
    for what, days in steps:
        now += days * DAY
        account = credit.settle(account, plan, now, DEFAULT)
        if what == "spend" and account.balance:
            account = credit.spend(account, 1, now)
        elif what == "grant":
            account = credit.grant(account, 2, "gift", now, DEFAULT)
        elif what in ("basic", "career", "business") and what != plan:
            account = credit.change_plan(account, plan, what, now, DEFAULT)
            plan = what
        elif what == "write":
            total += sum(e.change for e in account.entries if e.key == credit.NEW)
            account = written(account, key=total * 1000 + 1 + int(now / DAY) * 100)
        pending = sum(e.change for e in account.entries if e.key == credit.NEW)
        assert account.balance == total + pending == sum(lot.left for lot in account.lots) >= 0


@given(steps=st.lists(st.integers(0, 4000), max_size=12))
def test_it_does_not_matter_when_an_account_is_looked_at(steps: list[int]) -> None:
    often = fresh()
    for days in sorted(steps):
        often = credit.settle(often, "career", START + days * DAY, DEFAULT)
    end = START + 4000 * DAY
    once = credit.settle(fresh(), "career", end, DEFAULT)
    assert changes(credit.settle(often, "career", end, DEFAULT)) == changes(once)


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    sunday, monday = at(2026, 11, 22, 23), at(2026, 11, 23)
    assert quotas.period(quotas.INVITATIONS, sunday) + 1 == (
        quotas.period(quotas.INVITATIONS, monday)
    )
    assert quotas.period(quotas.INVITATIONS, monday) == (
        quotas.period(quotas.INVITATIONS, at(2026, 11, 29, 23))
    )
    for what in (quotas.OPENERS, quotas.NOTES):
        assert quotas.period(what, at(2026, 12, 31, 23)) + 1 == quotas.period(what, at(2027, 1, 1))
        assert quotas.period(what, at(2026, 11, 1)) == quotas.period(what, at(2026, 11, 30, 23))


def test_an_entry_that_is_split_is_written_once() -> None:
    lot = Credit(9, 7, START, 5, "gift", START + DAY, 5)
    account = credit.open_account(7, Wallet(7, START, 0, 5), [lot])
    account = credit.spend(credit.spend(account, 1, START), 2, START)
    assert [e.left for e in account.entries if e.key == 9] == [2]
