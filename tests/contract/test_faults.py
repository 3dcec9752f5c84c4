"""The database fails: what is answered then, and that repeating it is safe."""

from __future__ import annotations

import asyncio

import pytest

from server.app import Node
from server.errors import Busy
from tests.support import planted
from tests.support.careful_peer import WAYS, CarefulPeer, HttpPeer, careful, refused, speaking
from tests.support.running import Running, running_node

SEND = {"to": "grace", "body": "x", "client_id": "1"}
BODIES = [*"abc", "cursed", *"def"]


async def compare_heads(server: Running) -> None:
    """What every node does every second or two, again where it fails."""
    for node in server.nodes:
        while True:
            try:
                await node.hub.replays.compare_heads()
            except Busy:  # its connections were cut as well
                continue
            break


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("stored", [True, False])
async def test_a_commit_that_fails_may_or_may_not_have_happened(way: str, stored: bool) -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with speaking(server, way, "ada") as (ada,), careful(server, "grace") as (grace,):
            with planted.at_commit(server, stored=stored):
                error = await refused(ada, "message.send", **SEND)
            assert (error["code"], error["retryable"]) == ("unknown_outcome", True)
            assert not isinstance(ada, HttpPeer) or ada.status == 503
            # Repeating it with the same client_id is safe, and says what happened.
            assert (await ada.call("message.send", **SEND))["duplicate"] is stored
            place = (await grace.call("conversation.list"))["conversations"][0]["id"]
            history = await grace.call("conversation.history", conversation=place)
            assert [m["body"] for m in history["messages"]] == ["x"]
            if stored:  # the event was not published
                await compare_heads(server)
            assert (await grace.event("message.created"))["pos"] == 2


async def send_all(ada: CarefulPeer) -> list[str | None]:
    """Send these at once; answers the errors' codes."""
    answers = [
        await ada.start("message.send", to="grace", body=body, client_id=body) for body in BODIES
    ]
    frames = await asyncio.gather(*answers)
    return [frame.get("error", {}).get("code") for frame in frames]


async def test_a_write_that_fails_fails_alone() -> None:
    """Of the commands of one batch, the one that cannot be written is the one that fails."""
    async with running_node() as server:
        await server.people("ada", "grace")
        async with careful(server, "ada", "grace") as (ada, grace):
            with planted.at_writing(server, "cursed"):
                codes = await send_all(ada)
            assert codes == [None] * 3 + ["internal"] + [None] * 3
            told = [(await grace.event("message.created"))["data"]["body"] for _ in range(6)]
            assert told == [*"abcdef"]
            assert (await ada.call("message.send", to="grace", body="cursed", client_id="cursed"))[
                "seq"
            ] == 7


@pytest.mark.houses("postgres", "two nodes")
async def test_a_connection_lost_in_the_midst_has_stored_nothing_and_is_tried_again() -> None:
    """The sender need not know: nothing was committed, so it is done once more, and once."""
    cuts = 0

    def once(node: Node) -> None:
        nonlocal cuts
        cuts += 1
        if cuts == 1:
            planted.cut(node)

    async with running_node() as server:
        await server.people("ada", "grace")
        async with careful(server, "ada", "grace") as (ada, grace):
            with planted.at_writing(server, "cursed", once):
                assert await send_all(ada) == [None] * 7
            assert cuts >= 2
            told = [await grace.event("message.created") for _ in range(7)]
            assert [e["data"]["body"] for e in told] == BODIES
            assert [e["pos"] for e in told] == list(range(2, 9))


@pytest.mark.houses("postgres", "two nodes")
async def test_a_database_that_is_lost_again_and_again_is_busy() -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with careful(server, "ada", "grace") as (ada, grace):
            with planted.at_writing(server, "x", planted.cut):
                error = await refused(ada, "message.send", **SEND)
            assert (error["code"], error["retryable"]) == ("busy", True)
            assert (await ada.call("message.send", **SEND))["duplicate"] is False
            assert (await grace.event("message.created"))["pos"] == 2


@pytest.mark.houses("postgres", "two nodes")
@pytest.mark.parametrize("stored", [True, False])
async def test_a_connection_lost_at_the_commit_is_of_unknown_outcome(stored: bool) -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with careful(server, "ada", "grace") as (ada, grace):
            with planted.at_commit(server, planted.cut, stored=stored):
                error = await refused(ada, "message.send", **SEND)
            assert (error["code"], error["retryable"]) == ("unknown_outcome", True)
            assert (await ada.call("message.send", **SEND))["duplicate"] is stored
            if stored:
                await compare_heads(server)
            assert (await grace.event("message.created"))["pos"] == 2


@pytest.mark.houses("postgres", "two nodes")
async def test_reads_go_on_after_every_connection_was_cut() -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with careful(server, "ada", "grace") as (ada, grace):
            sent = await ada.call("message.send", **SEND)
            await planted.cut_all(server.node)
            for one in (ada, grace):
                try:
                    page = await one.call("conversation.history", conversation=sent["conversation"])
                except Exception as refusal:  # noqa: BLE001 - it may be told to repeat it, once
                    assert str(refusal) == "busy"
                    page = await one.call("conversation.history", conversation=sent["conversation"])
                assert [m["body"] for m in page["messages"]] == ["x"]
            # A change that waits for every node's lease, which is renewed by such a connection.
            await ada.call("settings.set", receipts=False)
            assert (await grace.event("message.created"))["pos"] == 2
