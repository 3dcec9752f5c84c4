"""`member.export` and `export`: all that is a member's, and nothing that is another's own."""

from __future__ import annotations

from typing import Any

import pytest

from server.commands.exporting import SECTIONS
from server.domain.policy import Policy, Rate
from tests.support.careful_peer import CarefulPeer, HttpPeer, careful, refused
from tests.support.peer_client import Peer
from tests.support.running import Running, running_node

Sections = dict[str, list[dict[str, Any]]]


async def exported(server: Running, member: str, limit: int = 200) -> Sections:
    """Every section, page by page."""
    found: Sections = {}
    asked: dict[str, Any] | None = {}
    while asked is not None:
        page = await server.operate("member.export", id=member, limit=limit, **asked)
        # A message's reactions are not divided, so that a page of these may have some more.
        assert len(page["items"]) <= limit + (20 if page["section"] == "reactions" else 0)
        found.setdefault(page["section"], []).extend(page["items"])
        asked = page.get("next")
    found["profile"][0].pop("last_active", None)  # moves with the sessions that ended just now
    return found


async def live(server: Running) -> dict[str, str]:
    """Ada among others, each of whom has something of their own that she must not see."""
    await server.people("ada", "grace", "linus")
    await server.people("eve", "tim", "mary", "bob", connected=False)
    await server.operate("member.put", id="ada", name="Ada O.", headline="Engineer", plan="career",
                         facets={"skills": ["timber"]}, settings={"sponsored": False})  # fmt: skip
    async with Peer(server.ws, server.token("ada")) as laptop:
        await laptop.connect(device="ada's laptop")
    async with Peer(server.ws, server.token("grace")) as secret:
        await secret.connect(device="canary device")
    async with careful(server, "ada", "grace", "linus", "eve", "tim", "mary", "bob") as (
        ada, grace, linus, eve, tim, mary, bob,
    ):  # fmt: skip
        sent = await ada.call("message.send", to="grace", body="mine", client_id="1")
        one = sent["conversation"]
        answer = await grace.call("message.send", to="ada", body="canary before", client_id="1")
        await grace.call("message.edit", message=answer["message"], body="an answer")
        gone = await grace.call("message.send", to="ada", body="canary gone", client_id="2")
        await grace.call("message.delete", message=gone["message"])
        await ada.call("message.react", message=answer["message"], emoji="🌹")
        await ada.call("message.react", message=answer["message"], emoji="👍")
        await ada.call("message.unreact", message=answer["message"], emoji="👍")
        await grace.call("receipt.read", conversation=one, seq=1)
        await ada.call("receipt.read", conversation=one, seq=2)
        several = (await grace.call("conversation.start", members=["ada", "linus"], title="Roof"))[
            "conversation"
        ]
        said = await grace.call("message.send", conversation=several, body="then", client_id="3")
        await ada.call("message.react", message=said["message"], emoji="👏")
        await grace.call("conversation.remove", conversation=several, member="ada")
        await grace.call("message.edit", message=said["message"], body="canary later")
        await grace.call("message.send", conversation=several, body="canary after", client_id="4")
        await grace.call("conversation.rename", conversation=several, title="canary title")
        private = await grace.call("message.send", to="linus", body="canary other", client_id="5")
        await linus.call("message.react", message=private["message"], emoji="🐤")
        reported = {"conversation": several, "message": said["message"], "reason": "spam"}
        await ada.call("report.send", **reported, text="my words")
        await ada.call("report.send", conversation=one, reason="other")
        await grace.call("report.send", conversation=one, reason="fraud", text="canary report")
        await ada.call("invitation.send", to="tim", note="my note")
        for peer, note in ((eve, "eve's note"), (bob, "canary withdrawn")):
            await peer.call("invitation.send", to="ada", note=note)
        for invitation in (await ada.call("invitation.list"))["invitations"]:
            if invitation["from"] == "bob":
                await bob.call("invitation.withdraw", invitation=invitation["invitation"])
        for invitation in (await tim.call("invitation.list"))["invitations"]:
            await tim.call("invitation.ignore", invitation=invitation["invitation"])
        await ada.call("block.add", member="linus")
        await mary.call("block.add", member="ada")
    return {"one": one, "several": several}


async def test_an_export_has_all_that_is_theirs_and_nothing_of_others_own() -> None:
    async with running_node() as server:
        places = await live(server)
        found = await exported(server, "ada")
        assert list(found) == list(SECTIONS)
        assert "canary" not in str(found)
        assert "jti" not in str(found)
        (profile,) = found["profile"]
        assert profile == {
            "id": "ada", "name": "Ada O.", "headline": "Engineer", "avatar": "", "plan": "career",
            "facets": {"skills": ["timber"]},
        }  # fmt: skip
        assert found["settings"][0]["sponsored"] is False
        assert {one["device"] for one in found["devices"]} == {"ada's laptop", "test"}
        assert [one["member"] for one in found["connections"]] == ["grace"]
        assert [one["member"] for one in found["blocks"]] == ["linus"]
        invitations = {(i["from"], i["to"], i["note"], i["state"]) for i in found["invitations"]}
        # Tim has put hers away, and she is not told.
        assert invitations == {
            ("ada", "tim", "my note", "open"),
            ("eve", "ada", "eve's note", "open"),
        }
        conversations = {one["id"]: one for one in found["conversations"]}
        assert set(conversations) == set(places.values())
        assert conversations[places["one"]]["read"] == 2
        assert conversations[places["one"]]["shown"] == 2
        assert conversations[places["several"]]["title"] == "Roof"
        assert conversations[places["several"]]["state"] == "closed"
        for one in conversations.values():
            assert all(set(p) == {"member", "name", "role"} for p in one["participants"])
        bodies = [(m["conversation"], m.get("body")) for m in found["messages"]]
        bodies.sort(key=lambda body: body[0] != places["one"])  # in order within each
        assert bodies == [
            (places["one"], "mine"), (places["one"], "an answer"), (places["one"], None),
            (places["several"], "then"),
        ]  # fmt: skip
        reactions = [(r["conversation"], r["seq"], r["emoji"]) for r in found["reactions"]]
        assert set(reactions) == {(places["one"], 2, "🌹"), (places["several"], 1, "👏")}
        assert len(reactions) == 2
        whole, meant = found["reports"]
        assert (whole["conversation"], whole["reason"], whole["text"]) == (
            places["one"], "other", ""
        )  # fmt: skip
        assert (meant["conversation"], meant["reason"], meant["text"]) == (
            places["several"], "spam", "my words"
        )  # fmt: skip
        assert set(whole) == {"report", "conversation", "reason", "text", "at"}
        assert set(meant) == {*whole, "message"}
        assert meant["message"] in {m["message"] for m in found["messages"]}


async def test_pages_of_any_size_say_the_same() -> None:
    async with running_node() as server:
        await live(server)
        whole = await exported(server, "ada")
        for limit in (1, 2, 3):
            assert await exported(server, "ada", limit) == whole


async def test_many_conversations_with_few_messages() -> None:
    async with running_node() as server:
        others = [f"m{number}" for number in range(60)]
        await server.people("ada")
        for other in others:
            await server.people(other)
            await server.operate("connection.put", a="ada", b=other)
        async with careful(server, "ada") as (ada,):
            for other in others:
                await ada.call("message.send", to=other, body=f"to {other}", client_id=other)
                await ada.call("conversation.start", members=[other])
        found = await exported(server, "ada")
        assert sorted(m["body"] for m in found["messages"]) == sorted(f"to {o}" for o in others)
        assert len(found["conversations"]) == 60


@pytest.mark.parametrize("encoding", ["msgpack", "json"])
async def test_a_member_gets_the_same_by_themself(encoding: str) -> None:
    async with running_node() as server:
        await live(server)
        async with CarefulPeer(server.ws, server.token("ada"), encoding) as ada:
            await ada.connect(device="ada's laptop")
            whole = await exported(server, "ada")
            found: Sections = {}
            asked: dict[str, Any] | None = {}
            while asked is not None:
                page = await ada.call("export", **asked)
                found.setdefault(page["section"], []).extend(page["items"])
                asked = page.get("next")
            assert {k: v for k, v in found.items() if k != "profile"} == {
                k: v for k, v in whole.items() if k != "profile"
            }
            for params, field in (
                ({"section": "nothing"}, "section"), ({"section": 1}, "section"),
                ({"limit": 0}, "limit"), ({"section": "messages", "before": "x"}, "before"),
                ({"section": "messages", "before": "x.1"}, "before"),
                ({"section": "blocks", "before": "x"}, "before"),
                ({"section": "invitations", "before": "x"}, "before"),
                ({"section": "conversations", "before": "x"}, "before"),
                ({"section": "reports", "before": "x"}, "before"),
                ({"section": "reactions", "before": "x.²"}, "before"),
            ):  # fmt: skip
                error = await refused(ada, "export", **params)
                assert (error["code"], error["field"]) == ("invalid", field), params


async def test_the_rate_of_exports_is_limited() -> None:
    policy = Policy(rate_export=Rate(per_second=0.001, burst=3))
    async with running_node(rate_limits=True, policy=policy) as server:
        await server.people("ada")
        async with HttpPeer(server.base, server.token("ada")) as ada:
            for _ in range(3):
                await ada.call("export")
            assert (await refused(ada, "export"))["code"] == "rate_limited"


async def test_whom_there_is_nothing_of() -> None:
    async with running_node() as server, HttpPeer(server.base, key=server.admin_key) as operator:
        await server.people("ada")
        for params, field in (
            ({"id": "nobody"}, "id"), ({}, "id"), ({"id": "ada", "section": "x"}, "section"),
            ({"id": "erased.member"}, "id"),
        ):  # fmt: skip
            error = await refused(operator, "member.export", **params)
            assert (error["code"], error["field"]) == ("invalid", field), params
        await operator.call("member.delete", id="ada")
        assert (await operator.call("member.export", id="ada"))["items"][0]["name"] == "Ada"
