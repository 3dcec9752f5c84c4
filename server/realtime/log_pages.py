"""Questions to a snapshot about topics' logs: whole for a hub, and as members may see them.

Many sessions' pages are read by one question, set-based. What is decided for each is its own: the
right to the topic, and which positions are theirs. An event is built once for all who get it as
of the same moment, and whoever is given the same ones is given the same page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from server.commands import access, log
from server.commands.facts import Handle, Named
from server.commands.outcome import Event
from server.commands.snapshot import Snapshot
from server.domain import conversations
from server.domain.conversations import View
from server.domain.ids import MemberId
from server.domain.rows import Conversation, Entry, Participant, Topic
from server.protocol.codec import Codec
from server.realtime.framing import WRITE_BYTES, Framed, Item

PAGE = 200
EVENTS_AT_ONCE = 2_000  # read by one question: a bound to its memory, and to how long it takes
PART_BYTES = WRITE_BYTES // 2
FAR = 1 << 60


class Wanted(msgspec.Struct, frozen=True):
    """What a member wants of a topic's log: with positions in (after, until], so many at most."""

    member: str
    topic: str
    after: int
    until: int = FAR
    limit: int = PAGE


class Part(msgspec.Struct, frozen=True):
    """Some of a page's events as one item that is due."""

    item: Item
    events: list[Event]


class Page:
    """Some events in order. `end` is the position up to which they are complete; `more` that the
    log went on behind it; `over` that nothing more of this topic is this reader's."""

    __slots__ = ("_apart", "_parts", "end", "events", "more", "over")

    def __init__(
        self, events: list[Framed], end: int, *, over: bool = False, more: bool = False
    ) -> None:
        self.events = events
        self.end = end
        self.over = over
        self.more = more
        self._apart = {member for one in events for member in one.event.apart}
        self._parts: dict[Codec, list[Part]] = {}

    def parts(self, member: str, codec: Codec) -> list[Part]:
        """The events in this encoding, some together: the same for all who are given the page, but
        for a member from whom one of them is kept."""
        if member in self._apart:
            return list(_parts(self.events, member, codec))
        found = self._parts.get(codec)
        if found is None:
            found = self._parts[codec] = list(_parts(self.events, "", codec))
        return found


def _parts(events: Iterable[Framed], member: str, codec: Codec) -> Iterable[Part]:
    frames: list[bytes] = []
    some: list[Event] = []
    size = 0
    for framed in events:
        frames.append(framed.told(member).item(codec).frame)
        some.append(framed.event)
        size += len(frames[-1])
        if size >= PART_BYTES:
            yield Part(Item(b"".join(frames), framed.event.topic), some)
            frames, some, size = [], [], 0
    if some:
        yield Part(Item(b"".join(frames), some[0].topic), some)


def whole(topic: str, after: int) -> Callable[[Snapshot], Page]:
    """The events after a position, for a hub that delivers them under its own roster."""

    def ask(snapshot: Snapshot) -> Page:
        row = _topic(topic, snapshot)
        if row is None:
            return Page([], after, over=True)
        end = max(after, min(row.head, after + PAGE))
        entries = snapshot.entries([(row.key, after, end)])
        log.read(entries, snapshot)
        events = [Framed(event) for event in log.events(row, entries, snapshot)]
        return Page(events, end, more=end < row.head)

    return ask


def seen(wanted: Sequence[Wanted]) -> Callable[[Snapshot], list[Page | None]]:
    """Pages of what these members may see, decided in the one snapshot; None for the last of them
    where it would be too much at once. The first always has a page."""

    def ask(snapshot: Snapshot) -> list[Page | None]:
        return _Reading(snapshot).pages(wanted)

    return ask


class _Range(msgspec.Struct, frozen=True):
    """What one reader sees of a topic, in positions (after, end]: equal ones have one page."""

    topic: Topic
    view: View
    after: int
    end: int


class _Reading:
    """One question's passes over the snapshot: rights, entries, what they refer to, events."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._entries: dict[int, dict[int, Entry]] = {}  # by topic and position

    def pages(self, wanted: Sequence[Wanted]) -> list[Page | None]:
        self._read_rights(wanted)
        ranges: list[_Range | None] = []
        room, taken = EVENTS_AT_ONCE, set[_Range]()
        for one in wanted:
            mine = self._range(one)
            if mine is not None and mine not in taken:
                room -= mine.end - mine.after
                if room < 0 and taken:
                    break
                taken.add(mine)
            ranges.append(mine)
        self._read_entries(taken)
        made = self._make(taken)
        pages: list[Page | None] = [
            Page([], one.after, over=True) if mine is None else made[mine]
            for one, mine in zip(wanted, ranges, strict=False)
        ]
        return pages + [None] * (len(wanted) - len(pages))

    def _read_rights(self, wanted: Sequence[Wanted]) -> None:
        """In a statement a kind, what `_range` looks up one by one."""
        snapshot = self._snapshot
        snapshot.want(
            *((Named, one.topic) for one in wanted),
            *((Handle, MemberId(one.member)) for one in wanted),
        )
        places = [(one.member, _conversation(one.topic, snapshot)) for one in wanted]
        members = {one.member: access.named(one.member, snapshot) for one in wanted}
        snapshot.want(
            *((Topic, named.topic) for one in wanted
              if (named := snapshot.find(Named, one.topic)) and named.topic),
            *((Conversation, key) for _, key in places if key),
            *((Participant, (key, me.key)) for member, key in places
              if key and (me := members[member])),
        )  # fmt: skip

    def _range(self, one: Wanted) -> _Range | None:
        """What a member may see of what they want; None if the topic is not theirs at all."""
        snapshot = self._snapshot
        row, me = _topic(one.topic, snapshot), access.named(one.member, snapshot)
        if row is None or me is None:
            return None
        if row.key == me.topic:
            view: View | None = conversations.EVERYTHING
        else:
            view = _view(one.topic, me.key, snapshot)
        if view is None:
            return None
        end = min(row.head, one.after + one.limit, one.until)
        return _Range(row, view, one.after, max(one.after, end))

    def _read_entries(self, ranges: Iterable[_Range]) -> None:
        found = self._snapshot.entries(_merged(ranges))
        for entry in found:
            self._entries.setdefault(entry.topic, {})[entry.pos] = entry
        log.read(found, self._snapshot)

    def _make(self, ranges: Iterable[_Range]) -> dict[_Range, Page]:
        visible: dict[_Range, list[Entry]] = {}
        asked: dict[tuple[int, int], dict[int, Entry]] = {}  # by topic and moment, then position
        topics: dict[int, Topic] = {}
        for one in ranges:
            known = self._entries.get(one.topic.key, {})
            visible[one] = [
                known[pos]
                for pos in range(one.after + 1, one.end + 1)
                if pos in known and one.view.sees_pos(pos)
            ]
            topics[one.topic.key] = one.topic
            for entry in visible[one]:
                moment = one.topic.key, one.view.moment(entry.pos)
                asked.setdefault(moment, {})[entry.pos] = entry
        events = {
            (key, as_of): {
                event.pos: Framed(event)
                for event in log.events(topics[key], list(them.values()), self._snapshot, as_of)
            }
            for (key, as_of), them in asked.items()
        }
        return {
            one: Page(
                [events[one.topic.key, one.view.moment(entry.pos)][entry.pos] for entry in entries],
                one.end,
                over=not one.view.current and one.end >= one.view.pos,
                more=one.end < one.topic.head,
            )
            for one, entries in visible.items()
        }


def _merged(ranges: Iterable[_Range]) -> list[tuple[int, int, int]]:
    """The same positions as (topic, after, until), each once."""
    merged: list[tuple[int, int, int]] = []
    for key, after, end in sorted({(one.topic.key, one.after, one.end) for one in ranges}):
        if after == end:
            continue
        if merged and merged[-1][0] == key and after <= merged[-1][2]:
            _, before, until = merged.pop()
            after, end = before, max(until, end)
        merged.append((key, after, end))
    return merged


def _topic(name: str, snapshot: Snapshot) -> Topic | None:
    named = snapshot.find(Named, name)
    return snapshot.find(Topic, named.topic) if named is not None and named.topic else None


def _conversation(topic: str, snapshot: Snapshot) -> int | None:
    kind, _, conversation = topic.partition(":")
    return snapshot.ids.conversation_key(conversation) if kind == "conversation" else None


def _view(topic: str, member: int, snapshot: Snapshot) -> View | None:
    key = _conversation(topic, snapshot)
    row = snapshot.find(Conversation, key) if key is not None else None
    if row is None:
        return None
    return conversations.view(row, snapshot.find(Participant, (row.key, member)))
