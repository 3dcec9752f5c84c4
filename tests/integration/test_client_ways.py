"""The terminal client goes every way of the rulebook, against a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from client_demo.client import Client
from client_demo.terminal import plain
from tests.support.plain_seat import PlainSeat
from tests.support.running import Running, running_node


@asynccontextmanager
async def seats(server: Running, *members: str) -> AsyncIterator[tuple[PlainSeat, ...]]:
    """A messenger for each of these members."""
    taken = tuple(PlainSeat() for _ in members)
    async with asyncio.TaskGroup() as group:
        for member, seat in zip(members, taken, strict=True):
            group.create_task(_sit(server, member, seat))
            seat.type("/groups")
            await seat.see("")
        yield taken
        for seat in taken:
            seat.end()


async def _sit(server: Running, member: str, seat: PlainSeat) -> None:
    async with Client(server.base, token=server.token(member)) as client:
        await plain(client, seat.typed(), seat.print)


async def guild(server: Running) -> None:
    for member, plan in (("ada", "career"), ("grace", "basic"), ("joan", "basic")):
        await server.operate("member.put", id=member, name=member.title(), plan=plan)
    for member in ("mary", "ken"):
        await server.operate("member.put", id=member, name=member.title())
    await server.operate("group.put", id="guild", name="The guild", owner="joan",
                         members=["mary", "ken"])  # fmt: skip


async def test_an_inmail_is_asked_about_before_it_is_paid() -> None:
    async with running_node() as server:
        await guild(server)
        async with seats(server, "ada", "grace") as (ada, grace):
            ada.type("/explain grace")
            await ada.see("direct", "closed; opens by: connect")
            await ada.see("inmail", "open, 1 credit")
            ada.type("/inmail grace The mill = Would you like to see it?")
            await ada.see("this would be an InMail: 1 of your 5 credits")
            ada.type("/pay no", "/pay", "/credits")
            await ada.see("nothing is spent")
            await ada.see("! there is nothing to pay")
            await ada.see("you have 5 credits")
            ada.type("/inmail grace The mill = Would you like to see it?")
            await ada.see("this would be an InMail")
            ada.type("/pay")
            await ada.see("you have 4 credits now")
            await grace.see("Ada [inmail]: Would you like to see it?")
            grace.type("/requests", "/1")
            await grace.see("1 (1) Ada [request]")
            await grace.see("The mill", "Would you like to see it?", "[inmail]")
            ada.type("/to grace And when?")
            await ada.see("! not sent", "[request_pending]")
            grace.type("Very much.")
            await ada.see("the request with Grace was accepted")
            await ada.see("you have 5 credits now")
            ada.type("/credits", "/open grace")
            await ada.see("+1", "an InMail came back, until")
            await ada.see("-1", "an InMail")
            await ada.see("Very much.", "[inmail]")
            grace.type("/end")
            await grace.see("closed to Ada")
            ada.type("So on Monday?")
            await ada.see("! not sent", "nothing there that you can reach")


async def test_a_request_of_a_fellow_is_declined_by_its_number() -> None:
    async with running_node() as server:
        await guild(server)
        async with seats(server, "mary", "ken") as (mary, ken):
            mary.type("/groups", "/to ken As one of the guild: do you have oak?")
            await mary.see("guild", "The guild, 3 members, member")
            await ken.see("Mary [group]: As one of the guild", "(a request: /requests)")
            ken.type("/requests", "/request decline 2", "/request decline 1", "/requests")
            await ken.see("! there is no 2 in the last list")
            await ken.see("the request with Mary was declined")
            await ken.see("no requests")
            await mary.see("the request with Ken was declined")
            mary.type("/explain ken")
            await mary.see("group", "closed")


async def test_a_groups_conversation_has_viewers_who_are_shown_as_such() -> None:
    async with running_node() as server:
        await guild(server)
        async with seats(server, "joan", "mary", "ken") as (joan, mary, ken):
            mary.type("/group guild ken = Oak")
            await mary.see("! not allowed", "[managers_only]")
            joan.type("/group guild mary = Oak", "Who has oak?")
            await joan.see("Who has oak?")
            await mary.see("you are in a new conversation")
            async with Client(server.base, token=server.token("joan")) as other:
                room = (await other.conversations())["conversations"][0]["id"]
                sent = await other.send(conversation=room, body="@ken?", mentions=["ken"])
                await joan.see("Ken was mentioned and can read this from here on")
                await ken.see("you are in a new conversation")
                await other.react(sent["message"], "🌳")
                # Of what was said before the mention, nothing is told to who only reads.
                first = (await other.history(room))["messages"][0]
                await other.edit(first["message"], "Who has old oak?")
                await joan.see("changed this to: Who has old oak?")
            joan.type("/people")
            await joan.see("Ken (viewer, reads and writes nothing)")
            ken.type("/open Oak", "Me!")
            await ken.see("@ken?")
            await ken.see("! not sent", "[viewer]")
            assert not any("old oak" in line for line in ken.lines)
            joan.type("/announce guild = The guild meets", "On Friday at six.", "/announce guild")
            await ken.see("in The guild meets", "On Friday at six.")
            await mary.see("in The guild meets", "On Friday at six.")
            await joan.see("[announce_after]")
