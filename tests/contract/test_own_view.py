"""`conversation.set`, `.clear` and `draft.set`: on all one's own devices, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.careful_peer import WAYS, CarefulPeer, Speaker, careful, refused, speaking
from tests.support.running import running_node
from tests.support.shapes import CONVERSATION, MARKS, fits

FRESH = {
    "muted": False, "starred": False, "archived": False, "unread_mark": False, "reported": False,
}  # fmt: skip
FILTERS = ("all", "unread", "connections", "others", "archived", "starred", "reported")


async def sent(one: Speaker, place: str, *bodies: str) -> list[str]:
    """Send these into a conversation; answers the messages."""
    return [
        (await one.call("message.send", conversation=place, body=body, client_id=body))["message"]
        for body in bodies
    ]


async def shown(one: Speaker, which: str = "all") -> list[str]:
    """The conversations of a list."""
    listed = await one.call("conversation.list", filter=which)
    return [c["id"] for c in listed["conversations"]]


async def got(one: Speaker, place: str) -> dict[str, Any]:
    found = await one.call("conversation.get", conversation=place)
    assert fits(found, CONVERSATION)
    return found


def marks(conversation: dict[str, Any]) -> dict[str, Any]:
    """One's own marks in what was read or told."""
    names = {name.removesuffix("?") for name in MARKS}
    return {name: value for name, value in conversation.items() if name in names}


async def all_that_is_read(one: Speaker, place: str) -> list[Any]:
    """Everything that a member can read about a conversation."""
    return [
        await one.call("conversation.get", conversation=place),
        await one.call("conversation.history", conversation=place),
        await one.call("message.search", query="e", conversation=place),
        *[await one.call("conversation.list", filter=which) for which in FILTERS],
    ]


async def silent(*peers: CarefulPeer) -> None:
    """Nothing has come to these, and nothing is on its way."""
    for peer in peers:
        await peer.call("ping")
        assert peer.events == []


@pytest.mark.parametrize("way", WAYS)
async def test_marks_are_on_every_own_device_and_nobody_elses(way: str) -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "eve")
        async with (
            speaking(server, way, "ada") as (ada,),
            careful(server, "ada", "ada", "grace", "eve") as (phone, laptop, grace, eve),
        ):
            place = (await ada.call("conversation.start", members=["grace"]))["conversation"]
            await sent(grace, place, "one", "two")
            for one in (phone, laptop, grace):
                await one.event("message.created")
                await one.event("message.created")
            before = await all_that_is_read(grace, place)
            assert marks(await got(ada, place)) == FRESH
            expected: dict[str, Any] = {**FRESH, "conversation": place}
            for change, then in (
                ({"muted": True}, {"muted": True}),
                ({"starred": True, "muted": False}, {"starred": True, "muted": False}),
                ({"archived": True}, {"archived": True, "archived_seq": 2}),
                ({"unread": True}, {"unread_mark": True}),
            ):
                expected |= then
                answer = await ada.call("conversation.set", conversation=place, **change)
                answer_again = await ada.call("conversation.set", conversation=place, **change)
                now = {"archived_seq": -1, "cleared_seq": -1, **answer}
                assert {k: now[k] for k in expected} == expected
                assert answer == answer_again
                assert fits(answer, MARKS)
                for device in (phone, laptop):
                    event = await device.event("conversation.changed")
                    assert (event["topic"], event["data"]) == ("member:ada", answer)
                assert marks(await got(ada, place)) == marks(answer)
            await silent(phone, laptop, grace, eve)
            assert await all_that_is_read(grace, place) == before
            assert marks(await got(grace, place)) == FRESH


@pytest.mark.parametrize("way", WAYS)
async def test_what_is_archived_comes_back_with_a_message(way: str) -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus")
        async with (
            speaking(server, way, "ada") as (ada,),
            careful(server, "ada", "grace") as (device, grace),
        ):
            pair = (await ada.call("conversation.start", members=["grace"]))["conversation"]
            several = (await ada.call("conversation.start", members=["grace", "linus"]))[
                "conversation"
            ]
            for place in (pair, several):
                for empty in (True, False):  # archived before anything was said, and after it
                    await ada.call("conversation.set", conversation=place, archived=True)
                    assert place not in await shown(ada)
                    assert await shown(ada, "archived") == [place]
                    device.events.clear()
                    await sent(grace, place, f"back {place} {empty}")
                    assert await shown(ada, "archived") == []
                    assert place in await shown(ada)
                    assert (await got(ada, place))["archived"] is False
                    await device.event("message.created")
                    await silent(device)  # the message says it all
            await ada.call("conversation.set", conversation=pair, archived=True)
            await ada.call("conversation.set", conversation=pair, archived=False)
            assert marks(await got(ada, pair)) == FRESH


@pytest.mark.parametrize("way", WAYS)
async def test_a_mark_of_being_unread_ends_by_reading(way: str) -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with (
            speaking(server, way, "ada") as (ada,),
            careful(server, "ada", "grace") as (device, grace),
        ):
            place = (await ada.call("conversation.start", members=["grace"]))["conversation"]
            await sent(grace, place, "one", "two")
            assert await shown(ada, "unread") == [place]
            await ada.call("receipt.read", conversation=place, seq=2)
            assert await shown(ada, "unread") == []
            await ada.call("conversation.set", conversation=place, unread=True)
            assert await shown(ada, "unread") == [place]
            now = await got(ada, place)
            assert (now["unread"], now["unread_mark"], now["read"]) == (0, True, 2)
            device.events.clear()
            # A late word of what was read before changes nothing.
            await ada.call("receipt.read", conversation=place, seq=1)
            await silent(device)
            assert await shown(ada, "unread") == [place]
            grace.events.clear()
            await ada.call("receipt.read", conversation=place, seq=2)
            told = await device.event("conversation.changed")
            assert told["data"]["unread_mark"] is False
            assert await shown(ada, "unread") == []
            # A message beside the mark: both are gone once it is read.
            await ada.call("conversation.set", conversation=place, unread=True)
            await sent(grace, place, "three")
            assert ((await got(ada, place))["unread"], await shown(ada, "unread")) == (1, [place])
            await ada.call("receipt.read", conversation=place, seq=3)
            assert await shown(ada, "unread") == []
            await ada.call("conversation.set", conversation=place, unread=True)
            await ada.call("conversation.set", conversation=place, unread=False)
            assert await shown(ada, "unread") == []
            grace.events[:] = [e for e in grace.events if e["event"] != "receipt.read"]
            grace.events[:] = [e for e in grace.events if e["event"] != "message.created"]
            await silent(grace)


@pytest.mark.parametrize("way", WAYS)
async def test_what_one_deletes_for_oneself_is_gone_everywhere_for_oneself_alone(way: str) -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus")
        async with (
            speaking(server, way, "ada") as (ada,),
            careful(server, "ada", "grace") as (device, grace),
        ):
            for members in (["grace"], ["grace", "linus"]):
                start = await ada.call("conversation.start", members=members)
                place = start["conversation"]
                old = await sent(grace, place, f"early {place}", f"eve {place}")
                mine = await sent(ada, place, f"mine {place}")
                await ada.call("draft.set", conversation=place, body="never sent")
                await ada.call("conversation.set", conversation=place, archived=True, unread=True,
                               starred=True)  # fmt: skip
                before = await all_that_is_read(grace, place)
                await device.call("ping")
                device.events.clear()
                grace.events.clear()
                cleared = await ada.call("conversation.clear", conversation=place)
                assert marks(cleared) == {**FRESH, "starred": True, "cleared_seq": 3}
                assert await ada.call("conversation.clear", conversation=place) == cleared
                assert (await device.event("read.moved"))["data"]["read"] == 3
                assert (await device.event("draft.changed"))["data"]["body"] == ""
                assert (await device.event("conversation.changed"))["data"] == cleared
                await silent(device, grace)
                assert await all_that_is_read(grace, place) == before

                for which in FILTERS:
                    assert place not in await shown(ada, which)
                now = await got(ada, place)
                assert (now["last"], now["unread"], now["seq"], now["read"]) == (None, 0, 3, 3)
                assert "draft" not in now
                for window in ({}, {"after": 0}, {"before": 3}):
                    history = await ada.call("conversation.history", conversation=place, **window)
                    assert (history["messages"], history["more"]) == ([], False)
                found = await ada.call("message.search", query=place)
                assert (found["messages"], found["more"]) == ([], False)
                for cmd, params in (
                    ("message.edit", {"message": mine[0], "body": "x"}),
                    ("message.delete", {"message": mine[0]}),
                    ("message.react", {"message": old[0], "emoji": "👍"}),
                    ("message.send", {"conversation": place, "body": "x", "client_id": place,
                                      "reply_to": old[1]}),
                ):  # fmt: skip
                    assert (await refused(ada, cmd, **params))["code"] == "unreachable"
                # Nobody is told that it was read, not even once it is.
                await ada.call("receipt.read", conversation=place, seq=3)
                mates = {p["member"]: p for p in (await got(grace, place))["participants"]}
                assert "shown" not in mates["ada"]
                await silent(grace)

                (new,) = await sent(grace, place, f"later {place}")
                assert await shown(ada) == [place]
                assert await shown(ada, "starred") == [place]
                now = await got(ada, place)
                assert (now["last"]["message"], now["unread"]) == (new, 1)
                history = await ada.call("conversation.history", conversation=place)
                assert [m["message"] for m in history["messages"]] == [new]
                found = await ada.call("message.search", query=place)
                assert [m["message"] for m in found["messages"]] == [new]
                await ada.call("message.react", message=new, emoji="👍")
                await ada.call("conversation.clear", conversation=place)
                assert await shown(ada) == []


@pytest.mark.parametrize("way", WAYS)
async def test_a_draft_is_on_every_own_device_until_it_is_removed(way: str) -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with (
            speaking(server, way, "ada") as (ada,),
            careful(server, "ada", "grace") as (device, grace),
        ):
            place = (await ada.call("conversation.start", members=["grace"]))["conversation"]
            before = await all_that_is_read(grace, place)
            for body in ("Grüße \u0000", "ä" * 8_000, " \n", ""):
                draft = {"conversation": place, "body": body}
                for _ in range(2):
                    assert await ada.call("draft.set", **draft) == draft
                event = await device.event("draft.changed")
                assert (event["topic"], event["data"]) == ("member:ada", draft)
                assert (await got(ada, place)).get("draft", "") == body
                listed = (await ada.call("conversation.list"))["conversations"]
                assert [c.get("draft", "") for c in listed] == [body]
            await silent(device, grace)
            assert await all_that_is_read(grace, place) == before


async def test_what_marks_and_drafts_may_be() -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with careful(server, "ada") as (ada,):
            place = (await ada.call("conversation.start", members=["grace"]))["conversation"]
            for cmd, params, field in (
                ("conversation.set", {"muted": 1}, "muted"),
                ("conversation.set", {"starred": "yes"}, "starred"),
                ("conversation.set", {"archived": []}, "archived"),
                ("conversation.set", {"unread": 0}, "unread"),
                ("conversation.set", {"reported": True}, "reported"),
                ("conversation.set", {"conversation": 1}, "conversation"),
                ("conversation.clear", {"conversation": None}, "conversation"),
                ("draft.set", {"body": "b" * 8_001}, "body"),
                ("draft.set", {"body": 1}, "body"),
                ("draft.set", {}, "body"),
                ("conversation.list", {"filter": "muted"}, "filter"),
            ):
                error = await refused(ada, cmd, **{"conversation": place, **params})
                assert (error["code"], error["field"]) == ("invalid", field), (cmd, params)
            assert await ada.call("conversation.set", conversation=place, other=1) == {
                "conversation": place, **FRESH
            }  # fmt: skip


async def test_lists_by_whom_one_knows() -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus", "mary")
        async with careful(server, "ada") as (ada,):
            pairs = {}
            for name in ("grace", "linus"):
                start = await ada.call("conversation.start", members=[name])
                pairs[name] = start["conversation"]
            room = await ada.call("conversation.start", members=["grace", "mary"])
            await ada.call("connection.remove", member="linus")
            assert set(await shown(ada, "connections")) == {pairs["grace"], room["conversation"]}
            assert await shown(ada, "others") == [pairs["linus"]]
            assert len(await shown(ada)) == 3
            await ada.call("conversation.set", conversation=pairs["linus"], archived=True)
            assert await shown(ada, "others") == []
            await ada.call("conversation.set", conversation=pairs["grace"], starred=True)
            await ada.call("conversation.set", conversation=pairs["grace"], archived=True)
            assert await shown(ada, "starred") == [pairs["grace"]]
            assert set(await shown(ada, "archived")) == {pairs["grace"], pairs["linus"]}


async def test_whoever_has_left_still_has_a_view_of_their_own() -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus")
        async with careful(server, "ada", "grace") as (ada, grace):
            start = await ada.call("conversation.start", members=["grace", "linus"])
            place = start["conversation"]
            await sent(ada, place, "one", "two")
            await grace.call("conversation.leave", conversation=place)
            await sent(ada, place, "unheard")
            archived = await grace.call("conversation.set", conversation=place, archived=True)
            assert archived["archived_seq"] == 2  # not the third, of which they know nothing
            await sent(ada, place, "unheard too")
            assert await shown(grace, "archived") == [place]
            cleared = await grace.call("conversation.clear", conversation=place)
            assert cleared["cleared_seq"] == 2
            history = await grace.call("conversation.history", conversation=place)
            assert history["messages"] == []
            assert await shown(grace) == []
            # Who comes back sees the history, but for what they have cleared.
            await ada.call("conversation.add", conversation=place, member="grace")
            history = await grace.call("conversation.history", conversation=place)
            assert [m["body"] for m in history["messages"]] == ["unheard", "unheard too"]
            assert await shown(grace) == [place]


async def test_a_member_made_anew_has_none_of_it() -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with careful(server, "ada", "grace") as (ada, grace):
            place = (await ada.call("conversation.start", members=["grace"]))["conversation"]
            await sent(grace, place, "kept")
            await ada.call("draft.set", conversation=place, body="hers")
            await ada.call("conversation.set", conversation=place, muted=True)
        await server.operate("member.delete", id="grace")
        async with careful(server, "ada") as (ada,):
            # The other being gone changes nothing about what is one's own.
            now = await got(ada, place)
            assert (now["draft"], now["muted"]) == ("hers", True)
            await ada.call("conversation.set", conversation=place, archived=True)
            await ada.call("draft.set", conversation=place, body="")
            await ada.call("conversation.clear", conversation=place)
        await server.operate("member.delete", id="ada")
        await server.people("ada", "grace")
        async with careful(server, "ada") as (ada,):
            assert (await refused(ada, "conversation.get", conversation=place))["code"] == (
                "unreachable"
            )
            again = (await ada.call("conversation.start", members=["grace"]))["conversation"]
            assert again != place
            assert marks(await got(ada, again)) == FRESH


async def test_who_was_away_hears_of_it_as_it_is_now() -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with careful(server, "ada", "grace") as (ada, grace):
            place = (await ada.call("conversation.start", members=["grace"]))["conversation"]
            head = (await ada.call("conversation.get", conversation=place))["at"]
            await ada.call("conversation.set", conversation=place, archived=True)
            await sent(grace, place, "back")
            await ada.call("draft.set", conversation=place, body="first")
            await ada.call("draft.set", conversation=place, body="second")
            await ada.call("conversation.set", conversation=place, muted=True)
            now = await got(ada, place)
            async with CarefulPeer(server.ws, server.token("ada")) as late:
                await late.connect(resume=head)
                for _ in range(2):
                    data = (await late.event("conversation.changed"))["data"]
                    assert marks(data) == marks(now)
                    assert (data["archived"], data["archived_seq"]) == (False, 0)
                    assert (await late.event("draft.changed"))["data"]["body"] == "second"
