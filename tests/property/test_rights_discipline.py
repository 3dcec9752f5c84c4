"""The steps of erasing and retention claim the topics under which what they change stands still."""

from __future__ import annotations

import pytest

from server.domain.policy import Policy
from tests.contract.test_erasing import live
from tests.support import houses
from tests.support.careful_peer import careful
from tests.support.clocks import Clock
from tests.support.discipline import Discipline
from tests.support.running import running_node
from tests.support.traces import erased, held

STEPS = {"member.erase", "member.part", "member.scrub", "hold.put", "hold.delete", "audit.read",
         "audit.trim", "message.expire"}  # fmt: skip


@pytest.mark.timeout(120)
@pytest.mark.parametrize("house", ["sqlite", "postgres"])
@pytest.mark.parametrize("policy", ["keep", "tombstone"])
async def test_facts_stand_still_while_a_step_decides_on_them(house: str, policy: str) -> None:
    token = houses.CURRENT.set(house)
    rules = Policy(erase_messages=policy, retention_days=1, audit_days=1)  # type: ignore[arg-type]
    try:
        discipline = Discipline()
        async with running_node(policy=rules) as server:
            discipline.follow(server.node.store.commits)
            with discipline.watching():
                clock = Clock.of(server)
                places = await live(server)
                await server.operate("member.export", id="ada")
                put = await server.operate("hold.put", conversation=places["several"], reason="x")
                await server.operate("member.erase", id="ada")
                await held(server)
                await server.operate("hold.delete", hold=put["hold"])
                await erased(server)
                clock.move(1)  # a token of the very moment would be the one before's
                await server.people("ada", "grace")
                async with careful(server, "ada") as (ada,):
                    await ada.call("message.send", to="grace", body="again", client_id="1")
                clock.move(3 * 86_400)
                assert await server.node.dispatcher.retention.remove() > 0
        assert discipline.violations == {}
        assert discipline.decisions.keys() >= STEPS
    finally:
        houses.CURRENT.reset(token)
