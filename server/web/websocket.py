"""A WebSocket connection: one client's frames to commands, outcomes to frames.

A `Connection` joins a wire, the protocol's state machine and the hub's session. A session's
commands take effect in the order sent: writes follow each other into the store, a read waits for
the writes before it.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

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
from server.realtime.audience import PING_S
from server.realtime.hub import TOO_MANY
from server.realtime.resuming import Resuming
from server.realtime.session import Session
from server.web.dispatch import validate

DRAINING = 4001
if TYPE_CHECKING:
    from server.web.gateway import Gateway

EXPIRED = (4005, "token expired")
BAD_TOKEN = (4500, "bad token")
REVOKED = (4508, "revoked")
FLOOD = (4013, "after_ms=5000")
NOBODY = Caller("?")  # no member's id, and not the operator
_REFUSED_IN_A_ROW = 200  # commands over the rate, one after the other, without one that was not


class Connection:
    """One client. Everything happens on the loop's thread."""

    __slots__ = ("__weakref__", "_caller", "_gateway", "_limited", "_protocol", "_queue",
                 "_reading", "_resuming", "_writes", "asked", "closed", "session",
                 "wire")  # fmt: skip

    def __init__(self, gateway: Gateway, wire: Wire, subprotocol: str) -> None:
        self._gateway = gateway
        self.wire = wire
        self._protocol = ClientSession(CODECS[subprotocol], gateway.policy.bad_frames_in_a_row)
        self._caller: Caller | None = None
        self._queue: deque[tuple[Request, Command, Params]] | None = None
        self._writes = 0
        self._reading = False
        self._limited = 0
        self._resuming: Resuming | None = None
        self.session: Session | None = None
        self.asked = False
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
            self._gateway.hub.outflow.drained(self.session)

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
                self._by_itself(request)
            elif command.kind == "read":
                self._reading = True
                self._start(request, command, params)
            else:
                self._writes += 1
                self._start(request, command, params)

    def _start(self, request: Request, command: Command, params: Params) -> None:
        if isinstance(params, Refresh):
            self._refresh(request, command, params)
        elif isinstance(params, Resume):
            self._resume(request, command, params)
        else:
            self._give(
                request, command, params, lambda outcome: self._finished(request, command, outcome)
            )

    def _give(
        self,
        request: Request,
        command: Command,
        params: Params,
        done: Callable[[Outcome], None],
        caller: Caller | None = None,
    ) -> None:
        giver = caller or self._caller
        assert giver is not None
        self._gateway.dispatcher.start(giver, command, params, done)

    def _refresh(self, request: Request, command: Command, params: Refresh) -> None:
        """Go on with another token of the same member, once the store has accepted it."""
        present, session = self._caller, self.session
        assert present is not None
        assert session is not None
        try:
            caller = self._gateway.dispatcher.tokens.verify(params.token, present.device)
            if caller.member != present.member:
                raise Invalid("token: it names another member.", field="token")
        except CommandError as refusal:
            self._finished(request, command, Outcome(error=refusal))
            return

        session.next_jti = caller.jti

        def done(outcome: Outcome) -> None:
            if outcome.error is None:
                self._caller = caller
                session.go_on_with(caller)
            self._finished(request, command, outcome)

        self._give(request, command, params, done, caller)

    def _resume(self, request: Request, command: Command, params: Resume) -> None:
        """Note what the client goes on from; with the last part, read its rights and attach."""
        resuming, session = self._resuming, self.session
        assert session is not None
        if resuming is None:
            refusal = Invalid("topics: nothing is left to resume.", field="topics")
            self._finished(request, command, Outcome(error=refusal))
            return
        resuming.asked.update(params.topics)
        if params.more:
            self._finished(request, command, Outcome(result=resuming.part(params.topics)))
            return

        def done(outcome: Outcome) -> None:
            opened = outcome.opened
            if opened is None or session.ended:
                self._finished(request, command, outcome)
                return
            self._resuming = None
            positions, reset = resuming.split(opened)
            answer = Outcome(result={"topics": opened.topics, "reset": reset})
            self._finished(request, command, answer)
            self._gateway.hub.open(session, opened, positions)

        self._give(request, command, Resume(topics=resuming.asked), done)

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

    def _by_itself(self, request: Request) -> None:
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
        self._caller, self.asked = caller, True
        audience = gateway.hub.audience(caller.member)
        now = gateway.heartbeat.now()
        session = Session(
            secrets.token_urlsafe(12), self.wire, self._protocol.codec, audience,
            params.device, now,
        )  # fmt: skip
        session.go_on_with(caller)
        self.session = session
        gateway.hub.register(session)

        def done(outcome: Outcome) -> None:
            self._opened(request, params, outcome)

        dispatcher.start(replace(caller, session=session.id), command, params, done)

    def _opened(self, request: Request, params: Connect, outcome: Outcome) -> None:
        session, gateway = self.session, self._gateway
        if session is None or session.ended or self._protocol.state is not State.CONNECTING:
            if session is not None:  # its end may have been written before it was
                gateway.hub.attendance.left(session)
            return
        if outcome.error is not None:
            gateway.hub.leave(session)
            self.session = None
            self._not_connected(request, outcome.error)
            return
        opened, value = outcome.opened, outcome.result or {}
        assert opened is not None
        excess = gateway.hub.excess(session, opened.elsewhere)
        if excess is session:
            self.end(*TOO_MANY)
            return
        if isinstance(excess, Session):
            gateway.hub.end(excess, *TOO_MANY)
        elif excess is not None:
            gateway.hub.attendance.unwanted(excess.id)
        resuming = Resuming(
            gateway.policy.resume_events,
            opened,
            asks=params.resume is not None or params.resume_more,
            same_epoch=params.epoch in (None, value["epoch"]),
        )
        asked = params.resume or {}
        resuming.asked.update(asked)
        positions, reset = resuming.split(opened)
        if params.resume_more:
            self._resuming = resuming
            reset = resuming.part(asked)["reset"]
        value = {
            "session": session.id,
            **value,
            "reset": reset,
            "ping_s": PING_S,
            "now": gateway.hub.now_ms(),
            "expires_at": session.expires_ms,
            "limits": self._limits(),
        }
        if not gateway.hub.admit(session, opened):
            return
        session.live = True
        gateway.heartbeat.add(self)
        self._send(result(request.id, value))
        self._protocol.connected()
        if not params.resume_more:
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
