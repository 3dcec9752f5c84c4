"""What one connection is subscribed to, and what has to be sent so that it is what it should be.

Pure. No topic has more than one command under way: what was asked for meanwhile is decided when
that is confirmed. So the end is right in whatever order topics are confirmed, and what waits to
be sent never grows past a command a topic.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple


class _State(Enum):
    COMING = auto()  # asked for, not confirmed
    STANDING = auto()
    GOING = auto()  # ended, not confirmed; where there is no state, there is no subscription


class Due(NamedTuple):
    """What has to be sent, and topics that were asked for again before they had been let go."""

    subscribe: list[str]
    unsubscribe: list[str]
    standing: list[str]


class Subscriptions:
    """The topics wanted, against those that the present connection has."""

    def __init__(self) -> None:
        self._wanted: dict[str, None] = {}  # in order: what was wanted first is sent first
        self._states: dict[str, _State] = {}
        self._due: dict[str, None] = {}

    def __contains__(self, topic: str) -> bool:
        return topic in self._wanted

    @property
    def settled(self) -> bool:
        """Whether the connection has what is wanted, and nothing else."""
        states = self._states.values()
        return self._states.keys() == self._wanted.keys() and set(states) <= {_State.STANDING}

    def want(self, topic: str) -> bool:
        """Want a topic. Whether that is new."""
        if topic in self._wanted:
            return False
        self._wanted[topic] = self._due[topic] = None
        return True

    def unwant(self, topic: str) -> bool:
        """Want it no longer. Whether that is new."""
        if topic not in self._wanted:
            return False
        del self._wanted[topic]
        self._due[topic] = None
        return True

    def lost(self) -> None:
        """The connection is gone, and every subscription with it."""
        self._states.clear()
        self._due = dict(self._wanted)

    def take(self) -> Due:
        """What has to be sent now; counts as sent."""
        due = Due([], [], [])
        for topic in self._due:
            state = self._states.get(topic)
            if topic in self._wanted and state is None:
                self._states[topic] = _State.COMING
                due.subscribe.append(topic)
            elif topic in self._wanted and state is _State.STANDING:
                due.standing.append(topic)
            elif topic not in self._wanted and state is _State.STANDING:
                self._states[topic] = _State.GOING
                due.unsubscribe.append(topic)
        self._due.clear()
        return due

    def began(self, topic: str) -> bool:
        """A subscription is confirmed. Whether it is still wanted; else there is more to send."""
        self._states[topic] = _State.STANDING
        if topic in self._wanted:
            return True
        self._due[topic] = None
        return False

    def ended(self, topic: str) -> bool:
        """An end is confirmed. Whether it is still wanted; else there is more to send."""
        self._states.pop(topic, None)
        if topic not in self._wanted:
            return True
        self._due[topic] = None
        return False
