"""Settings, invitations, connections, blocks, presence and `explain`: results, errors, events."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.careful_peer import WAYS, careful, refused, speaking
from tests.support.clocks import Clock
from tests.support.running import running_node
from tests.support.shapes import INVITATION, PROFILE, SETTINGS, fits

DAY_S = 86_400


@pytest.mark.parametrize("way", WAYS)
async def test_settings_are_all_on_but_one_and_changed_one_by_one(way: str) -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with (
            speaking(server, way, "ada") as (ada,),
            careful(server, "ada", "grace") as (device, grace),
        ):
            first = await ada.call("settings.get")
            assert fits(first, SETTINGS)
            assert first == {**dict.fromkeys(SETTINGS, True), "open_profile": False}
            changed = await ada.call("settings.set", receipts=False, open_profile=True)
            assert changed == {**first, "receipts": False, "open_profile": True}
            assert await ada.call("settings.get") == changed
            assert (await device.event("settings.changed"))["data"] == changed
            assert await ada.call("settings.set", receipts=False) == changed
            assert await ada.call("settings.set", unknown=1) == changed
            await device.call("ping")
            assert device.events == []
            for name, wrong in (("receipts", 1), ("inmail", "on"), ("sponsored", [])):
                error = await refused(ada, "settings.set", **{name: wrong})
                assert (error["code"], error["field"]) == ("invalid", name)
            await grace.call("ping")
            assert grace.events == []


@pytest.mark.parametrize("way", WAYS)
async def test_an_invitation_is_sent_listed_and_accepted(way: str) -> None:
    async with running_node() as server:
        await server.people("ada", "grace", connected=False)
        async with (
            speaking(server, way, "ada", "grace") as (ada, grace),
            careful(server, "ada", "grace") as (ada_device, grace_device),
        ):
            sent = await ada.call("invitation.send", to="grace", note="Hello", client_id="1")
            assert sent["duplicate"] is False
            got = (await grace_device.event("invitation.received"))["data"]
            assert fits(got, INVITATION)
            assert (got["from"], got["to"], got["note"]) == ("ada", "grace", "Hello")
            for one in (ada, grace):
                assert (await one.call("invitation.list"))["invitations"] == [got]
            error = await refused(ada, "invitation.send", to="grace")
            assert (error["code"], type(error["rule"])) == ("refused", str)
            assert await grace.call("invitation.accept", invitation=sent["invitation"]) == {}
            for device, other in ((ada_device, "grace"), (grace_device, "ada")):
                answered = await device.event("invitation.answered")
                assert answered["data"] == {
                    "invitation": sent["invitation"], "member": "grace", "accepted": True
                }  # fmt: skip
                added = (await device.event("connection.added"))["data"]
                assert fits(added, PROFILE)
                assert added["member"] == other
            for one, other in ((ada, "grace"), (grace, "ada")):
                assert (await one.call("invitation.list"))["invitations"] == []
                listed = await one.call("connection.list")
                assert [m["member"] for m in listed["members"]] == [other]
                assert fits(listed["members"], [PROFILE])
                error = await refused(one, "invitation.send", to=other)
                assert error["code"] == "refused"
            error = await refused(grace, "invitation.accept", invitation=sent["invitation"])
            assert error["code"] == "refused"


@pytest.mark.parametrize("way", WAYS)
async def test_ignoring_and_refusing_are_not_told_to_the_sender(way: str) -> None:
    async with running_node() as server:
        await server.people("ada", "linus", "grace", connected=False)
        async with (
            speaking(server, way, "ada", "linus", "grace") as (ada, linus, grace),
            careful(server, "ada", "grace") as (device, grace_device),
        ):
            ignored = (await ada.call("invitation.send", to="grace"))["invitation"]
            no = (await linus.call("invitation.send", to="grace"))["invitation"]
            assert await grace.call("invitation.ignore", invitation=ignored) == {}
            assert await grace.call("invitation.ignore", invitation=ignored) == {}
            assert await grace.call("invitation.refuse", invitation=no) == {}
            for invitation in (ignored, no):
                assert (await grace_device.event("invitation.answered"))["data"] == {
                    "invitation": invitation, "member": "grace", "accepted": False
                }  # fmt: skip
            assert (await grace.call("invitation.list"))["invitations"] == []
            for one, invitation in ((ada, ignored), (linus, no)):
                (mine,) = (await one.call("invitation.list"))["invitations"]
                assert mine["invitation"] == invitation
            await device.call("ping")
            assert device.events == []
            # What was ignored may still be accepted; who is not known may not ask again.
            assert await grace.call("invitation.accept", invitation=ignored) == {}
            assert (await device.event("connection.added"))["data"]["member"] == "grace"
            await linus.call("invitation.withdraw", invitation=no)
            error = await refused(grace, "invitation.accept", invitation=no)
            assert error["code"] in ("refused", "unreachable")


async def test_a_block_does_not_show_by_an_invitation() -> None:
    """Ignored, refused, blocked, deleted: whoever reads of what they sent finds the same."""
    async with running_node() as server:
        fates = ("ignores", "refuses", "blocks", "unblocked", "deleted", "nothing")
        await server.people("eve", *fates, connected=False)
        async with careful(server, "eve") as (eve,):
            sent = {to: (await eve.call("invitation.send", to=to))["invitation"] for to in fates}
            listed = await eve.call("invitation.list")
            exported = (await eve.call("export", section="invitations"))["items"]
            for who, cmd in (("ignores", "ignore"), ("refuses", "refuse")):
                async with careful(server, who) as (peer,):
                    await peer.call(f"invitation.{cmd}", invitation=sent[who])
            for who in ("blocks", "unblocked"):
                async with careful(server, who) as (peer,):
                    await peer.call("block.add", member="eve")
                    assert (await peer.call("invitation.list"))["invitations"] == []
                    if who == "unblocked":
                        await peer.call("block.remove", member="eve")
                        error = await refused(peer, "invitation.accept", invitation=sent[who])
                        assert error["code"] == "unreachable"
            await server.operate("member.delete", id="deleted")
            await server.node.dispatcher.deletions.turn()
            assert await eve.call("invitation.list") == listed
            assert (await eve.call("export", section="invitations"))["items"] == exported
            assert {item["state"] for item in exported} == {"open"}
            assert eve.events == []
            # While a block stands, as if there were nobody; before and after, as if not answered.
            for to in ("blocks", "deleted"):
                mine = {"invitation": sent[to]}
                for cmd, params in (("invitation.send", {"to": to}), ("invitation.withdraw", mine)):
                    assert (await refused(eve, cmd, **params))["code"] == "unreachable"
            for to in ("ignores", "refuses", "unblocked", "nothing"):
                error = await refused(eve, "invitation.send", to=to)
                assert error["rule"] == "already_invited"
                assert await eve.call("invitation.withdraw", invitation=sent[to]) == {}
                error = await refused(eve, "invitation.withdraw", invitation=sent[to])
                assert error["rule"] == "already_answered"


async def test_whom_one_blocked_is_accepted_by_inviting_them() -> None:
    """As whose invitation one ignored."""
    async with running_node() as server:
        await server.people("ada", "eve", connected=False)
        async with careful(server, "ada", "eve") as (ada, eve):
            first = await eve.call("invitation.send", to="ada")
            await ada.call("block.add", member="eve")
            await ada.call("block.remove", member="eve")
            assert (await ada.call("invitation.send", to="eve"))["invitation"] == (
                first["invitation"]
            )
            await eve.event("invitation.answered")
            await eve.event("connection.added")
            assert (await eve.call("invitation.list"))["invitations"] == []


async def test_a_withdrawn_invitation_is_gone_and_not_sent_again_for_three_weeks() -> None:
    async with running_node() as server:
        clock = Clock.of(server)
        await server.people("ada", "grace", connected=False)
        async with careful(server, "grace") as (device,):
            async with careful(server, "ada") as (ada,):
                first = (await ada.call("invitation.send", to="grace"))["invitation"]
                assert await ada.call("invitation.withdraw", invitation=first) == {}
                assert (await ada.call("invitation.list"))["invitations"] == []
                assert (await device.call("invitation.list"))["invitations"] == []
                await device.event("invitation.received")
                error = await refused(device, "invitation.accept", invitation=first)
                assert error["code"] == "unreachable"
                error = await refused(ada, "invitation.withdraw", invitation=first)
                assert error["code"] == "refused"
                error = await refused(ada, "invitation.send", to="grace")
                assert error["code"] == "refused"
                assert type(error["rule"]) is str
            clock.move(21 * DAY_S - 60)
            async with careful(server, "ada") as (ada,):
                assert (await refused(ada, "invitation.send", to="grace"))["code"] == "refused"
                clock.move(61)
                assert (await ada.call("invitation.send", to="grace"))["duplicate"] is False


async def test_inviting_who_has_invited_oneself_accepts() -> None:
    async with running_node() as server:
        await server.people("ada", "grace", connected=False)
        async with careful(server, "ada", "grace") as (ada, grace):
            first = await ada.call("invitation.send", to="grace")
            assert (await grace.call("invitation.send", to="ada"))["invitation"] == (
                first["invitation"]
            )
            for one in (ada, grace):
                assert (await one.event("invitation.answered"))["data"]["accepted"] is True
                await one.event("connection.added")


async def test_what_an_invitation_may_carry() -> None:
    async with running_node() as server:
        await server.people("ada", "grace", connected=False)
        await server.operate("member.put", id="rich", name="Rich", plan="business")
        async with careful(server, "ada", "rich") as (ada, rich):
            for params, field in (
                ({}, "to"), ({"to": "ada"}, "to"), ({"to": 5}, "to"), ({"to": "a b"}, "to"),
                ({"to": "grace\n"}, "to"), ({"to": "g" * 65}, "to"),
                ({"to": "grace", "note": "n" * 201}, "note"), ({"to": "grace", "note": 1}, "note"),
                ({"to": "grace", "client_id": "ä" * 33}, "client_id"),
                ({"to": "grace", "client_id": ""}, "client_id"),
            ):  # fmt: skip
                error = await refused(ada, "invitation.send", **params)
                assert (error["code"], error["field"]) == ("invalid", field), params
            await ada.call("invitation.send", to="grace", note="ä" * 200, client_id="ä" * 32)
            error = await refused(rich, "invitation.send", to="grace", note="n" * 301)
            assert error["field"] == "note"
            await rich.call("invitation.send", to="grace", note="n" * 300)


@pytest.mark.parametrize("way", WAYS)
async def test_a_connection_ends_for_both(way: str) -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus")
        async with (
            speaking(server, way, "ada") as (ada,),
            careful(server, "ada", "grace") as (device, grace),
        ):
            sent = await ada.call("message.send", to="grace", body="one", client_id="1")
            assert await ada.call("connection.remove", member="grace") == {}
            assert (await device.event("connection.removed"))["data"] == {"member": "grace"}
            assert (await grace.event("connection.removed"))["data"] == {"member": "ada"}
            listed = await ada.call("connection.list")
            assert [m["member"] for m in listed["members"]] == ["linus"]
            assert await ada.call("connection.remove", member="grace") == {}
            await device.call("ping")
            assert "connection.removed" not in [e["event"] for e in device.events]
            error = await refused(ada, "message.send", to="grace", body="two", client_id="2")
            assert error["code"] == "unreachable"
            place = sent["conversation"]
            history = await grace.call("conversation.history", conversation=place)
            assert [m["body"] for m in history["messages"]] == ["one"]
            for params in ({}, {"member": "ada"}, {"member": None}):
                error = await refused(ada, "connection.remove", **params)
                assert (error["code"], error["field"]) == ("invalid", "member")


@pytest.mark.parametrize("way", WAYS)
async def test_a_block_ends_the_connection_and_is_told_to_nobody_else(way: str) -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus")
        async with (
            speaking(server, way, "ada") as (ada,),
            careful(server, "ada", "grace", "linus") as (device, grace, linus),
        ):
            assert await ada.call("block.add", member="grace") == {}
            assert (await device.event("block.changed"))["data"] == {
                "member": "grace", "blocked": True
            }  # fmt: skip
            assert (await device.event("connection.removed"))["data"] == {"member": "grace"}
            # To her it is the end of a connection like any other.
            assert (await grace.event("connection.removed"))["data"] == {"member": "ada"}
            listed = (await ada.call("block.list"))["members"]
            assert fits(listed, [PROFILE])
            assert [m["member"] for m in listed] == ["grace"]
            assert await ada.call("block.add", member="grace") == {}
            assert await ada.call("block.remove", member="grace") == {}
            assert (await device.event("block.changed"))["data"]["blocked"] is False
            assert (await ada.call("block.list"))["members"] == []
            assert await ada.call("block.remove", member="grace") == {}
            error = await refused(ada, "block.add", member="grace")
            assert (error["code"], type(error["rule"])) == ("refused", str)
            for cmd in ("block.add", "block.remove"):
                error = await refused(ada, cmd, member="ada")
                assert (error["code"], error["field"]) == ("invalid", "member")
            for one in (grace, linus):
                await one.call("ping")
                assert one.events == []
                assert b"block" not in one.bytes


async def test_a_block_cannot_be_repeated_within_48_hours() -> None:
    async with running_node() as server:
        clock = Clock.of(server)
        await server.people("ada", "grace")
        async with careful(server, "ada") as (ada,):
            await ada.call("block.add", member="grace")
            await ada.call("block.remove", member="grace")
        clock.move(2 * DAY_S - 60)
        async with careful(server, "ada") as (ada,):
            assert (await refused(ada, "block.add", member="grace"))["code"] == "refused"
            clock.move(61)
            await ada.call("block.add", member="grace")
            assert len((await ada.call("block.list"))["members"]) == 1


@pytest.mark.parametrize("way", WAYS)
async def test_presence_is_for_connections_while_both_show_theirs(way: str) -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus", "hidden")
        await server.people("stranger", connected=False)
        await server.operate("member.put", id="hidden", name="Hidden",
                             settings={"active_status": False})  # fmt: skip
        asked = ["grace", "linus", "hidden", "stranger", "nobody"]
        async with (
            careful(server, "grace", "hidden", "stranger"),
            speaking(server, way, "ada") as (ada,),
        ):
            members = (await ada.call("presence.get", members=asked))["members"]
            assert set(members) == set(asked)
            assert [members[m]["active"] for m in asked] == [True, False, False, False, False]
            assert type(members["grace"]["last_active"]) is int
            assert members["hidden"] == members["stranger"] == members["nobody"]
            await ada.call("settings.set", active_status=False)
            members = (await ada.call("presence.get", members=asked))["members"]
            assert not any(one["active"] for one in members.values())
            await ada.call("settings.set", active_status=True)
            fifty = [f"m{n}" for n in range(50)]
            assert len((await ada.call("presence.get", members=fifty))["members"]) == 50
            for wrong in ([*fifty, "one.more"], "grace", [1], None):
                error = await refused(ada, "presence.get", members=wrong)
                assert (error["code"], error["field"]) == ("invalid", "members")
        await server.attended()
        async with careful(server, "ada") as (ada,):
            members = (await ada.call("presence.get", members=["grace"]))["members"]
            assert members["grace"]["active"] is False
            assert type(members["grace"]["last_active"]) is int


async def test_presence_is_no_newer_than_the_right_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_node() as server:
        clock = Clock.of(server)
        await server.people("ada", "grace")
        async with careful(server, "ada", "grace") as (ada, grace):
            asked_ms = clock.now_ms()
            # The answer has been decided, and waits while she turns it off.
            for node in server.nodes:
                read = node.store.read

                async def late(ask: Any, read: Any = read) -> Any:
                    answer = await read(ask)
                    if "ask" in answer:
                        clock.move(1)
                        await grace.call("settings.set", active_status=False)
                        clock.move(1)
                    return answer

                monkeypatch.setattr(node.store, "read", late)
            members = (await ada.call("presence.get", members=["grace"]))["members"]
            assert members == {"grace": {"active": True, "last_active": asked_ms}}
            members = (await ada.call("presence.get", members=["grace"]))["members"]
            assert members == {"grace": {"active": False}}


@pytest.mark.parametrize("way", WAYS)
async def test_explain_tells_the_ways_and_what_would_open_them(way: str) -> None:
    way_shape = {"kind": str, "allowed": bool, "cost": int, "needs": [str]}
    async with running_node() as server:
        await server.people("ada", "grace")
        await server.people("stranger", connected=False)
        async with speaking(server, way, "ada") as (ada,):
            ways = (await ada.call("explain", to="grace"))["ways"]
            assert fits(ways, [way_shape])
            assert ways[0] == {"kind": "direct", "allowed": True, "cost": 0, "needs": []}
            ways = (await ada.call("explain", to="stranger"))["ways"]
            assert fits(ways, [way_shape])
            assert ways[0] == {"kind": "direct", "allowed": False, "cost": 0, "needs": ["connect"]}
            for params in ({}, {"to": "ada"}):
                error = await refused(ada, "explain", **params)
                assert (error["code"], error["field"]) == ("invalid", "to")
