"""Many ends of access at once, of every kind, under full load; and a check that can fail.

Three members are switched off, three removed, three blocked, three revoked and three lose a
device, all in the same moment, while six senders write and type as fast as they can. Each victim
has one session that reads and one that does not. Everything that is handed to any wire is kept in
its order, with a mark where each change was applied, before it was answered; afterwards one plain
function says what should not have been there. The same function is shown to find planted bugs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from server.commands.outcome import Call, Outcome
from server.domain import contact
from server.realtime.audience import Audience
from server.realtime.hub import Hub
from server.realtime.session import Session
from server.web.uvicorn_protocol import WebSocketProtocol
from tests.faults.wires import Deaf, Handed, deaf
from tests.support.peer_client import Peer, Refusal
from tests.support.running import Running, running_node
from tests.support.waiting import until

SENDERS = [f"sender{n}" for n in range(6)]
EACH = 3
WINDOW = 4
LOAD = 400  # answers before the changes, and again after them
BODY = "x" * 1_500
ENDS = {
    "settings.set": "switched", "conversation.remove": "removed", "block.add": "blocked",
    "session.revoke": "revoked",
}  # fmt: skip


def victims(kind: str) -> list[str]:
    return [f"{kind}{n}" for n in range(EACH)]


ALL = [name for kind in (*ENDS.values(), "device") for name in victims(kind)]


@dataclass
class Stage:
    """Who is there, where each change was applied, and the places of the talks."""

    server: Running
    handed: Handed
    conversation: str
    peers: dict[str, Peer] = field(default_factory=dict)
    silent: dict[str, Deaf] = field(default_factory=dict)
    wires: dict[WebSocketProtocol, tuple[str, str]] = field(default_factory=dict)
    marks: dict[str, int] = field(default_factory=dict)
    """The first place in the log that is behind each victim's change."""
    pairs: dict[str, str] = field(default_factory=dict)
    """The one-to-one of each who is blocked, with their blocker."""
    stop: bool = False
    answered: int = 0

    def know_wires(self) -> None:
        """Remember whose wire is whose: member and device."""
        for connection in self.server.node.gateway.connections:
            session = connection.session
            assert session is not None
            assert isinstance(connection.wire, WebSocketProtocol)
            self.wires[connection.wire] = (session.audience.member, session.device)

    def watch_changes(self) -> None:
        """Mark where each change is applied: right then, before its answer is on its way."""
        store = self.server.node.store
        deliver = store._deliver

        def watched(calls: Sequence[Call], outcomes: Sequence[Outcome]) -> None:
            deliver(calls, outcomes)
            for call, outcome in zip(calls, outcomes, strict=True):
                if call.cmd in ENDS and outcome.error is None:
                    self.marks[_victim_of(call)] = len(self.handed.log)

        store._deliver = watched

    async def pipeline(
        self, member: str, commands: Callable[[int], tuple[str, dict[str, Any]]]
    ) -> None:
        """Give one command after the other at full speed, until it is enough."""
        peer, number = self.peers[member], 0
        waiting: list[asyncio.Future[dict[str, Any]]] = []
        while not self.stop:
            number += 1
            cmd, params = commands(number)
            waiting.append(await peer.start(cmd, **params))
            if len(waiting) >= WINDOW:
                answer = await waiting.pop(0)
                if "error" in answer:
                    assert answer["error"]["code"] == "unreachable", answer
                    return  # its way has been closed
                self.answered += 1
        await asyncio.gather(*waiting)

    def writing(self, member: str, **where: str) -> Callable[[int], tuple[str, dict[str, Any]]]:
        """Messages, with typing before each."""

        def command(number: int) -> tuple[str, dict[str, Any]]:
            if number % 2 and "conversation" in where:
                start = number % 4 == 1  # a stop between two starts, or they would be renewals
                return f"typing.{'start' if start else 'stop'}", where
            body = f"{member} {number} {BODY}"
            ident = f"{member} {number} {sorted(where.values())}"
            return "message.send", {"body": body, "client_id": ident[:60], **where}

        return command


def _victim_of(call: Call) -> str:
    """Whose access a change ends; a block ends that between the blocked and the blocker."""
    if call.cmd == "settings.set":
        return call.caller.member
    member: str = call.params.member
    return member


@asynccontextmanager
async def stage(handed: Handed) -> AsyncIterator[Stage]:
    async with running_node() as server, AsyncExitStack() as stack:
        everybody = [*SENDERS, *ALL]
        await asyncio.gather(
            *(server.operate("member.put", id=member, name=member) for member in everybody)
        )
        pairs = [(SENDERS[0], member) for member in everybody[1:]]
        pairs += zip(SENDERS[1:], victims("blocked"), strict=False)
        await asyncio.gather(*(server.operate("connection.put", a=a, b=b) for a, b in pairs))
        scene = Stage(server, handed, "")
        for member in everybody:
            peer = Peer(server.ws, server.token(member), "json")
            scene.peers[member] = await stack.enter_async_context(peer)
            await peer.connect(device="reads")
        for member in ALL:
            scene.silent[member] = await stack.enter_async_context(deaf(server, member))
        scene.know_wires()
        scene.watch_changes()
        made = await scene.peers[SENDERS[0]].call("conversation.start", members=everybody[1:])
        scene.conversation = made["conversation"]
        for blocker, blocked in zip(SENDERS[1:], victims("blocked"), strict=False):
            sent = await scene.peers[blocker].call(
                "message.send", to=blocked, body="first", client_id="first"
            )
            scene.pairs[blocked] = sent["conversation"]
        yield scene


async def end_everything(scene: Stage) -> None:
    """All changes at once."""
    first, place = scene.peers[SENDERS[0]], scene.conversation
    async with asyncio.TaskGroup() as group:
        for member in victims("switched"):
            group.create_task(scene.peers[member].call("settings.set", receipts=False))
        for member in victims("removed"):
            group.create_task(first.call("conversation.remove", conversation=place, member=member))
        for blocker, member in zip(SENDERS[1:], victims("blocked"), strict=False):
            group.create_task(scene.peers[blocker].call("block.add", member=member))
        for member in victims("revoked"):
            group.create_task(scene.server.operate("session.revoke", member=member))
        for member in victims("device"):
            group.create_task(scene.server.operate("session.revoke", member=member, device="deaf"))


async def play(scene: Stage) -> None:
    """The load, the changes in the midst of it, and as much load again."""
    async with asyncio.TaskGroup() as load:
        for member in (*SENDERS, *victims("switched")):
            write = scene.writing(member, conversation=scene.conversation)
            load.create_task(scene.pipeline(member, write))
        for blocker, blocked in zip(SENDERS[1:], victims("blocked"), strict=False):
            load.create_task(scene.pipeline(blocked, scene.writing(blocked, to=blocker)))
            for each in (blocked, blocker):
                typing = scene.writing(each, conversation=scene.pairs[blocked])
                load.create_task(scene.pipeline(each, typing))
        await until(lambda: scene.answered >= LOAD and any(wire.full for wire in scene.wires))
        await end_everything(scene)
        after = scene.answered
        await until(lambda: scene.answered >= after + LOAD)
        scene.stop = True
    for member in ALL:  # what was still in the sockets is handed over, if it is
        if not member.startswith("revoked"):
            await scene.peers[member].call("ping")
    for member in (*victims("switched"), *victims("removed"), *victims("blocked")):
        await scene.silent[member].read_all()


def violations(scene: Stage) -> list[str]:
    """What was handed to whom had lost the right to it, by a plain reading of the log."""
    topic = f"conversation:{scene.conversation}"
    last: dict[tuple[str, str], int] = {}  # (member, topic or conversation) → last position
    for _, wire, frame in scene.handed.frames():
        member, _ = scene.wires[wire]
        if frame.get("event") == "conversation.left" and frame["topic"] == f"member:{member}":
            last[member, topic] = frame["data"]["pos"]
        if frame.get("event") == "connection.removed":
            for blocked, pair in scene.pairs.items():
                if blocked in (member, frame["data"]["member"]):
                    last.setdefault((member, pair), frame["pos"])
    found = []
    for place, wire, frame in scene.handed.frames():
        member, device = scene.wires[wire]
        if why := _wrong(scene, last, place, member, device, frame):
            found.append(f"{member} ({device}): {why}: {str(frame)[:150]}")
    return found


def _wrong(
    scene: Stage, last: dict[tuple[str, str], int], place: int, member: str, device: str,
    frame: dict[str, Any],
) -> str | None:  # fmt: skip
    after = place >= scene.marks.get(member, 2**62)
    topic = f"conversation:{scene.conversation}"
    if member.startswith("revoked") and after:
        return "after a revocation"
    if member.startswith("device") and device == "deaf" and after:
        return "after its device's revocation"
    if "event" not in frame:
        return None
    data, pos = frame["data"], frame.get("pos")
    if member.startswith("removed") and frame["topic"] == topic:
        if after:
            return "after a removal"
        if pos is not None and pos > last.get((member, topic), 2**62):
            return "behind a removal"
    talker = data.get("member", "")
    if pos is None and after and member.startswith("switched"):
        return "a signal after the switch"
    if pos is None and talker.startswith("switched") and place >= scene.marks.get(talker, 2**62):
        return "a signal of somebody who is switched off"
    for blocked, pair in scene.pairs.items():
        if data.get("conversation") != pair:
            continue
        if pos is None and place >= scene.marks.get(blocked, 2**62):
            return "a signal through a block"
        if pos is not None and pos > last.get((member, pair), 2**62):
            return "behind a block"
    return None


def dense(peer: Peer, topic: str) -> bool:
    """Whether the positions that this peer was told of a topic have no gap and no repeat."""
    told = [e["pos"] for e in peer.all_events if e["topic"] == topic and "pos" in e]
    return len(told) > 100 and told == list(range(told[0], told[0] + len(told)))


async def test_many_ends_of_access_at_once_hold_and_disturb_nobody(handed: Handed) -> None:
    async with stage(handed) as scene:
        await play(scene)
        assert set(scene.marks) == set(ALL)
        assert violations(scene) == []
        topic = f"conversation:{scene.conversation}"
        for member in (*SENDERS, *victims("switched"), *victims("blocked"), *victims("device")):
            assert dense(scene.peers[member], topic), member
        for member in victims("revoked"):
            assert (await scene.peers[member].end())[0] == 4508
        for member in victims("removed"):
            with pytest.raises(Refusal, match="unreachable"):
                await scene.peers[member].call(
                    "message.send", conversation=scene.conversation, body="x", client_id="x"
                )
        seen = {name for _, _, frame in handed.frames() if (name := frame.get("event"))}
        assert {"message.created", "typing.started", "typing.stopped", "roster.changed"} <= seen
        print(
            f"{sum(1 for _ in handed.frames())} frames to {len(scene.wires)} wires, {len(ALL)} ends"
        )


def _keeps_the_switch(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(Audience, "know", lambda self, _on, _fence: setattr(self, "receipts", True))
    return "after the switch"


def _keeps_the_audience(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(Hub, "_lose_one", lambda *_: None)
    return "a removal"


def _keeps_what_waits(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(Session, "drop_topic", lambda self, topic: self.topics.pop(topic, None))
    return "a removal"


def _keeps_the_sessions(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(Hub, "end", lambda *_: None)
    return "revocation"


def _asks_no_pair(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(contact, "signals_pass", lambda *_: True)
    monkeypatch.setattr(contact, "standing", lambda *_: contact.Standing("direct"))
    monkeypatch.setattr(contact, "visible", lambda *_: True)
    return "a block"


@pytest.mark.parametrize(
    "plant",
    [_keeps_the_switch, _keeps_the_audience, _keeps_what_waits, _keeps_the_sessions, _asks_no_pair],
)
async def test_the_check_finds_a_planted_bug(
    handed: Handed, monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], str]
) -> None:
    async with stage(handed) as scene:
        words = plant(monkeypatch)
        await play(scene)
        assert any(words in found for found in violations(scene))
