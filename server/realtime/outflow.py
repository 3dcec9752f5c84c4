"""What is due to sockets, and leaves at the end of the loop's tick.

Within a tick everything due to a session gathers; then it is handed to its wire in one write, and
sessions that are due the same bytes are given the same object. Fan-out awaits nothing: a wire that
is full is passed by, and its session holds what waits within its bounds. Nothing is handed over
without a lease.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from server.commands.outcome import Event
from server.domain.policy import Policy
from server.realtime.fences import Fencing, NoFences
from server.realtime.framing import Due, Framed, Run, event_map
from server.realtime.session import Held, Overflow, Session
from server.realtime.topics import LiveTopic

LEASE_EVERY = 64  # sessions handed over between two looks at the lease


class Outflow:
    """One node's. `too_slow` is called with a session beyond its hard limit, to end it."""

    def __init__(
        self, policy: Policy, loop: asyncio.AbstractEventLoop, too_slow: Callable[[Session], None]
    ) -> None:
        self.fences: Fencing = NoFences()
        self._policy = policy
        self._loop = loop
        self._too_slow = too_slow
        self._due: list[Session] = []
        self._running: list[LiveTopic] = []
        self._held: set[Session] = set()
        self.seen = Held()
        self.doubtful = 0  # signals taken back at ends of access

    def push(self, session: Session, item: Due) -> None:
        """This is due to a session."""
        session.pending.append(item)
        if not session.due:
            session.due = True
            self._gathering().append(session)

    def push_event(self, session: Session, framed: Framed) -> int:
        """Give one session one event, or its position where it is kept from the member; answers
        its bytes."""
        item = framed.told(session.audience.member).item(session.codec)
        self.push(session, item)
        return len(item.frame)

    def push_to_all(self, live: LiveTopic, event: Event) -> None:
        """This is due to a topic's audience: framed once per encoding, and once in a tick that
        each session is told that it has something of this topic."""
        if event.apart:
            live.cut_runs()
            framed = Framed(event)
            for session in live.sessions:
                self.push_event(session, framed)
            return
        if live.add_to_runs(event) or not live.sessions:
            return
        runs, gathering, body = live.runs, self._gathering(), event_map(event)
        self._running.append(live)
        for session in live.sessions:
            codec = session.codec
            run = runs.get(codec)
            if run is None:
                run = runs[codec] = Run(live.name, codec.frame(body))
            session.pending.append(run)
            if not session.due:
                session.due = True
                gathering.append(session)

    def _gathering(self) -> list[Session]:
        """Those who have something due in this tick, for another to be added."""
        if not self._due:
            self._loop.call_soon(self._flush)
        return self._due

    def _flush(self) -> None:
        self._seal()
        due, self._due = self._due, []
        now = self._loop.time()
        for start in range(0, len(due), LEASE_EVERY):
            # Looked at again and again: a process may be frozen in the midst of this.
            valid = self.fences.valid
            for session in due[start : start + LEASE_EVERY]:
                session.due = False
                if not valid:
                    self._keep(session, now)
                elif not session.hand_over_one():
                    self._hand_over(session, now)

    def _seal(self) -> None:
        """Runs are read from here on: what comes next is another item."""
        for live in self._running:
            live.cut_runs()
        self._running.clear()

    def _keep(self, session: Session, now: float) -> None:
        """Without a lease nothing is handed over: it waits, within the same bounds."""
        try:
            session.hold(now, self._policy, self.seen)
        except Overflow:
            self._too_slow(session)
            return
        self._held.add(session)

    def _hand_over(self, session: Session, now: float) -> None:
        try:
            session.flush(now, self._policy, self.seen)
        except Overflow:
            self._too_slow(session)
            return
        if session.pending:
            self._held.add(session)
        else:
            self._held.discard(session)

    def drained(self, session: Session) -> None:
        """The session's wire takes more again."""
        self._seal()
        self._give(session, self._loop.time())

    def _give(self, session: Session, now: float) -> None:
        """Hand a session's frames over as far as its wire takes them."""
        if self.fences.valid:
            self._hand_over(session, now)
        else:
            self._keep(session, now)

    def sweep(self) -> None:
        """Once a second: sessions that hold frames too long are ended."""
        self._seal()
        now = self._loop.time()
        for session in list(self._held):
            self._give(session, now)

    def drop_signals(self) -> None:
        """Whatever signals wait for anybody have become doubtful."""
        for session in (*self._due, *self._held):
            self.doubtful += session.drop_signals()

    def forget(self, session: Session) -> None:
        """The session has ended."""
        self._held.discard(session)

    def held(self) -> tuple[int, int]:
        """How many sessions' wires are full, and the bytes that wait for them."""
        return len(self._held), sum(session.held_bytes for session in self._held)
