"""The client library against the real server: resuming, restarting, and a model that stays true."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from client_demo import Client, CommandError, Event, SessionEnded
from client_demo.demo_token import demo_token
from client_demo.inbox import Inbox, as_read
from client_demo.protocol import Encoding
from tests.support.clocks import Clock
from tests.support.patient_clock import PatientClock
from tests.support.peer_client import Peer
from tests.support.running import Process, Running, running_node


def client(server: Running, member: str, **options: Any) -> Client:
    """A client that reconnects at once."""
    usual: dict[str, Any] = {"token": server.token(member), "random": lambda: 0.0}
    return Client(server.base, **{**usual, **options})


class Follower:
    """Takes a client's events into a model, as the terminal does, and keeps them."""

    def __init__(self, client: Client, member: str) -> None:
        self.client = client
        self.inbox = Inbox()
        self.inbox.me = member
        self.events: list[Event] = []
        self._stirred = asyncio.Event()

    async def follow(self) -> None:
        async for event in self.client.events():
            if event.name == "client.reset":
                for room in (await self.client.conversations(limit=200))["conversations"]:
                    self.inbox.load(room)
            elif not event.name.startswith("client."):
                self.inbox.apply(event, 0.0)
            for ident in sorted(self.inbox.stale):
                self.inbox.load(await self.client.conversation(ident))
            self.events.append(event)
            self._stirred.set()

    async def until(self, true: Callable[[], bool]) -> None:
        while not true():
            self._stirred.clear()
            await self._stirred.wait()

    async def saw(self, name: str, **data: Any) -> Event:
        """An event of this name with these data, seen by now or to come."""

        def found() -> list[Event]:
            return [e for e in self.events if e.name == name and data.items() <= e.data.items()]

        await self.until(lambda: bool(found()))
        return found()[-1]


@asynccontextmanager
async def following(server: Running, member: str, **options: Any) -> AsyncIterator[Follower]:
    async with client(server, member, **options) as one:
        follower = Follower(one, member)
        task = asyncio.create_task(follower.follow())
        try:
            await follower.saw("client.online")
            yield follower
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@pytest.mark.parametrize("encoding", ["msgpack", "json"])
async def test_two_members_talk(encoding: Encoding) -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with (
            following(server, "ada", encoding=encoding) as ada,
            following(server, "grace", encoding=encoding) as grace,
        ):
            sent = await ada.client.send(to="grace", body="Hello")
            got = await grace.saw("message.created", body="Hello")
            assert got.data["message"] == sent["message"]
            assert got.topic == "member:grace"
            room = sent["conversation"]
            await grace.client.typing(room)
            await ada.saw("typing.started", member="grace")
            await grace.client.read(room, sent["seq"])
            assert (await ada.saw("receipt.read")).data["seq"] == sent["seq"]
            await grace.client.react(sent["message"], "👍")
            await ada.saw("message.reacted", emojis=["👍"])
            await ada.client.edit(sent["message"], "Hello!")
            await grace.saw("message.edited", body="Hello!")
            await ada.client.delete(sent["message"])
            await grace.saw("message.deleted")
            history = (await grace.client.history(room))["messages"]
            assert [("deleted_at" in m, m.get("body")) for m in history] == [(True, None)]


async def test_every_command_has_its_method() -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus")
        await server.operate("member.put", id="mary", name="Mary")
        async with following(server, "ada") as ada, following(server, "mary") as mary:
            c = ada.client
            assert (await c.settings())["receipts"] is True
            assert (await c.settings(receipts=False))["receipts"] is False
            assert {m["member"] for m in (await c.connections())["members"]} == {"grace", "linus"}
            assert not (await c.explain("mary"))["ways"][0]["allowed"]
            made = await c.invite("mary", "We met at the site")
            assert (await mary.saw("invitation.received")).data["note"] == "We met at the site"
            assert len((await mary.client.invitations())["invitations"]) == 1
            await mary.client.accept(made["invitation"])
            await ada.saw("connection.added", member="mary")
            assert (await c.presence(["mary"]))["members"]["mary"]["active"] is True
            room = (await c.start(["grace", "linus"], title="Trusses"))["conversation"]
            await c.add(room, "mary")
            await mary.saw("conversation.joined", conversation=room)
            await c.rename(room, "Trusses, week 47")
            await mary.saw("conversation.renamed", title="Trusses, week 47")
            await c.remove(room, "linus")
            await mary.saw("roster.changed")
            await mary.client.leave(room)
            assert (await mary.client.conversation(room))["state"] == "closed"
            await c.block("linus")
            assert [m["member"] for m in (await c.blocks())["members"]] == ["linus"]
            with pytest.raises(CommandError) as refused:
                await c.send(to="linus", body="no")
            assert refused.value.code == "unreachable"
            await c.unblock("linus")
            await c.remove_connection("grace")
            await mary.client.remove_connection("ada")
            withdrawn = await c.invite("mary")
            await c.withdraw(withdrawn["invitation"])
            with pytest.raises(CommandError) as late:
                await c.accept_request(room)
            assert late.value.code == "refused"


async def test_a_cut_connection_loses_and_repeats_nothing() -> None:
    """Cuts at random while fifty messages come; each is seen once and in order."""
    chance = random.Random(7)
    async with running_node() as server:
        await server.people("ada", "grace")
        async with following(server, "ada") as ada, Peer(server.ws, server.token("grace")) as grace:
            await grace.connect()
            for number in range(50):
                await grace.call(
                    "message.send", to="ada", body=f"m{number}", client_id=f"c{number}"
                )
                if chance.random() < 0.2:
                    link = ada.client._reconnector.link
                    if link is not None:
                        link.abort("the test cuts it")
            await ada.saw("message.created", body="m49")
            bodies = [e.data["body"] for e in ada.events if e.name == "message.created"]
            assert bodies == [f"m{number}" for number in range(50)]
            assert sum(e.name == "client.offline" for e in ada.events) >= 3
            assert sum(e.name == "client.reset" for e in ada.events) == 1


async def test_a_restarted_client_resumes_and_sends_what_was_left(tmp_path: Path) -> None:
    state = tmp_path / "ada.db"
    async with running_node(data=tmp_path / "data") as server:
        await server.people("ada", "grace")
        async with following(server, "ada", state=state) as ada:
            await ada.client.send(to="grace", body="one")
            await ada.saw("message.created", body="one")
            await ada.client.settings(sponsored=False)
            await ada.saw("settings.changed")  # "one" has been dealt with: the next was asked for
        async with Peer(server.ws, server.token("grace")) as grace:
            await grace.connect()
            await grace.call("message.send", to="ada", body="two", client_id="g1")
    # No server now: what is written waits on disk, for a client that starts later.
    away = Client(server.base, token="none", state=state)
    async with away:
        await away.post(to="grace", body="three")
        assert len(away.unsent) == 1
    async with (
        running_node(data=tmp_path / "data") as server,
        following(server, "ada", state=state) as ada,
    ):
        await ada.saw("message.created", body="three")
        bodies = [e.data["body"] for e in ada.events if e.name == "message.created"]
        assert bodies == ["two", "three"]
        sent = await ada.saw("message.sent")
        assert not ada.client.unsent
        history = (await ada.client.history(sent.data["result"]["conversation"]))["messages"]
        assert [m["body"] for m in history] == ["one", "two", "three"]


async def test_a_server_that_is_killed_stores_each_message_once(tmp_path: Path) -> None:
    """Three kills in the middle of sends: all are stored, once, in the order given."""
    server = Process(tmp_path / "data", "--demo", SUBROSA_RATE_LIMITS="off")
    await server.start()
    port = server.base.rsplit(":", 1)[1]
    again = Process(tmp_path / "data", "--demo", "--port", port, SUBROSA_RATE_LIMITS="off")
    running = server
    try:
        token = demo_token(server.base, "ada")
        async with Client(server.base, token=token, random=lambda: 0.05) as ada:
            await ada.connected()
            for number in range(120):
                await ada.post(to="guido", body=f"m{number}")
                if number in (30, 60, 90):
                    await running.kill(signal.SIGKILL)
                    running = again
                    await running.start()
            last = await ada.send(to="guido", body="last")
            history = await ada.history(last["conversation"], limit=200)
            bodies = [m["body"] for m in history["messages"] if m["sender"] == "ada"]
            assert bodies[-121:] == [*(f"m{number}" for number in range(120)), "last"]
            assert len(set(bodies)) == len(bodies)
    finally:
        await running.kill(signal.SIGTERM)


async def test_a_revoked_session_stops() -> None:
    async with running_node() as server:
        await server.people("ada")
        async with client(server, "ada") as ada:
            await ada.connected()
            await server.operate("session.revoke", member="ada")
            with pytest.raises(SessionEnded) as ended:
                async for _ in ada.events():
                    pass
            assert ended.value.code == 4508


async def test_a_refused_token_stops() -> None:
    async with running_node() as server, Client(server.base, token="not.a.token") as ada:
        with pytest.raises(SessionEnded) as ended:
            await ada.connected()
        assert ended.value.code == 4500


async def test_a_token_is_refreshed_in_the_session() -> None:
    clock = PatientClock()
    async with running_node() as server:
        await server.people("ada", "grace")
        time = Clock.of(server)
        asked: list[str] = []

        def ask() -> str:
            asked.append(server.token("ada", 60))
            return asked[-1]

        async with following(server, "ada", token=ask, clock=clock) as ada:
            for number in (1, 2, 3):
                assert len(asked) == number
                wait_s = await clock.asleep(41, 43)  # 0.7 of the token's 60 s, by the server's word
                clock.move(wait_s)
                time.move(wait_s)
                await ada.client.call("ping")  # answered after the refresh before it
            assert not any(e.name == "client.offline" for e in ada.events)


async def test_an_expired_token_is_replaced_by_another_session() -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        time = Clock.of(server)
        tokens = iter([server.token("ada", 60)])

        def ask() -> str:
            return next(tokens, None) or server.token("ada", 60)

        async with following(server, "ada", token=ask, clock=PatientClock()) as ada:
            time.move(61)
            offline = await ada.saw("client.offline")
            assert offline.data["code"] == 4005
            async with client(server, "grace") as grace:
                await grace.send(to="ada", body="still there?")
            await ada.saw("message.created", body="still there?")


MEMBERS = ["ada", "grace", "linus", "mary"]


async def test_the_model_is_what_a_fresh_reading_says() -> None:
    """Two hundred random commands of four members, with cuts: each model equals the state."""
    chance = random.Random(11)
    async with running_node() as server:
        await server.people(*MEMBERS)
        async with (
            following(server, "ada") as ada,
            following(server, "grace") as grace,
            following(server, "linus") as linus,
            following(server, "mary") as mary,
        ):
            everybody = [ada, grace, linus, mary]
            rooms = [
                (await ada.client.start(["grace", "linus"], title="Trusses"))["conversation"],
                (await ada.client.start(["grace"]))["conversation"],
                (await mary.client.start(["ada", "grace", "linus"]))["conversation"],
            ]
            messages: list[str] = []
            done = 0
            for _ in range(200):
                one = chance.choice(everybody)
                with suppress(CommandError):
                    await _something(chance, one.client, rooms, messages)
                    done += 1
                if chance.random() < 0.05:
                    link = one.client._reconnector.link
                    if link is not None:
                        link.abort("the test cuts it")
            assert done >= 80
            for one in everybody:
                await _settled(one)
                fresh = Inbox()
                fresh.me = one.inbox.me
                for room in (await one.client.conversations(limit=200))["conversations"]:
                    fresh.load(room)
                assert as_read(one.inbox) == as_read(fresh)


async def _something(
    chance: random.Random, client: Client, rooms: list[str], messages: list[str]
) -> None:
    room = chance.choice(rooms)
    message = chance.choice(messages) if messages else "none"
    match chance.choice("ssssserdumnoal"):
        case "s":
            sent = await client.send(conversation=room, body=f"text {chance.random()}")
            messages.append(sent["message"])
        case "e":
            await client.edit(message, f"other {chance.random()}")
        case "r":
            await client.react(message, chance.choice("👍🎉"))
        case "u":
            await client.unreact(message, chance.choice("👍🎉"))
        case "d":
            await client.delete(message)
        case "m":
            await client.read(room, chance.randint(1, 60))
        case "n":
            await client.rename(room, f"title {chance.randint(1, 9)}")
        case "o":
            await client.remove(room, chance.choice(MEMBERS))
        case "a":
            await client.add(room, chance.choice(MEMBERS))
        case "l" if chance.random() < 0.3:
            await client.leave(room)


async def _settled(one: Follower) -> None:
    """Everything so far has been applied: an event that comes after it has, in each topic."""
    for ident, room in list(one.inbox.conversations.items()):
        if room.state == "open":
            sent = await one.client.send(conversation=ident, body="the last one")
            await one.saw("message.created", message=sent["message"])
    await one.client.settings(open_profile=not (await one.client.settings())["open_profile"])
    await one.saw("settings.changed")
