"""One connection's events and signals, judged as they are handed over.

Owns where each of its topics has come to. Refuses, by raising `Disagreement`: a gap, a repetition,
an event that is not the reader's or no longer is, content that was never true between the event
and now, a signal that may not pass. `complete` says that nothing is missing, once all is at rest.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.property.endings import Endings, parted
from tests.support.oracle import Oracle
from tests.support.oracle_things import Disagreement, Entry, Talk

Map = dict[str, Any]


class Opening:
    """What a session's opening comes to, as of its commit: its topics with their heads, those of
    them that cannot be gone on from, and what is due of topics that were asked for but are lost."""

    def __init__(
        self, oracle: Oracle, member: str, asked: dict[str, int] | None, heads: dict[str, int],
        *, same_epoch: bool,
    ) -> None:  # fmt: skip
        self.moment = oracle.now
        self.heads = heads
        self.starts: dict[str, int] = {}
        self.past: dict[str, list[int]] = {}
        for topic, pos in (asked or {}).items():
            if not same_epoch:
                continue
            if topic not in self.heads:
                log = range(pos + 1, oracle.head(topic) + 1)
                due = [at for at in log if oracle.sees(member, topic, at)]
                if due and not topic.startswith("member:"):
                    self.past[topic] = due
                continue
            near = 0 <= self.heads[topic] - pos <= oracle.rules.resume_events
            if near and pos >= oracle.since(member, topic):
                self.starts[topic] = pos
        self.reset = set() if asked is None else self.heads.keys() - self.starts.keys()


class Place:
    """The node that a session is at, which may wait with signals unless it is alone, and what
    nodes may not know."""

    def __init__(self, node: object, endings: Endings, *, alone: bool) -> None:
        self.node = node
        self.alone = alone
        self._endings = endings

    def may_not_know(self, *what: str) -> bool:
        """Whether this end of access is another node's, and not answered yet."""
        return self._endings.unknown_at(self.node, *what)


class Streams:
    """What one open session may be given."""

    def __init__(self, oracle: Oracle, member: str, opening: Opening, place: Place) -> None:
        self._place = place
        self.opening = opening
        self.at = {t: opening.starts.get(t, head) for t, head in opening.heads.items()}
        self.past = {t: list(due) for t, due in opening.past.items()}
        self.events = 0
        self.kept = 0  # of these, from a viewer
        self.signals: Counter[str] = Counter()
        self._oracle = oracle
        self._member = member
        self._own = f"member:{member}"
        self._unchecked: list[tuple[Map, Entry]] = []

    def _inside(self, topic: str) -> bool:
        talk = self._oracle.talks[topic.partition(":")[2]]
        return self._takes_part(talk, self._member, viewing=True)

    def _takes_part(self, talk: Talk, member: str, *, viewing: bool = False) -> bool:
        """Whether somebody is in a conversation, as far as this node has to know."""
        here = talk.present if viewing else talk.roster
        return member in here or self._place.may_not_know("removed", member, talk.id)

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
        name = self._oracle.name(self._member, entry)
        if frame["event"] != name:
            raise self._wrong(f"not {name}", frame)
        first = self._first(topic, pos, entry)
        if frame["data"] != self._oracle.data(self._member, entry, first):
            self._unchecked.append((frame, entry))
        self.events += 1
        self.kept += name != entry.name
        if topic == self._own and pos > self.opening.heads[self._own]:
            self._follow(frame)

    def _first(self, topic: str, pos: int, entry: Entry) -> int:
        """From when on what an event said may have been true: what is behind the head that this
        session was told is read after it was opened, what comes from there on is live."""
        heads = self.opening.heads
        if topic in heads and pos > heads[topic]:
            return entry.moment
        return max(entry.moment, self.opening.moment)

    def _follow(self, frame: Map) -> None:
        data = frame["data"]
        if frame["event"] == "conversation.joined":
            self.past.pop(data["topic"], None)
            self.at.setdefault(data["topic"], data["pos"])  # who was a viewer has it
        elif frame["event"] == "conversation.left":
            self.at.pop(data["topic"], None)

    def check_contents(self) -> None:
        """Everything given said what was true at some moment from its event, and from when it
        could be read, until now."""
        unchecked, self._unchecked = self._unchecked, []
        for frame, entry in unchecked:
            first = self._first(frame["topic"], frame["pos"], entry)
            moments = range(first, self._oracle.now + 1)
            true = (self._oracle.data(self._member, entry, moment) for moment in moments)
            if frame["data"] not in true:
                what = f"never true since {first}, said at {entry.moment}, opened at"
                raise self._wrong(f"{what} {self.opening.moment}", frame)

    # Signals

    def signal(self, frame: Map) -> None:
        """A signal was handed over."""
        name, topic, data = frame["event"], frame["topic"], frame["data"]
        sent = [
            one for one in self._oracle.signals
            if (one.name, one.data) == (name, data) and self._member in one.to
            and (one.moment > self.opening.moment or not self._place.alone)
        ]  # fmt: skip
        if not sent:
            raise self._wrong("a signal that was never for them", frame)
        talk = sent[0].talk
        if topic != (self._own if talk.two else talk.topic):
            raise self._wrong("a signal on another topic", frame)
        if not self._passes(talk, data["member"]):
            raise self._wrong("a signal that may pass no more", frame)
        key = repr(frame)
        self.signals[key] += 1
        if self.signals[key] > len(sent):
            raise self._wrong("a signal given again", frame)

    def _passes(self, talk: Talk, sender: str) -> bool:
        """Whether somebody's signals may pass here still, as far as this node has to know."""
        for one in (sender, self._member):
            on = self._oracle.people[one].receipts or self._place.may_not_know("switch", one)
            if not on or not self._takes_part(talk, one):
                return False
        apart = talk.two and not self._oracle.carries(sender, self._member)
        return not apart or self._place.may_not_know(*parted(sender, self._member))

    # At rest

    def complete(self) -> None:
        """Raise unless everything due has been given."""
        topics = self._oracle.topics_of(self._member)
        if self.at != topics:
            raise Disagreement(f"{self._member} has come to {self.at}, and there is {topics}")
        late = {topic: due for topic, due in self.past.items() if due}
        if late:
            raise Disagreement(f"{self._member} is still due {late}")
