"""Nobody, somebody who blocks, who is deleted, who declined, who takes nothing: all the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.rulebook.alike import PLANS, ask, send, statements, strangers
from tests.support import houses
from tests.support.careful_peer import CarefulPeer, careful
from tests.support.running import Running, running_node
from tests.support.waiting import until

COMMANDS = ("message.send", "explain", "conversation.get")
BY_ITSELF = ("lease", "fence", "live_session", "SELECT topic.name, topic.head")
"""What nodes that share a store ask by themselves, whoever asks them for what."""


@pytest.fixture(autouse=True)
def house(request: pytest.FixtureRequest) -> Iterator[None]:
    """Where `running_node` puts the test's server."""
    token = houses.CURRENT.set(request.param)
    yield
    houses.CURRENT.reset(token)
    houses.forget()


async def asked(
    server: Running, sam: CarefulPeer, frame: dict[str, Any]
) -> tuple[bytes, list[str]]:
    """The answer's bytes, and the statements that it took.

    Nodes that share a store ask it for the time and for news meanwhile; what another try does
    without was none of the command's. A node that has its store to itself does nothing meanwhile,
    and what it has read it does not read again: there the first try counts.
    """
    tries: list[tuple[bytes, list[str]]] = []
    while len(tries) < (3 if server.node.settings.database else 1):
        await server.quiet()
        with statements() as given:
            answer = await ask(sam, frame)
        if not any(word in statement for statement in given for word in BY_ITSELF):
            tries.append((answer, sorted(given)))
    assert len({answer for answer, _ in tries}) == 1
    return min(tries, key=lambda one: len(one[1]))


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("house", ["sqlite", "postgres"], indirect=True)
async def test_the_bytes_and_the_statements_are_the_same(
    house: None, plan: str, tmp_path: Path
) -> None:
    async with running_node(data=tmp_path) as server:
        frames = await strangers(server, plan)
    # A node that has read nothing yet asks the store of each for the first time; once what it
    # does at its start is over.
    with statements() as given:
        async with running_node(data=tmp_path) as server, careful(server, f"sam.{plan}") as (sam,):
            await until(lambda: any("FROM admission" in statement for statement in given))
            await ask(sam, send("somebody-else"))
            for cmd in COMMANDS * 2:
                chosen = {why: one for why, one in frames.items() if one["cmd"] == cmd}
                seen = {why: await asked(server, sam, one) for why, one in chosen.items()}
                assert len({answer for answer, _ in seen.values()}) == 1
                assert len(seen) > 2
                # What is between the caller and who declined is the caller's to know.
                told = {why: texts for why, (_, texts) in seen.items() if "decliner" not in why}
                first = next(iter(told.values()))
                assert len(first) > 1
                for why, texts in told.items():
                    assert texts == first, why
