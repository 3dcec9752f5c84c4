"""How much one generator process can take on this machine: `python -m client_demo.load.capacity`.

A replay process writes the same frames to many sockets, some at a time, as a server does to the
sessions of one room; this process reads them the way a run does, every position and byte checked.
Deliveries a second of the *reader's own* processor time are what it could take of a faster sender.
"""

from __future__ import annotations

import asyncio
import functools
import multiprocessing
import socket
import time
from multiprocessing.connection import Connection

import uvloop

from client_demo.load import frames, wire
from client_demo.load.canary import Canary
from client_demo.load.ledger import Ledger, Who
from client_demo.load.plan import Assignment, Place, Plan
from client_demo.load.reading import Reading, Tally
from client_demo.load.session import now_us

SOCKETS = 500
WINDOWS = (1, 8, 64)
DELIVERIES = 400_000
CONVERSATION = "0123456789abcdefghijkl"


def event(pos: int) -> bytes:
    """A message's frame, as the server lays it out."""
    mark = Canary("capacity", 0, 0, pos, now_us(), now_us())
    data = {
        "conversation": CONVERSATION, "message": f"{pos:022}", "seq": pos, "sender": "load-0",
        "sent_at": 1_700_000_000_000, "rev": 0, "kind": "direct", "body": mark.body(100),
        "client_id": f"capacity-0-{pos}", "reactions": [],
    }  # fmt: skip
    topic = f"conversation:{CONVERSATION}"
    payload = wire.packed({"event": "message.created", "topic": topic, "pos": pos, "data": data})
    return frames.server_frame(frames.BINARY, payload)


def replay(pipe: Connection, window: int) -> None:
    """Accept the sockets, and write every frame to each of them, `window` at a time; the next ones
    when these have been read everywhere, so that no reader gets more at once."""
    with socket.create_server(("127.0.0.1", 0), backlog=SOCKETS) as listening:
        pipe.send(listening.getsockname()[1])
        accepted = [listening.accept()[0] for _ in range(SOCKETS)]
        for first in range(1, DELIVERIES // SOCKETS + 1, window):
            data = b"".join(event(pos) for pos in range(first, first + window))
            pipe.recv()
            for one in accepted:
                one.sendall(data)
        pipe.recv()
        for one in accepted:
            one.close()


class Rounds:
    """Asks for the next frames when all sockets have these."""

    def __init__(self, pipe: Connection, tally: Tally, window: int) -> None:
        self._pipe = pipe
        self._tally = tally
        self._each = window * SOCKETS
        self.whole = -(-(DELIVERIES // SOCKETS) // window) * self._each
        self.reads = 0
        self._wanted = 0
        self.over = asyncio.Event()

    def next(self) -> None:
        """Ask for the next ones."""
        self._wanted += self._each
        self._pipe.send(None)

    def read(self) -> None:
        """A socket was read."""
        self.reads += 1
        if self._tally.deliveries >= self._wanted:
            self.next()
            if self._wanted > self.whole:
                self.over.set()


class Reader(asyncio.Protocol):
    """One socket's `Reading`. It owns nothing that can be asked."""

    def __init__(self, number: int, ledger: Ledger, tally: Tally, rounds: Rounds) -> None:
        self._rounds = rounds
        self._reading = Reading(Who(number, "load-0", 0), 0, ledger, tally, self)
        self._reading.connected({f"conversation:{CONVERSATION}": 0}, [], resumed=False)

    def data_received(self, data: bytes) -> None:
        """Check it."""
        self._reading.feed(data, now_us())
        self._rounds.read()

    def answer(self, frame: wire.Map) -> None:
        """Nothing is asked here."""

    def pinged(self, payload: bytes) -> None:
        """Nor pinged."""

    def closing(self, code: int, reason: str) -> None:
        """Nor closed."""


async def measure(window: int) -> tuple[float, float, float]:
    """Deliveries a second of the reader's processor time, of the clock's, and frames a read."""
    plan = Plan(
        scenario="room", members=1, sessions=SOCKETS, rate=1, seconds=1, ramp=0, processes=1,
        encodings=(0,), seed=1,
    )  # fmt: skip
    place = Place(0, "room", CONVERSATION, (0,))
    ledger = Ledger(Assignment("capacity", plan, 0, (), ("load-0",), (), (place,)))
    tally = Tally()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=replay, args=(theirs, window), daemon=True)
    process.start()
    port = await asyncio.to_thread(ours.recv)
    loop = asyncio.get_running_loop()
    rounds = Rounds(ours, tally, window)
    for number in range(SOCKETS):
        reader = functools.partial(Reader, number, ledger, tally, rounds)
        await loop.create_connection(reader, "127.0.0.1", port)
    used, began = time.process_time(), time.monotonic()
    rounds.next()
    await rounds.over.wait()
    rates = (
        rounds.whole / (time.process_time() - used),
        rounds.whole / (time.monotonic() - began),
        rounds.whole / rounds.reads,
    )
    await asyncio.to_thread(process.join)
    if ledger.findings.total:
        raise AssertionError("\n".join(ledger.findings.lines()))
    return rates


def main() -> None:
    """Print the figures."""
    print(f"{SOCKETS} sockets, frames of {len(event(1))} bytes")
    for window in WINDOWS:
        cpu, clock, read = uvloop.run(measure(window))
        print(f"{window:>3} frames at a time, read {read:>4.1f} at a time: {cpu:>9,.0f} deliveries "
              f"a second of processor time, {clock:>9,.0f} by the clock")  # fmt: skip


if __name__ == "__main__":
    main()
