"""Bugs to plant in the rulebook's ways: approaches and their answers, credits, groups, viewers.

Like `planted`: mistakes that somebody could make, each looked for with the rules, the house and the
seed that find nothing without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace

from server.commands import groups, ledger, newcomers, reach, viewers
from server.commands.facts import Lots
from server.commands.work import Work
from server.domain import contact, conversations, credit
from server.domain.contact import Standing
from server.domain.credit import Account
from server.domain.rows import Wallet

Plant = Callable[[], AbstractContextManager[object]]


def an_edit_of_an_earlier_message_reaches_a_viewer() -> AbstractContextManager[object]:
    """What becomes of messages from before a mention is told to who was mentioned."""
    return patch.object(newcomers, "before_whom", lambda *_: ())


def an_edit_of_an_earlier_message_reaches_a_newcomer() -> AbstractContextManager[object]:
    """Only from viewers what becomes of earlier messages is kept."""
    return patch.object(newcomers, "late", lambda *_: ())


def a_signal_reaches_a_viewer() -> AbstractContextManager[object]:
    """Typing and receipts are for everybody in the audience."""
    return patch.object(viewers, "names", lambda *_: ())


def viewers_see_what_was_before() -> AbstractContextManager[object]:
    """Who is mentioned reads the whole conversation, as a newcomer does."""
    join = conversations.join

    def all_of_it(*more: Any, whole: bool) -> Any:
        viewer = conversations.VIEWER in more
        return join(*more, whole=whole or viewer)

    return patch.object(conversations, "join", all_of_it)


def who_was_declined_may_try_again() -> AbstractContextManager[object]:
    """A request that was declined is as good as none."""
    standing = contact.standing

    def forgiving(sender: Any, other: Any, pair: Any) -> Standing:
        now = standing(sender, other, pair)
        return Standing(fresh=True) if now == Standing() else now

    return patch.object(contact, "standing", forgiving)


def an_answer_gives_back_twice() -> AbstractContextManager[object]:
    """An InMail's credit comes back for its acceptance, and again for the answer."""
    grant = credit.grant

    def twice(account: Account, amount: int, reason: str, *more: Any) -> Account:
        for _ in range(1 + (reason == credit.REFUND)):
            account = grant(account, amount, reason, *more)
        return account

    return patch.object(credit, "grant", twice)


def the_group_is_left_and_its_conversations_are_not() -> AbstractContextManager[object]:
    """Who is out of a group stays in what it says."""
    return patch.object(groups, "end_part", lambda *_: None)


def credits_are_spent_unsettled() -> AbstractContextManager[object]:
    """What has come in and run out by itself is left out of account."""
    return patch.object(credit, "settle", lambda account, *_: account)


@contextmanager
def each_node_keeps_its_own_accounts() -> Iterator[None]:
    """A member's credits are those that this node left them with, whatever another has spent."""
    kept: dict[tuple[str, int], Account] = {}
    read, write = ledger.account, ledger.write

    def account(member: Any, facts: Any) -> Account:
        now = read(member, facts)
        if not isinstance(facts, Work):
            return now
        mine = kept.get((facts.deployment.node, member.key))
        if mine is None:
            return now
        return credit.settle(mine, member.plan, facts.now_ms, facts.policy)

    def written(member: Any, account: Account, work: Work) -> None:
        write(member, account, work)
        wallet, lots = work.need(Wallet, member.key), work.need(Lots, member.key).lots
        kept[work.deployment.node, member.key] = Account(wallet, tuple(lots))

    with patch.multiple(ledger, account=account, write=written):
        yield


def a_requests_receipts_are_shown() -> AbstractContextManager[object]:
    """Who has not answered yet is seen to read and to type."""

    def pass_(_me: Any, other: Any, pair: Any) -> bool:
        return contact.visible(other, pair) and pair is not None and pair.stage != contact.CLOSED

    return patch.object(contact, "signals_pass", pass_)


def an_inmail_is_sent_without_consent() -> AbstractContextManager[object]:
    """Whatever it costs."""
    passage = reach.passage

    def at_any_cost(me: Any, other: Any, pair: Any, max_cost: int, work: Any) -> Any:
        return passage(me, other, pair, 1_000, work)

    return patch.object(reach, "passage", at_any_cost)


def quotas_are_not_counted() -> AbstractContextManager[object]:
    """The month's group requests never end."""
    return patch.object(reach, "count_one", lambda *_: None)


def who_viewed_is_listed_as_a_participant() -> AbstractContextManager[object]:
    """Of viewers who are gone it is not known any more that they were no participants."""
    role_at = conversations.role_at

    def either(part: Any, pos: int) -> str:
        return conversations.PARTICIPANT if role_at(part, pos) else ""

    return patch.object(conversations, "role_at", either)


def a_viewer_made_a_participant_begins_anew() -> AbstractContextManager[object]:
    """They see what follows, and no longer what they could read before."""
    join = conversations.join

    def forgetting(row: Any, pos: int, member: int, before: Any, *more: Any, whole: bool) -> Any:
        if before is not None and before.spans and before.spans[-1].left == pos:
            before = replace(before, spans=before.spans[:-1])
        return join(row, pos, member, before, *more, whole=whole)

    return patch.object(conversations, "join", forgetting)
