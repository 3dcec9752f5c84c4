"""Each topic's log as one process has seen it, and where each session is in it.

The first session to get an event reads it; its bytes then hang behind those of the event before,
one chain a topic and encoding. Every other session compares what it gets with the next link: equal
bytes are the right event at the right position, and nothing has to be parsed. A link that every
session has passed is held by nobody and goes. What stays is one number an event. No I/O.
"""

from __future__ import annotations

from array import array

UNMATCHABLE = b"\xff never the beginning of a frame"
"""Stands for a frame that each session has to read for itself, because it changes its topics."""


class Link:
    """One event's frame in one encoding. `due` is 0 where no latency is to be counted."""

    __slots__ = ("due", "frame", "next", "pos", "size")

    def __init__(self, pos: int, frame: bytes = UNMATCHABLE, due: int = 0) -> None:
        self.pos = pos
        self.frame = frame
        self.size = len(frame)
        self.due = due
        self.next: Link | None = None


NOWHERE = Link(-1)
"""Where a session is that has to read every frame: nothing ever hangs behind it."""


class Log:
    """One topic's log: what event is at which position, in whatever session's eyes."""

    __slots__ = ("authors", "base", "identities", "name", "places", "removals", "tails", "tracks")

    def __init__(self, name: bytes, places: frozenset[int]) -> None:
        self.name = name
        self.places = places
        """The places whose messages belong here."""
        self.base = -1
        self.identities = array("q")
        """By position from `base` on; 0 where nobody has seen anything."""
        self.tails: list[Link | None] = [None, None]
        self.authors: dict[int, int] = {}
        self.removals: dict[str, list[int]] = {}
        """Where the log says that a member went."""
        self.tracks: dict[str, list[Track]] = {}

    def identity(self, pos: int) -> int:
        """What is at a position, as far as is known; 0 if it is not."""
        index = pos - self.base
        return self.identities[index] if 0 <= index < len(self.identities) else 0

    def note(self, pos: int, identity: int) -> bool:
        """Say what is at a position; whether that is the furthest so far."""
        if self.base < 0:
            self.base = pos
        if pos < self.base:
            self.identities = array("q", bytes(8 * (self.base - pos))) + self.identities
            self.base = pos
        index = pos - self.base
        beyond = index >= len(self.identities)
        if beyond:
            self.identities.extend([0] * (index + 1 - len(self.identities)))
        self.identities[index] = identity
        return beyond

    def removed(self, member: str, pos: int) -> list[Track]:
        """A member went at this position: nothing from there on is theirs.

        Answers those of their tracks that have gone beyond it already.
        """
        self.removals.setdefault(member, []).append(pos)
        beyond = []
        for track in self.tracks.get(member, ()):
            if track.opened < pos:
                if track.last >= pos:
                    beyond.append(track)
                track.end(pos - 1)
        return beyond


class Track:
    """Where one session is in one topic."""

    __slots__ = ("cursor", "encoding", "last", "late", "limit", "log", "opened", "withheld")

    def __init__(self, log: Log, member: str, encoding: int) -> None:
        self.log = log
        self.encoding = encoding
        self.cursor = NOWHERE
        self.opened = self.last = -1
        self.limit: int | None = None
        """The last position that is this session's, once its access has ended."""
        self.late: set[int] = set()
        """Positions that were passed over."""
        self.withheld: set[int] = set()
        """The last ones before an end of access, where they had not come by the next beginning."""
        log.tracks.setdefault(member, []).append(self)

    def open(self, pos: int, member: str) -> None:
        """Begin, or begin anew, behind this position."""
        self.withheld.update(self.tail())
        self.opened = self.last = pos
        self.limit = None
        tails = self.log.tails
        tail = tails[self.encoding]
        if tail is None or tail.pos < pos:
            tail = tails[self.encoding] = Link(pos)
        self.cursor = tail if tail.pos == pos else NOWHERE
        later = [at for at in self.log.removals.get(member, ()) if at > pos]
        if later:
            self.end(min(later) - 1)

    def tail(self) -> range:
        """What has not come of the end of an access that is over."""
        return range(self.last + 1, (self.last if self.limit is None else self.limit) + 1)

    def end(self, last: int) -> None:
        """Nothing beyond this position is the session's any more."""
        self.limit = last if self.limit is None else min(self.limit, last)
        self.cursor = NOWHERE

    def follow(self, pos: int, frame: bytes, due: int) -> None:
        """Having read the frame at `pos` as the next one, find or make its link."""
        if self.limit is not None:
            self.cursor = NOWHERE
            return
        following, tail = self.cursor.next, self.log.tails[self.encoding]
        if following is not None and following.pos == pos:
            self.cursor = following
        elif tail is not None and tail.pos == pos:
            self.cursor = tail
        elif tail is not None and tail.pos == pos - 1:
            tail.next = Link(pos, frame, due)
            self.log.tails[self.encoding] = self.cursor = tail.next
        else:
            self.cursor = NOWHERE
