"""What one session gets, from bytes to checked events: the hot path of the tester.

Sans I/O. Most of what comes is an event that another session of this process has had before: its
bytes are compared with the next link of the topic's chain, and that is all. The rest is looked at
(`glance`), and only answers, signals and what changes the session's topics are decoded. Owns the
session's positions, which outlive its connections. Called by `Session`, and by tests with bytes.
"""

from __future__ import annotations

from typing import Protocol

from client_demo.load import wire
from client_demo.load.chain import NOWHERE, Log, Track
from client_demo.load.frames import CLOSE, PING, PONG, Broken, Held, find
from client_demo.load.histogram import Histogram
from client_demo.load.ledger import JOINED, LEFT, SIGNALS, Ledger, Who, frame_for_others
from client_demo.load.wire import Map

RESUMABLE = 5_000
"""Events back from which a server has to resume; contract of the wire."""

_FEW = 8


class Tally:
    """What a process's sessions have received since somebody last looked."""

    __slots__ = ("bytes", "deliveries", "late", "resets", "signals")

    def __init__(self) -> None:
        self.deliveries = self.signals = self.bytes = self.resets = 0
        self.late = Histogram()


class Owner(Protocol):
    """What a reading tells its session."""

    def answer(self, frame: Map) -> None:
        """An answer came."""

    def pinged(self, payload: bytes) -> None:
        """A ping came."""

    def closing(self, code: int, reason: str) -> None:
        """A close frame came."""


class Reading:
    """One session's. `tracks` are its topics with where it is in each."""

    __slots__ = (
        "_counts", "_held", "_ledger", "_owner", "_tally", "_track", "encoding", "tracks", "who",
    )  # fmt: skip

    def __init__(self, who: Who, encoding: int, ledger: Ledger, tally: Tally, owner: Owner) -> None:
        self.who = who
        self.encoding = encoding
        self.tracks: dict[bytes, Track] = {}
        self._ledger = ledger
        self._tally = tally
        self._owner = owner
        self._counts = tally.late.counts
        self._held = Held()
        self._track = Track(Log(b"", frozenset()), "", encoding)

    def fresh(self) -> None:
        """Another connection begins."""
        self._held.clear()

    def connected(self, heads: dict[str, int], reset: list[str], resumed: bool) -> None:
        """Take the topics that the answer to `connect` names."""
        for name, head in heads.items():
            topic = name.encode()
            if not self._ledger.may_have(self.who, topic):
                self._ledger.foreign(self.who, topic, head, b"")
            elif topic not in self.tracks:
                self._open(topic, head)
            elif name in reset and resumed:
                self._tally.resets += 1
                track = self.tracks[topic]
                if head - track.last <= RESUMABLE:
                    track.late.update(range(track.last + 1, head + 1))
                self._open(topic, head)

    def positions(self) -> dict[str, int]:
        """Where to resume from."""
        return {
            topic.decode(): track.last
            for topic, track in self.tracks.items()
            if track.limit is None or track.last < track.limit
        }

    def feed(self, data: bytes, now: int) -> None:
        """Take bytes that came at `now`, in microseconds. Raises: Broken."""
        tally = self._tally
        tally.bytes += len(data)
        if self._held:
            data = self._held.join(data)
        counts = self._counts
        size, at, seen = len(data), 0, 0
        track = self._track
        cursor = track.cursor
        while at < size:
            link = cursor.next
            if link is not None and data.startswith(link.frame, at):
                at += link.size
                cursor = link
                seen += 1
                if link.due:
                    late = now - link.due
                    if late < 256:
                        counts[max(0, late)] += 1
                    else:
                        shift = late.bit_length() - 8
                        counts[(shift << 7) + (late >> shift)] += 1
                continue
            if cursor is not track.cursor:
                track.cursor = cursor
                track.last = cursor.pos
            further = self._other(data, at, now)
            if further < 0:
                self._held.keep(data[at:])
                break
            at = further
            track = self._track
            cursor = track.cursor
        if cursor is not track.cursor:
            track.cursor = cursor
            track.last = cursor.pos
        tally.deliveries += seen

    # --- everything else --------------------------------------------------------------------

    def _other(self, data: bytes, at: int, now: int) -> int:
        """Take what is not the next event of the present topic; where the next frame begins, -1
        for what is not all there."""
        if len(self.tracks) <= _FEW:
            for track in self.tracks.values():
                link = track.cursor.next
                if link is not None and data.startswith(link.frame, at):
                    self._track = track
                    return at
        found = find(data, at)
        if found is None:
            return -1
        opcode, start, end = found
        if opcode == wire.OPCODES[self.encoding]:
            self._message(data[start:end], data[at:end], now)
        elif opcode == PING:
            self._owner.pinged(data[start:end])
        elif opcode == CLOSE:
            payload = data[start:end]
            code = int.from_bytes(payload[:2]) if len(payload) >= 2 else 1005
            self._owner.closing(code, payload[2:].decode(errors="replace"))
        elif opcode != PONG:
            raise Broken("a frame of the other kind")
        return end

    def _message(self, payload: bytes, frame: bytes, now: int) -> None:
        seen = wire.glance(payload, self.encoding)
        if seen is None:
            self._ledger.answered(self.who, payload)
            self._owner.answer(wire.decode(payload, self.encoding))
            return
        name, topic, pos = seen
        track = self.tracks.get(topic)
        if pos is None:
            if name in SIGNALS:
                self._tally.signals += 1
                own = track is not None
                self._ledger.signal(self.who, topic, payload, self.encoding, own)
                return
            raise Broken(f"{name.decode()} without a position")
        self._tally.deliveries += 1
        if track is None:
            self._ledger.foreign(self.who, topic, pos, payload)
            return
        due, alike = self._ledger.learn(track.log, pos, name, payload, self.who, self.encoding)
        if due:
            self._tally.late.record(now - due)
        if not self._ledger.arrived(track, pos, self.who):
            return
        track.follow(pos, frame_for_others(frame, alike), due)
        self._track = track
        if not alike:
            self._moved(name, wire.decode(payload, self.encoding)["data"])

    def _moved(self, name: bytes, data: Map) -> None:
        """The session's topics change."""
        topic, pos = str(data["topic"]).encode(), int(data["pos"])
        track = self.tracks.get(topic)
        if name == JOINED:
            if not self._ledger.may_have(self.who, topic):
                self._ledger.foreign(self.who, topic, pos, b"")
            elif track is None or track.limit is not None:
                self._open(topic, pos)
        elif name == LEFT and track is not None:
            track.end(pos)
            if track.last > pos:
                self._ledger.arrived(track, track.last, self.who)  # beyond what was theirs

    def _open(self, topic: bytes, pos: int) -> None:
        track = self.tracks.get(topic)
        if track is None:
            track = Track(self._ledger.log(topic), self.who.member, self.encoding)
            self.tracks[topic] = track
        track.open(pos, self.who.member)
        if self._track.cursor is NOWHERE:
            self._track = track
