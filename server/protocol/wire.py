"""The ports between a socket and what listens to it: who gives bytes, who takes them.

`Wire` is a socket as the house sees it, `Listener` is the house as a socket sees it. The uvicorn
protocol class implements the first and calls the second; tests join the two with a fake.
Everything here is called on the event loop's thread and returns at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Wire(Protocol):
    """One open WebSocket, written to in frames that are already encoded."""

    @property
    def full(self) -> bool:
        """Whether the transport holds unsent bytes: give it nothing more."""

    @property
    def peer(self) -> str:
        """The peer's address, for logs and limits: "127.0.0.1:50123"."""

    def write(self, frames: Sequence[bytes]) -> None:
        """Hand whole WebSocket frames to the transport in one write.

        The caller asks `full` first; what is given to a full wire is still sent, in order, but is
        out of the caller's reach. Does nothing once the wire is closing or lost.
        """

    def close(self, code: int, reason: str = "") -> None:
        """Start the closing handshake; nothing is written or delivered afterwards.

        The transport is aborted if the peer has not finished the handshake within a few seconds,
        or at once if the wire is full. `reason` is at most 123 bytes of UTF-8.
        """

    def abort(self) -> None:
        """Drop the connection now, with whatever the transport still holds."""

    def pause_reading(self) -> None:
        """Take no more frames from the peer until `resume_reading`: its TCP window closes."""

    def resume_reading(self) -> None:
        """Undo `pause_reading`. Both may be called repeatedly."""


class Listener(Protocol):
    """What becomes of an open wire's frames. No method may raise."""

    def received(self, payload: bytes) -> None:
        """One whole message, of the kind its subprotocol uses, unmasked; text is valid UTF-8."""

    def alive(self) -> None:
        """Some frame came in, a control frame or a fragment included: the peer is there."""

    def drained(self) -> None:
        """The wire was full and no longer is."""

    def lost(self) -> None:
        """The connection is gone, whoever ended it. Called exactly once, last."""


class Acceptor(Protocol):
    """Who decides on a handshake and listens to what follows it."""

    def subprotocols(self) -> Sequence[str]:
        """Those spoken here, best first. A request that names none of them is answered 400."""

    def refusal(self, origin: str | None) -> tuple[int, str] | None:
        """An HTTP status and a line of text to refuse with, e.g. 403 for a foreign origin, 503
        while draining; None to accept. `origin` is the header's value, None without one."""

    def accepted(self, wire: Wire, subprotocol: str) -> Listener:
        """The handshake's answer has been written; frames follow."""
