"""One session over its connections: handshake, `connect` and resume, commands and their answers.

An asyncio protocol as thin as can be: what comes goes to `Reading`, what is sent is built here.
Messages go out in the order submitted, at most `IN_FLIGHT` unanswered; what is more waits, and
what a lost connection left unanswered is sent again under the same `client_id`, ahead of the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from typing import Protocol, cast

from client_demo.errors import CommandError, ConnectionLost
from client_demo.load import frames, wire
from client_demo.load.canary import Canary
from client_demo.load.frames import Broken, client_frame
from client_demo.load.ledger import Ledger, Who
from client_demo.load.plan import Target
from client_demo.load.reading import Reading, Tally
from client_demo.load.wire import Map

IN_FLIGHT = 64
"""Commands that the server lets wait for their answer in one session."""

NORMAL, LOST = 1000, 1006


def now_us() -> int:
    """One clock for all processes of this machine."""
    return time.monotonic_ns() // 1000


class Send:
    """One message: when it was due, and what it says, once it has been sent for the first time."""

    __slots__ = ("due", "mark", "number", "params", "place", "seat")

    def __init__(self, place: int, seat: int, number: int, due: int, params: Map) -> None:
        self.place = place
        self.seat = seat
        self.number = number
        self.due = due
        self.params = params
        self.mark: Canary | None = None


class Host(Protocol):
    """What a session tells the fleet that it belongs to."""

    ledger: Ledger
    run: str
    body: int

    def opened(self, session: Session, result: Map) -> None:
        """It is live."""

    def lost(self, session: Session, code: int, reason: str) -> None:
        """Its connection is gone, whether or not it had been live."""

    def acknowledged(self, session: Session, send: Send, result: Map) -> None:
        """A message has its result."""

    def refused(self, session: Session, send: Send, error: CommandError) -> bool:
        """A message was not taken; whether to send it again."""


class Session(asyncio.Protocol):
    """One device of one member."""

    def __init__(
        self, who: Who, encoding: int, target: Target, token: str, host: Host, tally: Tally
    ) -> None:
        self.who = who
        self.target = target
        self.reading = Reading(who, encoding, host.ledger, tally, self)
        self.live = False
        self.over = False
        """Ended by the server for good."""
        self.due = 0
        """When the present connection was due."""
        self.backlog: deque[Send] = deque()
        self.returning: int | None = None
        """Microseconds after which it comes back, once, when its connection was cut on purpose."""
        self.settled: asyncio.Future[None] | None = None
        """Done when the present connection is live, or lost."""
        self._token = token
        self._host = host
        self._encoding = encoding
        self._epoch = ""
        self._transport: asyncio.Transport | None = None
        self._head: bytes | None = b""
        self._close: tuple[int, str] | None = None
        self._ids = 0
        self._sends: dict[int, Send] = {}
        self._calls: dict[int, asyncio.Future[Map]] = {}

    # --- the connection -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Shake hands."""
        self._transport = wired = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        self._head, self._close = b"", None
        self.reading.fresh()
        request = frames.handshake(self.target.authority, "/ws", wire.subprotocol(self._encoding))
        wired.write(request)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        try:
            if self._head is None:
                self.reading.feed(data, now_us())
                return
            self._head += data
            rest = frames.upgraded(self._head)
            if rest is not None:
                self._head = None
                self._connect()
                if rest:
                    self.reading.feed(rest, now_us())
        except Broken as error:
            refused = isinstance(error, frames.Refused)
            if not refused:
                self._host.ledger.findings.add("garbled", f"session {self.who.session}: {error}")
            self._close = (LOST, str(error))
            self._abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Put what is unanswered in front of what waits, and say so."""
        self.live = False
        self._transport = None
        code, reason = self._close or (LOST, "" if exc is None else str(exc))
        self.backlog.extendleft(reversed(self._sends.values()))
        self._sends.clear()
        calls, self._calls = self._calls, {}
        for call in calls.values():
            if not call.done():
                call.set_exception(ConnectionLost(f"the connection was lost ({code})"))
        self.over = 4500 <= code <= 4999
        self._done()
        self._host.lost(self, code, reason)

    def _connect(self) -> None:
        params: Map = {"token": self._token, "device": f"load-{self.who.session}"}
        positions = self.reading.positions()
        if positions:
            params |= {"resume": positions, "epoch": self._epoch}
        self._ids = 1
        self._write(frames.client_frame(
            wire.OPCODES[self._encoding], wire.encode(1, "connect", params, self._encoding)
        ))  # fmt: skip

    def _connected(self, frame: Map) -> None:
        result = frame.get("result")
        if result is None:
            self._close = (LOST, str(frame.get("error", {}).get("code")))
            return  # the server closes by itself, and says why
        resumed = bool(self._epoch)
        self._epoch = str(result["epoch"])
        self.reading.connected(result["topics"], result["reset"], resumed)
        self.live = True
        self._host.opened(self, result)
        self._done()
        self._flush()

    def _done(self) -> None:
        if self.settled is not None and not self.settled.done():
            self.settled.set_result(None)

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def cut(self) -> None:
        """Vanish, as a device does whose network is gone."""
        self._abort()

    def leave(self) -> None:
        """Close in good order."""
        self._write(client_frame(frames.CLOSE, NORMAL.to_bytes(2)))

    def stop_reading(self) -> None:
        """Take nothing more from the socket."""
        if self._transport is not None:
            self._transport.pause_reading()

    def read_again(self) -> None:
        """Go on where `stop_reading` left off."""
        if self._transport is not None:
            with contextlib.suppress(RuntimeError):  # it was another connection's
                self._transport.resume_reading()

    # --- commands -----------------------------------------------------------------------------

    @property
    def unanswered(self) -> int:
        """Messages that have been sent, or wait to be."""
        return len(self._sends) + len(self.backlog)

    def submit(self, send: Send) -> bool:
        """Send a message, or have it wait; whether it went out at once."""
        self.backlog.append(send)
        self._flush()
        return send.mark is not None

    def call(self, cmd: str, params: Map) -> asyncio.Future[Map]:
        """Give a command. The future has its result, or CommandError or ConnectionLost."""
        answer: asyncio.Future[Map] = asyncio.get_running_loop().create_future()
        if not self.live:
            answer.set_exception(ConnectionLost("the session is not connected"))
            return answer
        self._calls[self._command(cmd, params)] = answer
        return answer

    def _command(self, cmd: str, params: Map) -> int:
        self._ids += 1
        payload = wire.encode(self._ids, cmd, params, self._encoding)
        self._write(client_frame(wire.OPCODES[self._encoding], payload))
        return self._ids

    def _flush(self) -> None:
        while self.live and self.backlog and len(self._sends) < IN_FLIGHT:
            send = self.backlog.popleft()
            if send.mark is None:
                host = self._host
                send.mark = Canary(host.run, send.seat, send.place, send.number, send.due, now_us())
                send.params["body"] = send.mark.body(host.body)
                send.params["client_id"] = f"{host.run}-{send.seat}-{send.number}"
            self._sends[self._command("message.send", send.params)] = send

    # --- what comes (Owner) -------------------------------------------------------------------

    def answer(self, frame: Map) -> None:
        """An answer: to a message, to a call, or to `connect`."""
        ident = frame.get("id")
        if ident == 1 and not self.live:
            self._connected(frame)
            return
        send = self._sends.pop(ident, None) if isinstance(ident, int) else None
        if send is not None:
            if "result" in frame:
                self._host.acknowledged(self, send, frame["result"])
            elif self._host.refused(self, send, _error(frame)):
                self.backlog.appendleft(send)
            self._flush()
            return
        call = self._calls.pop(ident, None) if isinstance(ident, int) else None
        if call is None:
            error = frame.get("error", {}).get("code", "no error")
            self._host.ledger.findings.add(
                "garbled", f"session {self.who.session} got an answer to nothing: {error}"
            )
        elif not call.done():
            if "result" in frame:
                call.set_result(frame["result"])
            else:
                call.set_exception(_error(frame))

    def pinged(self, payload: bytes) -> None:
        """Show life."""
        self._write(client_frame(frames.PONG, payload))

    def closing(self, code: int, reason: str) -> None:
        """The server closes: answer it, and remember why."""
        if self._close is None or self._close[0] == LOST:
            self._close = (code, reason)
        self._write(client_frame(frames.CLOSE, code.to_bytes(2) if code != 1005 else b""))
        if self._transport is not None:
            self._transport.close()


def _error(frame: Map) -> CommandError:
    error = frame.get("error")
    error = error if isinstance(error, dict) else {}
    return CommandError(
        str(error.get("code", "garbled")),
        str(error.get("message", "")),
        retryable=error.get("retryable") is True,
        details=error,
    )
