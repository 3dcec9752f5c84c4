"""The open WebSocket: asyncio's protocol on one side, the house's `Wire` on the other.

Owns what becomes of bytes between the socket and the `Listener`: whole messages out of frames, the
bounds on them, flow control both ways, the closing handshake and its end. It decides nothing about
what a message says. It refuses, each with its close code: frames that break RFC 6455 (1002), the
other kind of message than the subprotocol's (1003), text that is not UTF-8 (1007), messages of too
many bytes or fragments (1009), too many control frames (4013).

`HttpProtocol` opens one when a handshake has succeeded; uvicorn calls `shutdown` at the very end.
A frame that is a whole message by itself is read right here; any other is put to the `websockets`
library, whose protocol object lives no longer than an unfinished message: an idle connection is
this object, its transport and its listener. Frames are taken one at a time, so that every bound
and `pause_reading` are exact.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from websockets.frames import Frame, Opcode
from websockets.protocol import SERVER, Protocol

from server.protocol.frames import (
    BINARY,
    CLOSE,
    CONTROL,
    FIN,
    OPCODE,
    TEXT,
    close_frame,
    is_utf8,
    unmasked,
    whole_frame,
)
from server.protocol.wire import Listener
from server.web.endpoint import Endpoint

_OPEN: Final = 0
_CLOSING: Final = 1
"""Our Close is sent: nothing of the peer's matters but its own."""
_DEAF: Final = 2
"""Nothing of the peer's matters at all: it is gone, or its frames can no longer be told apart."""


class WebSocketProtocol(asyncio.Protocol):
    """One connection after its handshake: a `Wire` to its listener."""

    __slots__ = (
        "_chatter",
        "_connections",
        "_controls",
        "_controls_until",
        "_endpoint",
        "_fragments",
        "_listener",
        "_loop",
        "_opcode",
        "_parser",
        "_paused",
        "_state",
        "_timer",
        "_transport",
        "_unread",
        "full",
        "peer",
    )

    def __init__(
        self,
        endpoint: Endpoint,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        connections: set[asyncio.Protocol],
        peer: str,
    ) -> None:
        self.peer = peer
        self._endpoint = endpoint
        self._transport = transport
        self._loop = loop
        self._connections = connections
        self._listener: Listener = _NOBODY
        self._state = _OPEN
        self._opcode = BINARY
        self._unread: bytes | bytearray = b""
        self._parser: Protocol | None = None
        self._fragments: list[bytes] | None = None
        self._controls = 0
        self._controls_until = 0.0
        self._chatter = 0
        self._timer: asyncio.TimerHandle | None = None
        self.full = False
        self._paused = False

    def open(self, response: bytes, subprotocol: str) -> None:
        """Answer the handshake, then ask the acceptor who listens. Called once, before data."""
        self._connections.add(self)
        self._opcode = self._endpoint.opcode_of(subprotocol)
        # What the kernel does not take makes the wire full: the rest stays where it can be taken
        # back. And uvloop then writes at once, not in another pass over all transports.
        self._transport.set_write_buffer_limits(high=0, low=0)
        self._transport.write(response)
        self._listener = self._endpoint.acceptor.accepted(self, subprotocol)

    # The wire, as its listener uses it.

    def write(self, frames: Sequence[bytes]) -> None:
        if self._state == _OPEN:
            self._transport.write(frames[0] if len(frames) == 1 else b"".join(frames))

    def close(self, code: int, reason: str = "") -> None:
        if self._state != _OPEN:
            return
        if self.full:
            self.abort()
            return
        self._state = _CLOSING
        self._transport.write(close_frame(code, reason))
        self._forget_message()
        self._give_up_later()
        if self._paused:
            self._paused = False
            self._loop.call_soon(self._catch_up)

    def abort(self) -> None:
        self._state = _DEAF
        self._transport.abort()

    def pause_reading(self) -> None:
        if self._state == _OPEN and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._state == _OPEN and self._paused:
            self._paused = False
            # Not at once: the listener that calls this is not ready to be called itself.
            self._loop.call_soon(self._catch_up)

    # The protocol, as transport and server use it.

    def data_received(self, data: bytes) -> None:
        if self._state != _OPEN:
            self._chatter += len(data)
            if self._chatter > self._endpoint.limits.chatter:
                self._state = _DEAF
                self._transport.pause_reading()
            if self._state == _DEAF:
                return
        if self._unread:
            # A bytearray grows in place: a message that comes byte by byte is not copied each time.
            unread = bytearray(self._unread) if isinstance(self._unread, bytes) else self._unread
            unread += data
            self._read(unread)
        else:
            self._read(data)

    def eof_received(self) -> None:
        """The peer sends no more. Returning None lets the transport flush and close itself."""
        self._state = _DEAF
        self._give_up_later()

    def pause_writing(self) -> None:
        self.full = True

    def resume_writing(self) -> None:
        self.full = False
        if self._state == _OPEN:
            self._listener.drained()

    def connection_lost(self, exc: Exception | None) -> None:
        self._state = _DEAF
        self.full = False
        self._unread = b""
        self._forget_message()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._connections.discard(self)
        listener, self._listener = self._listener, _NOBODY
        listener.lost()

    def shutdown(self) -> None:
        """End what the drain has left, as uvicorn asks just before it stops."""
        self.close(4001, "after_ms=1000")

    # Frames.

    def _read(self, data: bytes | bytearray) -> None:
        """Take frames until they run out or are not wanted; keep the rest for later."""
        at = 0
        max_size = self._endpoint.limits.max_size
        while self._state != _DEAF and not self._paused:
            frame = whole_frame(data, at, max_size)
            if frame is None:
                break
            mask, end = frame
            if self._state == _CLOSING:
                if data[at] & OPCODE == CLOSE:
                    self._leave()
            else:
                self._listener.alive()
                if data[at] == FIN | self._opcode and mask and self._fragments is None:
                    self._message(unmasked(data, mask, end))
                else:
                    self._ask_library(data[at:end])
            at = end
        self._unread = b"" if self._state == _DEAF else data[at:] if at else data

    def _catch_up(self) -> None:
        if self._state != _DEAF and not self._paused:
            unread, self._unread = self._unread, b""
            self._read(unread)
        if self._state != _DEAF and not self._paused:
            self._transport.resume_reading()

    def _ask_library(self, data: bytes | bytearray) -> None:
        """One frame that is not a whole message: a control frame, a fragment or an error."""
        endpoint = self._endpoint
        # A control frame stands for itself, a Close among fragments included.
        alone = data[0] & CONTROL
        parser = None if alone else self._parser
        if parser is None:
            parser = Protocol(SERVER, max_size=endpoint.limits.max_size, logger=endpoint.log)
        parser.receive_data(data)
        reply = b"".join(parser.data_to_send())
        if parser.parser_exc is not None:
            self._fail(reply)
            return
        (frame,) = parser.events_received()
        assert isinstance(frame, Frame)
        self._take(frame, reply)
        if not alone:
            self._parser = None if self._fragments is None else parser

    def _take(self, frame: Frame, reply: bytes) -> None:
        if frame.opcode is Opcode.CLOSE:
            self._transport.write(reply)
            self._leave()
        elif frame.opcode is Opcode.PING or frame.opcode is Opcode.PONG:
            self._control(reply)
        elif frame.opcode is not Opcode.CONT and frame.opcode != self._opcode:
            self.close(1003, "this subprotocol has the other kind of message")
        else:
            self._fragment(bytes(frame.data), frame.fin)

    def _control(self, pong: bytes) -> None:
        limits = self._endpoint.limits
        now = self._loop.time()
        if now >= self._controls_until:
            self._controls_until = now + limits.controls_s
            self._controls = 0
        self._controls += 1
        if self._controls > limits.controls:
            self.close(4013, "after_ms=5000")
        elif pong and not self.full:
            # A peer that does not read gets no pongs; one that pings again is answered then.
            self._transport.write(pong)

    def _fragment(self, payload: bytes, last: bool) -> None:
        fragments = self._fragments or []
        fragments.append(payload)
        if len(fragments) > self._endpoint.limits.fragments:
            self.close(1009, "too many fragments")
        elif last:
            self._fragments = None
            self._message(b"".join(fragments))
        else:
            self._fragments = fragments

    def _message(self, payload: bytes) -> None:
        if self._opcode == TEXT and not is_utf8(payload):
            self.close(1007, "not UTF-8")
        else:
            self._listener.received(payload)

    # The end.

    def _leave(self) -> None:
        """Both Close frames are out: the server is the one to close the connection."""
        self._state = _DEAF
        self._forget_message()
        self._give_up_later()
        self._transport.close()

    def _fail(self, close: bytes) -> None:
        """Nothing that follows can be told apart: say why, and read no frame for an answer.

        The connection is half-closed and what still comes is thrown away. To close it whole with
        bytes unread would reset it, and the peer might never see the Close frame.
        """
        if self.full:
            self.abort()
            return
        self._state = _DEAF
        self._forget_message()
        self._give_up_later()
        self._transport.write(close)
        self._transport.write_eof()

    def _give_up_later(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(
                self._endpoint.limits.close_s, self._transport.abort
            )

    def _forget_message(self) -> None:
        self._parser = None
        self._fragments = None


class _Nobody:
    """Who listens before the acceptor has answered and after the connection is lost."""

    __slots__ = ()

    def received(self, payload: bytes) -> None:
        """Nobody is there to take it."""

    def alive(self) -> None:
        """Nobody asks."""

    def drained(self) -> None:
        """Nobody writes."""

    def lost(self) -> None:
        """Nobody had it."""


_NOBODY: Final = _Nobody()
