"""Whether messages go through: a node sends itself one a second and looks whether it comes back.

Pure; the bus sends and receives. A link may be up and deliver nothing, without any error: nothing
but a message tells. Time is counted in seconds' ticks, not read from a clock: a loop that stood
still for long has not had the time to receive, so it is no proof of silence.
"""

from __future__ import annotations

import secrets

OVERDUE = 3  # ticks


class Probe:
    """`healthy` from when one came back until one does not, or something is known to fail."""

    def __init__(self) -> None:
        self.healthy = False
        self.proven = False  # whether one came back by the present connection
        self._tick = 0
        self._doubts = 0
        self._sent: dict[bytes, tuple[int, int, float]] = {}

    def send(self, now: float) -> bytes:
        """A new one to send, at this time of the caller's clock."""
        nonce = secrets.token_bytes(16)
        self._sent[nonce] = (self._tick, self._doubts, now)
        return nonce

    def came(self, nonce: bytes) -> None:
        """One came back: all is well, or well again, unless it was sent before the last failure."""
        sent = self._sent.pop(nonce, None)
        if sent is not None:
            self.proven = True
            self.healthy = self.healthy or sent[1] == self._doubts

    def tick(self) -> float | None:
        """A second is over. When the oldest was sent that should be back by now, if one is not."""
        self._tick += 1
        for tick, _, at in self._sent.values():
            if tick <= self._tick - OVERDUE:
                self.doubt()
                self._sent.clear()
                return at
        return None

    def doubt(self) -> None:
        """Something failed: nothing that was sent until now proves that messages go again."""
        self.healthy = False
        self._doubts += 1

    def renew(self) -> None:
        """The connection that listens is lost: what was sent cannot come, the next has to prove
        itself."""
        self.doubt()
        self.proven = False
        self._sent.clear()
