"""What a bench puts around the nodes: the numbers in force, an oracle, an ear for complaints."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import msgspec

from server.domain.policy import PerPlan, Policy
from tests.support.oracle import Oracle
from tests.support.oracle_things import Disagreement, Rules, Talk

EXPECTED = "a commit failed: its outcome is unknown"  # said of those that the test has failed


class Told(Oracle):
    """An oracle that is told which of two conversations is listed first where both were active at
    one time: of those made at different nodes, not always the newer."""

    def __init__(self, rules: Rules, rank: Callable[[str], int]) -> None:
        super().__init__(rules)
        self._rank = rank

    def visible_talks(self, member: str) -> list[Talk]:
        return sorted(super().visible_talks(member), key=lambda talk: self._rank(talk.id))


class Complaints(logging.Handler):
    """Errors that the server has logged."""

    def __init__(self, wrong: Callable[[BaseException], None]) -> None:
        super().__init__(logging.ERROR)
        self._wrong = wrong

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg == EXPECTED:  # and each such command is looked for among those
            return
        self._wrong(Disagreement(f"the server logged: {self.format(record)}"))


def policy_of(rules: Rules, **more: Any) -> Policy:
    """The server's numbers for the oracle's."""
    return Policy(
        visible_to_newcomers=msgspec.convert(rules.newcomers, Any),
        participants_per_conversation=rules.participants,
        signals_up_to=rules.signals_up_to,
        reactions_per_member=rules.reactions,
        body_characters=rules.body,
        title_characters=rules.title,
        note_characters_basic=rules.note,
        edit_window_ms=rules.edit_ms,
        reinvite_after_ms=rules.reinvite_ms,
        reblock_after_ms=rules.reblock_ms,
        typing_renew_ms=rules.typing_renew_ms,
        resume_events=rules.resume_events,
        subject_characters=rules.subject,
        note_characters_paid=rules.note_paid,
        inmail_characters=rules.inmail,
        viewers_per_conversation=rules.viewers,
        group_managers=rules.managers,
        group_members=rules.group_members,
        group_openers_per_month=rules.openers,
        invitations_per_week=rules.invitations,
        notes_per_month_basic=rules.notes,
        inmail_cost=rules.cost,
        credits_monthly=PerPlan(**{plan: monthly for plan, (monthly, _) in rules.credits.items()}),
        credits_most=PerPlan(**{plan: most for plan, (_, most) in rules.credits.items()}),
        credits_expire_ms=rules.credits_expire_ms,
        refund_within_ms=rules.refund_ms,
        announce_after_ms=rules.announce_ms,
        **more,
    )
