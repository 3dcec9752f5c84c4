"""A client as the contract describes one: it comes back, goes on from where it was, and repeats.

An `Actor` connects to any node that is up. On a loss, or a close code of 4000–4499, it comes back
with its positions; a command that was not answered is given again, with the same client_id. It
notes every byte that it gets, and at once whatever contradicts the contract's positions: dense over
resumes, but for resets.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from typing import Any

import msgpack
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, WebSocketException
from websockets.typing import Subprotocol

from tests.faults.cluster.ledger import Heard, Ledger, Socket, canaries
from tests.faults.cluster.rig import Cluster, Node

ANSWER_S = 3.0  # without an answer for so long, another node is tried
END_S = 7.0  # the same for what ends an access, which waits for a lease to run out
ENDS = ("conversation.remove", "conversation.leave", "block.add", "settings.set")
OPEN_S = 3.0
AGAIN_S = 0.05
LOST = (OSError, TimeoutError, WebSocketException, InvalidHandshake)


class Actor:
    """One client: `name` is its own, `member` whose it is."""

    def __init__(
        self, cluster: Cluster, ledger: Ledger, member: str, device: str, chance: random.Random
    ) -> None:
        self.cluster, self.ledger, self.chance = cluster, ledger, chance
        self.member, self.device, self.name = member, device, member + device
        self.positions: dict[str, int] = {}
        self.seen: dict[str, list[tuple[int, float, dict[str, Any]]]] = {}
        self.codes: list[int] = []
        self.internal = self.unknown = self.resets = self.lives = 0
        self.home: Node | None = None  # where it has to connect, if anywhere
        self.epoch = ""
        self.lost = 0  # how often the last command was given and not answered
        self.giving = ""  # the command that is not answered yet
        self.socket: Socket | None = None
        self.stopping = self.away = False
        self.on_resume: asyncio.Event | None = None
        self.heard = asyncio.Event()  # set by whatever comes
        self._wire: ClientConnection | None = None
        self._live = asyncio.Event()
        self._broken = asyncio.Event()
        self._ids = 0
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._readers: set[asyncio.Task[None]] = set()
        self._wires: list[ClientConnection] = []
        self._token: tuple[str, float] = ("", 0.0)
        self._live_from = 0
        self._past: set[str] = set()
        self._last_of: dict[str, int] = {}
        self._deaf: list[ClientConnection] = []

    # Living

    async def run(self) -> None:
        """Be connected, until told to stop."""
        self._token = self.cluster.token(self.member)
        while not self.stopping:
            nodes = [self.home] if self.home is not None else self.cluster.live
            node = self.chance.choice(nodes) if nodes else None
            if node is not None and node.up and not self.away:
                with contextlib.suppress(*LOST):
                    await self._one_life(node)
            await asyncio.sleep(self.chance.uniform(AGAIN_S / 2, AGAIN_S * 2))

    async def close(self) -> None:
        """Let go of every socket, those given up on as well."""
        self.stopping = True
        self._broken.set()
        for wire in self._wires:
            wire.transport.abort()
        await asyncio.gather(*self._readers, return_exceptions=True)

    async def _one_life(self, node: Node) -> None:
        wire = await connect(
            node.url.replace("http", "ws") + "/ws",
            subprotocols=[Subprotocol("subrosa.v1.msgpack")],
            compression=None, ping_interval=None, proxy=None, open_timeout=OPEN_S, max_size=None,
            close_timeout=0.2,
        )  # fmt: skip
        token, issued = self._token
        socket = Socket(self.member, self.name, self.device, node.number, issued, time.monotonic())
        self.ledger.sockets.append(socket)
        socket.number = len(self.ledger.sockets)
        self._wires.append(wire)
        self._broken = broken = asyncio.Event()
        self._wire, self.socket = wire, socket
        reader = asyncio.create_task(self._read(wire, socket, broken))
        self._readers.add(reader)
        try:
            params: dict[str, Any] = {"token": token, "device": self.device}
            if self.positions:
                params |= {"resume": dict(self.positions), "epoch": self.epoch or None}
                if self.on_resume is not None:
                    self.on_resume.set()
            frame = await self._ask("connect", params)
            if "error" in frame and frame["error"]["retryable"]:
                wire.transport.abort()
            await broken.wait()
        finally:
            self._live.clear()
            if self.socket is socket:
                self.socket = None
            self._fail_answers()

    def give_up(self) -> None:
        """Leave the present socket behind, open and still read: it may have something to say."""
        self.socket = None
        self._broken.set()

    def cut(self) -> None:
        """Reset the present connection."""
        if self._wire is not None:
            self._wire.transport.abort()

    def deafen(self) -> None:
        """Stop reading the present connection."""
        if self._wire is not None and self.socket is not None:
            self._wire.transport.pause_reading()
            self._deaf.append(self._wire)

    def hear_again(self) -> None:
        """Read on what was not read."""
        deaf, self._deaf = self._deaf, []
        for wire in deaf:
            if not wire.transport.is_closing():
                wire.transport.resume_reading()

    @property
    def behind(self) -> bool:
        """Whether something is missing of what it had before it was removed from somewhere."""
        return bool(self._last_of)

    # Commands

    async def call(self, cmd: str, **params: Any) -> tuple[dict[str, Any] | None, str]:
        """Give a command until it is answered: its result, or its error's code."""
        self.giving = cmd
        self.lost = 0
        while True:
            await self._live.wait()
            try:
                frame = await self._ask(cmd, params)
            except LOST:
                self.lost += 1
                await asyncio.sleep(0)
                continue
            error = frame.get("error")
            if error is None:
                self.giving = ""
                return frame["result"], ""
            self.internal += error["code"] == "internal"
            if error["code"] == "internal":
                self.ledger.faults.append(f"internal {self.name}: {cmd}")
            self.unknown += error["code"] == "unknown_outcome"
            if error["code"] == "unauthenticated":  # revoked: its socket is about to be closed
                self.give_up()
                self._token = self.cluster.token(self.member)
            if not error["retryable"] and error["code"] != "unauthenticated":
                self.giving = ""
                return None, str(error["code"])
            await asyncio.sleep(self.chance.uniform(AGAIN_S / 2, AGAIN_S * 2))

    async def ping(self, pings: dict[int, int]) -> None:
        """Ask for a sign of life by the present socket, without waiting for it, and note that."""
        wire, socket = self._wire, self.socket
        if wire is not None and socket is not None and socket.heard:
            self._ids = ident = self._ids + 1
            pings[socket.number] = ident
            with contextlib.suppress(*LOST):
                async with asyncio.timeout(OPEN_S):
                    await wire.send(msgpack.packb({"id": ident, "cmd": "ping", "params": {}}))

    async def _ask(self, cmd: str, params: dict[str, Any]) -> dict[str, Any]:
        wire = self._wire
        if wire is None or self.socket is None:
            raise ConnectionError
        self._ids = ident = self._ids + 1
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[ident] = answer
        try:
            async with asyncio.timeout(END_S if cmd in ENDS else ANSWER_S):
                await wire.send(msgpack.packb({"id": ident, "cmd": cmd, "params": params}))
                return await answer
        except TimeoutError:
            if self._wire is wire:
                self.give_up()
            raise
        finally:
            self._answers.pop(ident, None)

    def _fail_answers(self) -> None:
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ConnectionError("lost"))
                answer.exception()

    # What comes

    async def _read(self, wire: ClientConnection, socket: Socket, broken: asyncio.Event) -> None:
        with contextlib.suppress(*LOST):
            async for raw in wire:
                assert isinstance(raw, bytes)
                frame = msgpack.unpackb(raw)
                socket.heard.append(Heard(time.monotonic(), canaries(raw), frame))
                if self.socket is socket:
                    self._take(frame)
        socket.closed, socket.closed_at = wire.close_code or 1006, time.monotonic()
        if socket.closed >= 4000:
            self.codes.append(socket.closed)
        if socket.closed >= 4500 and self._token[1] == socket.issued:
            self._token = self.cluster.token(self.member)
        if self.socket is socket:
            self.socket = None
        broken.set()

    def _take(self, frame: dict[str, Any]) -> None:
        if "event" not in frame:
            result = frame.get("result")
            if isinstance(result, dict) and "session" in result:
                self._opened(result)
            answer = self._answers.get(frame["id"] or 0)
            if answer is not None and not answer.done():
                answer.set_result(frame)
        elif "pos" in frame:
            self._event(frame)
        self.heard.set()

    def _opened(self, result: dict[str, Any]) -> None:
        topics: dict[str, int] = result["topics"]
        again = bool(self.positions) and result["epoch"] == (self.epoch or result["epoch"])
        if self.positions and not again:
            self.ledger.faults.append(f"lost {self.name}: another epoch")
        for topic, head in topics.items():
            if not again or topic not in self.positions or topic in result["reset"]:
                self.resets += again and topic in self.positions
                self.positions[topic] = head
        self.epoch = result["epoch"]
        self._live_from = topics[f"member:{self.member}"]
        self._past = self.positions.keys() - topics.keys()
        self._last_of = {t: pos for t, pos in self._last_of.items() if t in self._past}
        self.lives += 1
        self._live.set()

    def _event(self, event: dict[str, Any]) -> None:
        topic, pos = event["topic"], event["pos"]
        have = self.positions.get(topic)
        self.seen.setdefault(topic, []).append((pos, time.monotonic(), event))
        if have is None:
            self.ledger.faults.append(f"leak {self.name}: {topic} {pos}, which it is not in")
        elif pos <= have:
            self.ledger.faults.append(f"twice {self.name}: {topic} {pos} after {have}")
        elif pos > have + 1:
            self.ledger.faults.append(f"order {self.name}: {topic} {pos} after {have}")
        if have is not None:
            self.positions[topic] = max(pos, have)
        if event["event"] in ("conversation.joined", "conversation.left"):
            self._topics_change(event)
        self._forget_if_complete(topic)

    def _forget_if_complete(self, topic: str) -> None:
        last = self._last_of.get(topic)
        if last is not None and self.positions.get(topic, last) >= last:
            self.positions.pop(topic, None)
            self._last_of.pop(topic)

    def _topics_change(self, event: dict[str, Any]) -> None:
        topic, pos = event["data"]["topic"], event["data"]["pos"]
        live = event["pos"] > self._live_from
        if event["event"] == "conversation.joined":
            if live:
                self.positions[topic] = pos
                self._past.discard(topic)
                self._last_of.pop(topic, None)
        elif topic in self.positions and (live or topic in self._past):
            self._last_of[topic] = pos  # what is missing of it goes up to there
            self._forget_if_complete(topic)
