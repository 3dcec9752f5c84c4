"""What somebody is told of a conversation that they have left, or left and come back to.

Everything is as of their last position: not what was deleted before, not who reacted where that
was counted, and nothing is forgotten of an earlier stay.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from server.domain.policy import DEFAULT
from tests.support.peer_client import Peer, connected
from tests.support.running import running_node

FROM_JOINING = replace(DEFAULT, visible_to_newcomers="from_joining")
Map = dict[str, Any]


async def send(sender: Peer, place: str, text: str) -> str:
    sent = await sender.call("message.send", conversation=place, body=text, client_id=text)
    return str(sent["message"])


async def start(founder: Peer, *members: str) -> str:
    return str((await founder.call("conversation.start", members=list(members)))["conversation"])


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
