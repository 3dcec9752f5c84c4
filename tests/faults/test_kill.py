"""SIGKILL in the midst of eight streams of sends, twenty times over.

What was acknowledged is in the history once, and reaches a session that resumes once and in
order; what was not is sent again under the same client_id and never doubles.
"""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from server.app import run_commands
from server.settings import Settings
from server.web.tokens import Tokens
from tests.support.nursery import PLANTED, Child, Nursery
from tests.support.peer_client import Peer
from tests.support.waiting import until

KILLS = 20
STREAMS = 8
WINDOW = 16
SEED = 20261123


class Stream:
    """One sender to one receiver: what was tried, what was acknowledged, and what arrived."""

    def __init__(self, number: int) -> None:
        self.sender, self.receiver = f"s{number}", f"r{number}"
        self.next = 0
        self.unanswered: list[int] = []
        self.acknowledged: set[int] = set()
        self.again = 0  # sent again after a kill, and of those already stored
        self.duplicates = 0
        self.arrived: list[tuple[int, int]] = []  # position, number of the message
        self.pos = 0
        self.conversation = ""

    async def send(self, peer: Peer) -> None:
        """Send again what was not answered, then on and on, until the connection breaks."""
        again, self.unanswered = self.unanswered, []
        self.again += len(again)
        waiting: list[tuple[int, asyncio.Future[dict[str, Any]]]] = []
        try:
            while True:
                number = again.pop(0) if again else self.next
                self.next = max(self.next, number + 1)
                self.unanswered.append(number)
                command = peer.start(
                    "message.send", to=self.receiver, body=f"{self.sender}-{number}",
                    client_id=str(number),
                )  # fmt: skip
                waiting.append((number, await command))
                if len(waiting) >= WINDOW:
                    await self._answered(*waiting.pop(0))
        except (ConnectionClosed, OSError):
            for number, answer in waiting:
                if answer.done() and answer.exception() is None:
                    await self._answered(number, answer)
            self.unanswered += again
            self.unanswered.sort()

    async def finish(self, peer: Peer) -> None:
        """Send again what was not answered, and one more, and wait for the answers."""
        for number in [*self.unanswered, self.next]:
            command = peer.start(
                "message.send", to=self.receiver, body=f"{self.sender}-{number}",
                client_id=str(number),
            )  # fmt: skip
            if number == self.next:
                self.unanswered.append(number)
            await self._answered(number, await command)

    async def _answered(self, number: int, answer: asyncio.Future[dict[str, Any]]) -> None:
        frame = await answer
        assert "result" in frame, frame
        self.conversation = frame["result"]["conversation"]
        self.duplicates += frame["result"]["duplicate"]
        self.acknowledged.add(number)
        self.unanswered.remove(number)

    async def receive(self, peer: Peer, head: int | None = None) -> None:
        """Take events until the connection breaks, or up to a position."""
        try:
            while head is None or self.pos < head:
                event = await peer.event("message.created")
                assert event["pos"] == self.pos + 1, "positions are dense"
                self.pos = event["pos"]
                self.arrived.append((self.pos, int(event["data"]["body"].split("-")[1])))
        except (ConnectionClosed, OSError):
            return


class House:
    """The server's processes over one directory, and tokens signed with its key."""

    def __init__(self, nursery: Nursery, data: Path, **environment: str) -> None:
        self._nursery = nursery
        self.environment = environment
        self._data = data
        key = (data / "signing.key").read_text().strip()
        self._tokens = Tokens.signing(key, time.time)
        self._child: Child | None = None
        self._url = ""

    async def start(self) -> None:
        """Start the next one."""
        self._child = await self._nursery.start(
            "serve", "--port", "0", "--data", str(self._data),
            SUBROSA_RATE_LIMITS="off", SUBROSA_LOG_LEVEL="error", **self.environment,
        )  # fmt: skip
        self._url = (await self._child.address()).replace("http", "ws") + "/ws"

    async def kill(self) -> None:
        """Kill the one there is."""
        child, self._child = self._child, None
        if child is not None:
            await child.kill()
            child.close()

    async def peer(self, member: str, **resume: Any) -> tuple[Peer, dict[str, Any]]:
        """A connected client of this member."""
        peer = Peer(self._url, self._tokens.issue(member, 3600))
        await peer.__aenter__()
        return peer, await peer.connect(**resume)


async def _provision(data: Path, streams: list[Stream]) -> None:
    commands: list[tuple[str, dict[str, object]]] = []
    for stream in streams:
        for member in (stream.sender, stream.receiver):
            commands.append(("member.put", {"id": member, "name": member}))
        commands.append(("connection.put", {"a": stream.sender, "b": stream.receiver}))
    assert await run_commands(Settings(data=data), commands) == [None] * len(commands)


async def _one_life(house: House, streams: list[Stream], more: int) -> None:
    """Serve, resume, send, and be killed once so many more have been acknowledged."""
    await house.start()
    peers: list[Peer] = []
    before = sum(len(stream.acknowledged) for stream in streams)
    async with asyncio.TaskGroup() as group:
        for stream in streams:
            receiver, _ = await house.peer(
                stream.receiver, resume={f"member:{stream.receiver}": stream.pos}
            )
            sender, _ = await house.peer(stream.sender)
            peers += [receiver, sender]
            group.create_task(stream.receive(receiver))
            group.create_task(stream.send(sender))
        await until(lambda: sum(len(s.acknowledged) for s in streams) >= before + more)
        await house.kill()
    for peer in peers:
        await peer.__aexit__(None, None, None)


async def _lives(house: House, data: Path, kills: int) -> list[Stream]:
    """So many lives and kills of a server, and one more life in which all is looked at."""
    streams = [Stream(number) for number in range(STREAMS)]
    await _provision(data, streams)
    for stream in streams:
        stream.pos = 1  # the connection's own event
    chance = random.Random(SEED)
    try:
        for _ in range(kills):
            await _one_life(house, streams, chance.randint(20, 400))
        house.environment = {}  # whatever was planted, it is looked at by the server as it is
        await house.start()
        for stream in streams:
            sender, _ = await house.peer(stream.sender)
            await stream.finish(sender)
            peer, opened = await house.peer(
                stream.receiver, resume={f"member:{stream.receiver}": stream.pos}
            )
            await stream.receive(peer, opened["topics"][f"member:{stream.receiver}"])
            await _check(stream, peer)
            for ended in (peer, sender):
                await ended.__aexit__(None, None, None)
    finally:
        await house.kill()
    return streams


@pytest.mark.timeout(90)
async def test_what_was_acknowledged_survives_twenty_kills(
    nursery: Nursery, tmp_path: Path
) -> None:
    await nursery.run("token", "x", "--data", str(tmp_path))  # makes the keys
    streams = await _lives(House(nursery, tmp_path), tmp_path, KILLS)
    acknowledged = sum(len(stream.acknowledged) for stream in streams)
    again = sum(stream.again for stream in streams)
    assert again > KILLS  # they were killed in the midst of it
    duplicates = sum(stream.duplicates for stream in streams)
    print(
        f"{KILLS} kills, {acknowledged} acknowledged, none lost or doubled; {again} sent again, "
        f"{duplicates} of which were stored already"
    )


async def test_a_server_that_answers_before_it_commits_is_found_out(
    nursery: Nursery, tmp_path: Path
) -> None:
    await nursery.run("token", "x", "--data", str(tmp_path))
    house = House(nursery, tmp_path, **{PLANTED: "late commits"})
    with pytest.raises((AssertionError, BaseExceptionGroup)):
        await _lives(house, tmp_path, 2)


async def _check(stream: Stream, peer: Peer) -> None:
    arrived = [number for _, number in stream.arrived]
    assert len(set(arrived)) == len(arrived), "nothing arrives twice"
    assert stream.acknowledged <= set(arrived), "nothing acknowledged is lost"
    assert set(arrived) == stream.acknowledged, "nothing is made up"
    stored: list[int] = []
    before: dict[str, int] = {}
    while True:
        page = await peer.call(
            "conversation.history", conversation=stream.conversation, limit=200, **before
        )
        bodies = [int(m["body"].split("-")[1]) for m in page["messages"]]
        stored = bodies + stored
        if not page["more"]:
            break
        before = {"before": page["messages"][0]["seq"]}
    assert stored == arrived, "the history is what arrived, in its order"
