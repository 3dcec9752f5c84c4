"""What somebody is told of a conversation that they have left, or left and come back to.

Everything is as of their last position: not what was deleted before, not who reacted where that
was counted, and nothing is forgotten of an earlier stay.
"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from server.domain.policy import DEFAULT
from tests.support.peer_client import Peer, Refusal, connected
from tests.support.running import Running, running_node

FROM_JOINING = replace(DEFAULT, visible_to_newcomers="from_joining")
Map = dict[str, Any]


async def send(sender: Peer, place: str, text: str) -> str:
    sent = await sender.call("message.send", conversation=place, body=text, client_id=text)
    return str(sent["message"])


async def start(founder: Peer, *members: str) -> str:
    return str((await founder.call("conversation.start", members=list(members)))["conversation"])


async def guild(server: Running, owner: str, *others: str) -> None:
    """Members who are strangers to each other, all in the group "guild"."""
    await server.people(owner, *others, connected=False)
    await server.operate("group.put", id="guild", name="Guild", owner=owner, members=list(others))


async def in_guild(founder: Peer, *members: str) -> str:
    made = await founder.call("conversation.start", members=list(members), group="guild")
    return str(made["conversation"])


async def mention(sender: Peer, place: str, text: str, member: str) -> str:
    sent = await sender.call(
        "message.send", conversation=place, body=text, client_id=text, mentions=[member]
    )
    return str(sent["message"])


async def unread(member: Peer) -> list[tuple[str, int]]:
    listed = await member.call("conversation.list", filter="unread")
    return [(one["id"], one["unread"]) for one in listed["conversations"]]


async def test_what_was_deleted_before_one_left_is_not_unread() -> None:
    async with running_node() as server:
        await server.people("ada", "bob", "cyd")
        async with connected(server, "ada", "bob") as (ada, bob):
            place = await start(ada, "bob", "cyd")
            before, after = await send(ada, place, "1"), await send(ada, place, "2")
            await ada.call("message.delete", message=before)
            await bob.call("conversation.leave", conversation=place)
            await ada.call("message.delete", message=after)
            left = await bob.call("conversation.get", conversation=place)
            assert left["unread"] == 1
            assert left["last"]["body"] == "2"
            unread = await bob.call("conversation.list", filter="unread")
            assert [one["unread"] for one in unread["conversations"]] == [1]


async def test_an_earlier_stay_is_not_forgotten() -> None:
    async with running_node(policy=FROM_JOINING) as server:
        await server.people("ada", "bob", "cyd")
        async with connected(server, "ada", "bob") as (ada, bob):
            place = await start(ada, "bob", "cyd")
            await send(ada, place, "first stay")
            await ada.call("conversation.remove", conversation=place, member="bob")
            await send(ada, place, "meanwhile")
            await ada.call("conversation.add", conversation=place, member="bob")
            back = await bob.call("conversation.get", conversation=place)
            assert back["last"]["body"] == "first stay"
            assert back["unread"] == 1
            unread = await bob.call("conversation.list", filter="unread")
            assert [one["id"] for one in unread["conversations"]] == [place]


async def test_who_is_added_hears_nothing_of_earlier_messages() -> None:
    async with running_node(policy=FROM_JOINING) as server:
        await server.people("ada", "bob", "cyd", "dan")
        async with connected(server, "ada", "bob", "dan") as (ada, bob, dan):
            place = await start(ada, "bob", "cyd")
            topic = f"conversation:{place}"
            message = await send(ada, place, "before")
            await ada.call("conversation.add", conversation=place, member="dan")
            await dan.event("conversation.joined")
            await ada.call("message.edit", message=message, body="changed")
            await bob.call("message.react", message=message, emoji="👍")
            await ada.call("message.delete", message=message)
            await send(ada, place, "after")
            assert (await dan.event("message.created"))["data"]["body"] == "after"
            told = [e for e in dan.all_events if e["topic"] == topic and "pos" in e]
            assert [e["event"] for e in told] == ["position.passed"] * 3 + ["message.created"]
            assert [e["data"] for e in told[:3]] == [{}] * 3
            assert (await bob.event("message.edited"))["data"]["body"] == "changed"
            shown = (await dan.call("conversation.history", conversation=place))["messages"]
            assert [one["body"] for one in shown] == ["after"]
        async with Peer(server.ws, server.token("dan")) as dan:
            await dan.connect(resume={"member:dan": 0, topic: told[0]["pos"] - 1})
            assert (await dan.event("message.created"))["data"]["body"] == "after"
            again = [e["event"] for e in dan.all_events if e["topic"] == topic]
            assert again == ["position.passed"] * 3 + ["message.created"]


async def test_what_an_earlier_stay_showed_is_as_it_was_and_cannot_be_changed() -> None:
    async with running_node(policy=FROM_JOINING) as server:
        await server.people("ada", "bob", "cyd")
        async with connected(server, "ada", "bob") as (ada, bob):
            place = await start(ada, "bob", "cyd")
            theirs, own = await send(ada, place, "1"), await send(bob, place, "2")
            await ada.call("conversation.remove", conversation=place, member="bob")
            await ada.call("message.edit", message=theirs, body="meanwhile")
            await ada.call("conversation.add", conversation=place, member="bob")
            shown = (await bob.call("conversation.history", conversation=place))["messages"]
            assert [one["body"] for one in shown] == ["1", "2"]
            for cmd, more in (
                ("message.edit", {"message": own, "body": "3"}),
                ("message.delete", {"message": own}),
                ("message.react", {"message": theirs, "emoji": "👍"}),
            ):
                with pytest.raises(Refusal) as refusal:
                    await bob.call(cmd, **more)
                assert refusal.value.error["rule"] == "earlier_stay"


async def test_what_was_deleted_meanwhile_stays_unread_to_who_came_back() -> None:
    async with running_node(policy=FROM_JOINING) as server:
        await server.people("ada", "bob", "cyd")
        async with connected(server, "ada", "bob") as (ada, bob):
            place = await start(ada, "bob", "cyd")
            message = await send(ada, place, "1")
            await ada.call("conversation.remove", conversation=place, member="bob")
            await ada.call("message.delete", message=message)
            assert await unread(bob) == [(place, 1)]
            await ada.call("conversation.add", conversation=place, member="bob")
            assert await unread(bob) == [(place, 1)]


async def test_who_read_an_earlier_message_is_not_told() -> None:
    async with running_node(policy=FROM_JOINING) as server:
        await server.people("ada", "bob", "cyd", "dan")
        async with connected(server, "ada", "bob", "dan") as (ada, bob, dan):
            place = await start(ada, "bob", "cyd")
            for text in "12":
                await send(ada, place, text)
            await bob.call("receipt.read", conversation=place, seq=1)
            await ada.call("conversation.add", conversation=place, member="dan")
            await bob.call("receipt.read", conversation=place, seq=2)
            assert await shown(dan, place) == {}
            await send(ada, place, "3")
            await bob.call("receipt.read", conversation=place, seq=3)
            assert (await dan.event("receipt.read"))["data"]["seq"] == 3
            assert [e["event"] for e in dan.all_events].count("receipt.read") == 1
            assert await shown(dan, place) == {"bob": 3}


async def shown(reader: Peer, place: str) -> dict[str, int]:
    got = await reader.call("conversation.get", conversation=place)
    return {one["member"]: one["shown"] for one in got["participants"] if "shown" in one}


async def test_whom_a_conversation_is_announced_to_sees_all_of_it() -> None:
    async with running_node(policy=FROM_JOINING) as server:
        await guild(server, "ada", "bob")
        async with connected(server, "ada", "bob") as (ada, bob):
            made = await ada.call("conversation.start", group="guild", members=[])
            place = made["conversation"]
            await send(ada, place, "to everybody")
            await bob.event("conversation.joined")
            shown = (await bob.call("conversation.history", conversation=place))["messages"]
            assert [one["body"] for one in shown] == ["to everybody"]


async def test_a_resume_over_several_stays_gives_what_was_seen_in_each() -> None:
    async with running_node(policy=FROM_JOINING) as server:
        await server.people("ada", "bob", "cyd")
        async with connected(server, "ada") as (ada,):
            place = await start(ada, "bob", "cyd")
            topic = f"conversation:{place}"
            await send(ada, place, "1")
            await ada.call("conversation.remove", conversation=place, member="bob")  # at 2
            await send(ada, place, "3")
            await ada.call("conversation.add", conversation=place, member="bob")  # at 4
            await send(ada, place, "5")
            await ada.call("conversation.remove", conversation=place, member="bob")  # at 6
            async with Peer(server.ws, server.token("bob")) as bob:
                await bob.connect(resume={"member:bob": 0, topic: 1})
                given = await bob.event("message.created")
                assert (given["pos"], given["data"]["body"]) == (5, "5")
                await bob.call("ping")
                assert [e["pos"] for e in bob.all_events if e["topic"] == topic] == [5]


async def test_what_was_counted_stays_counted_for_who_has_left() -> None:
    async with running_node(policy=replace(DEFAULT, signals_up_to=3)) as server:
        await server.people("ada", "bob", "cyd", "dan")
        async with connected(server, "ada", "bob", "cyd") as (ada, bob, cyd):
            place = await start(ada, "bob", "cyd", "dan")
            message = await send(ada, place, "1")
            await cyd.call("message.react", message=message, emoji="👍")
            await bob.call("conversation.leave", conversation=place)
            (left,) = (await bob.call("conversation.history", conversation=place))["messages"]
            assert left["reactions"] == [{"emoji": "👍", "count": 1}]
            (there,) = (await ada.call("conversation.history", conversation=place))["messages"]
            assert there["reactions"] == [{"emoji": "👍", "members": ["cyd"]}]


async def test_connected_by_the_operator_an_invitation_is_accepted() -> None:
    async with running_node() as server:
        await server.people("ada", "bob", connected=False)
        async with connected(server, "ada", "bob") as (ada, bob):
            sent = await ada.call("invitation.send", to="bob")
            await server.operate("connection.put", a="ada", b="bob")
            answered: Map = {"invitation": sent["invitation"], "member": "bob", "accepted": True}
            for peer in (ada, bob):
                assert (await peer.event("invitation.answered"))["data"] == answered
                await peer.event("connection.added")
                assert (await peer.call("invitation.list"))["invitations"] == []


async def test_what_a_viewer_missed_is_unread_once_they_take_part() -> None:
    async with running_node() as server:
        await guild(server, "ada", "bob", "cyd")
        async with connected(server, "ada", "cyd") as (ada, cyd):
            place = await in_guild(ada, "bob")
            await send(ada, place, "1")
            seen = await mention(ada, place, "2", "cyd")
            assert await unread(cyd) == [(place, 1)]
            await ada.call("conversation.add", conversation=place, member="cyd")
            await ada.call("message.delete", message=seen)
            assert await unread(cyd) == [(place, 1)]


async def test_what_was_deleted_while_a_viewer_was_away_is_unread() -> None:
    async with running_node() as server:
        await guild(server, "ada", "bob", "cyd")
        async with connected(server, "ada", "cyd") as (ada, cyd):
            place = await in_guild(ada, "bob", "cyd")
            first = await send(ada, place, "1")
            await ada.call("conversation.remove", conversation=place, member="cyd")
            await ada.call("message.delete", message=first)
            again = await mention(ada, place, "2", "cyd")
            await ada.call("message.delete", message=again)
            assert (await cyd.call("conversation.get", conversation=place))["unread"] == 1
            assert await unread(cyd) == [(place, 1)]


async def test_who_leads_the_group_is_for_who_is_there() -> None:
    async with running_node() as server:
        await guild(server, "ada", "bob", "cyd")
        async with connected(server, "ada", "bob", "cyd") as (ada, bob, cyd):
            place = await in_guild(ada, "bob", "cyd")

            async def roles(member: Peer) -> dict[str, str]:
                got = await member.call("conversation.get", conversation=place)
                return {one["member"]: one["role"] for one in got["participants"]}

            before = {"ada": "manager", "bob": "participant", "cyd": "participant"}
            assert await roles(cyd) == before
            await server.operate("group.remove", group="guild", member="cyd")
            as_of_leaving = await roles(cyd)
            await server.operate("group.add", group="guild", member="bob", role="manager")
            await server.operate("group.put", id="guild", name="Guild", owner="bob")
            assert (await roles(ada))["bob"] == "manager"
            assert await roles(cyd) == as_of_leaving == dict.fromkeys(before, "participant")
