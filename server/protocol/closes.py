"""The close codes: what each one means and what a client does after it.

Ranges decide: 4000–4499, reconnect and resume; 4500–4999, stop; the rest are RFC 6455's own, for
frames that were none. Those who close name the code themselves; the reference documents and their
tests are made from this table.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Close(msgspec.Struct, frozen=True):
    """One code: its cause, and what a client does then."""

    cause: str
    then: Literal["reconnect", "stop", "repair"]


CLOSES = {
    1002: Close("A frame broke the rules of RFC 6455.", "repair"),
    1003: Close("The other kind of frame than the subprotocol's, text or binary.", "repair"),
    1007: Close("Text that is not UTF-8.", "repair"),
    1009: Close("A message of too many bytes or fragments.", "repair"),
    4001: Close("The server is draining: come back after the reason's after_ms=N.", "reconnect"),
    4004: Close("A fault of the server.", "reconnect"),
    4005: Close("The token has expired, at connect or later: bring a new one.", "reconnect"),
    4008: Close("Too slow: more waited for this socket than it may.", "reconnect"),
    4010: Close("The server lost this session's position in a topic.", "reconnect"),
    4013: Close("Too many requests: come back after the reason's after_ms=N.", "reconnect"),
    4500: Close("The token is not valid.", "stop"),
    4501: Close("Not a frame of this protocol, again and again.", "stop"),
    4502: Close("Not connected in time, 10 s.", "stop"),
    4503: Close("Ended by an operator.", "stop"),
    4504: Close("Too many sessions of this member.", "stop"),
    4508: Close("The token or its device was revoked.", "stop"),
}
