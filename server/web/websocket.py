"""WebSocket connections: one client's frames to commands, outcomes to frames.

`Gateway` decides on handshakes and keeps the connections; a `Connection` joins a wire, the
protocol's state machine and the hub's session. A session's commands take effect in the order
sent: writes follow each other into the store, a read waits for the writes before it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Sequence
from typing import Any

from server.commands.command import Command, Params
from server.commands.members import Connect, Refresh, Resume
from server.commands.outcome import Caller, Outcome
from server.errors import (
    CommandError,
    Invalid,
    RateLimited,
    TokenExpired,
    TokenRevoked,
    Unauthenticated,
)
from server.protocol.codec import CODECS
from server.protocol.session import (
    ClientSession,
    Goodbye,
    Reply,
    Request,
    State,
    error,
    result,
)
from server.protocol.wire import Wire
from server.realtime.heartbeat import Heartbeat
from server.realtime.hub import PING_S, TOO_MANY, Hub
from server.realtime.resuming import Resuming
from server.realtime.session import Session
from server.web.dispatch import Dispatcher, validate

DRAINING = 4001
EXPIRED = (4005, "token expired")
BAD_TOKEN = (4500, "bad token")
REVOKED = (4508, "revoked")
FLOOD = (4013, "after_ms=5000")
NOBODY = Caller("?")  # no member's id, and not the operator
_REFUSED_IN_A_ROW = 200  # commands over the rate, one after the other, without one that was not


class Gateway:
    """The acceptor of every handshake. `origins` are those allowed beside the server's own."""

    def __init__(
        self, dispatcher: Dispatcher, hub: Hub, heartbeat: Heartbeat, origins: Sequence[str]
    ) -> None:
        self.dispatcher = dispatcher
        self.hub = hub
        self.heartbeat = heartbeat
        self.policy = dispatcher.policy
        self.connections: set[Connection] = set()
        self.origins = set(origins)
        self.empty = asyncio.Event()  # draining, and nobody is left

    def subprotocols(self) -> Sequence[str]:
        """Those spoken here."""
        return tuple(CODECS)

    def refusal(self, origin: str | None) -> tuple[int, str] | None:
        """Refuse foreign origins, and everybody while draining."""
        if self.dispatcher.draining:
            return 503, "The server is draining: connect again in a moment."
        if origin is not None and not self._allowed(origin):
            return 403, "This origin is not allowed: list it in SUBROSA_ORIGINS."
        return None

    def _allowed(self, origin: str) -> bool:
        return origin.lower().rstrip("/") in self.origins

    def accepted(self, wire: Wire, subprotocol: str) -> Connection:
        """A new connection, not yet anybody's."""
        connection = Connection(self, wire, subprotocol)
        self.connections.add(connection)
        self.heartbeat.expect_connect(connection)
        return connection

    def gone(self, connection: Connection) -> None:
        """A connection is lost."""
        self.connections.discard(connection)
        if self.dispatcher.draining and not self.connections:
            self.empty.set()

    def begin_drain(self, spread_ms: int) -> None:
        """Tell every session to come back in a while, each after its own delay."""
        if not self.connections:
            self.empty.set()
        for connection in list(self.connections):
            delay = secrets.randbelow(spread_ms) + 250
            connection.end(DRAINING, f"after_ms={delay}")


class Connection:
    """One client. Everything happens on the loop's thread."""

    __slots__ = ("__weakref__", "_caller", "_gateway", "_limited", "_protocol", "_queue",
                 "_reading", "_resume_to", "_writes", "closed", "session", "wire")  # fmt: skip

    def __init__(self, gateway: Gateway, wire: Wire, subprotocol: str) -> None:
        self._gateway = gateway
        self.wire = wire
        self._protocol = ClientSession(CODECS[subprotocol], gateway.policy.bad_frames_in_a_row)
        self._caller: Caller | None = None
        self._queue: deque[tuple[Request, Command, Params]] | None = None
        self._writes = 0
        self._reading = False
        self._limited = 0
        self._resume_to: Resuming | None = None
        self.session: Session | None = None
        self.closed = False

    # From the wire

    def received(self, payload: bytes) -> None:
        """One message from the client."""
        said = self._protocol.receive(payload)
        if isinstance(said, Reply):
            self._send(said.body)
        elif isinstance(said, Goodbye):
            self.end(said.code, said.reason)
        elif isinstance(said, Request):
            self._request(said)

    def alive(self) -> None:
        """Any frame counts as life."""
        if self.session is not None:
            self.session.seen = self._gateway.heartbeat.now()

    def drained(self) -> None:
        """The wire takes more again."""
        if self.session is not None:
            self._gateway.hub.drained(self.session)

    def lost(self) -> None:
        """The connection is gone."""
        self.closed = True
        self._protocol.state = State.CLOSED
        self._gateway.gone(self)
        self._gateway.heartbeat.forget(self)
        if self.session is not None:
            self._gateway.hub.leave(self.session)

    def end(self, code: int, reason: str) -> None:
        """Close this connection."""
        self._protocol.state = State.CLOSED
        if self.session is not None:
            self._gateway.hub.end(self.session, code, reason)
        else:
            self.wire.close(code, reason)

    @property
    def connected(self) -> bool:
        """Whether the session is open."""
        return self.session is not None and self.session.live

    def _send(self, body: dict[str, Any]) -> None:
        frame = self._protocol.codec.frame(body)
        if self.session is not None:
            self._gateway.hub.give(self.session, frame)
        elif self.wire.full:
            self.wire.abort()  # not even connected, and does not read its answers
        else:
            self.wire.write([frame])

    # Commands

    def _request(self, request: Request) -> None:
        gateway = self._gateway
        try:
            if request.cmd == "connect":
                self._connect(request)
                return
            caller = self._caller or NOBODY
            command = gateway.dispatcher.command(caller, request.cmd)
            if self._caller is not None:
                gateway.dispatcher.allow(caller, command)
            params = validate(command, request.params)
            self._limited = 0
        except RateLimited as refusal:
            self._send(error(request.id, refusal.to_wire()))
            self._limited += 1
            if self._limited >= _REFUSED_IN_A_ROW:
                self.end(*FLOOD)
            return
        except CommandError as refusal:
            self._send(error(request.id, refusal.to_wire()))
            return
        if self._queue is None:
            self._queue = deque()
        self._queue.append((request, command, params))
        self._pump()
        if len(self._queue) + self._writes >= gateway.policy.in_flight_per_session:
            self.wire.pause_reading()

    def _pump(self) -> None:
        """Start what may start: writes behind writes, a read alone."""
        if self._protocol.state is not State.LIVE:
            return
        queue = self._queue
        while queue and not self._reading:
            request, command, params = queue[0]
            if command.kind != "write" and self._writes:
                return
            queue.popleft()
            if command.kind == "session":
                self._by_itself(request, params)
            elif command.kind == "read":
                self._reading = True
                self._start(request, command, params)
            else:
                self._writes += 1
                self._start(request, command, params)

    def _start(self, request: Request, command: Command, params: Params) -> None:
        caller = self._caller
        assert caller is not None
        if isinstance(params, Refresh):
            try:
                caller = self._gateway.dispatcher.tokens.verify(params.token, caller.device)
                if caller.member != (self._caller and self._caller.member):
                    raise Invalid("token: it names another member.", field="token")
            except CommandError as refusal:
                self._finished(request, command, Outcome(error=refusal))
                return

        def done(outcome: Outcome) -> None:
            if isinstance(params, Refresh) and outcome.error is None and self.session:
                self._caller = caller
                self.session.expires_ms = caller.expires_ms
            self._finished(request, command, outcome)

        self._gateway.dispatcher.start(caller, command, params, done)

    def _finished(self, request: Request, command: Command, outcome: Outcome) -> None:
        if command.kind == "read":
            self._reading = False
        else:
            self._writes -= 1
        if self.closed or self._protocol.state is State.CLOSED:
            return
        if outcome.error is not None:
            self._send(error(request.id, outcome.error.to_wire()))
        else:
            self._send(result(request.id, outcome.result or {}))
        self._pump()
        self._take_more()

    def _take_more(self) -> None:
        """Read on, once half of what may be in flight has been answered."""
        if len(self._queue or ()) + self._writes < self._gateway.policy.in_flight_per_session // 2:
            self.wire.resume_reading()

    def _by_itself(self, request: Request, params: Params) -> None:
        if isinstance(params, Resume):
            self._resume_more(request, params)
        else:
            self._send(result(request.id, {"now": self._gateway.hub.now_ms()}))

    # Connecting

    def _connect(self, request: Request) -> None:
        gateway, dispatcher = self._gateway, self._gateway.dispatcher
        try:
            command = dispatcher.command(NOBODY, "connect")
            params = validate(command, request.params)
            assert isinstance(params, Connect)
            caller = dispatcher.tokens.verify(params.token, params.device)
            dispatcher.allow(caller, command)
        except CommandError as refusal:
            self._not_connected(request, refusal)
            return
        self._caller = caller
        audience = gateway.hub.audience(caller.member)
        now = gateway.heartbeat.now()
        session = Session(
            secrets.token_urlsafe(12), self.wire, self._protocol.codec, audience,
            params.device, now,
        )  # fmt: skip
        session.expires_ms = caller.expires_ms
        self.session = session
        excess = gateway.hub.register(session)
        if excess is session:
            self.end(*TOO_MANY)
            return
        if excess is not None:
            gateway.hub.end(excess, *TOO_MANY)

        def done(outcome: Outcome) -> None:
            self._opened(request, params, outcome)

        dispatcher.start(caller, command, params, done)

    def _opened(self, request: Request, params: Connect, outcome: Outcome) -> None:
        session, gateway = self.session, self._gateway
        if session is None or session.ended or self._protocol.state is not State.CONNECTING:
            return
        if outcome.error is not None:
            gateway.hub.leave(session)
            self.session = None
            self._not_connected(request, outcome.error)
            return
        opened, value = outcome.opened, outcome.result or {}
        assert opened is not None
        resuming = Resuming(
            gateway.policy.resume_events,
            opened,
            asks=params.resume is not None or params.resume_more,
            same_epoch=params.epoch in (None, value["epoch"]),
        )
        positions, reset = resuming.split(params.resume)
        heads = value["topics"]
        if params.resume_more:
            self._resume_to = resuming
            reset = [name for name in reset if name in (params.resume or {})]
        value = {
            "session": session.id,
            **value,
            "topics": heads,
            "reset": reset,
            "ping_s": PING_S,
            "now": gateway.hub.now_ms(),
            "expires_at": session.expires_ms,
            "limits": self._limits(),
        }
        session.live = True
        gateway.heartbeat.add(self)
        self._send(result(request.id, value))
        self._protocol.connected()
        if params.resume_more:
            resuming.positions.update(positions)
        else:
            gateway.hub.open(session, opened, positions)
        self._pump()
        self._take_more()

    def _limits(self) -> dict[str, int]:
        policy = self._gateway.policy
        return {
            "frame_bytes": 131_072,
            "body_characters": policy.body_characters,
            "participants_per_conversation": policy.participants_per_conversation,
            "sessions_per_member": policy.sessions_per_member,
            "in_flight": policy.in_flight_per_session,
            "page": 200,
        }

    def _resume_more(self, request: Request, params: Resume) -> None:
        resuming, session = self._resume_to, self.session
        if resuming is None or session is None:
            self._send(error(request.id, Invalid("Nothing is left to resume.").to_wire()))
            return
        positions, reset = resuming.split(params.topics)
        resuming.positions.update(positions)
        named = [name for name in reset if name in params.topics]
        answer = {"topics": resuming.heads(params.topics), "reset": named}
        if not params.more:
            self._resume_to = None
            answer = {"topics": resuming.opened.topics, "reset": resuming.unnamed()}
        self._send(result(request.id, answer))
        if not params.more:
            self._gateway.hub.open(session, resuming.opened, resuming.positions)

    def _not_connected(self, request: Request, refusal: CommandError) -> None:
        self._protocol.refused()
        self._send(error(request.id, refusal.to_wire()))
        for waiting, _, _ in self._queue or ():
            self._send(error(waiting.id, Unauthenticated("Connect first.").to_wire()))
        self._queue = None
        self._take_more()
        if isinstance(refusal, TokenExpired):
            self.end(*EXPIRED)
        elif isinstance(refusal, TokenRevoked):
            self.end(*REVOKED)
        elif isinstance(refusal, Unauthenticated):
            self.end(*BAD_TOKEN)
