"""What all connections of one server have in common: who decides on them, and their bounds.

Owns the numbers that keep one peer from costing the others anything, before and after a handshake.
What members may do is policy and lies elsewhere. `serving` makes one endpoint for a server;
`http_protocol` and `uvicorn_protocol` share it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from server.protocol.frames import BINARY, TEXT
from server.protocol.wire import Acceptor


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one connection may ask for, in bytes and seconds."""

    max_size: int = 131_072
    """Of one message, assembled."""
    fragments: int = 64
    """Of one message: empty ones never reach `max_size` and would hold a core."""
    controls: int = 30
    controls_s: float = 10.0
    """Control frames in that time: a ping costs its sender six bytes and the server a write."""
    close_s: float = 5.0
    """For the peer to finish a closing handshake."""
    chatter: int = 1_048_576
    """Bytes that a peer may still send while it is being closed, before its window is shut."""
    send_buffer: int = 131_072
    """Bytes that the kernel takes (it counts double) before the wire is full. What lies there
    cannot be taken back; left to itself the kernel would take megabytes."""
    unacknowledged_s: float = 30.0
    """After which the kernel gives up a connection whose peer takes nothing more."""
    head_size: int = 16_384
    head_fields: int = 100
    """Of an HTTP request without its body."""
    request_s: float = 20.0
    """For an HTTP request to arrive, with its body; a handshake is one."""


def message_opcode(subprotocol: str) -> int:
    """The kind of message that a subprotocol is made of: its name ends with the encoding's."""
    return TEXT if subprotocol.endswith(".json") else BINARY


class Endpoint:
    """One server's acceptor, limits and kinds of message."""

    __slots__ = ("acceptor", "limits", "log", "opcode_of")

    def __init__(
        self,
        acceptor: Acceptor,
        limits: Limits,
        opcode_of: Callable[[str], int] = message_opcode,
    ) -> None:
        self.acceptor = acceptor
        self.limits = limits
        self.opcode_of = opcode_of
        self.log = logging.getLogger(f"{__name__}.frames")
        # The library writes payloads to its logger at DEBUG, and they are for nobody's log.
        self.log.setLevel(logging.WARNING)
