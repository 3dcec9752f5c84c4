"""`conversation.*` of two and of several: results, the roster's events, what a reader sees."""

from __future__ import annotations

import pytest

from server.domain.policy import Policy
from tests.support.careful_peer import WAYS, careful, refused, speaking
from tests.support.running import running_node
from tests.support.shapes import CONVERSATION, fits, misfit_of_message
from tests.support.waiting import settled


@pytest.mark.parametrize("way", WAYS)
async def test_a_conversation_of_several_is_joined_by_all_its_founders(way: str) -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus", "eve")
        async with (
            speaking(server, way, "ada") as (ada,),
            careful(server, "ada", "grace", "linus", "eve") as (*members, eve),
        ):
            made = await ada.call(
                "conversation.start", members=["grace", "linus", "grace"], title="Roof",
                client_id="1",
            )  # fmt: skip
            place = made["conversation"]
            topic = f"conversation:{place}"
            for one in members:
                joined = await one.event("conversation.joined")
                assert joined["data"] == {"conversation": place, "topic": topic, "pos": 0}
            sent = await ada.call("message.send", conversation=place, body="hi", client_id="2")
            for one in members:
                event = await one.event("message.created")
                assert (event["topic"], event["pos"]) == (topic, 1)
                assert event["data"]["message"] == sent["message"]
            got = await ada.call("conversation.get", conversation=place)
            assert fits(got, CONVERSATION)
            assert (got["id"], got["kind"], got["title"]) == (place, "several", "Roof")
            assert [p["member"] for p in got["participants"]] == ["ada", "grace", "linus"]
            assert {p["role"] for p in got["participants"]} == {"participant"}
            assert (got["seq"], got["state"], got["participant_count"]) == (1, "open", 3)
            assert misfit_of_message(got["last"]) is None
            assert got["at"] == {"member:ada": 4, topic: 1}
            await eve.call("ping")
            assert eve.events == []


@pytest.mark.parametrize("way", WAYS)
async def test_starting_with_one_is_the_pairs_own_conversation(way: str) -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with speaking(server, way, "ada", "grace") as (ada, grace):
            first = (await ada.call("conversation.start", members=["grace"]))["conversation"]
            again = (await grace.call("conversation.start", members=["ada"]))["conversation"]
            sent = await grace.call("message.send", to="ada", body="hi", client_id="1")
            assert first == again == sent["conversation"]
            got = await ada.call("conversation.get", conversation=first)
            assert fits(got, CONVERSATION)
            assert got["kind"] == "one_to_one"
            assert {p["member"] for p in got["participants"]} == {"ada", "grace"}


async def test_what_a_start_may_carry() -> None:
    async with running_node() as server:
        many = [f"m{n:02}" for n in range(50)]
        await server.people("ada", "grace")
        for member in many:
            await server.operate("member.put", id=member, name=member)
            await server.operate("connection.put", a="ada", b=member)
        async with careful(server, "ada") as (ada,):
            for params, field in (
                ({}, "members"), ({"members": []}, "members"), ({"members": "grace"}, "members"),
                ({"members": ["ada"]}, "members"), ({"members": ["a b"]}, "members"),
                ({"members": ["grace"], "title": "t" * 101}, "title"),
                ({"members": ["grace"], "title": 5}, "title"),
                ({"members": ["grace"], "client_id": ""}, "client_id"),
            ):  # fmt: skip
                error = await refused(ada, "conversation.start", **params)
                assert (error["code"], error["field"]) == ("invalid", field)
            error = await refused(ada, "conversation.start", members=many)
            assert (error["code"], type(error["rule"])) == ("refused", str)
            full = await ada.call("conversation.start", members=many[:49], title="t" * 100)
            got = await ada.call("conversation.get", conversation=full["conversation"])
            assert got["participant_count"] == len(got["participants"]) == 50
            error = await refused(
                ada, "conversation.add", conversation=full["conversation"], member="grace"
            )
            assert error["code"] == "refused"


@pytest.mark.parametrize("way", WAYS)
async def test_adding_removing_and_leaving_are_events_of_the_conversation(way: str) -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus", "mary")
        async with (
            speaking(server, way, "ada") as (ada,),
            careful(server, "grace", "linus", "mary") as (grace, linus, mary),
        ):
            place = (await ada.call("conversation.start", members=["grace", "linus"]))[
                "conversation"
            ]
            topic = f"conversation:{place}"
            await ada.call("message.send", conversation=place, body="before", client_id="1")
            added = await ada.call("conversation.add", conversation=place, member="mary")
            assert added["conversation"] == place
            joined = await mary.event("conversation.joined")
            assert joined["data"] == {"conversation": place, "topic": topic, "pos": 2}
            await ada.call("message.send", conversation=place, body="with mary", client_id="2")
            assert (await mary.event("message.created"))["pos"] == 3
            # A later one sees the whole history.
            history = await mary.call("conversation.history", conversation=place)
            assert [m["body"] for m in history["messages"]] == ["before", "with mary"]

            assert await ada.call("conversation.remove", conversation=place, member="mary") == {}
            left = await mary.event("conversation.left")
            assert left["data"] == {"conversation": place, "topic": topic, "pos": 3}
            assert await linus.call("conversation.leave", conversation=place) == {}
            left = await linus.event("conversation.left")
            assert left["data"] == {"conversation": place, "topic": topic, "pos": 4}
            told = [await grace.event("roster.changed") for _ in range(3)]
            assert [e["pos"] for e in told] == [2, 4, 5]
            assert [(e["data"]["rev"], e["data"]["participant_count"]) for e in told] == [
                (1, 4), (2, 3), (3, 2)
            ]  # fmt: skip
            assert [e["data"]["changes"] for e in told] == [
                [{"member": member, "name": member.title(), "change": change,
                  "role": "participant"}]
                for member, change in (("mary", "added"), ("mary", "removed"), ("linus", "left"))
            ]  # fmt: skip
            await ada.call("message.send", conversation=place, body="after", client_id="3")
            await grace.event("message.created")
            for gone in (linus, mary):
                await gone.call("ping")
                assert b"after" not in gone.bytes
                got = await gone.call("conversation.get", conversation=place)
                assert got["state"] == "closed"
                assert "after" not in str(got)
                history = await gone.call("conversation.history", conversation=place)
                assert [m["body"] for m in history["messages"]] == ["before", "with mary"]
            got = await grace.call("conversation.get", conversation=place)
            assert [p["member"] for p in got["participants"]] == ["ada", "grace"]


@pytest.mark.parametrize("way", WAYS)
async def test_adding_to_a_one_to_one_makes_a_new_conversation(way: str) -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus")
        async with (
            speaking(server, way, "ada") as (ada,),
            careful(server, "grace", "linus") as (grace, linus),
        ):
            pair = (await ada.call("message.send", to="grace", body="us", client_id="1"))[
                "conversation"
            ]
            made = await ada.call("conversation.add", conversation=pair, member="linus")
            assert made["conversation"] != pair
            for one in (grace, linus):
                joined = await one.event("conversation.joined")
                assert joined["data"]["conversation"] == made["conversation"]
            history = await linus.call("conversation.history", conversation=made["conversation"])
            assert history["messages"] == []
            for cmd, params in (
                ("conversation.add", {"member": "grace"}),
                ("conversation.remove", {"member": "grace"}),
                ("conversation.leave", {}),
                ("conversation.rename", {"title": "two"}),
            ):
                error = await refused(ada, cmd, conversation=pair, **params)
                assert (error["code"], type(error["rule"])) == ("refused", str)


@pytest.mark.parametrize("way", WAYS)
async def test_renaming_is_told_to_all_participants(way: str) -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus")
        async with speaking(server, way, "ada") as (ada,), careful(server, "grace") as (grace,):
            place = (await ada.call("conversation.start", members=["grace", "linus"]))[
                "conversation"
            ]
            assert await ada.call("conversation.rename", conversation=place, title="Floor") == {}
            renamed = await grace.event("conversation.renamed")
            assert renamed["data"] == {"conversation": place, "title": "Floor", "rev": 1}
            got = await grace.call("conversation.get", conversation=place)
            assert got["title"] == "Floor"
            assert await ada.call("conversation.rename", conversation=place, title="Floor") == {}
            assert await ada.call("conversation.rename", conversation=place, title="") == {}
            assert (await grace.event("conversation.renamed"))["data"]["rev"] == 2
            for params, field in (
                ({"title": "t" * 101}, "title"), ({"title": None}, "title"), ({}, "title"),
            ):  # fmt: skip
                error = await refused(ada, "conversation.rename", conversation=place, **params)
                assert (error["code"], error["field"]) == ("invalid", field)


async def test_errors_of_the_roster() -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus")
        async with careful(server, "ada") as (ada,):
            place = (await ada.call("conversation.start", members=["grace", "linus"]))[
                "conversation"
            ]
            for cmd, params, field in (
                ("conversation.add", {"member": "ada"}, "member"),
                ("conversation.add", {}, "member"),
                ("conversation.remove", {"member": "ada"}, "member"),
                ("conversation.remove", {}, "member"),
            ):
                error = await refused(ada, cmd, conversation=place, **params)
                assert (error["code"], error["field"]) == ("invalid", field)
            for cmd in ("conversation.get", "conversation.history", "conversation.leave",
                        "request.accept", "request.decline"):  # fmt: skip
                error = await refused(ada, cmd)
                assert (error["code"], error["field"]) == ("invalid", "conversation")
            for cmd in ("request.accept", "request.decline"):
                error = await refused(ada, cmd, conversation=place)
                assert (error["code"], type(error["rule"])) == ("refused", str)
            # Somebody who is in it already is left in it.
            again = await ada.call("conversation.add", conversation=place, member="grace")
            assert again["conversation"] == place
            got = await ada.call("conversation.get", conversation=place)
            assert got["participant_count"] == 3


async def test_receipts_and_typing_in_a_conversation_of_several() -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus", "mary")
        async with careful(server, "ada", "grace", "linus", "mary") as (ada, grace, linus, mary):
            await linus.call("settings.set", receipts=False)
            place = (await ada.call("conversation.start", members=["grace", "linus", "mary"]))[
                "conversation"
            ]
            await ada.call("message.send", conversation=place, body="one", client_id="1")
            await settled(server)
            for one in (grace, linus):
                await one.call("receipt.read", conversation=place, seq=1)
                await one.call("typing.start", conversation=place)
            for one in (ada, mary):
                seen = (await one.event("receipt.read"))["data"]
                assert (seen["member"], seen["seq"]) == ("grace", 1)
                assert (await one.event("typing.started"))["data"]["member"] == "grace"
            shown = {
                name: {
                    p["member"]: p.get("shown")
                    for p in (await one.call("conversation.get", conversation=place))[
                        "participants"
                    ]
                }
                for name, one in (("ada", ada), ("linus", linus))
            }
            assert shown["ada"] == {"ada": None, "grace": 1, "linus": None, "mary": None}
            assert set(shown["linus"].values()) == {None}
            for one in (ada, grace, linus, mary):
                await one.call("ping")
                signals = [e for e in one.all_events if "pos" not in e]
                assert len(signals) == (2 if one in (ada, mary) else 0)


async def test_in_a_large_conversation_an_edit_counts_its_reactions() -> None:
    async with running_node(policy=Policy(signals_up_to=2)) as server:
        await server.people("ada", "grace", "linus")
        async with careful(server, "ada", "grace", "linus") as (ada, grace, linus):
            made = await ada.call("conversation.start", members=["grace", "linus"])
            place = made["conversation"]
            sent = await ada.call("message.send", conversation=place, body="one", client_id="1")
            for one in (grace, linus):
                await one.call("message.react", message=sent["message"], emoji="👍")
            edited = await ada.call("message.edit", message=sent["message"], body="two")
            assert edited["reactions"] == [{"emoji": "👍", "count": 2}]
            assert misfit_of_message(edited) is None
            for one in (ada, grace, linus):
                told = (await one.event("message.edited"))["data"]
                history = await one.call("conversation.history", conversation=place)
                assert history["messages"] == [told] == [edited]
