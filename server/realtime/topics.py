"""A topic as a node follows it: its position, and who is attached to it.

Positions are dense. What comes early waits for its turn, what comes twice is dropped, and what
does not come is read from the store; `ready` is the order in which events are to be delivered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

from server.commands.outcome import Event
from server.protocol.codec import Codec
from server.realtime.framing import Framed, Run, event_map
from server.realtime.session import Session

EARLY = 1_000  # events held for a gap; beyond it they are read from the store instead
TAIL = 200  # events kept for who is on the way here; who is further behind reads on in the store


class LiveTopic:
    """One topic that has sessions on this node; `pos` is the last position delivered."""

    __slots__ = ("_near", "_tail", "early", "followers", "healing", "name", "pos", "runs",
                 "sessions", "waiting")  # fmt: skip

    def __init__(self, name: str, pos: int) -> None:
        self.name = name
        self.pos = pos
        self.sessions: dict[Session, None] = {}  # in the order of their coming, as memory has them
        self.runs: dict[Codec, Run] = {}  # of this tick and this audience
        self.waiting: dict[Session, int] = {}  # ahead of this node, at these positions
        self.early: dict[int, Event] = {}
        self.healing = False
        self.followers = 0  # replays on their way here
        self._near = 0  # those of them that are reading this topic
        self._tail: deque[Framed] = deque(maxlen=TAIL)  # the last delivered, while some are near

    def take(self, event: Event) -> bool:
        """Note an event; answers whether a gap before it has to be healed."""
        if event.pos > self.pos and (len(self.early) < EARLY or event.pos == self.pos + 1):
            self.early[event.pos] = event
        return event.pos > self.pos + 1 and self.pos + 1 not in self.early

    def ready(self) -> Iterator[Event]:
        """The events whose turn it is, each once; the position moves as they are taken."""
        while (event := self.early.pop(self.pos + 1, None)) is not None:
            self.pos = event.pos
            yield event

    @contextmanager
    def approached(self) -> Iterator[None]:
        """While some are on their way here and reading, what is delivered is kept for them."""
        self._near += 1
        try:
            yield
        finally:
            self._near -= 1
            if not self._near:
                self._tail.clear()

    def delivered(self, event: Event) -> None:
        """An event has been given to the audience."""
        if self._near:
            self._tail.append(Framed(event))

    def since(self, pos: int) -> list[Framed] | None:
        """What was delivered behind a position; None where not all of it is kept."""
        behind = self.pos - pos
        if behind > len(self._tail):
            return None
        return list(islice(self._tail, len(self._tail) - max(0, behind), None))

    def catch_up_with(self) -> None:
        """Sessions that were ahead of this node join where it has come to."""
        for session, pos in list(self.waiting.items()):
            if pos <= self.pos:
                del self.waiting[session]
                self.admit(session)

    def admit(self, session: Session) -> None:
        """This session is in the audience from the next event on."""
        self.cut_runs()
        self.sessions[session] = None

    def drop(self, session: Session) -> None:
        """This session is no longer in the audience."""
        self.cut_runs()
        self.sessions.pop(session, None)
        self.waiting.pop(session, None)

    def add_to_runs(self, event: Event) -> bool:
        """Put an event behind those of this tick; False if there are none that it may follow."""
        if not self.runs:
            return False
        body, fits = event_map(event), True
        for codec, run in self.runs.items():
            fits = run.add(codec.frame(body)) and fits
        if not fits:
            self.cut_runs()
        return True

    def cut_runs(self) -> None:
        """What comes next is an item of its own."""
        for run in self.runs.values():
            run.seal()
        self.runs.clear()

    @property
    def deserted(self) -> bool:
        """Whether nobody here follows it any more."""
        return not (self.sessions or self.waiting or self.followers)
