"""A bus between nodes of one process that loses, repeats, delays and reorders what it carries.

A signal is carried at most once, as `server.realtime.bus` says. What is held back arrives after
some of what was published later, or when the test lets everything go.
"""

from __future__ import annotations

from random import Random

from server.commands.outcome import Signal
from server.realtime.hub import FENCES
from server.realtime.local_bus import Exchange, LocalBus
from server.realtime.messages import decode

LATE = 12  # messages published after one before it arrives, at most


class UnreliableBus(LocalBus):
    """One node's end. Nothing that it is asked for is done twice the same way."""

    def __init__(self, exchange: Exchange, dice: Random) -> None:
        super().__init__(exchange)
        self._dice = dice
        self._count = 0
        self._held: list[tuple[int, str, bytes]] = []

    def publish(self, topic: str, message: bytes) -> None:
        """Send it, or not, or twice, or later."""
        self._count += 1
        fate = self._dice.random()
        if fate < 0.25:
            self._held.append((self._count + self._dice.randint(1, LATE), topic, message))
        elif topic == FENCES:  # a lost one is made up for a second later: none is lost here
            super().publish(topic, message)
        elif fate < 0.85:
            super().publish(topic, message)
            if fate < 0.35 and not isinstance(decode(message)[0], Signal):
                super().publish(topic, message)
        self._release(self._count)

    def release(self) -> bool:
        """Everything that is held back arrives now; answers whether there was anything."""
        return self._release(self._count + LATE)

    def _release(self, until: int) -> bool:
        due = [one for one in self._held if one[0] <= until]
        self._held = [one for one in self._held if one[0] > until]
        self._dice.shuffle(due)
        for _, topic, message in due:
            super().publish(topic, message)
        return bool(due)
