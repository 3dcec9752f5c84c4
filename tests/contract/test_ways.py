"""Every way to reach somebody: Open Profile, groups and InMail; requests, consent and credits."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from server.domain.policy import DEFAULT, Policy
from tests.support.careful_peer import CarefulPeer, Speaker, careful, refused
from tests.support.clocks import Clock
from tests.support.running import Running, running_node

DAY_S = 86_400
PAID = ("recruiter_lite", "career")


async def people(server: Running, **plans: str) -> None:
    for member, plan in plans.items():
        await server.operate("member.put", id=member, name=member.title(), plan=plan)


async def group(server: Running, *members: str, name: str = "timber") -> None:
    await server.operate(
        "group.put", id=name, name=name.title(), owner=members[0], members=list(members[1:])
    )


async def ledger(server: Running, member: str) -> tuple[int, list[tuple[str, int]]]:
    got = await server.operate("credits.ledger", member=member)
    entries = [(entry["reason"], entry["change"]) for entry in got["entries"]]
    assert got["balance"] == sum(change for _, change in entries)
    return got["balance"], entries


async def ways(speaker: Speaker, to: str) -> dict[str, dict[str, Any]]:
    listed = (await speaker.call("explain", to=to))["ways"]
    assert [way["kind"] for way in listed] == ["direct", "open_profile", "group", "inmail"]
    return {way["kind"]: way for way in listed}


def said(n: int = 1, **more: Any) -> dict[str, Any]:
    return {"body": f"Hello {n}", "client_id": f"m{n}", **more}


async def requests(speaker: Speaker) -> list[str]:
    got = await speaker.call("conversation.list", filter="requests")
    return [one["id"] for one in got["conversations"]]


async def test_an_open_profile_takes_messages_from_anybody_free() -> None:
    async with running_node() as server:
        await people(server, ada="basic", grace="career")
        async with careful(server, "ada", "grace") as (ada, grace):
            assert (await refused(ada, "message.send", to="grace", **said()))["code"] == (
                "unreachable"
            )
            await grace.call("settings.set", open_profile=True)
            assert (await ways(ada, "grace"))["open_profile"] == {
                "kind": "open_profile", "allowed": True, "cost": 0, "needs": [],
            }  # fmt: skip
            sent: dict[str, Any] = {}
            for n in (1, 2):
                sent = await ada.call("message.send", to="grace", **said(n))
                assert sent["kind"] == "open_profile"
                assert (await grace.event("message.created"))["data"]["kind"] == "open_profile"
            assert await requests(grace) == []
            answer = await grace.call("message.send", to="ada", **said())
            assert answer["kind"] == "open_profile"
            # Once answered it is open both ways, whatever becomes of the profile.
            await grace.call("settings.set", open_profile=False)
            assert (await ada.call("message.send", to="grace", **said(3)))["kind"] == (
                "open_profile"
            )
            await ada.call("typing.start", conversation=sent["conversation"])
            assert (await grace.event("typing.started"))["data"]["member"] == "ada"
            # Until one of them closes it.
            await grace.call("conversation.close", conversation=sent["conversation"])
            for one in (ada, grace):
                told = (await one.event("conversation.closed"))["data"]
                assert told == {"conversation": sent["conversation"]}
            error = await refused(ada, "message.send", to="grace", **said(4))
            assert error["code"] == "unreachable"
            error = await refused(grace, "message.send", to="ada", **said(4))
            assert error["code"] == "costs_credit"  # a new approach, which is theirs to make
            await grace.call("settings.set", open_profile=True)
            assert (await refused(ada, "message.send", to="grace", **said(5)))["code"] == (
                "unreachable"
            )


async def test_a_fellow_group_member_asks_first_and_learns_nothing_until_the_answer() -> None:
    async with running_node() as server:
        await people(server, ada="basic", grace="basic", linus="basic")
        await group(server, "ada", "grace")
        async with careful(server, "ada", "grace") as (ada, grace):
            assert (await ways(ada, "grace"))["group"]["allowed"]
            assert not (await ways(ada, "linus"))["group"]["allowed"]
            sent = await ada.call("message.send", to="grace", **said())
            place = sent["conversation"]
            assert sent["kind"] == "group"
            assert (await grace.event("message.created"))["data"]["message"] == sent["message"]
            assert (await grace.event("request.received"))["data"] == {"conversation": place}
            assert await requests(grace) == [place]
            assert await requests(ada) == []
            for speaker in (ada, grace):
                got = await speaker.call("conversation.get", conversation=place)
                assert got["state"] == "request"
            error = await refused(ada, "message.send", to="grace", **said(2))
            assert (error["code"], error["rule"]) == ("refused", "request_pending")
            assert not any(way["allowed"] for way in (await ways(ada, "grace")).values())
            # Neither reading nor typing tells the sender anything; nor does a reaction pass.
            await grace.call("receipt.read", conversation=place, seq=1)
            await grace.call("typing.start", conversation=place)
            error = await refused(grace, "message.react", message=sent["message"], emoji="👍")
            assert error["rule"] == "request_pending"
            error = await refused(ada, "message.edit", message=sent["message"], body="x")
            assert error["rule"] == "request_pending"
            assert (await refused(ada, "request.accept", conversation=place))["code"] == "refused"
            await server.quiet()
            await ada.call("ping")
            assert {e["event"] for e in ada.all_events} == {"message.created"}

            answer = await grace.call("message.send", conversation=place, **said())
            assert answer["kind"] == "group"
            for speaker in (ada, grace):
                told = (await speaker.event("request.answered"))["data"]
                assert told == {"conversation": place, "accepted": True}
            assert await requests(grace) == []
            # What was read before the answer is not shown after it.
            got = await ada.call("conversation.get", conversation=place)
            assert got["state"] == "open"
            assert all("shown" not in one for one in got["participants"])
            assert (await ada.call("message.send", to="grace", **said(3)))["kind"] == "group"
            await grace.call("receipt.read", conversation=place, seq=3)
            assert (await ada.event("receipt.read"))["data"]["seq"] == 3


async def test_a_declined_request_is_closed_to_its_sender_and_a_connection_opens_it() -> None:
    async with running_node() as server:
        await people(server, ada="basic", grace="career")
        await group(server, "ada", "grace")
        async with careful(server, "ada", "grace") as (ada, grace):
            place = (await ada.call("message.send", to="grace", **said()))["conversation"]
            assert await grace.call("request.decline", conversation=place) == {}
            for speaker in (ada, grace):
                told = (await speaker.event("request.answered"))["data"]
                assert told == {"conversation": place, "accepted": False}
                got = await speaker.call("conversation.get", conversation=place)
                assert got["state"] == "closed"
            assert await requests(grace) == []
            assert (await refused(grace, "request.accept", conversation=place))["code"] == (
                "refused"
            )
            await grace.call("settings.set", open_profile=True)
            error = await refused(ada, "message.send", to="grace", **said(2))
            assert error["code"] == "unreachable"
            # Who declined may ask in turn; then it is theirs to wait.
            assert (await grace.call("message.send", to="ada", **said()))["kind"] == "group"
            assert (await ada.call("message.send", to="grace", **said(3)))["kind"] == "group"
            await server.operate("connection.put", a="ada", b="grace")
            assert (await ada.call("message.send", to="grace", **said(4)))["kind"] == "direct"


async def test_a_months_group_requests_end_and_do_not_silently_become_an_inmail() -> None:
    async with running_node(policy=Policy(group_openers_per_month=2)) as server:
        others = ("b1", "b2", "b3")
        await people(server, ada="career", eve="basic", **dict.fromkeys(others, "basic"))
        await group(server, "ada", "eve", *others)
        async with careful(server, "ada", "eve") as (ada, eve):
            clock = Clock.of(server)
            for speaker in (ada, eve):
                for n, other in enumerate(others[:2]):
                    sent = await speaker.call("message.send", to=other, **said(n))
                    assert sent["kind"] == "group"
            error = await refused(ada, "message.send", to="b3", **said(3))
            assert (error["code"], error["cost"], error["balance"]) == ("costs_credit", 1, 5)
            error = await refused(eve, "message.send", to="b3", **said(3, max_cost=9))
            assert (error["code"], error["rule"]) == ("refused", "group_openers_per_month")
            assert (await ways(eve, "b3"))["group"] == {
                "kind": "group", "allowed": False, "cost": 0, "needs": ["wait"],
            }  # fmt: skip
            sent = await ada.call("message.send", to="b3", **said(4, max_cost=1))
            assert sent["kind"] == "inmail"
            clock.move(31 * DAY_S)
        async with careful(server, "eve") as (eve,):
            assert (await eve.call("message.send", to="b3", **said(5)))["kind"] == "group"


@pytest.mark.parametrize("answer", ["accept", "decline", "write"])
async def test_an_inmail_costs_a_credit_which_an_answer_gives_back(answer: str) -> None:
    async with running_node() as server:
        await people(server, ada="career", grace="basic")
        async with careful(server, "ada", "grace") as (ada, grace):
            assert (await ways(ada, "grace"))["inmail"] == {
                "kind": "inmail", "allowed": True, "cost": 1, "needs": [],
            }  # fmt: skip
            assert (await ways(grace, "ada"))["inmail"]["needs"] == ["upgrade"]
            error = await refused(ada, "message.send", to="grace", **said())
            assert (error["code"], error["cost"], error["balance"]) == ("costs_credit", 1, 5)
            long = {"body": "x" * 2001, "client_id": "long", "max_cost": 1}
            assert (await refused(ada, "message.send", to="grace", **long))["field"] == "body"
            sent = await ada.call(
                "message.send", to="grace", **said(1, max_cost=1, subject="A house")
            )
            assert sent["kind"] == "inmail"
            again = await ada.call(
                "message.send", to="grace", **said(1, max_cost=1, subject="A house")
            )
            assert again == {**sent, "duplicate": True}
            assert (await ada.event("credits.changed"))["data"] == {"balance": 4}
            assert await ledger(server, "ada") == (4, [("inmail", -1), ("plan", 5)])
            got = (await grace.event("message.created"))["data"]
            assert (got["kind"], got["subject"]) == ("inmail", "A house")
            error = await refused(ada, "message.send", to="grace", **said(2, max_cost=1))
            assert error["rule"] == "request_pending"
            place = sent["conversation"]
            if answer == "write":
                await grace.call("message.send", to="ada", **said())
            else:
                await grace.call(f"request.{answer}", conversation=place)
            accepted = answer != "decline"
            assert (await ada.event("request.answered"))["data"]["accepted"] is accepted
            assert (await ada.event("credits.changed"))["data"] == {"balance": 5}
            assert (await refused(grace, "request.accept", conversation=place))["code"] == (
                "refused"
            )
            if accepted:
                assert (await ada.call("message.send", to="grace", **said(3)))["kind"] == "inmail"
                await grace.call("message.send", to="ada", **said(4))
            assert (await ledger(server, "ada"))[0] == 5
            mine = await ada.call("credits.get")
            assert [entry["change"] for entry in mine["entries"]] == [1, -1, 5]


async def test_what_was_paid_comes_back_whatever_the_price_is_by_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running_node(policy=Policy(inmail_cost=2)) as server:
        await people(server, ada="career", grace="basic")
        async with careful(server, "ada", "grace") as (ada, grace):
            sent = await ada.call("message.send", to="grace", **said(1, max_cost=2))
            for node in server.nodes:
                monkeypatch.setattr(node.store.deployment, "policy", Policy())
            await grace.call("request.decline", conversation=sent["conversation"])
            entries = [("refund", 2), ("inmail", -2), ("plan", 5)]
            assert await ledger(server, "ada") == (5, entries)


async def test_an_answer_after_ninety_days_gives_nothing_back() -> None:
    async with running_node() as server:
        await people(server, ada="career", grace="basic")
        clock = Clock.of(server)
        async with careful(server, "ada") as (ada,):
            await ada.call("message.send", to="grace", **said(1, max_cost=1))
        clock.move(91 * DAY_S)
        async with careful(server, "grace") as (grace,):
            await grace.call("message.send", to="ada", **said())
        _, entries = await ledger(server, "ada")
        assert "refund" not in [reason for reason, _ in entries]
        assert ("expired", -4) in entries


async def test_who_takes_no_inmail_or_has_no_credits_is_explained_to_nobody() -> None:
    async with running_node() as server:
        await people(server, ada="career", eve="basic", grace="basic", mary="basic")
        async with careful(server, "ada", "eve", "grace") as (ada, eve, grace):
            await grace.call("settings.set", inmail=False)
            assert (await refused(ada, "message.send", to="grace", **said(1, max_cost=1)))[
                "code"
            ] == "unreachable"
            assert (await ways(eve, "grace")) == (await ways(eve, "mary"))
            for n in range(5):
                await server.operate("member.put", id=f"r{n}", name="R")
                await ada.call("message.send", to=f"r{n}", **said(10 + n, max_cost=1))
            assert (await ways(ada, "grace")) == (await ways(ada, "mary"))
            assert (await ways(ada, "mary"))["inmail"]["needs"] == ["buy credits"]
            error = await refused(ada, "message.send", to="mary", **said(2, max_cost=1))
            assert (error["code"], error["balance"]) == ("costs_credit", 0)
            bought = {"member": "ada", "amount": 2, "reason": "purchase", "client_id": "order-1"}
            for repeat in (False, True):
                granted = await server.operate("credits.grant", **bought)
                assert granted == {"balance": 2, "duplicate": repeat}
            with pytest.raises(Exception, match="client_id"):
                await server.operate("credits.grant", **{**bought, "amount": 3})
            with pytest.raises(Exception, match="client_id"):
                await server.operate("credits.grant", **{**bought, "member": "eve"})
            assert (await ada.call("message.send", to="mary", **said(3, max_cost=1)))["kind"] == (
                "inmail"
            )


async def test_the_plans_end_takes_the_credits_and_an_open_profile_with_it() -> None:
    async with running_node() as server:
        await people(server, ada="career", eve="basic")
        async with careful(server, "ada", "eve") as (ada, eve):
            await ada.call("settings.set", open_profile=True)
            assert (await eve.call("message.send", to="ada", **said(1)))["kind"] == "open_profile"
            await server.operate("credits.grant", member="ada", amount=3, reason="gift",
                                 client_id="g")  # fmt: skip
            await people(server, ada="basic")
            assert (await ledger(server, "ada"))[0] == 0
            assert (await refused(eve, "message.send", to="ada", **said(2)))["code"] == (
                "unreachable"
            )
            await people(server, ada="business")
            assert (await ledger(server, "ada"))[0] == 15


async def test_no_credit_is_spent_twice_however_many_spend_at_once() -> None:
    async with running_node(policy=Policy(credits_monthly=DEFAULT.credits_monthly)) as server:
        others = [f"r{n}" for n in range(12)]
        await people(server, ada="career", **dict.fromkeys(others, "basic"))
        async with careful(server, "ada", "ada") as devices:
            answers = await asyncio.gather(
                *(_try(devices[n % 2], other, n) for n, other in enumerate(others))
            )
        assert sorted(answers) == ["costs_credit"] * 7 + ["inmail"] * 5
        balance, entries = await ledger(server, "ada")
        assert (balance, entries.count(("inmail", -1))) == (0, 5)


async def _try(speaker: CarefulPeer, to: str, n: int) -> str:
    future = await speaker.start("message.send", to=to, **said(n, max_cost=1))
    answer = await future
    return str(answer["result"]["kind"] if "result" in answer else answer["error"]["code"])


async def test_a_block_hides_behind_a_request_and_ends_what_an_answer_opened() -> None:
    async with running_node() as server:
        await people(server, ada="basic", grace="basic", mary="basic")
        await group(server, "ada", "grace", "mary")
        async with careful(server, "ada", "grace", "mary") as (ada, grace, mary):
            waiting = await ada.call("message.send", to="grace", **said(1))
            opened = await ada.call("message.send", to="mary", **said(2))
            await mary.call("request.accept", conversation=opened["conversation"])
            for blocker, sent in ((grace, waiting), (mary, opened)):
                place = sent["conversation"]
                before = await ada.call("conversation.get", conversation=place)
                await blocker.call("block.add", member="ada")
                after = await ada.call("conversation.get", conversation=place)
                assert (before["state"], before["last"]) == (after["state"], after["last"])
                error = await refused(ada, "message.send", conversation=place, **said(3))
                assert error["code"] == "unreachable"
                await blocker.call("block.remove", member="ada")
            await grace.call("request.accept", conversation=waiting["conversation"])
            assert (await ada.call("message.send", to="mary", **said(4)))["kind"] == "group"
            assert await requests(mary) == [opened["conversation"]]


async def test_invitations_and_notes_have_their_quotas() -> None:
    policy = Policy(invitations_per_week=3, notes_per_month_basic=1, connections_per_member=1)
    async with running_node(policy=policy) as server:
        others = ("b1", "b2", "b3", "b4")
        await people(server, ada="basic", pro="career", **dict.fromkeys(others, "basic"))
        async with careful(server, "ada", "pro", "b1", "b2") as (ada, pro, b1, b2):
            clock = Clock.of(server)
            first = await ada.call("invitation.send", to="b1", note="Hi")
            error = await refused(ada, "invitation.send", to="b2", note="Hi")
            assert error["rule"] == "notes_per_month"
            second = await ada.call("invitation.send", to="b2")
            await ada.call("invitation.send", to="b3")
            error = await refused(ada, "invitation.send", to="b4")
            assert error["rule"] == "invitations_per_week"
            for other in others[:3]:
                await pro.call("invitation.send", to=other, note="Hi")
            await b1.call("invitation.accept", invitation=first["invitation"])
            error = await refused(b2, "invitation.accept", invitation=second["invitation"])
            assert error["code"] == "unreachable"
            clock.move(7 * DAY_S)
        async with careful(server, "ada") as (ada,):
            error = await refused(ada, "invitation.send", to="b4")
            assert error["rule"] == "connections_per_member"
