"""What waits to be published: bounded by count, bytes and age, the oldest dropped first.

Pure. The oldest is what other nodes are likeliest to have found in the store by now.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

MESSAGES = 10_000
BYTES = 16 << 20
AGE_S = 5.0


class Waiting(NamedTuple):
    """A message that waits since `at`, in seconds of the caller's clock."""

    topic: str
    message: bytes
    at: float

    @property
    def size(self) -> int:
        """Its bytes."""
        return len(self.topic) + len(self.message)


class Outbox:
    """A queue that never refuses and never grows past its bounds; `dropped` tells the price."""

    def __init__(
        self, *, messages: int = MESSAGES, size: int = BYTES, age_s: float = AGE_S
    ) -> None:
        self._waiting: deque[Waiting] = deque()
        self._messages = messages
        self._size = size
        self._age_s = age_s
        self.size = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, topic: str, message: bytes, now: float) -> None:
        """Have a message wait, in the place of the oldest where there is no more room."""
        one = Waiting(topic, message, now)
        self._waiting.append(one)
        self.size += one.size
        while len(self._waiting) > self._messages or self.size > self._size:
            self._drop()

    def take(self, now: float, *, messages: int, size: int) -> list[Waiting]:
        """The oldest, as many as go together, but at least one; those too old are dropped."""
        self.expire(now)
        taken: list[Waiting] = []
        room = size
        while self._waiting and len(taken) < messages:
            room -= self._waiting[0].size
            if taken and room < 0:
                break
            taken.append(self._waiting.popleft())
            self.size -= taken[-1].size
        return taken

    def expire(self, now: float) -> None:
        """Drop what has waited too long."""
        while self._waiting and self._waiting[0].at < now - self._age_s:
            self._drop()

    def _drop(self) -> None:
        self.size -= self._waiting.popleft().size
        self.dropped += 1
