"""The rulebook's and the server's numbers, in one place; an operator changes them in a TOML file.

Sources: [A] the article the model is taken from, [O] LinkedIn's own text, [3P] third parties,
[X] our choice where they disagree or are silent. docs/operations.md lists them all.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=1, le=2**31)]
Millis = Annotated[int, Meta(ge=0, le=2**50)]
Whole = Annotated[int, Meta(ge=0, le=2**31)]
Days = Annotated[int, Meta(ge=0, le=36_500)]

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class Rate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token bucket: `burst` at once, refilled by `per_second`."""

    per_second: Annotated[float, Meta(gt=0)]
    burst: Count


class PerPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A number for each plan that is paid."""

    career: Whole
    business: Whole
    sales_navigator: Whole
    recruiter_lite: Whole

    def of(self, plan: str) -> int:
        """The number for a plan; 0 for one that is not paid."""
        return int(getattr(self, plan, 0)) if plan in self.__struct_fields__ else 0


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every number with its default. Times are milliseconds unless the name says otherwise."""

    # Conversations
    participants_per_conversation: Count = 50  # [A]
    signals_up_to: Count = 50  # [X] above it no typing or receipts, and rosters are counts
    visible_to_newcomers: Literal["full", "from_joining"] = "full"  # [O]
    body_characters: Count = 8_000  # [3P]
    title_characters: Count = 100  # [X]
    subject_characters: Count = 200  # [O]
    viewers_per_conversation: Count = 50  # [X] of a group's conversation, by mention
    mentions_per_message: Count = 50  # [X]
    reactions_per_member: Count = 20  # [X] several per member and message, but not without end
    edit_window_ms: Millis = HOUR  # [3P][O] edit and delete within 60 minutes of sending

    # One's own view
    search_messages: Count = 20_000  # [X] looked through for one answer; then it goes on with next
    search_characters: Count = 200  # [X]
    report_characters: Count = 2_000  # [X] what a reporter writes beside it
    report_messages: Count = 20  # [X] kept with the report of a conversation as a whole
    report_versions: Count = 50  # [X] texts kept of one message that was edited again and again
    open_reports_per_member: Count = 50  # [X]

    # Relations
    note_characters_basic: Count = 200  # [3P]
    note_characters_paid: Count = 300  # [3P]
    reinvite_after_ms: Millis = 21 * DAY  # [O] a withdrawn invitation: not again for 3 weeks
    reblock_after_ms: Millis = 48 * HOUR  # [O] not within 48 hours of unblocking
    connections_per_member: Count = 30_000  # [O]
    invitations_per_week: Count = 100  # [O]
    notes_per_month_basic: Count = 5  # [O] invitations with a note, on the plan basic

    # Groups
    group_members: Count = 20_000  # [O]
    group_managers: Count = 10  # [O]
    groups_per_member: Count = 100  # [O]
    group_openers_per_month: Count = 15  # [O] requests to fellow members, over all groups
    announce_after_ms: Millis = 7 * DAY  # [X] between two announcements of a group

    # InMail and credits
    inmail_cost: Count = 1  # [O]
    inmail_characters: Count = 2_000  # [O] of the message that opens
    credits_monthly: PerPlan = PerPlan(5, 15, 50, 30)  # [O]
    credits_most: PerPlan = PerPlan(15, 45, 150, 120)  # [O] of what the plan gave
    credits_expire_ms: Millis = 90 * DAY  # [O]
    refund_within_ms: Millis = 90 * DAY  # [O] accepted, declined or answered by then
    credits_for_sale: bool = True  # [A]

    # Members' rights
    erase_messages: Literal["keep", "tombstone"] = "keep"  # [X] an erased member's messages
    retention_days: Days = 0  # [X] messages older than that are removed; 0: kept for ever
    audit_days: Days = 365  # [X] the same for the audit log

    # Signals
    typing_ms: Millis = 6_000  # lasts unless renewed
    typing_renew_ms: Millis = 3_000  # renewed at most this often

    # Sessions and tokens
    sessions_per_member: Count = 50
    token_ttl_ms: Millis = DAY  # the longest that is accepted
    resume_events: Count = 5_000  # further back than this a topic is reset
    in_flight_per_session: Count = 64  # commands not yet answered; then reading pauses
    bad_frames_in_a_row: Count = 5  # then 4501

    # Buffers, per session
    buffer_soft_bytes: Count = 256 * 1024  # signals are dropped above it
    buffer_hard_bytes: Count = 1024 * 1024  # 4008 above it
    buffer_age_ms: Millis = 30_000  # 4008 when the oldest waits longer

    # Queues
    commands_waiting: Count = 8_192  # beyond it `busy`

    # Rates, a member's over all sessions of a node, by the command table's rate class
    rate_send: Rate = Rate(20.0, 60)
    rate_change: Rate = Rate(5.0, 30)
    rate_signal: Rate = Rate(10.0, 40)
    rate_read: Rate = Rate(20.0, 100)
    rate_search: Rate = Rate(2.0, 20)
    rate_connect: Rate = Rate(5.0, 60)
    rate_export: Rate = Rate(1.0, 30)


DEFAULT = Policy()
