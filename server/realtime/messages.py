"""What nodes say to each other over the bus: an event or a signal, in msgpack."""

from __future__ import annotations

import msgspec

from server.commands.outcome import Event, Signal


class _Message(msgspec.Struct, frozen=True, array_like=True):
    event: Event | None = None
    signal: Signal | None = None
    origin: str = ""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Message)


def encode(value: Event | Signal, origin: str = "") -> bytes:
    """A message for the bus, from the node of this name."""
    if isinstance(value, Event):
        return _encoder.encode(_Message(event=value, origin=origin))
    return _encoder.encode(_Message(signal=value, origin=origin))


def decode(message: bytes) -> tuple[Event | Signal, str]:
    """What a node said, and its name. Raises `ValueError` for what no node says."""
    value = _decoder.decode(message)
    said = value.event or value.signal
    if said is None:
        raise ValueError("an empty message on the bus")
    return said, value.origin
