"""Nobody, somebody who blocks, who is deleted, who declined, who takes nothing: all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest

from tests.rulebook.alike import (
    HOUSE_RULES,
    PLANS,
    SOMEBODY_ELSE,
    Frames,
    ask,
    send,
    statements,
    strangers,
)
from tests.support import houses
from tests.support.careful_peer import CarefulPeer, careful
from tests.support.running import Running, running_node
from tests.support.waiting import until

ASKED = {
    "messages": ("message.send", "explain", "conversation.get"),
    "members": ("invitation.send", "connection.remove", "block.add", "block.remove",
                "presence.get"),
    "conversations": ("conversation.start", "conversation.start in a group", "conversation.add",
                      "conversation.remove"),
}  # fmt: skip
BY_ITSELF = ("lease", "fence", "live_session", "SELECT topic.name, topic.head")
"""What nodes that share a store ask by themselves, whoever asks them for what."""

OF_COMMANDS = ("SELECT live_session.member, live_session.node", "SELECT max(fence.seq)")
"""What looks like it, and is a command's."""


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
        if len(_others(given)) == len(given):
            tries.append((answer, sorted(given)))
    assert len({answer for answer, _ in tries}) == 1
    return min(tries, key=lambda one: len(one[1]))


async def rested(given: list[str]) -> None:
    """Wait until a node has done what it does at its start."""
    await until(lambda: any("FROM admission" in statement for statement in given))
    seen = -1
    while seen != len(_others(given)):
        seen = len(_others(given))
        await asyncio.sleep(0.05)


def _others(given: list[str]) -> list[str]:
    """Those that a node does not ask by itself."""
    return [
        text for text in given
        if text.startswith(OF_COMMANDS) or not any(word in text for word in BY_ITSELF)
    ]  # fmt: skip


def _unnamed(answer: bytes) -> Any:
    """An answer without the id that was asked about."""
    frame = msgpack.unpackb(answer)
    members = frame.get("result", {}).get("members")
    return answer if members is None else list(members.values())


@pytest.mark.parametrize("some", ASKED)
@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("house", ["sqlite", "postgres"], indirect=True)
async def test_the_bytes_and_the_statements_are_the_same(
    house: None, plan: str, some: str, tmp_path: Path
) -> None:
    async with running_node(data=tmp_path, policy=HOUSE_RULES) as server:
        frames = await strangers(server, plan)
    assert {name.split(": ")[0] for name in frames} == {one for of in ASKED.values() for one in of}
    for what in ASKED[some]:
        causes = {
            name.split(": ")[1]: frame
            for name, frame in frames.items()
            if name.startswith(f"{what}: ")
        }
        # A node that has read nothing yet asks the store of each for the first time.
        with statements() as given:
            async with (
                running_node(data=tmp_path, policy=HOUSE_RULES) as server,
                careful(server, f"sam.{plan}") as (sam,),
            ):
                await rested(given)
                await ask(sam, causes.pop(SOMEBODY_ELSE, send("somebody-else")))
                await _all_alike(server, sam, what, causes, least=2)
                if not server.node.settings.database:
                    # All is known by now, and nothing is read for either.
                    await _all_alike(server, sam, what, causes, least=0)


async def _all_alike(
    server: Running, sam: CarefulPeer, what: str, causes: Frames, *, least: int
) -> None:
    seen = {cause: await asked(server, sam, frame) for cause, frame in causes.items()}
    answers = [_unnamed(answer) for answer, _ in seen.values()]
    assert answers == answers[:1] * len(seen), what
    assert len(seen) > 2
    # What is between the caller and who declined is the caller's to know.
    told = {cause: texts for cause, (_, texts) in seen.items() if cause != "decliner"}
    first = told["unknown"]
    assert len(first) >= least, what
    assert told == dict.fromkeys(told, first), what
