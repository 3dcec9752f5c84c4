"""Two nodes are one house: what is done at one is so at the other, by the time it is answered."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy.util import await_only

from server.app import Node
from server.domain.policy import Policy
from tests.support import planted
from tests.support.clocks import Clock
from tests.support.running import running_node
from tests.support.seats import seat, seats, talk

pytestmark = pytest.mark.houses("two nodes")
A, B = 0, 1


async def test_presence_is_the_same_at_every_node() -> None:
    async with running_node() as server:
        clock = Clock.of(server)
        await server.people("ada", "grace")
        async with seats(server, (A, "ada"), (B, "ada")) as both:
            async with seats(server, (B, "grace")):
                for one in both:
                    found = (await one.call("presence.get", members=["grace"]))["members"]
                    assert found == {"grace": {"active": True, "last_active": clock.now_ms()}}
                clock.move(60)
            left_ms = clock.now_ms()
            await server.attended()
            clock.move(60)
            for one in both:
                found = (await one.call("presence.get", members=["grace"]))["members"]
                assert found == {"grace": {"active": False, "last_active": left_ms}}


async def test_sessions_are_counted_over_all_nodes() -> None:
    async with running_node(policy=Policy(sessions_per_member=3)) as server:
        await server.people("ada")
        async with seats(server, (A, "ada"), (B, "ada"), (B, "ada")) as three:
            for index in (A, B):
                async with seat(server, index, "ada") as late:
                    await late.start("connect", token=server.token("ada"))
                    assert (await late.end())[0] == 4504
            for one in three:
                await one.call("ping")
            await three[1].socket.close()
            await server.attended()
            async with seat(server, A, "ada") as late:
                await late.connect()
                await late.call("ping")


async def test_who_leaves_before_the_connect_is_stored_is_not_there_afterwards() -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with seats(server, (B, "grace")) as (grace,), seat(server, A, "ada") as ada:

            async def leave(node: Node) -> None:
                await ada.socket.close()
                assert node.attendance is not None
                await node.attendance.turn()  # its end is written before its beginning

            with planted.at_writing(server, server.node.name, lambda n: await_only(leave(n))):
                await ada.start("connect", token=server.token("ada"))
                await ada.end()
                await server.node.store.idle()
            await server.attended()
            found = (await grace.call("presence.get", members=["ada"]))["members"]
            assert found["ada"]["active"] is False


@pytest.mark.parametrize("where", [A, B])
async def test_the_longest_silent_session_makes_room_wherever_it_is(where: int) -> None:
    async with running_node(policy=Policy(sessions_per_member=3)) as server:
        clock = Clock.of(server)
        await server.people("ada")
        async with seats(server, (A, "ada"), (B, "ada"), (B, "ada")) as (first, second, silent):
            clock.move(40)
            await first.call("ping")
            await second.call("ping")
            await server.attended()
            async with seat(server, where, "ada") as late:
                await late.connect()
                assert (await silent.end())[0] == 4504
                for one in (first, second, late):
                    await one.call("ping")


async def test_a_signal_comes_once_to_each_wherever_it_is() -> None:
    """A node hears on the bus what it said itself."""
    async with running_node() as server:
        await server.people("ada", "grace")
        places = ((A, "ada"), (B, "ada"), (A, "grace"))
        async with seats(server, *places) as (here, there, grace):
            place = (await grace.call("conversation.start", members=["ada"]))["conversation"]
            for number in range(1, 11):
                sent = await here.call("message.send", to="grace", body="x", client_id=str(number))
                await grace.call("receipt.read", conversation=place, seq=sent["seq"])
                for one in (here, there):
                    seen = (await one.event("receipt.read"))["data"]
                    assert seen["seq"] == number


async def test_a_connect_at_one_node_sees_what_was_answered_at_the_other() -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus")
        async with seats(server, (A, "ada")) as (ada,):
            for round_ in range(10):
                made = await ada.call(
                    "conversation.start", members=["grace", "linus"], title=str(round_)
                )
                topic = f"conversation:{made['conversation']}"
                async with seat(server, B, "grace") as grace:
                    found = await grace.connect()
                    assert found["topics"][topic] == 0
                    sent = await ada.call(
                        "message.send", conversation=made["conversation"], body="hi",
                        client_id=str(round_),
                    )  # fmt: skip
                    assert (await grace.event("message.created"))["data"]["seq"] == sent["seq"]
                await ada.call(
                    "conversation.remove", conversation=made["conversation"], member="grace"
                )
                async with seat(server, B, "grace") as grace:
                    assert topic not in (await grace.connect())["topics"]


async def test_a_session_is_resumed_at_the_other_node() -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus")
        async with seats(server, (A, "ada"), (B, "linus")) as (ada, linus):
            made = await ada.call("conversation.start", members=["grace", "linus"])
            place = made["conversation"]
            async with seats(server, (A, "grace")) as (grace,):
                epoch = server.node.store.deployment.epoch
                await talk(ada, place, 5, "before")
                for _ in range(5):
                    await grace.event("message.created")
                positions = dict(grace.positions)
            await linus.event("conversation.joined")
            await talk(linus, place, 5, "meanwhile")
            await talk(ada, place, 5, "and")
            async with seat(server, B, "grace") as grace:
                first = await grace.connect(resume=positions, epoch=epoch)
                assert first["reset"] == []
                await talk(ada, place, 1, "after")
                bodies = [(await grace.event("message.created"))["data"]["body"] for _ in range(11)]
                assert bodies == [
                    *(f"meanwhile {n}" for n in range(5)), *(f"and {n}" for n in range(5)),
                    "after 0",
                ]  # fmt: skip


async def test_each_node_is_ready_by_itself() -> None:
    async with running_node() as server, httpx.AsyncClient(trust_env=False, verify=False) as http:

        async def ready() -> list[int]:
            return [(await http.get(f"{base}/readyz")).status_code for base in server.bases]

        assert await ready() == [200, 200]
        server.nodes[A].dispatcher.draining = True
        assert await ready() == [503, 200]
        server.nodes[A].dispatcher.draining = False
        fences = server.nodes[B].fences
        assert fences is not None
        fences._until = 0.0  # it has not been able to renew its lease
        assert await ready() == [200, 503]


async def test_sends_from_both_nodes_have_one_order_everywhere() -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus")
        places = ((A, "ada"), (B, "grace"), (A, "linus"), (B, "linus"))
        async with seats(server, *places) as (ada, grace, *watching):
            made = await ada.call("conversation.start", members=["grace", "linus"])
            place = made["conversation"]
            await grace.event("conversation.joined")
            ids = await asyncio.gather(talk(ada, place, 150, "ada"), talk(grace, place, 150, "g"))
            orders: list[list[Any]] = []
            for one in (ada, grace, *watching):
                events = [await one.event("message.created") for _ in range(300)]
                assert [e["pos"] for e in events] == list(range(1, 301))
                assert [e["data"]["seq"] for e in events] == list(range(1, 301))
                orders.append([e["data"]["message"] for e in events])
            assert orders == [orders[0]] * 4
            assert sorted(orders[0]) == sorted([*ids[0], *ids[1]])
            # Each one's own are in the order sent.
            for own in ids:
                assert [message for message in orders[0] if message in set(own)] == own


async def test_a_send_repeated_at_the_other_node_is_a_duplicate() -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with seats(server, (A, "ada"), (B, "ada"), (B, "grace")) as (one, other, grace):
            params = {"to": "grace", "body": "once", "client_id": "1"}
            first = await one.call("message.send", **params)
            assert await other.call("message.send", **params) == {**first, "duplicate": True}
            for number in range(20):  # at once, too
                params = {"to": "grace", "body": "race", "client_id": f"race {number}"}
                answers = [await each.start("message.send", **params) for each in (one, other)]
                results = [frame["result"] for frame in await asyncio.gather(*answers)]
                assert sorted(result["duplicate"] for result in results) == [False, True]
                assert len({result["message"] for result in results}) == 1
            history = await grace.call("conversation.history", conversation=first["conversation"])
            assert len(history["messages"]) == 21
