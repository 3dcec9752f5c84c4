"""Retention: what is older than it is kept goes, and everything else stays as it was."""

from __future__ import annotations

from typing import Any

from server.domain.policy import Policy
from tests.support.careful_peer import CarefulPeer, careful, refused
from tests.support.clocks import Clock
from tests.support.running import Running, running_node
from tests.support.traces import entries, stored

DAY = 86_400
POLICY = Policy(retention_days=3, audit_days=2)


async def turn(server: Running) -> int:
    """The job, once on each node; answers what was removed."""
    removed = 0
    for node in server.nodes:
        removed += await node.dispatcher.retention.remove()
    await server.quiet()
    return removed


async def bodies(peer: CarefulPeer, place: str) -> list[str | None]:
    page = await peer.call("conversation.history", conversation=place)
    return [message.get("body") for message in page["messages"]]


async def test_old_messages_become_tombstones_and_nothing_else_changes() -> None:
    async with running_node(policy=POLICY) as server:
        clock = Clock.of(server)
        await server.people("ada", "grace", "linus")
        first: dict[str, Any] = {}
        async with careful(server, "ada", "grace", "linus") as (ada, grace, linus):
            several = (await ada.call("conversation.start", members=["grace", "linus"]))[
                "conversation"
            ]
            sent: dict[str, Any] = {}
            for params in ({"to": "grace"}, {"conversation": several}):
                for number in range(3):
                    sent = await ada.call(
                        "message.send", body=f"old canary {number}", subject="old subject",
                        client_id=f"{number}{len(params.get('conversation', ''))}", **params,
                    )  # fmt: skip
                    first[sent["message"]] = sent
                await ada.call("message.edit", message=sent["message"], body="edited canary")
                await grace.call("message.react", message=sent["message"], emoji="🐤")
            one = next(iter(first.values()))["conversation"]
            gone = await grace.call("message.send", to="ada", body="taken back canary",
                                    client_id="gone")  # fmt: skip
            await grace.call("message.delete", message=gone["message"])
            await ada.call("conversation.remove", conversation=several, member="linus")
        clock.move(2 * DAY)
        async with careful(server, "ada") as (ada,):
            await ada.call("message.send", to="grace", body="new", client_id="new")
            await ada.call("message.send", conversation=several, body="new", client_id="new 2")
        clock.move(1.5 * DAY)
        async with careful(server, "ada", "grace", "linus") as (ada, grace, linus):
            there = (await grace.call("conversation.get", conversation=one))["at"]
            assert await turn(server) > 0
            for place, count in ((one, 4), (several, 3)):
                shown = await bodies(grace, place)
                assert shown == [None] * count + ["new"]
                got = await grace.call("conversation.get", conversation=place)
                assert (got["unread"], got["seq"], got["last"]["body"]) == (1, count + 1, "new")
            # So is it to who left before, and nothing is unread that cannot be read.
            assert await bodies(linus, several) == [None] * 3
            closed = await linus.call("conversation.get", conversation=several)
            assert (closed["unread"], closed["seq"]) == (0, 3)
            # Who is there is told, each once, with the message as it is read now.
            await grace.call("ping")
            told = {e["data"]["message"]: e["data"] for e in grace.events}
            assert set(first) == set(told)
            page = await grace.call("conversation.history", conversation=one)
            assert [m for m in page["messages"] if m["message"] in told] == [
                m for m in told.values() if m["conversation"] == one
            ]
            # A repeat of what was sent is told what it came to; of its words nothing is left.
            for params in ({"to": "grace"}, {"conversation": several}):
                again = await ada.call(
                    "message.send", body="old canary 0", subject="old subject",
                    client_id=f"0{len(params.get('conversation', ''))}", **params,
                )  # fmt: skip
                assert again["duplicate"] is True
                assert {**first[again["message"]], "duplicate": True} == again
            error = await refused(ada, "message.react", message=next(iter(first)), emoji="👍")
            assert (error["code"], error["rule"]) == ("refused", "deleted")
        async with CarefulPeer(server.ws, server.token("grace")) as away:
            assert "member:grace" not in (await away.connect(resume=there))["reset"]
            missed = await away.event("message.deleted")
            assert "body" not in missed["data"]
        text = await stored(server)
        assert [w for w in ("canary", "old subject", "🐤") if w in text] == []
        assert await turn(server) == 0


async def test_who_resumes_over_what_was_removed_gets_tombstones() -> None:
    async with running_node(policy=POLICY) as server:
        clock = Clock.of(server)
        await server.people("ada", "grace")
        async with careful(server, "grace") as (grace,):
            seen = {"member:grace": grace.positions["member:grace"]}
        async with careful(server, "ada") as (ada,):
            for number in range(3):
                await ada.call("message.send", to="grace", body=f"b{number}", client_id=f"{number}")
        clock.move(3.5 * DAY)
        assert await turn(server) >= 3
        async with CarefulPeer(server.ws, server.token("grace")) as grace:
            await grace.connect(resume=seen)
            for name in ("message.created", "message.deleted"):
                for seq in range(1, 4):
                    event = await grace.event(name)
                    assert (event["data"]["seq"], event["data"].get("body")) == (seq, None)
                    assert event["data"]["deleted_at"] > 0


async def test_more_than_one_step_and_every_node_at_once() -> None:
    async with running_node(policy=Policy(retention_days=1)) as server:
        clock = Clock.of(server)
        await server.people("ada", "grace")
        async with careful(server, "ada") as (ada,):
            sends = [
                await ada.start("message.send", to="grace", body="old", client_id=f"{number}")
                for number in range(120)
            ]
            places = {(await sent)["result"]["conversation"] for sent in sends}
            clock.move(2 * DAY)
        async with careful(server, "ada", "grace") as (ada, grace):
            turns = [node.dispatcher.retention.remove() for node in server.nodes]
            for one in turns:
                await one
            await server.quiet()
            assert await bodies(ada, *places) == [None] * 50
            await grace.call("ping")
            told = [e["data"]["seq"] for e in grace.events if e["event"] == "message.deleted"]
            assert told == list(range(1, 121))


async def test_a_hold_stops_it_and_lifting_goes_on() -> None:
    async with running_node(policy=POLICY) as server:
        clock = Clock.of(server)
        await server.people("ada", "grace", "linus", "mary")
        async with careful(server, "ada", "mary") as (ada, mary):
            places = [
                (await peer.call("message.send", to=to, body=f"to {to}", client_id=to))[
                    "conversation"
                ]
                for peer, to in ((ada, "grace"), (ada, "linus"), (mary, "linus"))
            ]
        holds = [
            (await server.operate("hold.put", reason="a case", **what))["hold"]
            for what in ({"conversation": places[0]}, {"member": "mary"})
        ]
        clock.move(3.5 * DAY)
        await turn(server)
        async with careful(server, "ada", "mary") as (ada, mary):
            assert await bodies(ada, places[0]) == ["to grace"]
            assert await bodies(ada, places[1]) == [None]
            assert await bodies(mary, places[2]) == ["to linus"]
            for hold in holds:
                await server.operate("hold.delete", hold=hold)
            await turn(server)
            assert await bodies(ada, places[0]) == [None]
            assert await bodies(mary, places[2]) == [None]


async def test_without_a_number_of_days_everything_is_kept() -> None:
    async with running_node(policy=Policy(audit_days=0)) as server:
        clock = Clock.of(server)
        await server.people("ada", "grace")
        async with careful(server, "ada") as (ada,):
            place = (await ada.call("message.send", to="grace", body="kept", client_id="1"))[
                "conversation"
            ]
        clock.move(9 * DAY)
        assert await turn(server) == 0
        async with careful(server, "ada") as (ada,):
            assert await bodies(ada, place) == ["kept"]
        assert len(await entries(server)) == 3


async def test_the_audit_log_has_a_time_of_its_own() -> None:
    async with running_node(policy=POLICY) as server:
        clock = Clock.of(server)
        await server.people("ada", "grace")
        clock.move(1.5 * DAY)
        await server.people("linus")
        clock.move(1 * DAY)
        assert await turn(server) == 3
        assert [entry["about"] for entry in await entries(server)] == [["linus"]]
