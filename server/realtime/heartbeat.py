"""The passing of time for all connections: pings, silence, expiry, and connecting too late.

Connections lie in buckets, one for each second of the ping's interval, so that nothing is held
per idle connection but its place, and pings are spread. Called once a second by its owner.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Protocol

from server.protocol.frames import PING
from server.protocol.wire import Wire
from server.realtime.audience import PING_S
from server.realtime.session import Session

CONNECT_S = 10
NOT_ANSWERED = (4004, "the store does not answer: reconnect and resume")
NOT_CONNECTED = (4502, "not connected in time")
EXPIRED = (4005, "token expired")


class Beating(Protocol):
    """A connection as time passes for it."""

    session: Session | None
    wire: Wire

    asked: bool  # with a valid token: if that is not answered, it is not the client's fault

    @property
    def connected(self) -> bool:
        """Whether its session is open."""

    def end(self, code: int, reason: str) -> None:
        """Close it."""


class Heartbeat:
    """One node's. `now` is the loop's time in seconds, `now_ms` Unix milliseconds."""

    def __init__(self, now: Callable[[], float], now_ms: Callable[[], int]) -> None:
        self.now = now
        self._now_ms = now_ms
        self._buckets: list[set[Beating]] = [set() for _ in range(PING_S)]
        self._places: dict[Beating, int] = {}
        self._connecting: dict[Beating, float] = {}
        self._expiring: dict[int, set[Beating]] = {}
        self._ends: dict[Beating, int] = {}
        self._looked_at = now_ms() // 1000
        self._second = 0

    def expect_connect(self, connection: Beating) -> None:
        """A socket that has to connect within 10 s."""
        self._connecting[connection] = self.now() + CONNECT_S

    def add(self, connection: Beating) -> None:
        """A session that is pinged from now on, at a second of its own."""
        self._connecting.pop(connection, None)
        place = secrets.randbelow(PING_S)
        self._places[connection] = place
        self._buckets[place].add(connection)
        self._expect_end(connection)

    def _expect_end(self, connection: Beating) -> None:
        if connection.session is not None:
            second = max(connection.session.expires_ms // 1000, self._looked_at) + 1
            self._expiring.setdefault(second, set()).add(connection)
            self._ends[connection] = second

    def forget(self, connection: Beating) -> None:
        """A connection is gone."""
        self._connecting.pop(connection, None)
        place = self._places.pop(connection, None)
        if place is not None:
            self._buckets[place].discard(connection)
        end = self._ends.pop(connection, None)
        if end is not None and end in self._expiring:
            self._expiring[end].discard(connection)
            if not self._expiring[end]:
                del self._expiring[end]

    def beat(self) -> None:
        """One second has passed."""
        now = self.now()
        late = []
        for connection, until in self._connecting.items():  # in order of time
            if until > now:
                break
            late.append(connection)
        for connection in late:
            self._connecting.pop(connection, None)
            connection.end(*(NOT_ANSWERED if connection.asked else NOT_CONNECTED))
        self._expire(self._now_ms())  # before pings: who is told why need not fall silent
        self._second = (self._second + 1) % PING_S
        for connection in list(self._buckets[self._second]):
            self._ping(connection, now)

    def _expire(self, now_ms: int) -> None:
        last, self._looked_at = self._looked_at, max(self._looked_at, now_ms // 1000)
        for second in range(last + 1, self._looked_at + 1):
            for connection in self._expiring.pop(second, ()):
                session = connection.session
                if session is None or not session.live:
                    continue
                if session.expires_ms <= now_ms:
                    connection.end(*EXPIRED)
                else:  # refreshed since
                    self._expect_end(connection)

    def _ping(self, connection: Beating, now: float) -> None:
        session = connection.session
        if session is None or not session.live:
            return
        if now - session.seen > 2 * PING_S:
            connection.wire.abort()  # nobody there to say goodbye to
        elif not connection.wire.full:
            connection.wire.write([PING])
