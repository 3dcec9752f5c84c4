"""The messenger in its plain mode, over a naive house behind a scripted server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from client_demo import SessionEnded
from client_demo.client import Client
from client_demo.slash import COMMANDS
from client_demo.terminal import plain
from tests.support.house_wire import HouseSession
from tests.support.naive_house import House
from tests.support.plain_seat import PlainSeat
from tests.support.wire_server import WireServer, wire_server


class Desk(PlainSeat):
    """A plain messenger, and what its server was told."""

    def __init__(self, house: House, served: HouseSession, server: WireServer) -> None:
        super().__init__()
        self.house = house
        self.served = served
        self.server = server

    async def told(self, cmd: str) -> None:
        """Wait until the server got such a command."""
        while not self.served.commands(cmd):
            self.served.stirred.clear()
            await self.served.stirred.wait()


@asynccontextmanager
async def desk(prepare: Callable[[House], None] = lambda house: None) -> AsyncIterator[Desk]:
    house = House()
    prepare(house)
    async with (
        wire_server() as server,
        Client(server.url, token="t", random=lambda: 0.0) as client,
        asyncio.TaskGroup() as group,
    ):
        served = HouseSession(await server.session(), house)
        at = Desk(house, served, server)
        serving = group.create_task(served.serve())
        talking = group.create_task(plain(client, at.typed(), at.print))
        yield at
        at.end()
        await talking
        serving.cancel()


def talked(house: House) -> None:
    for _ in range(30):
        house.send("two", "grace")
    house.send("many", "alan")


async def test_the_list_counts_what_is_unread() -> None:
    async with desk(talked) as at:
        at.type("/list")
        assert "(30) Grace" in await at.see("Grace")
        assert "(1) Grace, Alan" in await at.see("Alan")


async def test_a_conversation_is_opened_read_and_paged() -> None:
    async with desk(talked) as at:
        at.type("/open grace")
        await at.see("/older")
        await at.see("#11 ")
        await at.see("#30 ")
        await at.told("receipt.read")
        assert at.served.commands("receipt.read")[-1] == {"conversation": "two", "seq": 30}
        at.type("/older")
        await at.see("#1 ")
        await at.see("back to now")
        await at.served.do(lambda house: house.send("many", "alan"))
        await at.see("✉")  # what came before it, the read mark of our own, is known too
        at.type("/older", "/list")
        await at.see("nothing older")
        assert "(" not in (await at.see("Grace")).split("Grace")[0]


async def test_messages_are_live_and_shown_where_they_belong() -> None:
    async with desk(talked) as at:
        at.type("/open grace")
        await at.see("#30 ")
        await at.served.do(lambda house: house.send("two", "grace"))
        assert "Grace  grace says 31" in await at.see("#31 ")
        await at.served.do(lambda house: house.send("many", "alan"))
        assert "Alan in Grace, Alan" in await at.see("✉")


async def test_writing_changing_and_reacting() -> None:
    async with desk(talked) as at:
        at.type("/open grace", "Hello", "/wait #31")
        assert "you  Hello" in await at.see("#31 ")
        at.type("/edit 31 Hello!")
        assert "changed 1" in await at.see("#31 you changed this")
        at.type("/react . 👍")
        await at.see("#31 you reacted: 👍 you")
        at.type("/reply 30 yes")
        assert "↳ #30 grace says 30" in await at.see("#32 ")
        at.type("/delete 31")
        await at.see("#31 you deleted this message")
        at.type("//not a command")
        await at.see("/not a command")


async def test_typing_and_receipts() -> None:
    def asked(house: House) -> None:
        house.send("two", "ada")

    async with desk(asked) as at:
        at.type("/open grace")
        await at.see("#1 ")
        started = {"conversation": "two", "member": "grace", "expires_in_ms": 6000}
        await at.served.session.event("typing.started", started)
        await at.see("Grace is typing…")
        seen = {"conversation": "two", "member": "grace", "seq": 1, "seen_at": 1_700_000_000_000}
        await at.served.session.event("receipt.read", seen)
        await at.see("✓ seen by Grace")
        at.type("/people")
        await at.see("seen up to #1")


async def test_a_refused_message_is_told_with_its_text() -> None:
    async with desk(talked) as at:
        at.served.refusals["message.send"] = {"code": "unreachable"}
        at.type("/to mary Are you there?")
        line = await at.see("! not sent")
        assert "Are you there?" in line
        assert "nothing there that you can reach" in line


async def test_commands_that_cannot_be_are_explained() -> None:
    async with desk(talked) as at:
        for line, words in {
            "/nonsense": "there is no /nonsense",
            "/edit 1 x": "nothing is open",
            "/to grace": "like this: /to NAME TEXT",
            "/block": "whom?",
            "hello": "nothing is open",
            "/settings receipts maybe": "like this: /settings",
            "/accept grace": "there is no invitation from grace",
            "/request accept": "nothing is open",
        }.items():
            at.type(line)
            assert words in await at.see("! ")


async def test_people_and_settings() -> None:
    async with desk(talked) as at:
        at.type("/connections", "/explain mary", "/who", "/settings receipts off", "/invitations")
        await at.see("Grace, Builder")
        await at.see("closed; opens by: connect")
        await at.see("active")
        assert "off" in await at.see("receipts")
        assert "from Mary" in await at.see("Hi")
        at.type("/accept mary", "/block alan", "/blocks")
        await at.see("blocked Alan")
        await at.see("nobody is blocked")
        await at.told("invitation.accept")
        assert at.served.commands("invitation.accept") == [{"invitation": "i1"}]


async def test_help_lists_every_command() -> None:
    async with desk() as at:
        at.type("/help")
        for command in COMMANDS.values():
            assert command.does in await at.see(command.usage)


async def test_a_first_message_opens_the_conversation() -> None:
    async with desk() as at:
        at.type("/open grace", "Hello Grace")
        await at.see("— Grace —")
        await at.see("#1 ")
        at.type("/rename x")
        await at.told("conversation.rename")
        assert at.served.commands("conversation.rename")[0]["conversation"] == "two"


@pytest.mark.parametrize(("said", "after"), [(1, 0), (0, 1)], ids=["before", "after"])
async def test_what_is_said_around_a_joining_is_shown_once(said: int, after: int) -> None:
    async with desk(talked) as at:
        at.type("/list")
        await at.see("Alan")
        await at.served.do(lambda house: house.begin("new", "grace", said=said, after=after))
        await at.see("you are in a new conversation")
        assert "Grace in Grace, Mary: grace says 1" in await at.see("✉")
        await at.served.do(lambda house: house.send("many", "alan"))
        await at.see("✉ Alan")
        assert sum("grace says 1" in line for line in at.lines) == 1


async def test_offline_and_back_shows_what_was_missed() -> None:
    async with desk(talked) as at:
        at.type("/open grace")
        await at.see("#30 ")
        at.served.session.cut()
        await at.see("offline")
        for _ in range(3):
            at.house.send("two", "grace")
        at.house.edit("two", 28)
        session = await at.server.session()
        again = HouseSession(session, at.house)
        connect = await session.expect("connect")
        serving = asyncio.create_task(again.serve(connect))
        await at.see("online again")
        await at.see("#29 Grace changed this to: changed 1")
        await at.see("#33 ")
        await again.do(lambda house: house.send("two", "grace"))
        await at.see("#34 ")
        # Each once, though the state told it and the replay again.
        for text in ("#33 ", "#29 Grace changed"):
            assert sum(text in line for line in at.lines) == 1
        serving.cancel()


async def test_the_end_of_the_session_ends_the_messenger() -> None:
    async with wire_server() as server, Client(server.url, token="t") as client:
        session = await server.welcomed()
        at = Desk(House(), HouseSession(session, House()), server)
        running = asyncio.ensure_future(plain(client, at.typed(), at.print))
        await session.expect("conversation.list")
        await session.close(4508, "revoked")
        with pytest.raises(SessionEnded, match="4508"):
            await running


async def test_names_are_found_by_their_beginning_and_told_apart() -> None:
    async with desk() as at:
        at.type("/explain gra", "/explain Ala", "/explain @mary", "/explain nobody")
        for _ in range(4):
            await at.see("closed")
        asked = [params["to"] for params in at.served.commands("explain")]
        assert asked == ["grace", "alan", "mary", "nobody"]
        at.house.rooms["many"].people.append("gra-nt")
        await at.served.do(lambda house: house.rename("Crew"))
        await at.see("is now called Crew")
        at.type("/open crew")
        await at.see("— Crew —")
