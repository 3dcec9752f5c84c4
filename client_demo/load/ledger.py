"""What each session may see, held against what it gets: the checker of one process.

It knows who is where (`Place`), where each topic's log ends access, and the ends that the run
itself made. What is wrong goes into `findings` at once; what never came is known at the end, when
`settled` and `judge` are asked with the heads that the server names. No I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from zlib import crc32

from client_demo.load import canary, wire
from client_demo.load.canary import Canary
from client_demo.load.chain import UNMATCHABLE, Log, Track
from client_demo.load.ends import End
from client_demo.load.findings import Findings
from client_demo.load.frames import Broken
from client_demo.load.plan import Assignment, Place

MESSAGE, ROSTER = b"message.created", b"roster.changed"
JOINED, LEFT = b"conversation.joined", b"conversation.left"
SIGNALS = {b"typing.started", b"typing.stopped", b"receipt.read"}
WIDEST_GAP = 100_000
"""Positions passed over at once that are still remembered one by one."""

_SIGNALS_KEPT = 4096


class Who(NamedTuple):
    """A session, for the ledger: its number, its member and that member's seat."""

    session: int
    member: str
    seat: int


class _Signal(NamedTuple):
    place: int
    sender: int


class Ledger:
    """One process's books. Sessions report to it through `Reading`."""

    def __init__(self, assignment: Assignment) -> None:
        self.run = assignment.run
        self.findings = Findings()
        self._ends: list[End] = []
        self._ends_at: dict[int, list[End]] = {}
        self.withheld = 0
        """Events that sessions had not got when their access ended."""
        self.loose: set[int] = set()
        """Messages that were sent again, and may be stored behind later ones."""
        self.logs: dict[bytes, Log] = {}
        self._members = assignment.members
        self._seats = {member: seat for seat, member in enumerate(assignment.members)}
        self._places = {place.number: place for place in assignment.places}
        self._conversations = {p.conversation: p.number for p in assignment.places}
        self._signals: dict[bytes, _Signal] = {}
        pairs: dict[int, set[int]] = {}
        for place in assignment.places:
            for seat in place.seats if place.kind == "pair" else ():
                pairs.setdefault(seat, set()).add(place.number)
        self._pairs = {seat: frozenset(numbers) for seat, numbers in pairs.items()}

    def place(self, number: int) -> Place | None:
        """The place of this number, if this process has a part in it."""
        return self._places.get(number)

    def log(self, topic: bytes) -> Log:
        """A topic's log."""
        found = self.logs.get(topic)
        if found is None:
            kind, _, name = topic.decode().partition(":")
            if kind == "member":
                places = self._pairs.get(self._seats.get(name, -1), frozenset())
            else:
                number = self._conversations.get(name)
                places = frozenset() if number is None else frozenset((number,))
            found = self.logs[topic] = Log(topic, places)
        return found

    def may_have(self, who: Who, topic: bytes) -> bool:
        """Whether a topic that the server gives to a session can be that session's at all."""
        kind, _, name = topic.decode().partition(":")
        if kind == "member":
            return name == who.member
        number = self._conversations.get(name)
        return number is not None and who.seat in self._places[number].seats

    def begin(self, end: End) -> None:
        """An end of access was answered."""
        self._ends.append(end)
        if end.place is not None:
            self._ends_at.setdefault(end.place, []).append(end)

    def undo(self, end: End, now: int) -> None:
        """It is about to be asked to be undone."""
        end.again = now
        self._ends.remove(end)

    # --- what has a position ---------------------------------------------------------------

    def learn(
        self, log: Log, pos: int, name: bytes, payload: bytes, who: Who, encoding: int
    ) -> tuple[int, bool]:
        """Read an event that a session got: when it was due (0: never), and whether the others
        may take it by its bytes alone."""
        marks = canary.found(payload)
        if name == MESSAGE and len(marks) == 1 and marks[0].run == self.run:
            identity, due = marks[0].identity, marks[0].due
        else:
            identity, due = -1 - crc32(name), 0
        known = log.identity(pos)
        if not known:
            beyond = log.note(pos, identity)
            self._first(log, pos, name, payload, marks, who, encoding)
            if identity > 0 and beyond:
                self._in_order(log, pos, marks[0])
        elif known != identity:
            self.findings.add(
                "reordered",
                f"{_at(log, pos)} is {_event(identity)} for {_who(who)} and {_event(known)} for "
                "another session",
            )
        return due, name not in (JOINED, LEFT)

    def _first(
        self,
        log: Log,
        pos: int,
        name: bytes,
        payload: bytes,
        marks: list[Canary],
        who: Who,
        encoding: int,
    ) -> None:
        if name == MESSAGE and not marks:
            self.findings.add("garbled", f"{_at(log, pos)} is a message that nobody here wrote")
        for mark in marks:
            if mark.run != self.run or mark.place not in log.places:
                self.findings.add(
                    "leaked",
                    f"{_at(log, pos)} has {_message(mark)} of {self._where(mark)}, "
                    f"which is not its own, for {_who(who)}",
                )
                continue
            for end in self._ends_at.get(mark.place, ()):
                if end.bars(mark.place, mark.author, mark.sent):
                    self.findings.add(
                        "leaked",
                        f"{_at(log, pos)} has {_message(mark)}, sent after {end.words()} was "
                        f"answered, for {_who(who)}",
                    )
        if name == ROSTER:
            self._roster(log, pos, payload, encoding)

    def _in_order(self, log: Log, pos: int, mark: Canary) -> None:
        before = log.authors.get(mark.author, -1)
        if mark.number >= before:  # the same one twice is found where all logs are together
            log.authors[mark.author] = mark.number
        elif not {mark.identity, canary.identity(mark.author, before)} & self.loose:
            self.findings.add(
                "reordered",
                f"{_at(log, pos)} has {_message(mark)}, which its author sent before number "
                f"{before}",
            )

    def _roster(self, log: Log, pos: int, payload: bytes, encoding: int) -> None:
        for change in wire.decode(payload, encoding)["data"].get("changes", ()):
            if change["change"] == "added":
                continue
            for track in log.removed(change["member"], pos):
                self.findings.add(
                    "leaked",
                    f"{change['member']} got {_at(log, track.last)}, having been removed at {pos}",
                )

    def arrived(self, track: Track, pos: int, who: Who) -> bool:
        """A session got this position: whether it is the next one, or at least further on."""
        if track.limit is not None and pos > track.limit:
            self.findings.add(
                "leaked",
                f"{_who(who)} got {_at(track.log, pos)}; {track.limit} was the last that is theirs",
            )
            return False
        following = track.last + 1
        if pos >= following:
            if pos > following:
                track.late.update(range(max(following, pos - WIDEST_GAP), pos))
            track.last = pos
            return True
        if pos in track.withheld:  # between it and what ended and began access there is no order
            track.withheld.discard(pos)
        elif pos in track.late:
            track.late.discard(pos)
            self.findings.add(
                "reordered", f"{_who(who)} got {_at(track.log, pos)} behind {track.last}"
            )
        else:
            self.findings.add(
                "duplicated", f"{_who(who)} got {_at(track.log, pos)} again, at {track.last}"
            )
        return False

    def foreign(self, who: Who, topic: bytes, pos: int | None, payload: bytes) -> None:
        """A session got an event of a topic that is not its own."""
        marks = canary.found(payload)
        what = _message(marks[0]) if marks else "an event"
        self.findings.add(
            "leaked",
            f"{_who(who)} got {what} of {topic.decode()}"
            f"{'' if pos is None else f' at {pos}'}, which is not theirs",
        )

    # --- what has none ---------------------------------------------------------------------

    def signal(self, who: Who, topic: bytes, payload: bytes, encoding: int, own: bool) -> None:
        """A session got a signal. `own` is whether its topic is one of the session's."""
        heard = self._signals.get(payload)
        if heard is None:
            data = wire.decode(payload, encoding).get("data")
            if not isinstance(data, dict):
                raise Broken("a signal without data")
            heard = _Signal(
                self._conversations.get(str(data.get("conversation")), -1),
                self._seats.get(str(data.get("member")), -1),
            )
            if len(self._signals) >= _SIGNALS_KEPT:
                self._signals.clear()
            self._signals[payload] = heard
        place, sender = heard
        where = self._places.get(place)
        if not own or where is None or who.seat not in where.seats or sender not in where.seats:
            self.findings.add("leaked", f"{_who(who)} got a signal of {topic.decode()}, not theirs")
        elif sender == who.seat:
            self.findings.add("leaked", f"{_who(who)} got their own signal on {topic.decode()}")
        for end in self._ends:
            if who.session in end.sound and end.silences(place, sender, who.seat):
                self.findings.add(
                    "leaked",
                    f"{_who(who)} got a signal of {self._members[sender]} after {end.words()} was "
                    "answered",
                )

    def answered(self, who: Who, payload: bytes) -> None:
        """A session got an answer: the texts in it have to be its own to read."""
        for mark in canary.found(payload):
            place = self._places.get(mark.place)
            if mark.run != self.run or place is None or who.seat not in place.seats:
                self.findings.add(
                    "leaked", f"{_who(who)} got {_message(mark)} in an answer, which is not theirs"
                )

    def acknowledged(self, who: Who, mark: Canary) -> None:
        """A message was acknowledged: nothing may have forbidden it."""
        for end in self._ends_at.get(mark.place, ()):
            if end.bars(mark.place, mark.author, mark.sent):
                self.findings.add(
                    "leaked",
                    f"{_message(mark)} was accepted from {_who(who)} after {end.words()} was "
                    "answered",
                )

    # --- what never came -------------------------------------------------------------------

    def settled(self, tracks: Mapping[bytes, Track], heads: Mapping[bytes, int]) -> bool:
        """Whether a session has got as far as it has to; where its access ended, it may have."""
        return all(
            track.limit is not None or track.last >= heads.get(track.log.name, -1)
            for track in tracks.values()
        )

    def judge(self, who: Who, tracks: Mapping[bytes, Track], heads: Mapping[bytes, int]) -> None:
        """Count what a session that was there to the end has not got.

        The last events before an end of access may have been waiting in the server then, and what
        waits for a topic that is lost is not flushed: they count as withheld, not as lost.
        """
        for track in tracks.values():
            self.withheld += len(track.withheld) + len(track.tail())
            head = heads.get(track.log.name, -1) if track.limit is None else track.last
            missing = [*sorted(track.late), *range(track.last + 1, head + 1)]
            if missing:
                self.findings.add(
                    "lost",
                    f"{_who(who)} never got {_at(track.log, missing[0])}"
                    f" ({_event(track.log.identity(missing[0]))})"
                    + (f" and {len(missing) - 1} more there" if len(missing) > 1 else ""),
                    len(missing),
                )

    def _where(self, mark: Canary) -> str:
        place = self._places.get(mark.place)
        return "another run" if place is None or mark.run != self.run else place.conversation


def frame_for_others(frame: bytes, alike: bool) -> bytes:
    """What a link holds of a frame."""
    return frame if alike else UNMATCHABLE


def _who(who: Who) -> str:
    return f"session {who.session} ({who.member})"


def _at(log: Log, pos: int) -> str:
    return f"{log.name.decode()} {pos}"


def _message(mark: Canary) -> str:
    return f"message {mark.number} of seat {mark.author}"


def _event(identity: int) -> str:
    if identity > 0:
        return "message {1} of seat {0}".format(*canary.author_and_number(identity))
    return "another event" if identity else "an event that no session got"
