"""What a running node really answers and sends is what the reference documents say.

Every command is given, every event and signal happens, and each frame is held against its schema.
A field that the documents do not name fails as well as one that is missing.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from server.commands import table
from server.commands.events import EVENTS, SIGNALS
from server.domain.policy import DEFAULT, Policy
from server.web.reference import make
from tests.support.json_schema import faults
from tests.support.peer_client import Peer, Refusal, connected
from tests.support.running import Running, running_node

DOCUMENT: dict[str, Any] = json.loads(make(DEFAULT)["asyncapi.json"][1])
OPENAPI: dict[str, Any] = json.loads(make(DEFAULT)["openapi.json"][1])
MESSAGES = DOCUMENT["channels"]["socket"]["messages"]
# Small, so that a conversation of four is one of the many.
POLICY = Policy(signals_up_to=3, sessions_per_member=50)


class Witness:
    """Holds frames against their schemas and remembers which there have been."""

    def __init__(self, server: Running) -> None:
        self.server = server
        self.answered: set[str] = set()
        self.refused: set[str] = set()

    async def tell(self, peer: Peer, cmd: str, **params: Any) -> dict[str, Any]:
        """A command's result, which is as documented. Raises `Refusal`."""
        result = await peer.call(cmd, **params)
        self.answered.add(cmd)
        payload = MESSAGES[f"{cmd}.result"]["payload"]
        assert faults({"id": 1, "result": result}, payload, DOCUMENT) == [], cmd
        return result

    async def refuse(self, peer: Peer, code: str, cmd: str, **params: Any) -> None:
        """Give a command that is answered with this error, which is as documented."""
        with pytest.raises(Refusal, match=code) as refusal:
            await peer.call(cmd, **params)
        self.refused.add(cmd)
        answer = {"id": 1, "error": refusal.value.error}
        assert faults(answer, MESSAGES["error"]["payload"], DOCUMENT) == [], cmd

    async def operate(self, cmd: str, **params: Any) -> dict[str, Any]:
        """Give the operator's command and check its result."""
        result = await self.server.operate(cmd, **params)
        self.answered.add(cmd)
        answer = OPENAPI["paths"][f"/admin/v1/{cmd}"]["post"]["responses"]["200"]
        schema = answer["content"]["application/json"]["schema"]
        assert faults({"result": result}, schema, OPENAPI) == [], cmd
        return result

    async def peer(self, member: str, encoding: str, **params: Any) -> Peer:
        """A connected peer; the caller closes it."""
        peer = Peer(self.server.ws, self.server.token(member), encoding)
        await peer.__aenter__()
        await self.tell(peer, "connect", token=self.server.token(member), device="test", **params)
        return peer


async def talk(w: Witness, ada: Peer, grace: Peer) -> None:
    """Between two: messages, receipts, typing."""
    sent = await w.tell(ada, "message.send", to="grace", body="Hello", client_id="1", subject="Hi")
    again = await w.tell(ada, "message.send", to="grace", body="Hello", client_id="1", subject="Hi")
    assert again["duplicate"]
    place, message = sent["conversation"], sent["message"]
    await w.refuse(ada, "client_id_reused", "message.send", to="grace", body="x", client_id="1")
    await w.refuse(ada, "invalid", "message.send", to="grace", body="x")
    await w.refuse(ada, "unreachable", "message.send", to="nobody", body="x", client_id="0")
    await w.tell(
        grace, "message.send", conversation=place, body="@ada", client_id="2", reply_to=message,
        mentions=["ada"],
    )  # fmt: skip
    await w.tell(ada, "message.edit", message=message, body="Hello!")
    await w.tell(grace, "message.react", message=message, emoji="🌹")
    await w.tell(grace, "message.unreact", message=message, emoji="🌹")
    await w.tell(grace, "typing.start", conversation=place)
    await ada.event("typing.started")
    await w.tell(grace, "typing.stop", conversation=place)
    await ada.event("typing.stopped")
    await w.tell(grace, "receipt.read", conversation=place, seq=1)
    await ada.event("receipt.read")
    got = await w.tell(ada, "conversation.get", conversation=place)
    assert [one.get("shown") for one in got["participants"]].count(1) == 1
    await own_view(w, ada, place)
    await w.tell(ada, "message.delete", message=message)
    await w.refuse(ada, "refused", "message.edit", message=message, body="x")
    for cmd in ("request.accept", "request.decline"):
        await w.refuse(ada, "refused", cmd, conversation=place)
    assert (await w.tell(ada, "conversation.clear", conversation=place))["cleared_seq"] == 3


async def own_view(w: Witness, ada: Peer, place: str) -> None:
    """What is one's own, a search and a report."""
    await w.tell(ada, "conversation.set", conversation=place, archived=True, unread=True)
    await w.tell(ada, "draft.set", conversation=place, body="Not yet")
    assert (await w.tell(ada, "conversation.get", conversation=place))["draft"] == "Not yet"
    await w.tell(ada, "message.send", conversation=place, body="hello again", client_id="h")
    page = await w.tell(ada, "message.search", query="hello", limit=1)
    rest = await w.tell(ada, "message.search", query="hello", before=page["next"])
    assert (len(page["messages"]), len(rest["messages"]), rest["more"]) == (1, 1, False)
    await w.tell(ada, "report.send", conversation=place, reason="spam", text="See")
    (report,) = (await w.operate("report.list"))["reports"]
    assert [one["subject"] for one in report["exhibits"] if "subject" in one] == ["Hi"]
    await w.operate("report.close", report=report["report"])
    await w.tell(ada, "conversation.set", conversation=place, reported=False)


async def gather(w: Witness, ada: Peer, grace: Peer) -> None:
    """Between several, in small and in large numbers."""
    place = (await w.tell(ada, "conversation.start", members=["grace", "linus"], title="Roof"))[
        "conversation"
    ]
    await w.tell(ada, "conversation.rename", conversation=place, title="Roof and wall")
    sent = await w.tell(grace, "message.send", conversation=place, body="one", client_id="3")
    await w.tell(ada, "message.react", message=sent["message"], emoji="👍")
    await w.tell(ada, "conversation.add", conversation=place, member="mary")
    many = await w.tell(grace, "message.react", message=sent["message"], emoji="👍")
    assert many["reactions"] == [{"emoji": "👍", "count": 2}]
    assert (await w.tell(ada, "conversation.get", conversation=place))["participants"] == []
    await w.tell(ada, "conversation.remove", conversation=place, member="linus")
    await w.tell(grace, "conversation.leave", conversation=place)
    closed = await w.tell(grace, "conversation.get", conversation=place)
    assert closed["state"] == "closed"
    await w.tell(ada, "conversation.list", limit=1)
    await w.tell(ada, "conversation.history", conversation=place)


async def relate(w: Witness, ada: Peer, eve: Peer, tim: Peer) -> None:
    """Between strangers: invitations, connections, blocks."""
    assert (await w.tell(ada, "explain", to="eve"))["ways"][0]["needs"] == ["connect"]
    first = (await w.tell(eve, "invitation.send", to="ada", note="Hi"))["invitation"]
    await w.tell(ada, "invitation.list")
    await w.tell(ada, "invitation.ignore", invitation=first)
    await w.tell(eve, "invitation.withdraw", invitation=first)
    second = (await w.tell(tim, "invitation.send", to="ada"))["invitation"]
    await w.tell(ada, "invitation.accept", invitation=second)
    await w.tell(ada, "presence.get", members=["tim", "eve", "nobody"])
    await w.tell(ada, "connection.list", limit=1)
    await w.tell(ada, "connection.remove", member="tim")
    third = (await w.tell(ada, "invitation.send", to="tim"))["invitation"]
    await w.tell(ada, "invitation.withdraw", invitation=third)
    fourth = (await w.tell(tim, "invitation.send", to="ada"))["invitation"]
    await w.tell(ada, "invitation.refuse", invitation=fourth)
    await w.tell(ada, "block.add", member="eve")
    await w.tell(ada, "block.list")
    await w.tell(ada, "block.remove", member="eve")


async def approach(w: Witness, linus: Peer, kim: Peer, pat: Peer) -> None:
    """Requests and groups, and what they cost."""
    await w.operate("group.put", id="g", name="G", owner="kim", members=["linus"])
    await w.operate("group.add", group="g", member="pat")
    await w.operate("credits.grant", member="kim", amount=1, reason="purchase", client_id="order")
    await w.operate("credits.ledger", member="kim")
    await w.refuse(kim, "costs_credit", "message.send", to="mary", body="x", client_id="0")
    await w.tell(kim, "message.send", to="mary", body="x", client_id="1", max_cost=1)
    await w.tell(kim, "credits.get", limit=1)
    asked = await w.tell(kim, "message.send", to="pat", body="x", client_id="2")
    place = {"conversation": asked["conversation"]}
    await w.tell(pat, "conversation.list", filter="requests")
    await w.tell(pat, "request.accept", **place)
    await w.tell(pat, "conversation.close", **place)
    asked = await w.tell(linus, "message.send", to="pat", body="x", client_id="1")
    await w.tell(pat, "request.decline", conversation=asked["conversation"])
    assert (await w.tell(linus, "group.list"))["groups"][0]["role"] == "member"
    made = await w.tell(kim, "conversation.start", members=["linus"], group="g")
    place = {"conversation": made["conversation"]}
    await linus.event("conversation.joined")
    first = await w.tell(kim, "message.send", body="x", client_id="3", **place)
    await w.tell(kim, "message.send", body="y", client_id="4", mentions=["pat"], **place)
    await w.tell(kim, "message.edit", message=first["message"], body="z")
    await pat.event("position.passed")
    assert (await w.tell(pat, "conversation.get", **place))["kind"] == "group"
    await w.operate("group.remove", group="g", member="pat")


async def run_the_house(w: Witness) -> None:
    """The operator's commands."""
    await w.operate("member.put", id="tim", name="Tim", settings={"receipts": False})
    await w.operate("connection.put", a="ada", b="tim")
    await w.operate("connection.delete", a="ada", b="tim")
    await w.operate("token.issue", member="tim")
    mixed = [{"cmd": "member.put", "params": {"id": "x", "name": "X"}}, {"cmd": "nothing"}]
    await w.operate("batch", commands=mixed)
    await w.operate("session.revoke", member="tim", device="phone")
    await w.operate("member.delete", id="x")
    hold = (await w.operate("hold.put", member="tim", reason="a case"))["hold"]
    await w.operate("hold.list")
    await w.operate("hold.delete", hold=hold)
    await w.operate("member.export", id="ada", section="messages", limit=1)
    await w.operate("member.erase", id="x")
    await w.operate("audit.list", limit=1)


async def test_every_command_and_event_is_as_documented() -> None:
    async with running_node(policy=POLICY) as server:
        w = Witness(server)
        await server.people("ada", "grace", "linus", "mary")
        await server.people("eve", "tim", "pat", connected=False)
        await server.operate("member.put", id="kim", name="Kim", plan="career")
        names = {
            "ada": "msgpack",
            "grace": "json",
            "linus": "json",
            "eve": "msgpack",
            "tim": "json",
            "kim": "json",
            "pat": "msgpack",
        }
        peers = {name: await w.peer(name, encoding) for name, encoding in names.items()}
        ada, grace, eve, tim = (peers[name] for name in ("ada", "grace", "eve", "tim"))
        await w.tell(ada, "ping")
        await w.tell(ada, "settings.get")
        await w.tell(ada, "settings.set", sponsored=False)
        await w.tell(ada, "export")
        await w.tell(ada, "refresh", token=server.token("ada"))
        await talk(w, ada, grace)
        await gather(w, ada, grace)
        await relate(w, ada, eve, tim)
        await tim.event("invitation.withdrawn")
        await approach(w, peers["linus"], peers["kim"], peers["pat"])
        await run_the_house(w)
        late = await w.peer("ada", "json", resume_more=True, resume={})
        await w.tell(late, "resume", topics={"member:ada": 0})
        await late.event("settings.changed")
        assert (await w.tell(late, "conversation.list", filter="unread"))["more"] is False
        live = [event for peer in peers.values() for event in peer.all_events]
        replayed = list(late.all_events)
        for peer in (*peers.values(), late):
            await peer.__aexit__(None, None, None)

    for event in (*live, *replayed):
        payload = MESSAGES[f"{event['event']}.event"]["payload"]
        assert faults(event, payload, DOCUMENT) == [], event["event"]
    assert {event["event"] for event in live} == set(EVENTS) | set(SIGNALS)
    assert w.answered == set(table.MEMBER) | set(table.OPERATOR)


async def test_the_place_in_a_list_of_members_tells_of_nobody() -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus")
        await server.people("eve", connected=False)
        await server.operate("member.put", id="mallory", name="Mallory")
        async with connected(server, "ada", "mallory") as (ada, mallory):
            await mallory.call("block.add", member="ada")
            first = await ada.call("connection.list", limit=1)
            rest = await ada.call("connection.list", before=first["next"])
            assert [m["member"] for m in first["members"] + rest["members"]] == ["grace", "linus"]
            refusals = []
            for guess in ("eve", "mallory", "nobody", "grace"):
                with pytest.raises(Refusal) as refusal:
                    await ada.call("connection.list", before=guess)
                refusals.append(refusal.value.error)
            assert refusals.count(refusals[0]) == 4
