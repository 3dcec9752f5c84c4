"""A removal, a block, a switch and a revocation under full load, with a victim that reads and one
that does not.

Two things are held: no event behind the change's position is ever given to who lost the right;
and once the change is answered, nothing of what was lost is handed to their sockets any more, not
even what had been waiting for a full one. What is handed over is seen at the wire itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from server.web.uvicorn_protocol import WebSocketProtocol
from tests.faults.wires import Deaf, Handed, deaf
from tests.support.peer_client import Peer, Refusal
from tests.support.running import Running, running_node
from tests.support.waiting import until

SENDERS = ("ada", "grace", "linus", "mary")
VICTIM = "victim"
WINDOW = 8
LOAD = 150  # messages delivered before the change, so that it comes into the midst of them
GONE = "connection.removed"
BODY = "x" * 2_000  # fills a socket that nobody reads within a second


class Stage:
    """Members at full speed around a victim with two sessions, one of which does not read."""

    def __init__(
        self, server: Running, peers: dict[str, Peer], silent: Deaf, conversation: str
    ) -> None:
        self.server = server
        self.peers = peers
        self.silent = silent
        self.conversation = conversation
        self.stop = False
        self.sent = 0

    def wires(self, member: str) -> set[WebSocketProtocol]:
        """The wires of this member's sessions, as the server has them."""
        found = set()
        for connection in self.server.node.gateway.connections:
            session = connection.session
            if session is not None and session.audience.member == member:
                assert isinstance(connection.wire, WebSocketProtocol)
                found.add(connection.wire)
        return found

    def blocked(self, wires: set[WebSocketProtocol]) -> bool:
        """Whether one of these is full, so that frames wait for it."""
        return any(wire.full for wire in wires)

    async def send_all_the_time(self, member: str, **where: str) -> None:
        """One member's stream of messages, until the stage stops or the way is closed."""
        peer, number = self.peers[member], 0
        waiting: list[asyncio.Future[dict[str, Any]]] = []
        while not self.stop:
            number += 1
            body = f"{member}-{number}-{BODY}"
            sending = peer.start("message.send", body=body, client_id=str(number), **where)
            waiting.append(await sending)
            if len(waiting) >= WINDOW:
                answer = await waiting.pop(0)
                if "error" in answer:
                    assert answer["error"]["code"] == "unreachable"
                    return
                self.sent += 1
        await asyncio.gather(*waiting)


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """The members, connected to each other, in one conversation."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(running_node())
        await server.people(*SENDERS, VICTIM)
        peers = {}
        for member in (*SENDERS, VICTIM):
            peer = Peer(server.ws, server.token(member), "json")
            peers[member] = await stack.enter_async_context(peer)
            await peer.connect(device="reads")
        silent = await stack.enter_async_context(deaf(server, VICTIM))
        made = await peers["ada"].call(
            "conversation.start", members=[*SENDERS[1:], VICTIM], client_id="start"
        )
        yield Stage(server, peers, silent, made["conversation"])


async def in_the_midst(scene: Stage, wires: set[WebSocketProtocol]) -> None:
    """Wait until the load is on and the session that does not read has frames waiting."""
    await until(lambda: scene.sent >= LOAD and scene.blocked(wires))


def positions(events: list[dict[str, Any]], topic: str) -> list[int]:
    """The positions of a topic's events, in the order they came."""
    return [event["pos"] for event in events if event["topic"] == topic and "pos" in event]


def events_of(topic: str, data: bytes) -> list[bytes]:
    """The events of one topic in raw JSON frames."""
    named = f'"topic":"{topic}"'.encode()
    parts = data.split(b'{"event":')[1:]
    return [part for part in parts if part.split(b",", 2)[1] == named]


@pytest.mark.parametrize("how", ["removed", "left"])
async def test_who_is_removed_is_given_nothing_more(handed: Handed, how: str) -> None:
    async with stage() as scene:
        wires = scene.wires(VICTIM)
        topic = f"conversation:{scene.conversation}"
        async with asyncio.TaskGroup() as load:
            for member in SENDERS:
                load.create_task(scene.send_all_the_time(member, conversation=scene.conversation))
            await in_the_midst(scene, wires)
            if how == "removed":
                await scene.peers["ada"].call(
                    "conversation.remove", conversation=scene.conversation, member=VICTIM
                )
            else:
                await scene.peers[VICTIM].call(
                    "conversation.leave", conversation=scene.conversation
                )
            mark, sent = len(handed.log), scene.sent
            await until(lambda: scene.sent >= sent + LOAD)
            scene.stop = True
        left = await scene.peers[VICTIM].event("conversation.left")
        last = left["data"]["pos"]
        seen = positions(scene.peers[VICTIM].all_events, topic)
        assert seen == list(range(1, len(seen) + 1))
        assert seen[-1] <= last
        late = positions(await scene.silent.read_all(), topic)
        assert late == list(range(1, len(late) + 1))
        assert len(late) < last  # the rest was waiting for it, and was dropped
        assert not events_of(topic, handed.since(mark, wires))
        history = await scene.peers[VICTIM].call(
            "conversation.history", conversation=scene.conversation, limit=1
        )
        assert history["at"][topic] == last


async def test_who_is_blocked_is_given_nothing_more() -> None:
    async with stage() as scene:
        grace = scene.peers["grace"]
        first = await grace.call("message.send", to=VICTIM, body="first", client_id="first")

        def of_pair(event: dict[str, Any]) -> bool:
            return bool(event["data"]["conversation"] == first["conversation"])

        wires = scene.wires(VICTIM)
        async with asyncio.TaskGroup() as load:
            load.create_task(scene.send_all_the_time("grace", to=VICTIM))
            load.create_task(scene.send_all_the_time(VICTIM, to="grace"))
            await in_the_midst(scene, wires)
            await grace.call("block.add", member=VICTIM)
            scene.stop = True
        late = await scene.silent.read_all()
        ends = {event["topic"]: event["pos"] for event in late if event["event"] == GONE}
        assert ends
        news = [event for event in late if event["event"] == "message.created"]
        assert all(event["pos"] < ends[event["topic"]] for event in news if of_pair(event))
        for member in ("grace", VICTIM):
            ended = (await scene.peers[member].event(GONE))["pos"]
            news = scene.peers[member].all_events
            told = [e["pos"] for e in news if e["event"] == "message.created" and of_pair(e)]
            assert told
            assert max(told) < ended
        with pytest.raises(Refusal, match="unreachable"):
            await grace.call("message.send", to=VICTIM, body="after", client_id="after")


async def test_a_switch_turned_off_ends_signals_both_ways(handed: Handed) -> None:
    async with stage() as scene:
        wires = scene.wires(VICTIM)

        async def signal_all_the_time(member: str) -> None:
            peer = scene.peers[member]
            while not scene.stop:
                for cmd in ("typing.start", "typing.stop"):
                    await peer.call(cmd, conversation=scene.conversation)
                    scene.sent += 1

        async with asyncio.TaskGroup() as load:
            for member in (*SENDERS, VICTIM):
                load.create_task(signal_all_the_time(member))
            await until(lambda: scene.sent >= LOAD)
            assert (await scene.peers["ada"].event("typing.started"))["data"]["member"]
            await until(
                lambda: any(
                    e["event"] == "typing.started" and e["data"]["member"] == VICTIM
                    for e in scene.peers["grace"].all_events
                )
            )
            await scene.peers[VICTIM].call("settings.set", receipts=False)
            mark, sent = len(handed.log), scene.sent
            await until(lambda: scene.sent >= sent + LOAD)
            scene.stop = True
        assert b"typing." not in handed.since(mark, wires)
        others = {wire for member in SENDERS for wire in scene.wires(member)}
        after = handed.since(mark, others)
        assert b"typing.started" in after
        assert f'"member":"{VICTIM}"'.encode() not in after


@pytest.mark.parametrize("device", [None, "deaf"])
async def test_who_is_revoked_is_given_nothing_more(handed: Handed, device: str | None) -> None:
    async with stage() as scene:
        wires = scene.wires(VICTIM)
        ended = {
            connection.wire
            for connection in scene.server.node.gateway.connections
            if connection.session is not None
            and connection.session.audience.member == VICTIM
            and device in (None, connection.session.device)
        }
        assert len(ended) == (2 if device is None else 1)
        async with asyncio.TaskGroup() as load:
            for member in SENDERS:
                load.create_task(scene.send_all_the_time(member, conversation=scene.conversation))
            await in_the_midst(scene, wires)
            named = {} if device is None else {"device": device}
            await scene.server.operate("session.revoke", member=VICTIM, **named)
            mark, sent = len(handed.log), scene.sent
            await until(lambda: scene.sent >= sent + LOAD)
            scene.stop = True
        gone = {wire for wire in wires if wire in ended}
        assert handed.since(mark, gone) == b""
        if device is None:
            assert await scene.peers[VICTIM].end() == (4508, "revoked")
        else:
            await scene.peers[VICTIM].call("ping")
