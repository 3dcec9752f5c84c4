"""What an erasure does to others: viewers, those who reported, large conversations, holds."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from server.domain.policy import Policy
from server.domain.rights import Erasure
from server.web import deletions
from tests.support.careful_peer import CarefulPeer, careful
from tests.support.clocks import Clock
from tests.support.running import Running, running_node
from tests.support.traces import erased, held, stored

TOMBSTONE = Policy(erase_messages="tombstone")


async def group(server: Running, *members: str) -> None:
    await server.people(*members, connected=False)
    await server.operate(
        "group.put", id="guild", name="Guild", owner=members[0], members=list(members[1:])
    )


def of_topic(peer: CarefulPeer, topic: str) -> list[Any]:
    return [e["event"] for e in peer.all_events if e["topic"] == topic]


async def test_a_viewer_is_told_nothing_of_what_was_before_they_were_mentioned() -> None:
    async with running_node(policy=TOMBSTONE) as server:
        await group(server, "grace", "ada", "eve")
        async with careful(server, "grace", "ada", "eve") as (grace, ada, eve):
            started = await grace.call("conversation.start", group="guild", members=["ada"])
            place = {"conversation": started["conversation"]}
            first = await grace.call("message.send", **place, body="secret one", client_id="1")
            await ada.call("message.send", **place, body="secret two", client_id="1")
            await ada.call("message.react", message=first["message"], emoji="👍")
            await grace.call("message.send", **place, body="hi", client_id="2", mentions=["eve"])
            await eve.event("message.created")
            topic = f"conversation:{place['conversation']}"
            known, before = len(of_topic(eve, topic)), dict(eve.positions)
            await server.operate("member.erase", id="ada")
            await erased(server)
            await server.quiet()
            await eve.call("ping")
            told = of_topic(eve, topic)[known:]
            assert set(told) == {"position.passed", "roster.changed"}
            assert told.count("position.passed") == 2
            assert {"message.deleted", "message.edited"} <= set(of_topic(grace, topic))
            assert b"secret" not in eve.bytes
        async with CarefulPeer(server.ws, server.token("eve")) as again:
            await again.connect(resume={topic: before[topic], "member:eve": before["member:eve"]})
            await again.call("ping")
            assert b"secret" not in again.bytes


async def test_retention_tells_a_viewer_nothing_of_what_was_before_them() -> None:
    async with running_node(policy=Policy(retention_days=3)) as server:
        clock = Clock.of(server)
        await group(server, "grace", "ada", "eve")
        async with careful(server, "grace") as (grace,):
            started = await grace.call("conversation.start", group="guild", members=["ada"])
            place = {"conversation": started["conversation"]}
            old = await grace.call("message.send", **place, body="secret one", client_id="1")
        clock.move(2 * 86400)
        async with careful(server, "grace") as (grace,):
            await grace.call("message.send", **place, body="hi", client_id="2", mentions=["eve"])
        clock.move(1.5 * 86400)
        async with careful(server, "grace", "eve") as (grace, eve):
            await server.node.dispatcher.retention.remove()
            assert (await grace.event("message.deleted"))["data"]["message"] == old["message"]
            await server.quiet()
            await eve.call("ping")
            assert of_topic(eve, f"conversation:{place['conversation']}") == ["position.passed"]


async def test_reactions_that_are_left_are_counted_where_many_are() -> None:
    async with running_node(policy=Policy(erase_messages="tombstone", signals_up_to=2)) as server:
        await server.people("ada", "grace", "linus", "mary")
        async with careful(server, "ada", "grace", "linus") as (ada, grace, linus):
            started = await grace.call("conversation.start", members=["ada", "linus", "mary"])
            sent = await grace.call(
                "message.send", conversation=started["conversation"], body="x", client_id="1"
            )
            for one in (ada, linus):
                await one.call("message.react", message=sent["message"], emoji="👍")
            await server.operate("member.erase", id="ada")
            await erased(server)
            edited = await grace.event("message.edited")
            assert edited["data"]["reactions"] == [{"emoji": "👍", "count": 1}]


async def test_what_is_held_is_out_of_sight_in_every_way() -> None:
    async with running_node(policy=TOMBSTONE) as server:
        await server.people("ada", "grace")
        async with careful(server, "ada", "grace") as (ada, grace):
            sent = await ada.call("message.send", to="grace", body="hunter2", client_id="1")
            place = {"conversation": sent["conversation"]}
            hold = (await server.operate("hold.put", member="grace", reason="x"))["hold"]
            await server.operate("member.erase", id="ada")
            await held(server)
            gone = (await grace.event("message.deleted"))["data"]
            assert (gone["message"], gone["rev"]) == (sent["message"], 1)
            (shown,) = (await grace.call("conversation.history", **place))["messages"]
            assert shown == gone
            assert (await grace.call("message.search", query="hunter2"))["messages"] == []
            assert (await grace.call("conversation.get", **place))["unread"] == 0
            assert "hunter2" in await stored(server)
            await server.operate("hold.delete", hold=hold)
            await erased(server)
            assert (await grace.call("conversation.history", **place))["messages"] == [gone]
            assert "hunter2" not in await stored(server)


async def test_what_is_decided_stays_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy changed later is for those who are erased later."""
    async with running_node(policy=TOMBSTONE) as server:
        await server.people("ada", "grace")
        async with careful(server, "ada", "grace") as (ada, grace):
            sent = await ada.call("message.send", to="grace", body="hunter2", client_id="1")
            hold = (await server.operate("hold.put", member="grace", reason="x"))["hold"]
            await server.operate("member.erase", id="ada")
            await held(server)
            for node in server.nodes:
                monkeypatch.setattr(node.store.deployment, "policy", Policy())
            place = {"conversation": sent["conversation"]}
            (shown,) = (await grace.call("conversation.history", **place))["messages"]
            assert "deleted_at" in shown
            await server.operate("hold.delete", hold=hold)
            await erased(server)
            assert "hunter2" not in await stored(server)


async def erasures(server: Running) -> list[Erasure]:
    return await server.node.store.read(lambda snapshot: snapshot.rights.erasures(None, 10))


async def reports(server: Running) -> list[Any]:
    found: list[Any] = (await server.operate("report.list"))["reports"]
    return found


async def test_a_report_stays_with_what_others_said() -> None:
    async with running_node(policy=TOMBSTONE) as server:
        await server.people("mallory", "grace", "linus")
        async with careful(server, "mallory", "grace", "linus") as (mallory, grace, linus):
            started = await grace.call("conversation.start", members=["mallory", "linus"])
            place = {"conversation": started["conversation"]}
            await linus.call("message.send", **place, body="a bystander's", client_id="1")
            await mallory.call("message.send", **place, body="a threat", client_id="1")
            sent = await grace.call("report.send", **place, reason="threat", text="help")
            await server.operate("member.erase", id="linus")
            await erased(server)
            (report,) = await reports(server)
            texts = [version["body"] for one in report["exhibits"] for version in one["texts"]]
            assert (report["report"], report["text"], texts) == (
                sent["report"], "help", ["a threat"],
            )  # fmt: skip
            assert "a bystander's" not in await stored(server)


@pytest.mark.parametrize("policy", [
    Policy(erase_messages="tombstone", retention_days=3), Policy(),
], ids=["after retention", "deleted by themselves"])  # fmt: skip
async def test_no_copy_of_what_goes_is_left_in_a_report(policy: Policy) -> None:
    async with running_node(policy=policy) as server:
        clock = Clock.of(server)
        await server.people("ada", "grace")
        async with careful(server, "ada", "grace") as (ada, grace):
            sent = await ada.call("message.send", to="grace", body="hunter2", client_id="1")
            meant = {"conversation": sent["conversation"], "message": sent["message"]}
            await grace.call("report.send", **meant, reason="spam", text="unwanted")
            if not policy.retention_days:
                await ada.call("message.delete", message=sent["message"])
        if policy.retention_days:
            clock.move(4 * 86400)
            await server.node.dispatcher.retention.remove()
            (report,) = await reports(server)
            assert report["exhibits"][0]["texts"][0]["body"] == "hunter2"
        await server.operate("member.erase", id="ada")
        await erased(server)
        (report,) = await reports(server)
        assert (report["exhibits"], report["text"]) == ([], "unwanted")
        assert "hunter2" not in await stored(server)


async def test_those_under_hold_keep_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletions, "STEP", 2)
    async with running_node() as server:
        await server.people("ada", "grace", "linus", "mary")
        for member in ("ada", "grace"):
            await server.operate("hold.put", member=member, reason="x")
            await server.operate("member.erase", id=member)
        await server.operate("member.erase", id="linus")
        while any(gone.member for gone in await erasures(server) if not gone.hidden):
            await asyncio.sleep(0.01)
        while len(left := await erasures(server)) > 2:
            await asyncio.sleep(0.01)
        assert [gone.hidden for gone in left] == [True, True]
