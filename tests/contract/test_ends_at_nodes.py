"""Ends of access given at one of two nodes: at the other, nothing later comes of what has ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from server.domain.policy import Policy
from tests.support.careful_peer import CarefulPeer
from tests.support.running import running_node
from tests.support.seats import HeldBack, operate_at, passed, present, seat, seats, talk
from tests.support.waiting import until

pytestmark = pytest.mark.houses("two nodes")
A, B = 0, 1


def signals(one: CarefulPeer) -> int:
    """How many signals have come to it."""
    return sum("pos" not in event for event in one.all_events)


@asynccontextmanager
async def typing(one: CarefulPeer, place: str) -> AsyncIterator[None]:
    """Somebody types and stops, again and again, for the length of a block."""
    over = False

    async def on_and_on() -> None:
        while not over:
            await (await one.start("typing.start", conversation=place))
            await (await one.start("typing.stop", conversation=place))

    task = asyncio.create_task(on_and_on())
    try:
        yield
    finally:
        over = True
        await task


async def test_a_revocation_has_ended_the_sessions_of_every_node_when_it_is_answered() -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        places = ((A, "ada"), (B, "ada"), (B, "ada"), (B, "grace"))
        async with seats(server, *places) as (*hers, grace):
            await operate_at(server, A, "session.revoke", member="ada")
            assert (present(server, A, "ada"), present(server, B, "ada")) == (0, 0)
            for one in hers:
                assert (await one.end())[0] == 4508
            await grace.call("ping")
            assert present(server, B, "grace") == 1


async def test_a_devices_revocation_ends_that_device_at_every_node_and_no_other() -> None:
    async with running_node() as server:
        await server.people("ada")
        places = ((A, "ada"), (B, "ada"), (A, "ada"))
        async with seats(server, *places, devices=True) as (kept, lost, other):
            await operate_at(server, A, "session.revoke", member="ada", device="device 1")
            assert (present(server, A, "ada"), present(server, B, "ada")) == (2, 0)
            assert (await lost.end())[0] == 4508
            for one in (kept, other):
                await one.call("settings.get")
            # Its token is refused where nobody has seen it before, too.
            async with seat(server, A, "ada", lost._token) as again:
                await again.start("connect", token=lost._token)
                assert (await again.end())[0] == 4508


async def test_a_switch_turned_off_at_one_node_ends_signals_at_the_other_by_its_answer() -> None:
    async with running_node(policy=Policy(typing_renew_ms=0)) as server:
        await server.people("ada", "grace")
        async with seats(server, (A, "ada"), (B, "ada"), (B, "grace"), (A, "grace")) as (
            ada, device, grace, again,
        ):  # fmt: skip
            place = (await grace.call("conversation.start", members=["ada"]))["conversation"]
            async with typing(grace, place), typing(ada, place):
                for one in (ada, device, grace, again):
                    await one.event("typing.started")
                fence = passed(server)
                await ada.call("settings.set", receipts=False)
                assert passed(server) == fence + 1
                for one in (ada, device, grace, again):
                    await one.call("ping")  # behind everything that it was given before
                before = [signals(one) for one in (ada, device, grace, again)]
                sent = await grace.call("message.send", to="ada", body="on", client_id="1")
                for one in (ada, device, grace, again):
                    await one.event("message.created")
                await device.call("receipt.read", conversation=place, seq=sent["seq"])
                for one in (grace, again):
                    await one.call("ping")
            await server.quiet()
            for one in (ada, device, grace, again):
                await one.call("ping")
            assert [signals(one) for one in (ada, device, grace, again)] == before


async def test_nothing_of_a_blocked_member_comes_once_the_block_is_answered() -> None:
    async with running_node(policy=Policy(typing_renew_ms=0)) as server:
        await server.people("ada", "grace", "linus")
        async with seats(server, (A, "ada"), (B, "grace"), (A, "linus")) as (ada, grace, linus):
            place = (await ada.call("conversation.start", members=["grace"]))["conversation"]
            async with typing(ada, place), typing(grace, place):
                await ada.event("typing.started")
                await grace.event("typing.started")
                fence = passed(server)
                await ada.call("block.add", member="grace")
                assert passed(server) > fence
                for one in (ada, grace):
                    await one.call("ping")
                before = [signals(one) for one in (ada, grace)]
                found = (await grace.call("presence.get", members=["ada"]))["members"]
                assert found == {"ada": {"active": False}}
                for member in ("ada", "grace"):
                    await linus.call("message.send", to=member, body="behind", client_id=member)
                for one in (ada, grace):
                    await one.event("message.created")
            await grace.event("connection.removed")
            for one in (ada, grace):
                await one.call("ping")
            assert [signals(one) for one in (ada, grace)] == before


async def test_nothing_of_a_conversation_comes_to_who_was_removed_once_that_is_answered() -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus")
        async with seats(server, (A, "ada"), (B, "grace"), (A, "grace"), (B, "linus")) as (
            ada, grace, device, linus,
        ):  # fmt: skip
            made = await ada.call("conversation.start", members=["grace", "linus"])
            place = made["conversation"]
            topic = f"conversation:{place}"
            await linus.event("conversation.joined")
            talking = asyncio.create_task(talk(linus, place, 200, "linus"))
            for one in (grace, device):
                await one.event("message.created")
            fence = passed(server)
            await ada.call("conversation.remove", conversation=place, member="grace")
            assert passed(server) == fence + 1
            for one in (grace, device):
                await one.call("ping")
            before = [len([e for e in one.all_events if e["topic"] == topic])
                      for one in (grace, device)]  # fmt: skip
            await talking
            await ada.call("message.send", conversation=place, body="secret", client_id="1")
            await linus.call("message.send", to="grace", body="behind", client_id="1")
            for one, count in zip((grace, device), before, strict=True):
                left = await one.event("conversation.left")
                while (await one.event("message.created"))["topic"] != "member:grace":
                    pass
                await one.call("ping")
                theirs = [e for e in one.all_events if e["topic"] == topic]
                assert len(theirs) == count
                assert theirs[-1]["pos"] <= left["data"]["pos"]
                assert b"secret" not in one.bytes


ENDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "switch of the receiver": ("ada", "settings.set", {"receipts": False}),
    "switch of the sender": ("grace", "settings.set", {"receipts": False}),
    "block": ("ada", "block.add", {"member": "grace"}),
    "block by the sender": ("grace", "block.add", {"member": "ada"}),
    "connection": ("ada", "connection.remove", {"member": "grace"}),
}


@pytest.mark.parametrize("end", ENDS)
async def test_a_signal_that_arrives_behind_an_end_of_access_is_dropped(end: str) -> None:
    who, cmd, params = ENDS[end]
    async with running_node() as server:
        await server.people("ada", "grace", "linus")
        async with seats(server, (A, "ada"), (B, "ada"), (A, "grace"), (A, "linus")) as (
            ada, device, grace, linus,
        ):  # fmt: skip
            place = (await ada.call("conversation.start", members=["grace"]))["conversation"]
            sent = await ada.call("message.send", to="grace", body="x", client_id="1")
            await device.event("message.created")
            held = HeldBack(server.nodes[B])
            await grace.call("typing.start", conversation=place)
            await grace.call("receipt.read", conversation=place, seq=sent["seq"])
            for name in ("typing.started", "receipt.read"):
                await ada.event(name)
            await until(lambda: len(held.messages) == 2)
            await {"ada": ada, "grace": grace}[who].call(cmd, **params)
            held.release()
            await linus.call("message.send", to="ada", body="behind", client_id="1")
            await device.event("message.created")
            assert signals(device) == 0


async def test_a_signal_that_arrives_behind_a_removal_is_dropped() -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus")
        async with seats(server, (A, "ada"), (B, "grace"), (B, "linus")) as (ada, grace, linus):
            made = await ada.call("conversation.start", members=["grace", "linus"])
            place = made["conversation"]
            for one in (grace, linus):
                await one.event("conversation.joined")
            await server.quiet()
            held = HeldBack(server.nodes[B])
            await ada.call("typing.start", conversation=place)
            await until(lambda: len(held.messages) == 1)
            await ada.call("conversation.remove", conversation=place, member="grace")
            await ada.call("message.send", conversation=place, body="secret", client_id="1")
            await until(lambda: len(held.messages) == 4)
            held.release()
            await grace.event("conversation.left")
            await linus.event("message.created")
            await grace.call("ping")
            assert signals(grace) == 0
            assert b"secret" not in grace.bytes
