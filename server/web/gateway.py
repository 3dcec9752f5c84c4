"""Decides on handshakes and keeps the connections: the acceptor of every WebSocket."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence

from server.protocol.codec import CODECS
from server.protocol.wire import Wire
from server.realtime.heartbeat import Heartbeat
from server.realtime.hub import Hub
from server.web.dispatch import Dispatcher
from server.web.websocket import Connection

DRAINING = 4001


class Gateway:
    """The acceptor of every handshake. `origins` are those allowed beside the server's own."""

    def __init__(
        self, dispatcher: Dispatcher, hub: Hub, heartbeat: Heartbeat, origins: Sequence[str]
    ) -> None:
        self.dispatcher = dispatcher
        self.hub = hub
        self.heartbeat = heartbeat
        self.policy = dispatcher.policy
        self.connections: set[Connection] = set()
        self.origins = set(origins)
        self.empty = asyncio.Event()  # draining, and nobody is left

    def subprotocols(self) -> Sequence[str]:
        """Those spoken here."""
        return tuple(CODECS)

    def refusal(self, origin: str | None) -> tuple[int, str] | None:
        """Refuse foreign origins, and everybody while draining."""
        if self.dispatcher.draining:
            return 503, "The server is draining: connect again in a moment."
        if origin is not None and not self._allowed(origin):
            return 403, "This origin is not allowed: list it in SUBROSA_ORIGINS."
        return None

    def _allowed(self, origin: str) -> bool:
        return origin.lower().rstrip("/") in self.origins

    def accepted(self, wire: Wire, subprotocol: str) -> Connection:
        """A new connection, not yet anybody's."""
        connection = Connection(self, wire, subprotocol)
        self.connections.add(connection)
        self.hub.counters.connections += 1
        self.heartbeat.expect_connect(connection)
        return connection

    def gone(self, connection: Connection) -> None:
        """A connection is lost."""
        self.connections.discard(connection)
        if self.dispatcher.draining and not self.connections:
            self.empty.set()

    def begin_drain(self, spread_ms: int) -> None:
        """Tell every session to come back in a while, each after its own delay."""
        if not self.connections:
            self.empty.set()
        for connection in list(self.connections):
            delay = secrets.randbelow(spread_ms) + 250
            connection.end(DRAINING, f"after_ms={delay}")
