"""An open WebSocket between fakes: a transport that takes notes, a loop whose time is the test's.

Called by the unit tests of `server.web.uvicorn_protocol`: bytes in, frames and calls out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from server.protocol.wire import Listener, Wire
from server.web.endpoint import Endpoint, Limits, message_opcode
from server.web.uvicorn_protocol import WebSocketProtocol
from tests.support.peer import CLOSE

RESPONSE = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
LIMITS = Limits(max_size=1000, fragments=4, controls=3, controls_s=10.0, close_s=5.0, chatter=500)


@dataclass
class Timer:
    """One `call_later`."""

    when: float
    callback: Callable[[], object]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """What the protocol asks of a loop, with time and turns that the test takes itself."""

    def __init__(self) -> None:
        self.now = 100.0
        self.soon: list[Callable[[], object]] = []
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Callable[[], object]) -> None:
        self.soon.append(callback)

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        self.timers.append(Timer(self.now + delay, callback))
        return self.timers[-1]

    def turn(self) -> None:
        """Do what was put off until "soon"."""
        soon, self.soon = self.soon, []
        for callback in soon:
            callback()

    def advance(self, seconds: float) -> None:
        """Let time pass and due timers run."""
        self.now += seconds
        due = [timer for timer in self.timers if timer.when <= self.now]
        self.timers = [timer for timer in self.timers if timer not in due]
        for timer in due:
            if not timer.cancelled:
                timer.callback()


class Transport(asyncio.Transport):
    """Takes everything, sends nothing, and loses the connection when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.writes = 0
        self.calls: list[str] = []
        self._reading = True
        self.limits: tuple[int | None, int | None] = (None, None)

    def write(self, data: Any) -> None:
        assert "close" not in self.calls, "written to after close"
        assert "write_eof" not in self.calls, "written to after its end"
        self.written += data
        self.writes += 1

    def taken(self) -> bytes:
        """What was written since the last look."""
        written, self.written = bytes(self.written), bytearray()
        return written

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.limits = (high, low)

    def write_eof(self) -> None:
        self.calls.append("write_eof")

    def close(self) -> None:
        self.calls.append("close")

    def abort(self) -> None:
        self.calls.append("abort")

    def is_reading(self) -> bool:
        return self._reading

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True


class Recorder:
    """A listener and the acceptor that appoints it: keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[object] = []
        self.on_message: Callable[[bytes], None] = lambda payload: None
        self.on_open: Callable[[Wire], None] = lambda wire: None

    def subprotocols(self) -> Sequence[str]:
        return ()

    def refusal(self, origin: str | None) -> tuple[int, str] | None:
        return None

    def accepted(self, wire: Wire, subprotocol: str) -> Listener:
        self.on_open(wire)
        return self

    def received(self, payload: bytes) -> None:
        self.heard.append(payload)
        self.on_message(payload)

    def alive(self) -> None:
        self.heard.append("alive")

    def drained(self) -> None:
        self.heard.append("drained")

    def lost(self) -> None:
        self.heard.append("lost")

    @property
    def messages(self) -> list[bytes]:
        return [said for said in self.heard if isinstance(said, bytes)]


class Connection:
    """A protocol between its two fakes, opened."""

    def __init__(
        self,
        subprotocol: str = "x.msgpack",
        listener: Recorder | None = None,
        opcode_of: Callable[[str], int] = message_opcode,
    ) -> None:
        self.loop = Loop()
        self.transport = Transport()
        self.listener = listener or Recorder()
        self.connections: set[asyncio.Protocol] = set()
        self.wire = WebSocketProtocol(
            Endpoint(self.listener, LIMITS, opcode_of),
            self.transport,
            cast(asyncio.AbstractEventLoop, self.loop),
            self.connections,
            "192.0.2.1:50123",
        )
        self.wire.open(RESPONSE, subprotocol)
        assert self.transport.taken().startswith(RESPONSE)

    def receive(self, *data: bytes) -> None:
        """What one read of the socket brings."""
        self.wire.data_received(b"".join(data))

    def closed_with(self) -> tuple[int, str]:
        """The Close frame that was written last, alone."""
        written = self.transport.taken()
        assert written[:1] == bytes((CLOSE,)), written
        assert len(written) == 2 + written[1]
        return int.from_bytes(written[2:4]), written[4:].decode()
