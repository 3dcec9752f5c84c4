"""2,000 connections at once against the whole server as a process: all get in, all are told.

Nobody waits for anybody: every client opens its socket at the same moment. Each gets its connect's
result, each gets what is then said to a conversation of 50 exactly once, and when all have gone
the server holds none of them. Then all of them are cut off, and are back at once to go on.
"""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.careful_peer import HttpPeer
from tests.support.nursery import Nursery
from tests.support.peer import CLOSE, Peer, connected, frame
from tests.support.raw_socket import MSGPACK, connect, packed, told

MEMBERS = [f"member{number}" for number in range(50)]
SESSIONS = 40  # of each
FILES = 10_000


@pytest.fixture(autouse=True)
def enough_files() -> Iterator[None]:
    """A connection is a file, here as there."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = max(soft, FILES if hard == resource.RLIM_INFINITY else min(FILES, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (enough, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def populate(operator: HttpPeer) -> dict[str, str]:
    """All members, the first connected to every other; answers their tokens."""
    first, *others = MEMBERS
    put = [{"cmd": "member.put", "params": {"id": m, "name": m}} for m in MEMBERS]
    join = [{"cmd": "connection.put", "params": {"a": first, "b": m}} for m in others]
    issue = [{"cmd": "token.issue", "params": {"member": m}} for m in MEMBERS]
    results = (await operator.call("batch", commands=put + join + issue))["results"]
    assert all("result" in one for one in results)
    issued = results[-len(MEMBERS) :]
    return {m: one["result"]["token"] for m, one in zip(MEMBERS, issued, strict=True)}


async def get_in(
    stack: AsyncExitStack, port: int, token: str, resume: dict[str, int] | None = None
) -> tuple[Peer, dict[str, Any]]:
    """Open a socket and connect; answers the result too."""
    peer = await stack.enter_async_context(connected(port))
    await peer.upgrade(MSGPACK)
    first = connect(token)
    if resume is not None:
        first["params"]["resume"] = resume
    await peer.send(packed(MSGPACK, first))
    answer = await told(peer)
    assert "result" in answer, answer
    return peer, answer["result"]


async def heard(peer: Peer, pos: int) -> list[str]:
    """What was said before a ping's answer, seen to be dense from behind `pos`; no more comes."""
    await peer.send(packed(MSGPACK, {"id": "last", "cmd": "ping"}))
    bodies: list[str] = []
    while (frame := await told(peer)).get("id") != "last":
        assert (frame["event"], frame["pos"]) == ("message.created", pos + 1 + len(bodies))
        bodies.append(frame["data"]["body"])
    return bodies


async def until_said(peer: Peer, pos: int, count: int) -> list[str]:
    """The next messages, seen to be dense from behind `pos`."""
    bodies: list[str] = []
    while len(bodies) < count:
        frame = await told(peer)
        assert (frame["event"], frame["pos"]) == ("message.created", pos + 1 + len(bodies))
        bodies.append(frame["data"]["body"])
    return bodies


async def leave(peer: Peer) -> None:
    """Say goodbye, and see the server end the connection."""
    await peer.send(frame(CLOSE, b"\x03\xe8"))
    assert (await peer.closed_with())[0] == 1000
    await peer.gone()


async def sessions(base: str) -> int:
    """How many the server says it has."""
    async with httpx.AsyncClient(trust_env=False, base_url=base) as http:
        text = (await http.get("/metrics")).text
    (line,) = [line for line in text.splitlines() if line.startswith("subrosa_sessions ")]
    return int(float(line.split()[1]))


@dataclass
class Storm:
    """The server, the members' tokens, and somebody who speaks to all of them."""

    base: str
    tokens: dict[str, str]
    speaker: HttpPeer
    place: str

    @property
    def topic(self) -> str:
        return f"conversation:{self.place}"

    @property
    def port(self) -> int:
        return int(self.base.rpartition(":")[2])

    async def say(self, *bodies: str) -> None:
        for body in bodies:
            await self.speaker.call(
                "message.send", conversation=self.place, body=body, client_id=body
            )

    async def all_in(self, stack: AsyncExitStack) -> list[tuple[Peer, dict[str, Any]]]:
        """Everybody at the same moment; `SESSIONS` of each member."""
        every = [self.tokens[m] for _ in range(SESSIONS) for m in MEMBERS]
        return await asyncio.gather(*(get_in(stack, self.port, token) for token in every))


@asynccontextmanager
async def storm(nursery: Nursery, directory: Path) -> AsyncIterator[Storm]:
    """A server with its members in one conversation."""
    data = directory / "data"
    async with nursery.serving(data, SUBROSA_RATE_LIMITS="off") as (_, base):
        key = (data / "admin.key").read_text().strip()
        async with HttpPeer(base, key=key) as operator:
            tokens = await populate(operator)
        async with HttpPeer(base, tokens[MEMBERS[0]]) as speaker:
            started = await speaker.call("conversation.start", members=MEMBERS[1:], title="Storm")
            yield Storm(base, tokens, speaker, started["conversation"])


@pytest.mark.timeout(60)
async def test_two_thousand_connect_at_once_hear_everything_once_and_go(
    nursery: Nursery, tmp_path: Path
) -> None:
    async with storm(nursery, tmp_path) as of, AsyncExitStack() as stack:
        began = time.monotonic()
        got_in = await of.all_in(stack)
        connected_s = time.monotonic() - began
        assert len({result["session"] for _, result in got_in}) == len(MEMBERS) * SESSIONS
        assert await sessions(of.base) == len(MEMBERS) * SESSIONS

        began = time.monotonic()
        await of.say("to all", "sentinel")
        bodies = await asyncio.gather(
            *(heard(peer, result["topics"][of.topic]) for peer, result in got_in)
        )
        heard_s = time.monotonic() - began
        assert bodies == [["to all", "sentinel"]] * len(got_in)

        await asyncio.gather(*(leave(peer) for peer, _ in got_in))
        async with asyncio.timeout(10):
            while await sessions(of.base) > 0:
                pass
    print(f"{len(got_in)} sessions connected in {connected_s:.1f} s, heard in {heard_s:.1f} s")


@pytest.mark.timeout(60)
async def test_two_thousand_are_cut_off_and_back_at_once_and_miss_nothing(
    nursery: Nursery, tmp_path: Path
) -> None:
    async with storm(nursery, tmp_path) as of, AsyncExitStack() as stack:
        got_in = await of.all_in(stack)
        for peer, _ in got_in:
            peer.reset()
        missed = [f"missed {number}" for number in range(5)]
        await of.say(*missed)

        began = time.monotonic()
        back = await asyncio.gather(
            *(
                get_in(stack, of.port, of.tokens[result["member"]], result["topics"])
                for _, result in got_in
            )
        )
        assert all(result["reset"] == [] for _, result in back)
        places = [result["topics"][of.topic] for _, result in got_in]
        told = await asyncio.gather(
            *(
                until_said(peer, pos, len(missed))
                for (peer, _), pos in zip(back, places, strict=True)
            )
        )
        back_s = time.monotonic() - began
        assert told == [missed] * len(back)
        await of.say("live again")
        live = await asyncio.gather(*(until_said(p, places[0] + 5, 1) for p, _ in back))
        assert live == [["live again"]] * len(back)
    print(f"{len(back)} sessions back and up to date in {back_s:.1f} s")
