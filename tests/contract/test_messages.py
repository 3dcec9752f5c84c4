"""`message.*`, `receipt.read` and `typing.*`: results, events on every device, limits, times."""

from __future__ import annotations

import pytest

from tests.support.careful_peer import WAYS, CarefulPeer, Speaker, careful, refused, speaking
from tests.support.clocks import Clock
from tests.support.running import running_node
from tests.support.shapes import MESSAGE, REACTIONS, SENT, TOMBSTONE, fits, misfit_of_message

MINUTE_S = 60


async def opened(one: Speaker, to: str = "grace", body: str = "hello") -> tuple[str, str]:
    """Send a first message; answers the conversation and the message."""
    sent = await one.call("message.send", to=to, body=body, client_id=f"open {to} {body}")
    return sent["conversation"], sent["message"]


@pytest.mark.parametrize("way", WAYS)
async def test_a_message_reaches_every_device_of_both(way: str) -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "eve")
        async with (
            speaking(server, way, "ada") as (ada,),
            careful(server, "ada", "ada", "grace", "grace", "eve") as (*devices, eve),
        ):
            sent = await ada.call(
                "message.send", to="grace", body="Grüße 👋 \u0000 end", client_id="0f",
                subject="About", mentions=["grace", "eve", "nobody"],
            )  # fmt: skip
            assert fits(sent, SENT)
            assert (sent["seq"], sent["duplicate"]) == (1, False)
            told = [await device.event("message.created") for device in devices]
            assert [e["topic"] for e in told] == ["member:ada"] * 2 + ["member:grace"] * 2
            for event in told:
                data = event["data"]
                assert data["body"] == "Grüße 👋 \u0000 end"
                assert (data["sender"], data["client_id"]) == ("ada", "0f")
                assert (data["subject"], data["mentions"]) == ("About", ["grace"])
                assert {key: data[key] for key in sent if key in data} == {
                    key: value for key, value in sent.items() if key != "duplicate"
                }
            answer = await ada.call(
                "message.send", conversation=sent["conversation"], body="again", client_id="10",
                reply_to=sent["message"],
            )  # fmt: skip
            assert (answer["conversation"], answer["seq"]) == (sent["conversation"], 2)
            for device in devices:
                assert (await device.event("message.created"))["data"]["reply_to"] == (
                    sent["message"]
                )
            await eve.call("ping")
            assert eve.events == []


async def test_what_a_message_may_be() -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with careful(server, "ada") as (ada,):
            place, _ = await opened(ada)
            good = {"to": "grace", "body": "b", "client_id": "1"}
            for change, field in (
                ({"to": None}, "to"), ({"conversation": place}, "to"), ({"to": "ada"}, "to"),
                ({"to": 1}, "to"), ({"body": None}, "body"), ({"body": 1}, "body"),
                ({"body": ""}, "body"), ({"body": " \n\t"}, "body"),

                ({"body": "b" * 8_001}, "body"), ({"client_id": None}, "client_id"),
                ({"client_id": ""}, "client_id"),
                ({"client_id": "c" * 65}, "client_id"), ({"client_id": "ä" * 33}, "client_id"),
                ({"client_id": 1}, "client_id"), ({"subject": 1}, "subject"),
                ({"subject": "s" * 201}, "subject"), ({"reply_to": 1}, "reply_to"),
                ({"mentions": "grace"}, "mentions"), ({"mentions": [1]}, "mentions"),
                ({"mentions": ["grace"] * 51}, "mentions"), ({"max_cost": -1}, "max_cost"),
                ({"max_cost": "1"}, "max_cost"),
            ):  # fmt: skip
                params = {k: v for k, v in {**good, **change}.items() if v is not None}
                error = await refused(ada, "message.send", **params)
                assert (error["code"], error["field"]) == ("invalid", field), params
            error = await refused(ada, "message.send", body="b", client_id="1")
            assert error["code"] == "invalid"
            sent = await ada.call(
                "message.send", to="grace", body="ä" * 8_000, client_id="ä" * 32, max_cost=5,
                subject="s" * 200, unknown={"deep": [1]},
            )  # fmt: skip
            assert sent["seq"] == 2


@pytest.mark.parametrize("way", WAYS)
async def test_an_edit_is_the_whole_message_marked(way: str) -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with (
            speaking(server, way, "ada") as (ada,),
            careful(server, "ada", "grace") as (device, grace),
        ):
            place, message = await opened(ada)
            edited = await ada.call("message.edit", message=message, body="better")
            assert fits(edited, {**MESSAGE, "edited_at": int})
            assert (edited["body"], edited["rev"]) == ("better", 1)
            for one in (device, grace):
                assert (await one.event("message.edited"))["data"] == edited
            history = await grace.call("conversation.history", conversation=place)
            assert history["messages"] == [edited]
            error = await refused(grace, "message.edit", message=message, body="mine")
            assert (error["code"], type(error["rule"])) == ("refused", str)
            for params, field in (
                ({"message": message}, "body"), ({"message": message, "body": ""}, "body"),
                ({"message": message, "body": "b" * 8_001}, "body"), ({"body": "b"}, "message"),
            ):  # fmt: skip
                error = await refused(ada, "message.edit", **params)
                assert (error["code"], error["field"]) == ("invalid", field)


@pytest.mark.parametrize("way", WAYS)
async def test_a_deletion_leaves_a_tombstone_and_no_word_of_it(way: str) -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with (
            speaking(server, way, "ada") as (ada,),
            careful(server, "ada", "grace") as (device, grace),
        ):
            place, message = await opened(ada, body="regretted")
            await grace.call("message.react", message=message, emoji="👍")
            error = await refused(grace, "message.delete", message=message)
            assert error["code"] == "refused"
            gone = await ada.call("message.delete", message=message)
            assert fits(gone, TOMBSTONE)
            assert misfit_of_message(gone) is None
            for one in (device, grace):
                assert (await one.event("message.deleted"))["data"] == gone
            assert await ada.call("message.delete", message=message) == gone
            async with careful(server, "grace") as (later,):
                history = await later.call("conversation.history", conversation=place)
                assert history["messages"] == [gone]
                listed = await later.call("conversation.list")
                assert listed["conversations"][0]["last"] == gone
                assert b"regretted" not in later.bytes
            for cmd, more in (("message.edit", {"body": "x"}), ("message.react", {"emoji": "👍"})):
                assert (await refused(ada, cmd, message=message, **more))["code"] == "refused"


async def test_editing_and_deleting_end_sixty_minutes_after_sending() -> None:
    async with running_node() as server:
        clock = Clock.of(server)
        await server.people("ada", "grace")
        token = server.token("ada", 86_400)
        async with CarefulPeer(server.ws, token) as ada:
            await ada.connect()
            _, message = await opened(ada)
            clock.move(60 * MINUTE_S - 1)
            await ada.call("message.edit", message=message, body="in time")
            clock.move(2)
            for cmd, more in (("message.edit", {"body": "late"}), ("message.delete", {})):
                error = await refused(ada, cmd, message=message, **more)
                assert (error["code"], type(error["rule"])) == ("refused", str)
            await ada.call("message.react", message=message, emoji="👍")


@pytest.mark.parametrize("way", WAYS)
async def test_reactions_are_several_a_member_and_taken_back_one_by_one(way: str) -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with (
            speaking(server, way, "ada", "grace") as (ada, grace),
            careful(server, "grace") as (device,),
        ):
            place, message = await opened(ada)
            first = await ada.call("message.react", message=message, emoji="👍")
            assert fits(first["reactions"], REACTIONS)
            await grace.call("message.react", message=message, emoji="👍")
            now = await ada.call("message.react", message=message, emoji="🏳️‍🌈")
            assert now["reactions"] == [
                {"emoji": "👍", "members": ["ada", "grace"]},
                {"emoji": "🏳️‍🌈", "members": ["ada"]},
            ]
            again = await ada.call("message.react", message=message, emoji="👍")
            assert again == now
            left = await ada.call("message.unreact", message=message, emoji="👍")
            assert left["reactions"] == [
                {"emoji": "👍", "members": ["grace"]}, {"emoji": "🏳️‍🌈", "members": ["ada"]}
            ]  # fmt: skip
            assert await ada.call("message.unreact", message=message, emoji="👍") == left
            told = [(await device.event("message.reacted"))["data"] for _ in range(4)]
            assert [(d["member"], d["emojis"], d["rev"]) for d in told] == [
                ("ada", ["👍"], 1), ("grace", ["👍"], 2), ("ada", ["👍", "🏳️‍🌈"], 3),
                ("ada", ["🏳️‍🌈"], 4),
            ]  # fmt: skip
            (row,) = (await grace.call("conversation.history", conversation=place))["messages"]
            assert (row["reactions"], row["rev"]) == (left["reactions"], 4)
            for wrong in ("", "ok", "a", "👍" * 40, 5, "1", " "):
                error = await refused(ada, "message.react", message=message, emoji=wrong)
                assert (error["code"], error["field"]) == ("invalid", "emoji"), wrong


@pytest.mark.parametrize("way", WAYS)
async def test_reading_moves_ones_own_devices_and_is_seen_by_the_other(way: str) -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with (
            careful(server, "ada", "grace") as (ada, device),
            speaking(server, way, "grace") as (grace,),
        ):
            place, _ = await opened(ada)
            await opened(ada, body="more")
            (listed,) = (await grace.call("conversation.list"))["conversations"]
            assert (listed["read"], listed["unread"]) == (0, 2)
            assert await grace.call("receipt.read", conversation=place, seq=1) == {"read": 1}
            assert (await device.event("read.moved"))["data"] == {"conversation": place, "read": 1}
            seen = (await ada.event("receipt.read"))["data"]
            assert (seen["conversation"], seen["member"], seen["seq"]) == (place, "grace", 1)
            # Only forward, and never beyond what there is.
            assert await grace.call("receipt.read", conversation=place, seq=0) == {"read": 1}
            assert await grace.call("receipt.read", conversation=place, seq=99) == {"read": 2}
            assert (await ada.event("receipt.read"))["data"]["seq"] == 2
            got = await ada.call("conversation.get", conversation=place)
            shown = {p["member"]: p.get("shown") for p in got["participants"]}
            assert shown["grace"] == 2
            got = await grace.call("conversation.get", conversation=place)
            assert (got["read"], got["unread"]) == (2, 0)
            for params, field in (
                ({"conversation": place}, "seq"), ({"seq": 1}, "conversation"),
                ({"conversation": place, "seq": -1}, "seq"),
                ({"conversation": place, "seq": 1.5}, "seq"),
                ({"conversation": place, "seq": "1"}, "seq"),
            ):  # fmt: skip
                error = await refused(grace, "receipt.read", **params)
                assert (error["code"], error["field"]) == ("invalid", field)


@pytest.mark.parametrize("way", WAYS)
async def test_typing_is_a_signal_to_the_others_alone(way: str) -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with (
            speaking(server, way, "ada") as (ada,),
            careful(server, "ada", "grace", "grace") as (own, *others),
        ):
            place, _ = await opened(ada)
            assert await ada.call("typing.start", conversation=place) == {}
            for one in others:
                started = await one.event("typing.started")
                assert started["data"] == {
                    "conversation": place, "member": "ada", "expires_in_ms": 6_000
                }  # fmt: skip
            assert await ada.call("typing.stop", conversation=place) == {}
            for one in others:
                stopped = await one.event("typing.stopped")
                assert stopped["data"] == {"conversation": place, "member": "ada"}
            await own.call("ping")
            assert {e["event"] for e in own.events} == {"message.created"}
            for cmd in ("typing.start", "typing.stop"):
                error = await refused(ada, cmd)
                assert (error["code"], error["field"]) == ("invalid", "conversation")


async def test_the_switch_ends_receipts_and_typing_both_ways_and_hides_what_was_read() -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with careful(server, "ada", "grace") as (ada, grace):
            place, _ = await opened(ada)
            await grace.call("settings.set", receipts=False)
            await grace.call("receipt.read", conversation=place, seq=1)
            await grace.call("typing.start", conversation=place)
            await ada.call("typing.start", conversation=place)
            got = await ada.call("conversation.get", conversation=place)
            assert all("shown" not in p for p in got["participants"])
            await grace.call("settings.set", receipts=True)
            # What was read while it was off stays unsaid.
            got = await ada.call("conversation.get", conversation=place)
            assert all("shown" not in p for p in got["participants"])
            await ada.call("ping")
            await grace.call("ping")
            names = {e["event"] for e in (*ada.events, *grace.events)}
            assert names == {"message.created", "settings.changed", "read.moved"}
            await opened(ada, body="seen")
            await grace.call("receipt.read", conversation=place, seq=2)
            assert (await ada.event("receipt.read"))["data"]["seq"] == 2


async def test_typing_is_renewed_at_most_every_three_seconds() -> None:
    async with running_node() as server:
        clock = Clock.of(server)
        await server.people("ada", "grace")
        async with careful(server, "ada", "grace") as (ada, grace):
            place, _ = await opened(ada)
            for seconds in (0, 1, 1.9, 0.2, 2.9):
                clock.move(seconds)
                await ada.call("typing.start", conversation=place)
            await opened(ada, body="end")
            await grace.event("message.created")
            await grace.event("message.created")
            assert [e["event"] for e in grace.events] == ["typing.started"] * 2
