"""How much one generator process can take on this machine: `python -m client_demo.load.capacity`.

A replay process writes the same frames to many sockets, some at a time, as a server does to the
sessions of one room; this process reads them the way a run does, every position and byte checked.
Deliveries a second of the *reader's own* processor time are what it could take of a faster sender.
"""

from __future__ import annotations

import asyncio
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
SIZE = 300
WINDOWS = (1, 8, 64)
DELIVERIES = 400_000
CONVERSATION = "0123456789abcdefghijkl"


def event(pos: int) -> bytes:
    """A message's frame of `SIZE` bytes, as the server lays it out."""
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
    """Accept the sockets, and write every frame to each of them, `window` at a time."""
    with socket.create_server(("127.0.0.1", 0), backlog=SOCKETS) as listening:
        pipe.send(listening.getsockname()[1])
        accepted = [listening.accept()[0] for _ in range(SOCKETS)]
        pipe.recv()
        for first in range(1, DELIVERIES // SOCKETS + 1, window):
            data = b"".join(event(pos) for pos in range(first, first + window))
            for one in accepted:
                one.sendall(data)
        pipe.recv()
        for one in accepted:
            one.close()


class Reader(asyncio.Protocol):
    """One socket's `Reading`. It owns nothing that can be asked."""

    def __init__(self, number: int, ledger: Ledger, tally: Tally) -> None:
        self._reading = Reading(Who(number, "load-0", 0), 0, ledger, tally, self)
        self._reading.connected({f"conversation:{CONVERSATION}": 0}, [], resumed=False)

    def data_received(self, data: bytes) -> None:
        """Check it."""
        self._reading.feed(data, now_us())

    def answer(self, frame: wire.Map) -> None:
        """Nothing is asked here."""

    def pinged(self, payload: bytes) -> None:
        """Nor pinged."""

    def closing(self, code: int, reason: str) -> None:
        """Nor closed."""


async def measure(window: int) -> tuple[float, float]:
    """Deliveries a second of the reader's processor time, and of the clock's."""
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
    for number in range(SOCKETS):
        await loop.create_connection(
            lambda number=number: Reader(number, ledger, tally), "127.0.0.1", port
        )
    whole = -(-(DELIVERIES // SOCKETS) // window) * window * SOCKETS
    used, began = time.process_time(), time.monotonic()
    ours.send("go")
    while tally.deliveries < whole:
        await asyncio.sleep(0.02)
    rates = (whole / (time.process_time() - used), whole / (time.monotonic() - began))
    ours.send("end")
    await asyncio.to_thread(process.join)
    if ledger.findings.total:
        raise AssertionError("\n".join(ledger.findings.lines()))
    return rates


def main() -> None:
    """Print the figures."""
    print(f"{SOCKETS} sockets, frames of {len(event(1))} bytes")
    for window in WINDOWS:
        cpu, clock = uvloop.run(measure(window))
        print(f"{window:>3} frames at a time: {cpu:>9,.0f} deliveries a second of processor time, "
              f"{clock:,.0f} by the clock")  # fmt: skip


if __name__ == "__main__":
    main()
