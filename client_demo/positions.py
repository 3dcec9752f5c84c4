"""How far a client is in each of its topics, and what an event's position means for it.

Positions in a topic are dense, so the next event is the last position plus one: a lower one has
been seen, a higher one shows a gap. Pure. The client keeps two of these: what it has received,
for resuming within this process, and what the application has taken, for resuming in the next.

`conversation.joined` adds a topic and `conversation.left` takes it away. Both may come by replay,
after the conversation's own events have gone further: the higher position wins.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping

from client_demo.protocol import Event, Map


class Verdict(enum.Enum):
    """What to do with an event."""

    NEW = "new"
    SEEN = "seen"
    GAP = "gap"


class Positions:
    """The last position seen in each topic, and the epoch that they are of."""

    def __init__(self, epoch: str = "", seen: Mapping[str, int] | None = None) -> None:
        self.epoch = epoch
        self._seen = dict(seen or {})
        self._gaps: dict[str, int] = {}

    @property
    def seen(self) -> Mapping[str, int]:
        """The last position seen, by topic."""
        return self._seen

    def opened(self, result: Map, *, resumed: bool) -> list[str]:
        """Take over a `connect` result {epoch, topics, reset}; `resumed`: it was asked to resume.

        Returns the topics whose state must be read anew, sorted: those the server says, and those
        it is live in without our having named them. They go on from their heads.
        """
        topics: dict[str, int] = result["topics"]
        known = self._seen if resumed and result["epoch"] == self.epoch else {}
        reset = set(result.get("reset", ()))
        fresh: dict[str, int] = {}
        for topic, head in topics.items():
            # A head below what we have seen is another history, whatever the epoch says.
            if topic in reset or topic not in known or known[topic] > head:
                reset.add(topic)
                fresh[topic] = head
            else:
                fresh[topic] = known[topic]
        self.epoch = result["epoch"]
        self._seen = fresh
        self._gaps = {t: p for t, p in self._gaps.items() if fresh.get(t) == p}
        return sorted(reset & fresh.keys())

    def judge(self, topic: str, pos: int) -> Verdict:
        """Whether the event at this position is new, seen or beyond a gap. Changes nothing.

        A topic that is not known yet begins with the event: its joining is on its way.
        """
        last = self._seen.get(topic)
        if last is None or pos == last + 1:
            return Verdict.NEW
        return Verdict.SEEN if pos <= last else Verdict.GAP

    def take(self, event: Event) -> None:
        """Count an event as seen, and follow what it changes of the topics."""
        if event.pos is not None:
            self._seen[event.topic] = event.pos
            self._gaps.pop(event.topic, None)
        topic, pos = event.data.get("topic"), event.data.get("pos")
        if event.name == "conversation.joined" and isinstance(topic, str) and isinstance(pos, int):
            self._seen[topic] = max(pos, self._seen.get(topic, pos))
        elif event.name == "conversation.left":
            self._leave(event.data)

    def gap(self, topic: str) -> None:
        """Note a gap. Resuming heals it; the second one at the same place forgets the topic, and
        the next `connect` then answers with it in `reset`."""
        last = self._seen.get(topic)
        if last is None:
            return
        if self._gaps.get(topic) == last:
            del self._seen[topic], self._gaps[topic]
        else:
            self._gaps[topic] = last

    def keep(self, topics: Mapping[str, int], epoch: str) -> None:
        """Take over all positions of another value."""
        self._seen = dict(topics)
        self.epoch = epoch

    def _leave(self, data: Map) -> None:
        topic = data.get("topic") or f"conversation:{data.get('conversation')}"
        until = data.get("pos")
        last = self._seen.get(topic)
        if last is not None and (not isinstance(until, int) or last <= until):
            del self._seen[topic]
            self._gaps.pop(topic, None)


def pages(seen: Mapping[str, int], size: int) -> Iterable[dict[str, int]]:
    """The positions in parts of at most `size` topics: what one frame can carry. One at least."""
    items = list(seen.items())
    for start in range(0, max(len(items), 1), size):
        yield dict(items[start : start + size])
