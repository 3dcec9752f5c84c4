"""WebSocket frames as bytes: those the server sends, and where those it receives begin and end.

Owns the layout of a frame's header (RFC 6455, section 5.2) and nothing that needs memory of an
earlier frame: fragments, the closing handshake and reserved bits are the `websockets` library's,
which a connection asks about every frame that is not one plain whole message. The hub and the
sessions build frames here, once for all who get them; the protocol class in `web` reads with it.
No input and no output; what is too long to be built is the caller's fault and raises ValueError.
"""

from __future__ import annotations

from websockets.frames import Close
from websockets.speedups import apply_mask

TEXT = 0x1
BINARY = 0x2
CLOSE = 0x8

FIN = 0x80
OPCODE = 0x0F
CONTROL = 0x08
"""Masks of a frame's first byte: whether it ends its message, what kind it is, and whether that
kind is a control frame's."""

_MASKED = 0x80
_SHORT = 126
"""Payloads below this give their length in the header's second byte."""

PING = bytes((FIN | 0x9, 0))
"""A ping without payload: what it asks is only that some frame comes back."""

MAX_REASON = 123
"""Bytes of UTF-8 that a Close frame has room for behind its code."""


def text_frame(payload: bytes) -> bytes:
    """A whole text message as one unmasked frame. `payload` is UTF-8; it is not checked again."""
    return _header(FIN | TEXT, len(payload)) + payload


def binary_frame(payload: bytes) -> bytes:
    """A whole binary message as one unmasked frame."""
    return _header(FIN | BINARY, len(payload)) + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """A Close frame.

    Raises:
        ValueError: `reason` is longer than MAX_REASON bytes.
        websockets.exceptions.ProtocolError: `code` may not be sent.
    """
    payload = Close(code, reason).serialize()
    if len(payload) > MAX_REASON + 2:
        raise ValueError(f"a close reason of {len(payload) - 2} bytes is too long")
    return _header(FIN | CLOSE, len(payload)) + payload


def _header(first: int, length: int) -> bytes:
    if length < _SHORT:
        return bytes((first, length))
    if length <= 0xFFFF:
        return bytes((first, 126)) + length.to_bytes(2)
    return bytes((first, 127)) + length.to_bytes(8)


def whole_frame(data: bytes | bytearray, at: int, max_size: int) -> tuple[int, int] | None:
    """Find the client's frame that begins at `at`: where its mask begins, and where it ends.

    None while it is not all there. A frame that its header alone condemns, because it is not
    masked or its payload is longer than `max_size`, is not waited for: it ends with its header,
    and its mask is said to begin at 0, where no mask can.
    """
    have = len(data) - at
    if have < 2:
        return None
    length = data[at + 1] - _MASKED
    if length < 0:
        return 0, at + 2
    mask = at + 2
    if length >= _SHORT:
        size = 2 if length == _SHORT else 8
        if have < 2 + size:
            return None
        length = int.from_bytes(data[mask : mask + size])
        mask += size
        if length > max_size:
            return 0, mask
    end = mask + 4 + length
    return (mask, end) if end <= len(data) else None


def unmasked(data: bytes | bytearray, mask: int, end: int) -> bytes:
    """The payload of a frame found by `whole_frame`."""
    return apply_mask(data[mask + 4 : end], data[mask : mask + 4])


def is_utf8(payload: bytes) -> bool:
    """Whether a text message is what it has to be; the codec reads the same bytes afterwards."""
    if payload.isascii():
        return True
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True
