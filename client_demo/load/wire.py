"""What the tester says and how it reads what comes: as little as will do.

An event's name, topic and position stand in front of its data in the order the server writes them
in, so one regular expression on the raw bytes finds them. Whatever looks different is decoded in
full: that a server may write its maps in another order costs time here, never correctness. No I/O.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import msgpack

from client_demo.load.frames import BINARY, TEXT, Broken
from client_demo.protocol import SUBPROTOCOLS, Encoding

Map = dict[str, Any]
ENCODINGS: tuple[Encoding, ...] = ("msgpack", "json")
"""By the number that sessions carry."""

OPCODES = (BINARY, TEXT)

_HEADS = (
    re.compile(
        rb"[\x83\x84]\xa5event[\xa0-\xbf]([a-z_.]+)\xa5topic(?:[\xa0-\xbf]|\xd9.)([\w:.-]+)"
        rb"(?:\xa3pos(?:([\x00-\x7f])|\xcc(.)|\xcd(..)|\xce(.{4})|\xcf(.{8})))?\xa4data",
        re.DOTALL,
    ),
    re.compile(rb'\{"event":"([a-z_.]+)","topic":"([\w:.-]+)",(?:"pos":(\d+),)?"data":'),
)


class Glance(NamedTuple):
    """What an event is, seen without reading its data. Signals have no position."""

    name: bytes
    topic: bytes
    pos: int | None


def glance(payload: bytes, encoding: int) -> Glance | None:
    """The event in this payload; None for an answer. Raises: Broken, for neither."""
    found = _HEADS[encoding].match(payload)
    if found is None:
        return _decoded(payload, encoding)
    name, topic, *numbers = found.groups()
    if encoding:
        return Glance(name, topic, int(numbers[0]) if numbers[0] else None)
    for number in numbers:
        if number is not None:
            return Glance(name, topic, int.from_bytes(number))
    return Glance(name, topic, None)


def _decoded(payload: bytes, encoding: int) -> Glance | None:
    frame = decode(payload, encoding)
    if "event" not in frame:
        return None
    name, topic, pos = frame["event"], frame.get("topic"), frame.get("pos")
    if not (isinstance(name, str) and isinstance(topic, str)):
        raise Broken("an event without its name or its topic")
    if not (pos is None or isinstance(pos, int)):
        raise Broken("an event whose position is no number")
    return Glance(name.encode(), topic.encode(), pos)


def decode(payload: bytes, encoding: int) -> Map:
    """One frame's map. Raises: Broken."""
    try:
        frame = json.loads(payload) if encoding else msgpack.unpackb(payload)
    except (ValueError, RecursionError, msgpack.UnpackException) as error:
        raise Broken(f"a frame that is not {ENCODINGS[encoding]}: {type(error).__name__}") from None
    if not isinstance(frame, dict):
        raise Broken("a frame that is no map")
    return frame


def encode(ident: int, cmd: str, params: Map, encoding: int) -> bytes:
    """One command's payload."""
    frame = {"id": ident, "cmd": cmd, "params": params}
    if encoding:
        return json.dumps(frame, separators=(",", ":")).encode()
    return packed(frame)


def packed(frame: Map) -> bytes:
    """A map in msgpack."""
    payload: bytes = msgpack.packb(frame)
    return payload


def subprotocol(encoding: int) -> str:
    """What a session of this encoding offers in its handshake."""
    return SUBPROTOCOLS[ENCODINGS[encoding]]
