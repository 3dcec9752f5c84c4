"""`report.*`: what was reported is kept out of everybody's sight, and nobody learns of it."""

from __future__ import annotations

from typing import Any

import pytest

from server.domain.policy import Policy
from tests.support.careful_peer import WAYS, HttpPeer, Speaker, careful, refused, speaking
from tests.support.clocks import Clock
from tests.support.running import Running, running_node


async def say(one: Speaker, place: str, body: str) -> str:
    sent = await one.call("message.send", conversation=place, body=body, client_id=f"say {body}")
    message: str = sent["message"]
    return message


async def reports(server: Running) -> list[dict[str, Any]]:
    async with HttpPeer(server.base, key=server.admin_key) as operator:
        return list((await operator.call("report.list"))["reports"])


def texts(report: dict[str, Any]) -> list[list[str]]:
    return [[text["body"] for text in one["texts"]] for one in report["exhibits"]]


async def inbox(one: Speaker, which: str = "all") -> list[str]:
    listed = await one.call("conversation.list", filter=which)
    return [c["id"] for c in listed["conversations"]]


@pytest.mark.parametrize("way", WAYS)
async def test_a_message_is_reported_with_all_its_texts_and_nobody_is_told(way: str) -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus")
        async with (
            speaking(server, way, "ada") as (ada,),
            careful(server, "ada", "grace", "linus") as (device, grace, linus),
        ):
            start = await ada.call("conversation.start", members=["grace", "linus"])
            place = start["conversation"]
            await say(grace, place, "harmless")
            bad = await say(grace, place, "first")
            await grace.call("message.edit", message=bad, body="second")
            await linus.call("message.react", message=bad, emoji="👍")
            await grace.call("message.edit", message=bad, body="third")
            await grace.call("message.delete", message=bad)
            before = [
                await one.call("conversation.get", conversation=place) for one in (grace, linus)
            ]
            for one in (device, grace, linus):
                await one.call("ping")
                one.events.clear()
            report = await ada.call(
                "report.send", conversation=place, message=bad, reason="threat", text="Look",
                client_id="1",
            )  # fmt: skip
            assert report["duplicate"] is False
            told = await device.event("conversation.changed")
            assert (told["topic"], told["data"]["reported"]) == ("member:ada", True)
            for client_id in ("1", "2", None):
                params = {} if client_id is None else {"client_id": client_id}
                again = await ada.call(
                    "report.send", conversation=place, message=bad, reason="threat", text="Look",
                    **params,
                )  # fmt: skip
                assert again == {"report": report["report"], "duplicate": True}
            error = await refused(
                ada, "report.send", conversation=place, reason="spam", client_id="1"
            )
            assert error["code"] == "client_id_reused"

            (kept,) = await reports(server)
            assert (kept["report"], kept["reporter"]) == (report["report"], "ada")
            assert (kept["conversation"], kept["message"]) == (place, bad)
            assert (kept["reason"], kept["text"], kept["kind"]) == ("threat", "Look", "several")
            assert texts(kept) == [["first", "second", "third"]]
            (exhibit,) = kept["exhibits"]
            assert (exhibit["sender"], exhibit["seq"], exhibit["left_out"]) == ("grace", 2, 0)
            assert exhibit["deleted_at"] >= exhibit["texts"][2]["at"] >= exhibit["sent_at"]
            assert exhibit["texts"][0]["at"] == exhibit["sent_at"]

            for one in (device, grace, linus):
                await one.call("ping")
                assert one.events == []
            after = [
                await one.call("conversation.get", conversation=place) for one in (grace, linus)
            ]
            assert after == before
            history = await ada.call("conversation.history", conversation=place)
            assert "body" not in history["messages"][1]


@pytest.mark.parametrize("way", WAYS)
async def test_a_reported_conversation_is_out_of_the_inbox_until_one_wants_it_back(
    way: str,
) -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with (
            speaking(server, way, "ada") as (ada,),
            careful(server, "grace") as (grace,),
        ):
            place = (await ada.call("conversation.start", members=["grace"]))["conversation"]
            for n in range(25):
                await say(grace, place, f"spam {n}")
            await ada.call("report.send", conversation=place, reason="spam")
            (kept,) = await reports(server)
            assert texts(kept) == [[f"spam {n}"] for n in range(5, 25)]
            assert "message" not in kept
            await say(grace, place, "spam again")
            for which in ("all", "unread", "connections", "others", "archived", "starred"):
                assert await inbox(ada, which) == []
            assert await inbox(ada, "reported") == [place]
            assert await inbox(grace) == [place]
            back = await ada.call("conversation.set", conversation=place, reported=False)
            assert back["reported"] is False
            assert await inbox(ada) == [place]
            assert await inbox(ada, "reported") == []
            assert texts((await reports(server))[0]) == texts(kept)


async def test_a_report_shows_only_what_its_reporter_could_see() -> None:
    async with running_node() as server:
        clock = Clock.of(server)
        await server.people("ada", "grace", "linus", "eve")
        async with careful(server, "ada", "grace", "linus", "eve") as (ada, grace, linus, eve):
            start = await ada.call("conversation.start", members=["grace", "linus"])
            place = start["conversation"]
            first = await say(grace, place, "before")
            await grace.call("message.edit", message=first, body="as she saw it")
            kept = await say(grace, place, "stays for her")
            await ada.call("conversation.leave", conversation=place)
            await grace.call("message.edit", message=first, body="after she left")
            await grace.call("message.delete", message=kept)
            unseen = await say(grace, place, "never hers")
            pair = (await linus.call("conversation.start", members=["grace"]))["conversation"]
            foreign = await say(grace, pair, "between others")
            for one, params in (
                (ada, {"conversation": place, "message": unseen}),
                (ada, {"conversation": place, "message": foreign}),
                (ada, {"conversation": pair, "message": foreign}),
                (ada, {"conversation": pair}),
                (eve, {"conversation": place}),
                (grace, {"conversation": pair, "message": first}),
            ):
                error = await refused(one, "report.send", reason="spam", **params)
                assert error["code"] == "unreachable"
            assert await reports(server) == []
            await ada.call("report.send", conversation=place, reason="other")
            clock.move(1)
            await ada.call("report.send", conversation=place, message=first, reason="other")
            clock.move(1)
            single, whole = await reports(server)
            assert texts(single) == [["before", "as she saw it"]]
            assert texts(whole) == [["before", "as she saw it"], ["stays for her"]]
            assert all("deleted_at" not in exhibit for exhibit in whole["exhibits"])
            # What one has cleared one has seen.
            await grace.call("conversation.clear", conversation=pair)
            await grace.call("report.send", conversation=pair, message=foreign, reason="spam")
            assert texts((await reports(server))[0]) == [["between others"]]


async def test_reports_are_listed_closed_and_forgotten() -> None:
    policy = Policy(open_reports_per_member=3, report_versions=3)
    async with running_node(policy=policy) as server:
        clock = Clock.of(server)
        await server.people("ada", "grace")
        async with (
            careful(server, "ada", "grace") as (ada, grace),
            HttpPeer(server.base, key=server.admin_key) as operator,
        ):
            place = (await ada.call("conversation.start", members=["grace"]))["conversation"]
            messages = [await say(grace, place, f"bad {n}") for n in range(4)]
            for n in range(5):
                await grace.call("message.edit", message=messages[0], body=f"edit {n}")
            made = []
            for message in messages[:3]:
                clock.move(1)
                report = await ada.call(
                    "report.send", conversation=place, message=message, reason="spam"
                )
                made.append(report["report"])
            error = await refused(
                ada, "report.send", conversation=place, message=messages[3], reason="spam"
            )
            assert (error["code"], error["rule"]) == ("refused", "open_reports")
            first = await operator.call("report.list", limit=2)
            assert [r["report"] for r in first["reports"]] == made[:0:-1]
            rest = await operator.call("report.list", before=first["next"])
            assert ([r["report"] for r in rest["reports"]], rest["more"]) == (made[:1], False)
            (exhibit,) = rest["reports"][0]["exhibits"]
            assert [t["body"] for t in exhibit["texts"]] == ["bad 0", "edit 3", "edit 4"]
            assert exhibit["left_out"] == 3
            for _ in range(2):
                assert await operator.call("report.close", report=made[1]) == {}
            listed = await operator.call("report.list")
            assert [r["report"] for r in listed["reports"]] == [made[2], made[0]]
            again = await ada.call(
                "report.send", conversation=place, message=messages[1], reason="spam"
            )
            assert again["duplicate"] is False
            for cmd, params, field in (
                ("report.close", {"report": "A" * 22}, "report"),
                ("report.close", {"report": messages[0]}, "report"),
                ("report.close", {}, "report"),
                ("report.list", {"before": "nonsense"}, "before"),
                ("report.list", {"limit": 0}, "limit"),
            ):
                error = await refused(operator, cmd, **params)
                assert (error["code"], error["field"]) == ("invalid", field)
            for change, field in (
                ({"reason": "boredom"}, "reason"), ({"reason": None}, "reason"),
                ({"text": "t" * 2_001}, "text"), ({"message": 1}, "message"),
                ({"client_id": "ä" * 33}, "client_id"), ({"conversation": 1}, "conversation"),
            ):  # fmt: skip
                params = {"conversation": place, "reason": "spam", **change}
                error = await refused(ada, "report.send", **params)
                assert (error["code"], error["field"]) == ("invalid", field), change
            for cmd in ("report.list", "report.close"):
                assert (await refused(ada, cmd, report=made[0]))["field"] == "cmd"
            # Its reporter may be gone by the time that it is read.
            await server.operate("member.delete", id="ada")
            listed = await operator.call("report.list")
            assert {r["reporter"] for r in listed["reports"]} == {"ada"}
            assert await operator.call("report.close", report=made[0]) == {}
