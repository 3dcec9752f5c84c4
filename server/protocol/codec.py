"""The two encodings of one protocol: a frame is one map, in msgpack or JSON.

Both refuse the same inputs: no NaN or infinity, no integer beyond ±2^53−1, no lone surrogate, no
bytes, extension types or timestamps, string keys only, and no nesting beyond `DEPTH`. So whatever
one client can say, any other can be told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from server.protocol.frames import binary_frame, text_frame

DEPTH = 32
MAX_INT = 2**53 - 1


class Malformed(ValueError):
    """What came in is no map of this encoding; the text says why, for a person."""


class Codec(msgspec.Struct, frozen=True, eq=False):
    """One encoding: `subprotocol` names it in the handshake, `media_type` over HTTP."""

    subprotocol: str
    media_type: str
    _load: Callable[[bytes], Any]
    encode: Callable[[Any], bytes]
    _frame: Callable[[bytes], bytes]

    def frame(self, value: dict[str, Any]) -> bytes:
        """A map as one WebSocket frame."""
        return self._frame(self.encode(value))

    def decode(self, payload: bytes) -> dict[str, Any]:
        """One map. Raises `Malformed`."""
        try:
            value = self._load(payload)
        except RecursionError:
            raise Malformed("nested too deep") from None
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError, OverflowError) as error:
            raise Malformed(f"not valid {self.media_type}: {error}") from None
        if type(value) is not dict:
            raise Malformed("a frame is one map")
        _check(value)
        return value


def _check(value: Any) -> None:
    """Raise `Malformed` for what the other encoding could not carry. No recursion."""
    level = [value]
    for _ in range(DEPTH):
        below: list[Any] = []
        for item in level:
            kind = type(item)
            if kind is str:
                _check_text(item)
            elif kind is dict:
                for key in item:
                    if type(key) is not str:
                        raise Malformed("a map's keys are strings")
                    _check_text(key)
                below += item.values()
            elif kind is list:
                below += item
            elif kind is int:
                if not -MAX_INT <= item <= MAX_INT:
                    raise Malformed("an integer is beyond ±(2^53 - 1)")
            elif kind is float:
                if item - item != 0:  # true of NaN and of both infinities, and of nothing else
                    raise Malformed("a number is not finite")
            elif not (item is None or kind is bool):
                raise Malformed("bytes and extension types are not carried")
        if not below:
            return
        level = below
    raise Malformed("nested too deep")


def _check_text(text: str) -> None:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Malformed("a string has a lone surrogate") from None


JSON = Codec(
    "subrosa.v1.json", "application/json", msgspec.json.decode, msgspec.json.encode, text_frame
)
MSGPACK = Codec(
    "subrosa.v1.msgpack",
    "application/msgpack",
    msgspec.msgpack.decode,
    msgspec.msgpack.encode,
    binary_frame,
)
CODECS = {codec.subprotocol: codec for codec in (MSGPACK, JSON)}
