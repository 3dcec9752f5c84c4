"""`member.erase`: what is gone, what stays readable, and who comes after."""

from __future__ import annotations

from typing import Any

import pytest

from server.domain.policy import Policy
from tests.support.careful_peer import CarefulPeer, HttpPeer, careful, refused
from tests.support.peer_client import Peer
from tests.support.running import Running, running_node
from tests.support.traces import entries, erased, stored

KEEP = Policy()
TOMBSTONE = Policy(erase_messages="tombstone")
WHOLE: dict[str, Any] = {
    "id": "ada", "name": "Canary Name", "headline": "canary headline", "plan": "career",
    "avatar": "https://example.org/canary-avatar.png", "facets": {"skills": ["canary skill"]},
}  # fmt: skip
OWN = ("Canary Name", "canary headline", "canary-avatar", "canary skill", "canary note",
       "canary-device", "canary-client")  # fmt: skip


async def live(server: Running) -> dict[str, str]:
    """A member's life among others; answers the conversations that they had."""
    await server.people("ada", "grace", "linus", "mary")
    await server.people("eve", "tim", connected=False)
    await server.operate("member.put", **WHOLE)
    token = server.token("ada")
    async with (
        CarefulPeer(server.ws, token) as ada,
        careful(server, "grace", "eve") as (grace, eve),
    ):
        await ada.connect(device="canary-device")
        sent = await ada.call(
            "message.send", to="grace", body="canary words", client_id="canary-client-1",
            subject="canary subject",
        )  # fmt: skip
        answer = await grace.call("message.send", to="ada", body="an answer", client_id="g1")
        await ada.call("message.edit", message=sent["message"], body="canary edited")
        await ada.call("message.react", message=answer["message"], emoji="🐤")
        gone = await ada.call("message.send", to="grace", body="canary gone", client_id="2")
        await ada.call("message.delete", message=gone["message"])
        await ada.call("receipt.read", conversation=sent["conversation"], seq=2)
        several = (
            await ada.call("conversation.start", members=["grace", "linus"], title="Roof",
                           client_id="canary-client-2")
        )["conversation"]  # fmt: skip
        said = await ada.call(
            "message.send", conversation=several, body="canary among", client_id="3"
        )
        theirs = await grace.call(
            "message.send", conversation=several, body="hello all", client_id="g2",
            reply_to=said["message"], mentions=["ada"],
        )  # fmt: skip
        await ada.call("message.react", message=theirs["message"], emoji="🐤")
        await ada.call("message.react", message=theirs["message"], emoji="🌹")
        await ada.call("message.unreact", message=theirs["message"], emoji="🌹")
        await ada.call("conversation.remove", conversation=several, member="linus")
        await ada.call("message.edit", message=said["message"], body="canary later")
        await ada.call("invitation.send", to="tim", note="canary note")
        await eve.call("invitation.send", to="ada", note="from eve")
        await ada.call("block.add", member="mary")
        await ada.call("settings.set", sponsored=False)
        await server.operate("session.revoke", member="ada", device="canary-device")
        for who, ident in (("ada", "canary-client-3"), ("grace", "for grace")):
            given = {"member": who, "amount": 1, "reason": "thanks", "client_id": ident}
            await server.operate("credits.grant", **given)
    return {"grace": sent["conversation"], "several": several}


@pytest.mark.parametrize("policy", [KEEP, TOMBSTONE], ids=["keep", "tombstone"])
async def test_nothing_that_was_theirs_can_be_found(policy: Policy) -> None:
    async with running_node(policy=policy) as server:
        await live(server)
        before = await stored(server)
        assert [word for word in (*OWN, "🐤") if word not in before] == []
        await server.operate("member.erase", id="ada")
        await erased(server)
        after = await stored(server)
        assert [word for word in OWN if word in after] == []
        assert "canary gone" not in after  # what they had deleted was nobody's to see
        words = ("canary words", "canary edited", "canary among", "canary subject", "🐤")
        left = [word for word in words if word in after]
        assert left == ([] if policy is TOMBSTONE else list(words))
        assert "an answer" in after
        assert "from eve" in after
        assert "for grace" in after
        # What names them is the record of the act itself, and nothing else.
        naming = [line for line in after.splitlines() if "'ada'" in line or "member:ada'" in line]
        assert {line.partition(":")[0] for line in naming} == {"audit"}


@pytest.mark.parametrize("policy", [KEEP, TOMBSTONE], ids=["keep", "tombstone"])
async def test_others_conversations_stay_readable(policy: Policy) -> None:
    async with running_node(policy=policy) as server:
        places = await live(server)
        async with careful(server, "grace", "linus") as (grace, linus):
            await server.operate("member.erase", id="ada")
            await erased(server)
            await server.quiet()
            keeps = policy is KEEP
            history = (await grace.call("conversation.history", conversation=places["grace"]))[
                "messages"
            ]
            assert [m["sender"] for m in history] == ["erased.member", "grace", "erased.member"]
            assert [m.get("body") for m in history] == (
                ["canary edited", "an answer", None] if keeps else [None, "an answer", None]
            )
            assert ["deleted_at" in m for m in history] == [not keeps, False, True]
            reacted = [{"emoji": "🐤", "members": ["erased.member"]}] if keeps else []
            assert history[1]["reactions"] == reacted
            several = await grace.call("conversation.get", conversation=places["several"])
            assert [p["member"] for p in several["participants"]] == ["grace"]
            assert several["last"]["body"] == "hello all"
            assert several["last"].get("mentions") == ["erased.member"]
            listed = (await grace.call("conversation.list"))["conversations"]
            assert {c["id"] for c in listed} == set(places.values())
            for one in listed:
                assert one["unread"] == (1 if keeps else 0)
            # Who was removed before sees it as it was then, or not at all.
            left = (await linus.call("conversation.history", conversation=places["several"]))[
                "messages"
            ]
            assert left[0].get("body") == ("canary among" if keeps else None)
            members = (await grace.call("connection.list"))["members"]
            assert "ada" not in {m["member"] for m in members}
            for to in ("ada", "erased.member"):
                error = await refused(grace, "message.send", to=to, body="x", client_id=to)
                assert error["code"] == "unreachable"


async def test_whoever_is_there_is_told_and_whoever_was_away_reads_the_same() -> None:
    async with running_node(policy=TOMBSTONE) as server:
        places = await live(server)
        async with Peer(server.ws, server.token("grace")) as peer:
            seen = (await peer.connect())["topics"]
        async with careful(server, "grace") as (grace,):
            told: dict[str, dict[str, Any]] = {}
            await server.operate("member.erase", id="ada")
            await erased(server)
            await server.quiet()
            await grace.call("ping")
            for event in grace.all_events:
                if event["event"] in ("message.deleted", "message.edited"):
                    told[event["data"]["message"]] = event["data"]
            for place in places.values():
                page = await grace.call("conversation.history", conversation=place)
                for message in page["messages"]:
                    if message["sender"] == "erased.member" and message["seq"] != 3:
                        assert told[message["message"]] == message
            now = {t: e["pos"] for e in grace.all_events for t in [e["topic"]] if "pos" in e}
        async with CarefulPeer(server.ws, server.token("grace")) as away:
            # Its positions are from before: what was told of ada would be of nobody now.
            assert set((await away.connect(resume=seen))["reset"]) == set(seen)
        async with CarefulPeer(server.ws, server.token("grace")) as there:
            assert (await there.connect(resume=now))["reset"] == []


async def test_who_is_made_anew_under_the_id_is_another() -> None:
    async with running_node(policy=TOMBSTONE) as server:
        places = await live(server)
        async with Peer(server.ws, server.token("ada")) as ada:
            joined = await ada.connect()
        position, old = joined["topics"]["member:ada"], server.token("ada")
        await server.operate("member.erase", id="ada")
        async with HttpPeer(server.base, old) as http:
            assert (await refused(http, "settings.get"))["code"] == "unauthenticated"
        await erased(server)
        await server.people("ada")
        await server.operate("connection.put", a="ada", b="grace")
        async with HttpPeer(server.base, old) as http:
            assert (await refused(http, "settings.get"))["code"] == "unauthenticated"
        async with careful(server, "grace") as (grace,):
            async with CarefulPeer(server.ws, server.token("ada")) as ada:
                topics = await ada.connect(resume={"member:ada": position})
                assert topics["reset"] == ["member:ada"]
                assert topics["topics"]["member:ada"] > position
                assert (await ada.call("conversation.list"))["conversations"] == []
                assert (await ada.call("block.list"))["members"] == []
                assert (await ada.call("settings.get"))["sponsored"] is True
                if len(server.nodes) == 1:  # another node remembers for as long as it runs
                    seen = (await grace.call("presence.get", members=["ada"]))["members"]["ada"]
                    assert seen["active"] is True
                for place in places.values():
                    error = await refused(ada, "conversation.get", conversation=place)
                    assert error["code"] == "unreachable"
                sent = await ada.call("message.send", to="grace", body="new here", client_id="2")
                assert sent["duplicate"] is False
                assert sent["conversation"] not in places.values()
                await grace.call("message.send", to="ada", body="welcome", client_id="w")
                assert (await ada.event("message.created"))["topic"] == "member:ada"
            history = await grace.call("conversation.history", conversation=places["grace"])
            assert {m["sender"] for m in history["messages"]} == {"erased.member", "grace"}


async def test_the_id_may_be_given_away_while_its_member_is_being_erased() -> None:
    async with running_node() as server:
        await live(server)
        hold = (await server.operate("hold.put", member="ada", reason="a case"))["hold"]
        await server.operate("member.erase", id="ada")
        await server.people("ada")
        async with CarefulPeer(server.ws, server.token("ada")) as ada:
            await ada.connect()
            assert (await ada.call("conversation.list"))["conversations"] == []
            await server.operate("hold.delete", hold=hold)
            await erased(server)
            after = await stored(server)
            assert [word for word in OWN if word in after] == []
            # Whoever is it now is left alone.
            assert (await ada.call("settings.get"))["receipts"] is True
            await server.operate("connection.put", a="ada", b="grace")
            assert (await ada.event("connection.added"))["data"]["member"] == "grace"


async def test_erasing_again_and_erasing_the_deleted() -> None:
    async with running_node() as server:
        await live(server)
        await server.operate("member.delete", id="ada")
        for _ in range(2):
            assert await server.operate("member.erase", id="ada") == {}
        await erased(server)
        begun = [e for e in await entries(server) if e["cmd"] == "member.erase"]
        assert [e["outcome"] for e in begun] == ["begun", "complete"]
        async with HttpPeer(server.base, key=server.admin_key) as operator:
            for params, field in (
                ({"id": "ada"}, "id"), ({"id": "nobody"}, "id"), ({"id": "a b"}, "id"), ({}, "id"),
            ):  # fmt: skip
                error = await refused(operator, "member.erase", **params)
                assert (error["code"], error["field"]) == ("invalid", field)
            error = await refused(operator, "member.put", id="erased.member", name="D")
            assert (error["code"], error["field"]) == ("invalid", "id")


async def test_an_erased_member_is_one_of_nobody() -> None:
    """Two of them cannot be told apart, nor found to be the same in two conversations."""
    async with running_node() as server:
        await server.people("ada", "bob", "grace", "linus")
        async with careful(server, "ada", "bob", "grace") as (ada, bob, grace):
            for index, peer in enumerate((ada, bob)):
                for to in ("grace", "linus"):
                    await peer.call("message.send", to=to, body="hi", client_id=f"{index}{to}")
            for member in ("ada", "bob"):
                await server.operate("member.erase", id=member)
            await erased(server)
            listed = (await grace.call("conversation.list"))["conversations"]
            assert len(listed) == 2
            others = [p for c in listed for p in c["participants"] if p["member"] != "grace"]
            assert others == [{"member": "erased.member", "name": "", "role": "participant"}] * 2
