"""The wire's frames as values: what a client sends, what it gets, what a close code asks for.

Owns the two encodings (msgpack in binary frames, JSON in text frames) and the reading of close
codes. No I/O. Refuses, with `Garbled`, what is not a frame of this protocol. Called by `link`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import msgpack

from client_demo.errors import ClientError, CommandError

Map = dict[str, Any]
Encoding = Literal["msgpack", "json"]

SUBPROTOCOLS: dict[Encoding, str] = {
    "msgpack": "subrosa.v1.msgpack",
    "json": "subrosa.v1.json",
}

LARGEST_FRAME = 128 * 1024  # what the server takes from a client, in bytes
LARGEST_ANSWER = 16 * 1024 * 1024  # above 200 messages of 8,000 characters of four bytes each
LONGEST_DELAY_S = 600.0  # a server that asks for more than this is asked again all the same

BAD_TOKEN, TOKEN_EXPIRED = 4500, 4005
_DELAYING = (4001, 4013)  # draining, too many requests: their reason says when to come back


class Garbled(ClientError):
    """What came is not a frame of this protocol."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, as `Client.events()` gives it.

    `name` is the wire's name ("message.created"), or one of the client's own: "client.online",
    "client.offline", "client.reset", "message.sent", "message.refused". `pos` is the position in
    `topic`; signals (typing, receipts) and the client's own have none.
    """

    name: str
    data: Map = field(default_factory=dict)
    topic: str = ""
    pos: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """The answer to the command with this id."""

    id: int
    result: Map


@dataclass(frozen=True, slots=True)
class Failure:
    """The refusal of the command with this id; None when the server could not read the id."""

    id: int | None
    error: CommandError


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a connection ended: the close code (1006: none came) and the reason that came with it."""

    code: int
    reason: str = ""

    @property
    def final(self) -> bool:
        """Whether to stop: 4500–4999. Everything else is reconnected after."""
        return 4500 <= self.code <= 4999

    @property
    def after_s(self) -> float:
        """The delay that the server asks for, in seconds; 0 if it asks for none."""
        found = re.fullmatch(r"after_ms=(\d{1,12})", self.reason.strip())
        if self.code not in _DELAYING or found is None:
            return 0.0
        return min(int(found[1]) / 1000, LONGEST_DELAY_S)


def encode(frame: Map, encoding: Encoding) -> str | bytes:
    """One frame's payload: bytes for msgpack, text for JSON.

    Raises: CommandError `invalid` for what no frame can carry, `too_large` beyond the limit; the
    server would answer the same, or close.
    """
    try:
        if encoding == "json":
            data: str | bytes = json.dumps(
                frame, ensure_ascii=False, allow_nan=False, separators=(",", ":")
            )
            size = len(cast(str, data).encode())
        else:
            data = cast(bytes, msgpack.packb(frame))
            size = len(data)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise CommandError("invalid", f"no frame can carry this: {error}") from None
    if size > LARGEST_FRAME:
        raise CommandError("too_large", "The command is larger than a frame may be.")
    return data


def decode(data: str | bytes) -> Result | Failure | Event:
    """One frame as a value. Unknown fields are ignored.

    Raises: Garbled.
    """
    try:
        if isinstance(data, str):
            frame = json.loads(data)
        else:
            frame = msgpack.unpackb(data, strict_map_key=True)
    except (ValueError, RecursionError, msgpack.UnpackException) as error:
        raise Garbled(f"not a frame: {type(error).__name__}") from None
    match frame:
        case {"event": str(name), "data": dict(body)}:
            return _event(name, body, frame.get("topic", ""), frame.get("pos"))
        case {"id": int(ident), "result": dict(result)}:
            return Result(ident, result)
        case {"id": int() | None as ident, "error": {"code": str(code)}}:
            return Failure(ident, _error(code, frame["error"]))
        case _:
            raise Garbled("neither an event nor an answer")


def _event(name: str, body: Map, topic: object, pos: object) -> Event:
    if not isinstance(topic, str) or not (pos is None or isinstance(pos, int)):
        raise Garbled("an event whose topic or position is of the wrong type")
    if pos is not None and not topic:
        raise Garbled("a position without its topic")
    return Event(name, body, topic, pos)


def _error(code: str, error: Map) -> CommandError:
    told = ("code", "message", "retryable")
    return CommandError(
        code,
        str(error.get("message", "")),
        retryable=error.get("retryable") is True,
        details={name: value for name, value in error.items() if name not in told},
    )
