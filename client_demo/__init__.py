"""A client of Subrosa for scripts, and a terminal messenger built on it.

It knows the wire alone: nothing here imports the server. The way of an event through it:

    socket → link (frames) → client (positions, resuming) → backlog → your loop over events()
    you → calls / outbox (kept until the outcome is known) → link → socket

`client` is the library, `terminal` the messenger, `__main__` the command line.
"""

from client_demo.client import Client
from client_demo.errors import (
    ClientError,
    CommandError,
    ConnectionLost,
    NoAnswer,
    OutboxFull,
    SessionEnded,
    StateUnusable,
    TokenUnavailable,
)
from client_demo.protocol import Event

__all__ = [
    "Client",
    "ClientError",
    "CommandError",
    "ConnectionLost",
    "Event",
    "NoAnswer",
    "OutboxFull",
    "SessionEnded",
    "StateUnusable",
    "TokenUnavailable",
]
