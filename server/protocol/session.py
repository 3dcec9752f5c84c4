"""The conversation with one client as a state machine: payloads in, requests or answers out.

    WAITING    only connect is taken; anything else is answered unauthenticated
    CONNECTING connect is being decided; further requests wait for it with the caller
    LIVE       any command but connect
    CLOSED     nothing

Owns what a frame is, and when a peer has sent too many that are none. It knows no clock, no
store and no command but connect: the connection in `web` asks it about each payload.
"""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from server.errors import Invalid, Unauthenticated
from server.protocol.codec import MAX_INT, Codec, Malformed

NOT_PROTOCOL = 4501
_ID_LENGTH = 64


class State(enum.Enum):
    """Where the conversation stands."""

    WAITING = "waiting"
    CONNECTING = "connecting"
    LIVE = "live"
    CLOSED = "closed"


class Request(msgspec.Struct, frozen=True):
    """A command to carry out, its parameters not yet validated."""

    id: int | str
    cmd: str
    params: dict[str, Any]


class Reply(msgspec.Struct, frozen=True):
    """A map to answer with at once."""

    body: dict[str, Any]


class Goodbye(msgspec.Struct, frozen=True):
    """The connection is to be closed."""

    code: int
    reason: str


def result(ident: int | str, value: dict[str, Any]) -> dict[str, Any]:
    """A result's frame."""
    return {"id": ident, "result": value}


def error(ident: int | str | None, value: dict[str, object]) -> dict[str, Any]:
    """An error's frame; `id` is null for a frame without a usable one."""
    return {"id": ident, "error": value}


class ClientSession:
    """One client's side of the protocol, as the server follows it."""

    __slots__ = ("_bad", "_bad_limit", "codec", "state")

    def __init__(self, codec: Codec, bad_limit: int) -> None:
        self.codec = codec
        self.state = State.WAITING
        self._bad = 0
        self._bad_limit = bad_limit

    def receive(self, payload: bytes) -> Request | Reply | Goodbye | None:
        """What one message comes to."""
        if self.state is State.CLOSED:
            return None
        try:
            frame = self.codec.decode(payload)
        except Malformed as reason:
            return self._not_a_frame(None, f"This is not a frame: {reason}.", None)
        ident = _usable(frame.get("id"))
        if ident is None:
            return self._not_a_frame(None, "id is an integer or a string of up to 64.", "id")
        cmd, params = frame.get("cmd"), frame.get("params", {})
        if type(cmd) is not str:
            return self._not_a_frame(ident, "cmd names a command.", "cmd")
        if type(params) is not dict:
            return self._not_a_frame(ident, "params is a map.", "params")
        self._bad = 0
        if self.state is State.WAITING and cmd != "connect":
            return Reply(error(ident, Unauthenticated("Connect first.").to_wire()))
        if cmd == "connect":
            if self.state is not State.WAITING:
                return Reply(error(ident, Invalid("Connected already.", field="cmd").to_wire()))
            self.state = State.CONNECTING
        return Request(ident, cmd, params)

    def _not_a_frame(self, ident: Any, message: str, field: str | None) -> Reply | Goodbye:
        self._bad += 1
        if self._bad >= self._bad_limit:
            self.state = State.CLOSED
            return Goodbye(NOT_PROTOCOL, "not a frame of this protocol, again and again")
        details = {"field": field} if field is not None else {}
        return Reply(error(ident, Invalid(message, **details).to_wire()))

    def connected(self) -> None:
        """connect was accepted."""
        if self.state is State.CONNECTING:
            self.state = State.LIVE

    def refused(self) -> None:
        """connect was answered with an error that leaves the connection open."""
        if self.state is State.CONNECTING:
            self.state = State.WAITING


def _usable(ident: Any) -> int | str | None:
    if type(ident) is int and -MAX_INT <= ident <= MAX_INT:
        return ident
    return ident if type(ident) is str and len(ident) <= _ID_LENGTH else None
