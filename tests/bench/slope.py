"""Whether the process grows: five minutes of fan-out while some of the readers take nothing.

One reader in a hundred stops reading as soon as it is connected, and comes back after a minute to
do the same; by then the server has ended it. What counts is the line through the samples of the
resident set behind the warm-up, in which most caches fill.
"""

from __future__ import annotations

import socket
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench import generator, payloads, places
from tests.bench.measures import MANY_SESSIONS, ROOM, Say, meanwhile
from tests.bench.places import House

READERS = 1_000
STOPPED = READERS // 100
SECONDS = 300
WARM_UP_S = 60.0
WINDOW = 8
SAMPLE_S = 1.0
STAY_S = 60.0  # longer than the server waits for one that takes nothing


class Stopped:
    """A reader that takes nothing but its handshake, and comes back now and then."""

    def __init__(self, port: int, first_frame: bytes) -> None:
        self._port = port
        self._frame = first_frame
        self._socket: socket.socket | None = None
        self._until = 0.0

    def turn(self) -> None:
        """Be there."""
        if time.monotonic() >= self._until:
            self.close()
            self._open()
            self._until = time.monotonic() + STAY_S

    def _open(self) -> None:
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        made.settimeout(5)
        made.connect(("127.0.0.1", self._port))
        made.sendall(
            b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Protocol: subrosa.v1.json\r\n\r\n"
        )
        made.recv(4096)
        made.sendall(self._frame)
        self._socket = made

    def close(self) -> None:
        """Be gone."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _masked(payload: bytes) -> bytes:
    """A text frame; a mask of zeros is a mask."""
    return b"\x81\xfe" + len(payload).to_bytes(2) + bytes(4) + payload


@contextmanager
def _watched(house: House, stopped: Sequence[Stopped]) -> Iterator[list[tuple[float, int]]]:
    """Keep readers stopped, and sample the process meanwhile: (seconds, bytes)."""
    samples, began = list[tuple[float, int]](), time.monotonic()

    def watch() -> None:
        samples.append((time.monotonic() - began, house.place.resident()))
        for one in stopped:
            one.turn()

    try:
        with meanwhile(SAMPLE_S, watch):
            yield samples
    finally:
        for one in stopped:
            one.close()


def slope(directory: Path, _turns: int, say: Say) -> dict[str, Any]:
    """Bytes a minute by which the process grows under load, once it is warm."""
    with places.subrosa(policy=MANY_SESSIONS) as house:
        members = house.members(ROOM)
        room = house.room(members)
        tokens = list(members.values())
        pack = payloads.JSON.pack
        connects = [
            pack(payloads.connect(tokens[n % ROOM], f"d{n}")) for n in range(READERS - STOPPED)
        ]
        opens = payloads.write(directory / "opens", connects)

        stopped = [
            Stopped(house.place.port, _masked(pack(payloads.connect(tokens[n], f"stopped-{n}"))))
            for n in range(STOPPED)
        ]
        publish = directory / "publish"
        payloads.write(publish, [pack(payloads.send("slope", conversation=room))])
        with _watched(house, stopped) as samples:
            found = generator.run(
                house.place, *payloads.JSON.options, "--for", str(SECONDS), limit_s=2 * SECONDS,
                conns=len(connects), opens=opens, publish=publish,
                expect=len(connects), window=WINDOW,
            )  # fmt: skip
        bounds = {
            name: house.metric(f"subrosa_{name}")
            for name in ("too_slow_total", "held_bytes_most", "held_seconds_most")
        }
    warm = [(at / 60, size) for at, size in samples if at >= WARM_UP_S]
    line = statistics.linear_regression(*zip(*warm, strict=True))
    sizes = [size for _, size in warm]
    say(
        f"{found['seconds']:.0f} s, {found['published']:,} messages to {READERS:,} readers,"
        f" one had {bounds['held_bytes_most']:,.0f} bytes waiting at most, for"
        f" {bounds['held_seconds_most']:.0f} s; {bounds['too_slow_total']:.0f} ended as too slow;"
        f" {min(sizes) / 1e6:.0f} to {max(sizes) / 1e6:.0f} MB"
    )
    return {
        "median": {"subrosa": line.slope},
        "samples": samples,
        "bounds": bounds,
        "published": found["published"],
        "unit": "bytes a minute",
    }
