"""Two members talk over real sockets, and a third hears nothing of it."""

from __future__ import annotations

from tests.support.peer_client import Peer, connected
from tests.support.running import running_node


async def test_a_message_reaches_both_and_nobody_else() -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "eve")
        async with connected(server, "ada", "grace", "eve") as (ada, grace, eve):
            sent = await ada.call("message.send", to="grace", body="canary", client_id="1")
            assert sent["seq"] == 1
            assert sent["kind"] == "direct"
            here = await grace.event("message.created")
            there = await ada.event("message.created")
            assert here["data"] == there["data"]
            assert here["data"]["body"] == "canary"
            assert here["topic"] == "member:grace"
            await eve.call("ping")
            assert not eve.events
            assert b"canary" not in eve.bytes


async def test_typing_and_reading_are_signals() -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with connected(server, "ada", "grace", encoding="json") as (ada, grace):
            sent = await ada.call("message.send", to="grace", body="hi", client_id="1")
            place = sent["conversation"]
            await grace.call("typing.start", conversation=place)
            typing = await ada.event("typing.started")
            assert typing["data"]["member"] == "grace"
            assert "pos" not in typing
            assert await grace.call("receipt.read", conversation=place, seq=1) == {"read": 1}
            seen = await ada.event("receipt.read")
            assert seen["data"]["seq"] == 1
            got = await ada.call("conversation.get", conversation=place)
            assert {p["member"]: p.get("shown") for p in got["participants"]} == {
                "ada": None,
                "grace": 1,
            }


async def test_a_removed_participant_hears_nothing_more() -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus")
        async with connected(server, "ada", "grace", "linus") as (ada, grace, linus):
            place = (await ada.call("conversation.start", members=["grace", "linus"]))[
                "conversation"
            ]
            joined = await linus.event("conversation.joined")
            topic = joined["data"]["topic"]
            await ada.call("message.send", conversation=place, body="one", client_id="1")
            assert (await linus.event("message.created"))["topic"] == topic
            await ada.call("conversation.remove", conversation=place, member="linus")
            left = await linus.event("conversation.left")
            assert left["data"]["pos"] == 1
            await ada.call("message.send", conversation=place, body="two", client_id="2")
            assert (await grace.event("roster.changed"))["pos"] == 2
            await linus.call("ping")
            assert b"two" not in linus.bytes
            history = await linus.call("conversation.history", conversation=place)
            assert [m["body"] for m in history["messages"]] == ["one"]


async def test_what_was_missed_follows_a_resume() -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with connected(server, "ada") as (ada,):
            for number in range(450):
                await ada.call("message.send", to="grace", body=f"m{number}", client_id=str(number))
            async with Peer(server.ws, server.token("grace")) as grace:
                await grace.connect(resume={"member:grace": 1})
                got = [await grace.event("message.created") for _ in range(450)]
                assert [e["data"]["body"] for e in got] == [f"m{n}" for n in range(450)]
                assert [e["pos"] for e in got] == list(range(2, 452))
                await ada.call("message.send", to="grace", body="live", client_id="live")
                assert (await grace.event("message.created"))["data"]["body"] == "live"
