"""The checker finds what it is for: with each of these bugs in the product, a run fails.

The same rules find nothing without the bug: that is the test beside this one.
"""

from __future__ import annotations

import os
import re

import pytest

from tests.property import planted, planted_nodes, planted_ways
from tests.property.nodes import EMBEDDED, TWO_NODES, House
from tests.property.property_run import ROUNDS, SEED, SHIPPED, SMALL_BUFFERS, TIGHT, explore
from tests.support.oracle_things import Disagreement, Rules

EXAMPLES = 12  # a round, at most: a run ends with its first failure
BUGS = {
    planted.acknowledge_before_commit: "has come to|was answered",
    planted.decide_outside_the_transaction: "not Answer|should have made|the server logged",
    planted.attach_before_the_roster_is_passed: "out of order|does not have",
    planted.no_dedupe: "not theirs|not Answer|out of order",
    planted.no_dedupe_of_events: "out of order",
    planted.replay_of_deleted_text: "never true since",
    planted.buffer_not_dropped_on_removal: "after their access had ended",
    planted.buffer_not_dropped_on_revocation: "was revoked, then given",
    planted.fence_applied_after_the_answer: "was revoked|may pass no more|still connected",
    planted.signals_ignore_the_senders_switch: "a signal that was never for them",
    planted.signals_ignore_the_receivers_switch: "a signal that was never for them",
    planted.as_of_ignored: "was answered|never true since",
    planted.resume_without_rights: "not theirs to see|does not have",
    planted.blocks_are_forgotten: "not Answer",
    planted.a_gap_stays_open: "out of order|has come to",
    planted.a_page_is_anybodys: "not theirs|does not have|has come to",
    planted.another_hold_is_as_good: "out of order|not theirs",
    planted.private_reading_is_shown: "a signal that was never for them|was answered",
}
FROM_JOINING = {
    planted_ways.an_edit_of_an_earlier_message_reaches_a_newcomer: "not position.passed|was given",
    planted.newcomers_see_all: "not Answer|not theirs to see|was answered|was given",
    planted.resume_from_anywhere: "reset",
}

OF_WAYS = {
    planted_ways.an_edit_of_an_earlier_message_reaches_a_viewer: "not position.passed|was given",
    planted_ways.a_signal_reaches_a_viewer: "a signal that was never for them",
    planted_ways.viewers_see_what_was_before: "not theirs to see|was answered|was given",
    planted_ways.who_was_declined_may_try_again: "done, not Answer|was answered",
    planted_ways.an_answer_gives_back_twice: "never true since|was answered|not Answer",
    planted_ways.the_group_is_left_and_its_conversations_are_not: (
        "their access|has come to|not roster|not Answer"
    ),
    planted_ways.credits_are_spent_unsettled: "not Answer|was answered|should have made|credits",
    planted_ways.who_viewed_is_listed_as_a_participant: "was answered",
    planted_ways.a_viewer_made_a_participant_begins_anew: "was answered|reset|not theirs",
    planted_ways.a_requests_receipts_are_shown: "a signal that was never for them|was answered",
    planted_ways.an_inmail_is_sent_without_consent: "done, not Answer",
    planted_ways.quotas_are_not_counted: "done, not Answer|was answered",
}
OF_NODES = {
    planted_ways.each_node_keeps_its_own_accounts: (
        "not Answer|was answered|never true since|should have made"
    ),
    planted_nodes.locks_are_not_taken: "was answered|not Answer|should have made|out of order",
    planted_nodes.facts_outlive_their_locks: "was answered|not Answer|should have made",
    planted_nodes.the_roster_is_applied_late: "not theirs to see|after their access had ended",
    planted_nodes.a_gap_is_never_healed: "has come to",
    planted_nodes.heads_are_never_compared: "has come to",
    planted_nodes.nodes_share_their_keys: "not Answer|should have made|was answered",
    planted_nodes.a_repeat_is_not_found_elsewhere: "not Answer|not theirs|should have made",
    planted_nodes.a_later_command_overtakes: "should have made|not Answer|answered",
}


def some(bugs: dict[planted.Plant, str]) -> list[planted.Plant]:
    """Every fifth in each run, all of them with `make faults`."""
    return list(bugs)[:: 1 if os.environ.get("SUBROSA_CELLS") == "all" else 5]


def hunt(rules: Rules, limits: dict[str, int], bug: planted.Plant, house: House = EMBEDDED) -> None:
    """Raises what is found with this bug."""
    for seed in range(SEED, SEED + ROUNDS):
        explore(rules, EXAMPLES, limits, bug, house, seed=seed)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("bug", some(BUGS), ids=lambda bug: bug.__name__)
def test_a_planted_bug_is_found(bug: planted.Plant) -> None:
    with pytest.raises(Disagreement, match=re.compile(BUGS[bug], re.DOTALL)):
        hunt(SHIPPED, {}, bug)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("bug", some(OF_WAYS), ids=lambda bug: bug.__name__)
def test_a_planted_bug_of_the_ways_is_found(bug: planted.Plant) -> None:
    with pytest.raises(Disagreement, match=re.compile(OF_WAYS[bug], re.DOTALL)):
        hunt(TIGHT, SMALL_BUFFERS, bug)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("bug", some(FROM_JOINING), ids=lambda bug: bug.__name__)
def test_a_planted_bug_of_another_policy_is_found(bug: planted.Plant) -> None:
    with pytest.raises(Disagreement, match=re.compile(FROM_JOINING[bug], re.DOTALL)):
        hunt(TIGHT, SMALL_BUFFERS, bug)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("bug", some(OF_NODES), ids=lambda bug: bug.__name__)
def test_a_planted_bug_of_several_nodes_is_found(bug: planted.Plant) -> None:
    with pytest.raises(Disagreement, match=re.compile(OF_NODES[bug], re.DOTALL)):
        hunt(SHIPPED, {}, bug, TWO_NODES)
