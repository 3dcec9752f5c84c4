"""One connection's events and signals, judged as they are handed over.

Owns where each of its topics has come to. Refuses, by raising `Disagreement`: a gap, a repetition,
an event that is not the reader's or no longer is, content that was never true between the event
and now, a signal that may not pass. `complete` says that nothing is missing, once all is at rest.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.support.oracle import Oracle
from tests.support.oracle_world import Disagreement, Entry

Map = dict[str, Any]


@dataclass
class Opening:
    """What a `connect` came to, as of its commit: the session's topics with their heads, where
    each of them is seen from, and the topics that were asked for but are lost."""

    moment: int
    heads: dict[str, int]
    since: dict[str, int]
    same_epoch: bool
    limit: int
    asks: bool = False  # whether the client resumes at all
    starts: dict[str, int] = field(default_factory=dict)
    past: dict[str, list[int]] = field(default_factory=dict)

    def take(self, topics: dict[str, int]) -> set[str]:
        """The client asks to go on from there; answers those of its topics that it cannot."""
        reset = set()
        for topic, pos in topics.items():
            if topic not in self.heads:
                continue
            near = 0 <= self.heads[topic] - pos <= self.limit
            if self.same_epoch and near and pos >= self.since[topic]:
                self.starts[topic] = pos
            else:
                reset.add(topic)
        return reset

    @property
    def unnamed(self) -> set[str]:
        """The topics that are live from their heads."""
        return self.heads.keys() - self.starts.keys()


class Streams:
    """What one open session may be given."""

    def __init__(self, oracle: Oracle, member: str, opening: Opening) -> None:
        self.opening = opening
        self.at = {t: opening.starts.get(t, head) for t, head in opening.heads.items()}
        self.past = {t: list(due) for t, due in opening.past.items()}
        self.events = 0
        self.signals: Counter[str] = Counter()
        self._oracle = oracle
        self._member = member
        self._own = f"member:{member}"
        self._unchecked: list[tuple[Map, Entry]] = []
        self._optional: set[str] = set()
        for topic in [t for t in self.at if t != self._own and not self._inside(t)]:
            # Lost between its connect and its last resume: told up to there, or by `left` alone.
            self.past[topic] = self._due(topic, self.at.pop(topic))
            self._optional.add(topic)

    def _inside(self, topic: str) -> bool:
        return self._member in self._oracle.talks[topic.partition(":")[2]].roster

    def _due(self, topic: str, after: int) -> list[int]:
        log = range(after + 1, self._oracle.head(topic) + 1)
        return [pos for pos in log if self._oracle.sees(self._member, topic, pos)]

    def _wrong(self, what: str, frame: Map) -> Disagreement:
        return Disagreement(f"{what}: {self._member} at {self._oracle.now} was given {frame}")

    # Events

    def event(self, frame: Map) -> None:
        """An event with a position was handed over."""
        topic, pos = frame["topic"], frame["pos"]
        if not 0 < pos <= self._oracle.head(topic) or not self._oracle.sees(
            self._member, topic, pos
        ):
            raise self._wrong("not theirs to see", frame)
        if topic in self.at:
            if topic != self._own and not self._inside(topic):
                raise self._wrong("given after their access had ended", frame)
            if pos != self.at[topic] + 1:
                raise self._wrong(f"out of order behind {self.at[topic]}", frame)
            self.at[topic] = pos
        elif pos in self.past.get(topic, ()):
            del self.past[topic][: self.past[topic].index(pos) + 1]
        else:
            raise self._wrong("of a topic that this session does not have", frame)
        entry = self._oracle.logs[topic][pos - 1]
        if frame["event"] != entry.name:
            raise self._wrong(f"not {entry.name}", frame)
        first = max(entry.moment, self.opening.moment)
        if frame["data"] != self._oracle.data(self._member, entry, first):
            self._unchecked.append((frame, entry))
        self.events += 1
        if topic == self._own and pos > self.opening.heads[self._own]:
            self._follow(frame)

    def _follow(self, frame: Map) -> None:
        data = frame["data"]
        if frame["event"] == "conversation.joined":
            self.past.pop(data["topic"], None)
            self.at[data["topic"]] = data["pos"]
        elif frame["event"] == "conversation.left":
            self.at.pop(data["topic"], None)

    def check_contents(self) -> None:
        """Everything given said what was true at some moment from its event, and from when this
        session was opened, until now."""
        unchecked, self._unchecked = self._unchecked, []
        for frame, entry in unchecked:
            moments = range(max(entry.moment, self.opening.moment), self._oracle.now + 1)
            true = (self._oracle.data(self._member, entry, moment) for moment in moments)
            if frame["data"] not in true:
                raise self._wrong("never true since", frame)

    # Signals

    def signal(self, frame: Map) -> None:
        """A signal was handed over."""
        name, topic, data = frame["event"], frame["topic"], frame["data"]
        sent = [
            one for one in self._oracle.signals
            if one.moment > self.opening.moment and (one.name, one.data) == (name, data)
            and self._member in one.to
        ]  # fmt: skip
        if not sent:
            raise self._wrong("a signal that was never for them", frame)
        talk = sent[0].talk
        if topic != (self._own if talk.two else talk.topic):
            raise self._wrong("a signal on another topic", frame)
        if not self._oracle.both_show(talk, data["member"], self._member):
            raise self._wrong("a signal that may pass no more", frame)
        key = repr(frame)
        self.signals[key] += 1
        if self.signals[key] > len(sent):
            raise self._wrong("a signal given again", frame)

    # At rest

    def complete(self) -> None:
        """Raise unless everything due has been given."""
        topics = self._oracle.topics_of(self._member)
        if self.at != topics:
            raise Disagreement(f"{self._member} has come to {self.at}, and there is {topics}")
        late = {t: due for t, due in self.past.items() if due and t not in self._optional}
        if late:
            raise Disagreement(f"{self._member} is still due {late}")
