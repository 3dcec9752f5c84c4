"""Every command claims the topics under which the facts that it decides on stand still.

Random programs on both stores, with every decision followed: see `tests.support.discipline`.
"""

from __future__ import annotations

import pytest

from tests.property.nodes import EMBEDDED, TWO_NODES, House
from tests.property.property_run import SHIPPED, SMALL_BUFFERS, TIGHT, explore
from tests.support.discipline import Discipline
from tests.support.oracle_things import Rules

COMMANDS = {
    "block.add", "block.remove", "connect", "connection.delete", "connection.put",
    "connection.remove", "conversation.add", "conversation.leave", "conversation.remove",
    "conversation.rename", "conversation.start", "invitation.send", "member.put", "message.delete",
    "message.edit", "message.react", "message.send", "message.unreact", "receipt.read", "refresh",
    "resume", "session.revoke", "settings.set", "typing.start", "typing.stop", "request.accept",
    "request.decline", "conversation.close", "group.put", "group.add", "group.remove",
    "credits.grant", "conversation.admit",
}  # fmt: skip


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("house", "rules", "limits", "examples"),
    [(EMBEDDED, SHIPPED, {}, 6), (TWO_NODES, TIGHT, SMALL_BUFFERS, 2)],
    ids=["embedded", "two-nodes"],
)
def test_facts_stand_still_while_they_are_decided_on(
    house: House, rules: Rules, limits: dict[str, int], examples: int
) -> None:
    discipline = Discipline()

    explore(rules, examples, limits, discipline.watching, house, discipline.follow)
    assert discipline.violations == {}
    if house is EMBEDDED:
        assert discipline.decisions.keys() >= COMMANDS
