"""Groups: who is in them, their conversations, viewers by mention, and announcements."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from server.domain.policy import Policy
from server.errors import Invalid, Refused
from server.web.deletions import AGAIN_S, Deletions
from tests.support.careful_peer import CarefulPeer, careful, refused
from tests.support.clocks import Clock
from tests.support.running import Running, running_node
from tests.support.traces import erased

WEEK_S = 7 * 86_400


async def guild(server: Running, *members: str, managers: tuple[str, ...] = ()) -> None:
    """Members who are strangers to each other, all in the group "guild"; the first owns it."""
    await server.people(*members, connected=False)
    owner, *others = members
    await server.operate(
        "group.put", id="guild", name="Guild", owner=owner, managers=list(managers), members=others
    )


async def roles(server: Running, member: str) -> dict[str, str]:
    async with careful(server, member) as (peer,):
        listed = (await peer.call("group.list"))["groups"]
        return {one["group"]: one["role"] for one in listed}


def said(n: int = 1, **more: Any) -> dict[str, Any]:
    return {"body": f"Hello {n}", "client_id": f"m{n}", **more}


async def test_a_group_has_one_owner_managers_and_members() -> None:
    async with running_node() as server:
        await guild(server, "ada", "grace", "linus", managers=("mary",)[:0])
        await server.people("mary", connected=False)
        assert await roles(server, "ada") == {"guild": "owner"}
        await server.operate("group.add", group="guild", member="mary", role="manager")
        assert await roles(server, "mary") == {"guild": "manager"}
        # What is not given stays; what is given is the whole list.
        await server.operate("group.put", id="guild", name="New", owner="grace")
        assert await roles(server, "grace") == {"guild": "owner"}
        assert await roles(server, "ada") == {"guild": "member"}
        assert await roles(server, "mary") == {"guild": "manager"}
        await server.operate(
            "group.put", id="guild", name="New", owner="grace", managers=["ada"], members=["linus"]
        )
        assert await roles(server, "mary") == {}
        assert await roles(server, "ada") == {"guild": "manager"}
        await server.operate("group.remove", group="guild", member="linus")
        assert await roles(server, "linus") == {}
        for cmd, params, field in (
            ("group.put", {"id": "x", "name": "X", "owner": "nobody"}, "owner"),
            ("group.put", {"id": "x", "name": "X", "owner": "ada", "members": ["no"]}, "members"),
            ("group.add", {"group": "none", "member": "ada"}, "group"),
            ("group.add", {"group": "guild", "member": "nobody"}, "member"),
            ("group.remove", {"group": "none", "member": "ada"}, "group"),
        ):
            with pytest.raises(Invalid, match=field) as bad:
                await server.operate(cmd, **params)
            assert bad.value.details["field"] == field
        with pytest.raises(Refused, match="owner"):
            await server.operate("group.remove", group="guild", member="grace")


async def test_a_group_is_as_large_as_the_policy_says() -> None:
    async with running_node(policy=Policy(group_members=3, group_managers=1)) as server:
        await guild(server, "ada", "grace")
        await server.people("linus", "mary", connected=False)
        await server.operate("group.add", group="guild", member="linus", role="manager")
        for more, rule in ((("mary", "member"), "members"), (("grace", "manager"), "managers")):
            with pytest.raises(Refused, match=rule):
                await server.operate("group.add", group="guild", member=more[0], role=more[1])
        await server.operate("member.delete", id="grace")
        async with asyncio.timeout(20):
            while True:  # the deletion's job makes room
                try:
                    await server.operate("group.add", group="guild", member="mary")
                    break
                except Refused:
                    await asyncio.sleep(0.05)


async def test_owner_and_managers_start_a_groups_conversation_with_its_members() -> None:
    async with running_node() as server:
        await guild(server, "ada", "grace", "linus", "mary", managers=("mary",))
        await server.people("eve", connected=False)
        async with careful(server, "ada", "grace", "linus", "mary") as (ada, grace, linus, mary):
            error = await refused(grace, "conversation.start", members=["linus"], group="guild")
            assert (error["code"], error["rule"]) == ("refused", "managers_only")
            for members in (["eve"], ["nobody"]):
                error = await refused(ada, "conversation.start", members=members, group="guild")
                assert error["code"] == "unreachable"
            made = await mary.call(
                "conversation.start", members=["grace", "linus"], group="guild", title="Roof"
            )
            place = made["conversation"]
            await grace.event("conversation.joined")
            sent = await grace.call("message.send", conversation=place, **said())
            assert sent["kind"] == "group"
            for reader in (linus, mary):
                assert (await reader.event("message.created"))["data"]["kind"] == "group"
            got = await linus.call("conversation.get", conversation=place)
            assert (got["kind"], got["title"]) == ("group", "Roof")
            assert {one["member"]: one["role"] for one in got["participants"]} == {
                "mary": "manager", "grace": "participant", "linus": "participant",
            }  # fmt: skip
            for cmd, params in (
                ("conversation.add", {"member": "ada"}), ("conversation.rename", {"title": "x"}),
                ("conversation.remove", {"member": "linus"}),
            ):  # fmt: skip
                error = await refused(grace, cmd, conversation=place, **params)
                assert error["rule"] == "managers_only"
            error = await refused(mary, "conversation.add", conversation=place, member="eve")
            assert error["code"] == "unreachable"
            await mary.call("conversation.add", conversation=place, member="ada")
            await ada.call("conversation.rename", conversation=place, title="Wall")
            # Leaving the group ends it; what was seen until then stays.
            await server.operate("group.remove", group="guild", member="grace")
            assert (await grace.event("conversation.left"))["data"]["conversation"] == place
            await mary.call("message.send", conversation=place, **said(2))
            await linus.event("message.created")
            await server.quiet()
            await grace.call("ping")
            assert not [e for e in grace.events if e["event"] == "message.created"
                        and e["data"]["body"] == "Hello 2"]  # fmt: skip
            history = await grace.call("conversation.history", conversation=place)
            assert [m["body"] for m in history["messages"]] == ["Hello 1"]
            error = await refused(grace, "message.send", conversation=place, **said(3))
            assert error["code"] == "unreachable"


async def _viewed(ada: CarefulPeer, grace: CarefulPeer, mary: CarefulPeer) -> tuple[str, str]:
    """A conversation of the guild in which a second message made mary a viewer, and the first."""
    made = await ada.call("conversation.start", members=["grace"], group="guild")
    place = made["conversation"]
    await grace.event("conversation.joined")
    first = await ada.call("message.send", conversation=place, **said(1))
    await ada.call(
        "message.send", conversation=place, **said(2, mentions=["mary", "eve", "nobody"])
    )
    joined = (await mary.event("conversation.joined"))["data"]
    assert joined["conversation"] == place
    return place, first["message"]


async def test_a_mentioned_member_of_the_group_reads_from_there_and_does_nothing_more() -> None:
    async with running_node() as server:
        await guild(server, "ada", "grace", "mary")
        await server.people("eve", connected=False)
        async with careful(server, "ada", "grace", "mary", "eve") as (ada, grace, mary, eve):
            place, first = await _viewed(ada, grace, mary)
            seen = (await mary.event("message.created"))["data"]
            assert (seen["body"], seen["mentions"]) == ("Hello 2", ["mary"])
            changed = (await grace.event("roster.changed"))["data"]
            assert changed["changes"] == [
                {"member": "mary", "name": "Mary", "change": "added", "role": "viewer"}
            ]
            got = await grace.call("conversation.get", conversation=place)
            assert {one["member"]: one["role"] for one in got["participants"]} == {
                "ada": "manager", "grace": "participant", "mary": "viewer",
            }  # fmt: skip
            assert got["participant_count"] == 2
            history = await mary.call("conversation.history", conversation=place)
            assert [m["body"] for m in history["messages"]] == ["Hello 2"]
            for cmd, params in (
                ("message.send", {"conversation": place, **said(3)}),
                ("message.react", {"message": seen["message"], "emoji": "👍"}),
                ("typing.start", {"conversation": place}),
                ("conversation.rename", {"conversation": place, "title": "x"}),
            ):
                error = await refused(mary, cmd, **params)
                assert (error["code"], error["rule"]) == ("refused", "viewer")
            # What happens to earlier messages is kept from a viewer, live and on resuming.
            await ada.call("message.edit", message=first, body="SECRET edited")
            await grace.call("message.react", message=first, emoji="🔒")
            await ada.call("typing.start", conversation=place)
            await grace.event("typing.started")
            await ada.call("receipt.read", conversation=place, seq=2)
            await ada.call("message.send", conversation=place, **said(4))
            assert (await mary.event("message.created"))["data"]["body"] == "Hello 4"
            mine = [e["event"] for e in mary.all_events if e["topic"].startswith("conversation:")]
            assert mine == ["message.created", "position.passed", "position.passed",
                            "message.created"]  # fmt: skip
            joined = next(e for e in mary.all_events if e["event"] == "conversation.joined")
            resume = {"member:mary": joined["pos"],
                      joined["data"]["topic"]: joined["data"]["pos"]}  # fmt: skip
            again = CarefulPeer(server.ws, server.token("mary"))
            async with again:
                await again.connect(resume=resume)
                while len([e for e in again.all_events if e["event"] == "message.created"]) < 2:
                    await again.event("message.created")
                names = [e["event"] for e in again.all_events]
                assert names.count("position.passed") == 2
                assert b"SECRET" not in b"".join(again._chunks)
            assert b"SECRET" not in b"".join(mary._chunks)
            assert "🔒".encode() not in b"".join(mary._chunks)
            await server.quiet()
            await eve.call("ping")
            assert eve.all_events == []
            # A viewer who is made a participant sees the whole.
            await ada.call("conversation.add", conversation=place, member="mary")
            history = await mary.call("conversation.history", conversation=place)
            assert history["messages"][0]["body"] == "SECRET edited"
            await mary.call("message.send", conversation=place, **said(5))


async def test_a_blocked_member_is_no_viewer_and_leaving_the_group_ends_viewing() -> None:
    async with running_node() as server:
        await guild(server, "ada", "grace", "mary", "linus")
        async with careful(server, "ada", "grace", "mary", "linus") as (ada, grace, mary, linus):
            await linus.call("block.add", member="ada")
            place, _ = await _viewed(ada, grace, mary)
            sent = await ada.call("message.send", conversation=place, **said(3, mentions=["linus"]))
            history = await grace.call("conversation.history", conversation=place)
            assert "mentions" not in history["messages"][-1]
            assert (await refused(linus, "conversation.get", conversation=place))["code"] == (
                "unreachable"
            )
            await server.operate("group.remove", group="guild", member="mary")
            assert (await mary.event("conversation.left"))["data"]["conversation"] == place
            await ada.call("message.send", conversation=place, **said(4))
            history = await mary.call("conversation.history", conversation=place)
            assert [m["seq"] for m in history["messages"]] == [2, sent["seq"]]


async def test_to_who_left_a_viewer_stays_one() -> None:
    async with running_node() as server:
        await guild(server, "ada", "grace", "mary")
        async with careful(server, "ada", "grace", "mary") as (ada, grace, mary):
            place, _ = await _viewed(ada, grace, mary)
            await grace.call("conversation.leave", conversation=place)
            await server.operate("group.remove", group="guild", member="mary")
            got = await grace.call("conversation.get", conversation=place)
            assert got["participant_count"] == 2
            assert {one["member"]: one["role"] for one in got["participants"]} == {
                "ada": "participant", "grace": "participant", "mary": "viewer",
            }  # fmt: skip


async def test_an_announcement_reaches_all_of_the_group_once_a_week() -> None:
    policy = Policy(signals_up_to=3)
    async with running_node(policy=policy) as server:
        crowd = [f"m{n:03}" for n in range(130)]
        await guild(server, "ada", "grace", *crowd)
        async with careful(server, "ada", "grace", "m000", "m129") as (ada, grace, one, last):
            clock = Clock.of(server)
            await one.call("block.add", member="ada")
            made = await ada.call("conversation.start", members=[], group="guild", title="News")
            place = made["conversation"]
            await ada.call("message.send", conversation=place, **said(1))
            await last.event("conversation.joined")
            await grace.event("conversation.joined")
            got = await grace.call("conversation.get", conversation=place)
            assert (got["participants"], got["last"]["body"]) == ([], "Hello 1")
            async with asyncio.timeout(30):
                while got["participant_count"] < 131:  # all but who blocks the owner
                    got = await grace.call("conversation.get", conversation=place)
            await ada.call("message.send", conversation=place, **said(2))
            for reader in (grace, last):  # the first may have come in time to be told live
                while (await reader.event("message.created"))["data"]["body"] != "Hello 2":
                    pass
            error = await refused(grace, "message.send", conversation=place, **said(3))
            assert error["rule"] == "managers_only"
            sent = got["last"]["message"]
            reacted = await grace.call("message.react", message=sent, emoji="👍")
            assert reacted["reactions"] == [{"emoji": "👍", "count": 1}]
            assert (await refused(one, "conversation.get", conversation=place))["code"] == (
                "unreachable"
            )
            error = await refused(ada, "conversation.start", members=[], group="guild")
            assert error["rule"] == "announce_after"
            clock.move(WEEK_S)
        async with careful(server, "ada") as (ada,):
            assert await ada.call("conversation.start", members=[], group="guild")


async def test_without_a_group_somebody_has_to_be_named() -> None:
    async with running_node() as server:
        await server.people("ada")
        async with careful(server, "ada") as (ada,):
            error = await refused(ada, "conversation.start", members=[])
            assert (error["code"], error["field"]) == ("invalid", "members")


async def test_who_is_in_many_of_a_groups_conversations_leaves_them_all_at_once(
    tmp_path: Path,
) -> None:
    others = [f"m{n}" for n in range(19)]
    async with running_node(data=tmp_path) as server:
        await guild(server, "ada", "grace", *others)
        async with careful(server, "ada") as (ada,):
            for n in range(20):
                await ada.call("conversation.start", members=["grace"], group="guild", title=f"{n}")
            made = await ada.call("conversation.start", members=others, group="guild")
    async with running_node(data=tmp_path) as server:  # which knows nothing yet
        await server.operate("group.remove", group="guild", member="grace")
        async with careful(server, "grace", "ada") as (grace, ada):
            got = await grace.call("conversation.list", limit=200)
            assert {one["state"] for one in got["conversations"]} == {"closed"}
            assert len(got["conversations"]) == 20
            await server.operate("group.put", id="guild", name="G", owner="ada", members=[])
            last = await ada.call("conversation.get", conversation=made["conversation"])
            assert [one["member"] for one in last["participants"]] == ["ada"]


async def test_a_message_from_before_many_viewers_can_still_be_deleted(tmp_path: Path) -> None:
    crowd = [f"m{n}" for n in range(40)]
    async with running_node(data=tmp_path) as server:
        await guild(server, "ada", "grace", *crowd)
        async with careful(server, "ada") as (ada,):
            made = await ada.call("conversation.start", members=["grace"], group="guild")
            place = made["conversation"]
            first = await ada.call("message.send", conversation=place, **said(1))
            await ada.call("message.send", conversation=place, **said(2, mentions=crowd))
    async with running_node(data=tmp_path) as server, careful(server, "ada", "m3") as (ada, one):
        await ada.call("message.delete", message=first["message"])
        assert (await one.event("position.passed"))["data"] == {}


async def test_a_viewer_who_was_here_before_is_not_shown_what_happened_meanwhile() -> None:
    async with running_node() as server:
        await guild(server, "ada", "grace", "mary")
        async with careful(server, "ada", "grace", "mary") as (ada, grace, mary):
            made = await ada.call("conversation.start", members=["grace", "mary"], group="guild")
            place = made["conversation"]
            first = await ada.call("message.send", conversation=place, **said(1))
            await mary.event("message.created")
            await ada.call("conversation.remove", conversation=place, member="mary")
            await ada.call("message.edit", message=first["message"], body="SECRET")
            await grace.call("message.react", message=first["message"], emoji="🔒")
            await ada.call("message.send", conversation=place, **said(2, mentions=["mary"]))
            await ada.call("message.edit", message=first["message"], body="SECRET again")
            await mary.event("position.passed")
            history = await mary.call("conversation.history", conversation=place)
            assert [(m["body"], m["reactions"]) for m in history["messages"]] == [
                ("Hello 1", []), ("Hello 2", []),
            ]  # fmt: skip
            joined = [e for e in mary.all_events if e["event"] == "conversation.joined"][-1]
            seen = {joined["data"]["topic"]: joined["data"]["pos"], "member:mary": joined["pos"]}
            again = CarefulPeer(server.ws, server.token("mary"))
            async with again:
                await again.connect(resume=seen)
                await again.event("position.passed")
                assert b"SECRET" not in b"".join(again._chunks)
            assert b"SECRET" not in b"".join(mary._chunks)


async def test_who_is_mentioned_before_an_announcement_comes_to_them_gets_it_whole() -> None:
    async with running_node() as server:
        crowd = [f"m{n:03}" for n in range(120)]
        await guild(server, "ada", *crowd)
        async with careful(server, "ada", "m119") as (ada, last):
            place = (await ada.call("conversation.start", group="guild"))["conversation"]
            await ada.call("message.send", conversation=place, **said(1))
            await ada.call("message.send", conversation=place, **said(2, mentions=["m119"]))
            async with asyncio.timeout(30):
                while (await ada.call("conversation.get", conversation=place))[
                    "participant_count"
                ] < 121:
                    await asyncio.sleep(0.05)
            history = await last.call("conversation.history", conversation=place)
            assert [m["body"] for m in history["messages"]] == ["Hello 1", "Hello 2"]
            await last.call("message.react", message=history["messages"][0]["message"], emoji="👍")


async def test_an_erasure_waits_until_the_member_is_out_of_their_groups(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def nothing_yet(job: Deletions) -> bool:
        return False

    async with running_node() as server:
        await guild(server, "ada", "grace", "linus", managers=("linus",))
        with monkeypatch.context() as early:  # the job looks for parts just before it is asked
            early.setattr(Deletions, "_step", nothing_yet)
            await server.operate("member.erase", id="linus")
            assert await server.node.dispatcher.deletions.turn() == AGAIN_S
        await server.node.dispatcher.deletions.turn()
        await erased(server)
        async with careful(server, "grace") as (grace,):
            (listed,) = (await grace.call("group.list"))["groups"]
        assert listed["size"] == 2
