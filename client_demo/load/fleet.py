"""All sessions of one generator process: opening, resuming, sending, and the end of a run.

Called by `deeds`, which decide what happens when. Every task it starts belongs to the group that
it is given; a failure of one ends the process with its name.
"""

from __future__ import annotations

import asyncio
import random
import re
import ssl
from array import array
from collections.abc import Awaitable, Callable, Iterable

from client_demo.errors import CommandError, ConnectionLost
from client_demo.load.counts import Counts, Outcome, Progress
from client_demo.load.ledger import Ledger, Who
from client_demo.load.plan import Assignment, Place
from client_demo.load.reading import Tally
from client_demo.load.session import NORMAL, Send, Session, now_us
from client_demo.load.wire import Map

OPENING = 256
"""Handshakes of one process at a time; who has to wait is late, which counts."""

OPEN_WITHIN_S = 15.0
CLOSE_WITHIN_S = 5.0
LONGEST_DELAY_S = 2.0
TRIES = 20


class Fleet:
    """The sessions, and what they have in common."""

    def __init__(self, assignment: Assignment, group: asyncio.TaskGroup) -> None:
        self.assignment = assignment
        self.run = assignment.run
        self.body = assignment.plan.body
        self.ledger = Ledger(assignment)
        self.tally = Tally()
        self.counts = Counts()
        self.random = random.Random(f"{assignment.plan.seed} {assignment.index}")
        self.stopping = asyncio.Event()
        """Nothing new is begun any more."""
        self.closing = False
        self.sessions: list[Session] = []
        self.by_seat: dict[int, list[Session]] = {}
        self.last_seq: dict[int, int] = {}
        """Of each place, the highest number of a message that was acknowledged."""
        self._group = group
        self._gate = asyncio.Semaphore(OPENING)
        self._numbers: dict[int, int] = {}
        self._acknowledged: dict[int, array[int]] = {}
        self._tries: dict[int, int] = {}
        plan, targets = assignment.plan, assignment.targets
        for seat in assignment.seats:
            for number in seat.sessions:
                session = Session(
                    Who(number, seat.member, seat.number),
                    plan.encodings[number % len(plan.encodings)],
                    targets[number // len(plan.encodings) % len(targets)],
                    seat.token, self, self.tally,
                )  # fmt: skip
                self.sessions.append(session)
                self.by_seat.setdefault(seat.number, []).append(session)

    # --- opening ------------------------------------------------------------------------------

    def start(self, work: Awaitable[None]) -> asyncio.Task[None]:
        """Have something done beside the rest."""

        async def run() -> None:
            await work

        return self._group.create_task(run())

    async def open(self, session: Session, due: int) -> None:
        """Connect a session at its time, and again until it is live or it or the run is over."""
        await asyncio.sleep(max(0, due - now_us()) / 1e6)
        session.due = due
        for attempt in range(TRIES):
            if self.closing or session.over or session.live:
                return
            if self.stopping.is_set() and not session.reading.tracks:
                return  # it has never been there, and nobody waits for it any more
            async with self._gate:
                session.settled = asyncio.get_running_loop().create_future()
                try:
                    async with asyncio.timeout(OPEN_WITHIN_S):
                        await self._connect(session)
                        await session.settled
                except TimeoutError:
                    self.counts.error("no answer to connect")
                    session.cut()
                except OSError as error:
                    self.counts.error(f"no connection: {type(error).__name__}")
            await asyncio.sleep(self.random.uniform(0, min(LONGEST_DELAY_S, 0.05 * 2**attempt)))

    async def _connect(self, session: Session) -> None:
        target = session.target
        await asyncio.get_running_loop().create_connection(
            lambda: session,
            target.host,
            target.port,
            ssl=ssl.create_default_context() if target.tls else None,
        )

    def opened(self, session: Session, result: Map) -> None:
        """A session is live."""
        self.counts.connects += 1
        self.counts.live += 1
        self.counts.opens.record(now_us() - session.due)

    def lost(self, session: Session, code: int, reason: str) -> None:
        """A session's connection is gone; unless the run is, it comes back."""
        was_opening = session.settled is not None and not session.settled.done()
        self.counts.live = sum(session.live for session in self.sessions)
        if self.closing and code in (NORMAL, 1005, 1006):
            return
        if session.returning is None:
            self.counts.close(code)
        if session.settled is not None and not session.settled.done():
            session.settled.set_result(None)
        if self.closing or session.over or was_opening:
            return
        asked = re.fullmatch(r"after_ms=(\d{1,6})", reason)
        delay = int(asked[1]) * 1000 if asked else self.random.randrange(100_000)
        if session.returning is not None:
            delay, session.returning = session.returning, None
        self.start(self.open(session, now_us() + delay))

    # --- sending ------------------------------------------------------------------------------

    def send(self, place: Place, seat: int, due: int) -> None:
        """Have a seat's first session send the next message into a place."""
        session = self.by_seat[seat][0]
        number = self._numbers.get(seat, 0)
        self._numbers[seat] = number + 1
        if place.kind == "room":
            params: Map = {"conversation": place.conversation}
        else:
            other = place.seats[1] if place.seats[0] == seat else place.seats[0]
            params = {"to": self.assignment.members[other]}
        self.counts.sent += 1
        if not session.submit(Send(place.number, seat, number, due, params)):
            self.counts.waited += 1

    def acknowledged(self, session: Session, send: Send, result: Map) -> None:
        """A message has its result."""
        assert send.mark is not None
        self.counts.answered += 1
        self.counts.answers.record(now_us() - send.due)
        self._acknowledged.setdefault(send.place, array("q")).append(send.mark.identity)
        seq = int(result.get("seq", 0))
        if seq > self.last_seq.get(send.place, 0):
            self.last_seq[send.place] = seq
        self.ledger.acknowledged(session.who, send.mark)

    def refused(self, session: Session, send: Send, error: CommandError) -> bool:
        """A message was not taken. Sent again where nobody knows whether it was."""
        assert send.mark is not None
        if error.code == "unknown_outcome":
            tries = self._tries[send.mark.identity] = self._tries.get(send.mark.identity, 0) + 1
            self.ledger.loose.add(send.mark.identity)
            if tries < TRIES:
                return True
        if error.code == "unreachable" and self.assignment.plan.scenario == "churn":
            self.counts.refused += 1
        else:
            self.counts.error(error.code)
        return False

    async def call(self, session: Session, cmd: str, **params: object) -> Map | None:
        """Give a command and await its result; None when it was refused, or the session is lost."""
        try:
            return await session.call(cmd, params)
        except CommandError as error:
            self.counts.error(f"{cmd}: {error.code}")
        except ConnectionLost:
            self.counts.error(f"{cmd}: connection lost")
        return None

    @property
    def unanswered(self) -> int:
        """Messages whose outcome is not known yet."""
        return sum(session.unanswered for session in self.sessions if not session.over)

    # --- the end ------------------------------------------------------------------------------

    async def until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait until something holds; whether it does by then."""
        deadline = now_us() + seconds * 1e6
        while not holds():
            if now_us() > deadline:
                return False
            await asyncio.sleep(0.02)
        return True

    async def judge(self, patience_s: float) -> Outcome:
        """Ask how far every topic has got, wait until the sessions are there, and judge.

        Who is slow has lost nothing: the wait ends when nothing has come for `patience_s`.
        """
        await self.until(lambda: all(s.live or s.over for s in self.sessions), patience_s)
        heads = await self._heads()
        judged = [session for session in self.sessions if session.live]

        def settled() -> bool:
            return all(self.ledger.settled(s.reading.tracks, heads) for s in judged)

        before = -1
        while before != self.tally.deliveries:
            before = self.tally.deliveries
            if await self.until(settled, patience_s):
                break
        unjudged = []
        for session in self.sessions:
            if session.live:
                self.ledger.judge(session.who, session.reading.tracks, heads)
            elif session.reading.tracks or not self.stopping.is_set():
                unjudged.append(f"session {session.who.session} ({session.who.member})")
        return Outcome(
            self.ledger.findings,
            {place: marks.tobytes() for place, marks in self._acknowledged.items()},
            {
                name.decode(): (log.base, log.identities.tobytes())
                for name, log in self.ledger.logs.items()
            },
            unjudged,
            sum(session.unanswered for session in self.sessions),
            self.ledger.withheld,
        )

    async def _heads(self) -> dict[bytes, int]:
        """Where every topic ends, in the server's own words."""
        heads: dict[bytes, int] = {}

        async def ask(session: Session, cmd: str, **params: object) -> None:
            for _ in range(TRIES):
                try:
                    result = await session.call(cmd, params)
                except CommandError as error:
                    if not error.retryable:
                        self.counts.error(f"{cmd}: {error.code}")
                        return
                    await asyncio.sleep((error.retry_after_ms or 100) / 1000)
                except ConnectionLost:
                    return
                else:
                    for topic, head in result["at"].items():
                        heads[topic.encode()] = max(head, heads.get(topic.encode(), -1))
                    return

        questions = [
            ask(session, "block.list", limit=1)
            for sessions in self.by_seat.values()
            for session in self._live(sessions)[:1]
        ]
        for place in self.assignment.places:
            local = [s for seat in place.seats for s in self._live(self.by_seat.get(seat, ()))]
            if place.kind == "room" and local:
                conversation = place.conversation
                questions.append(ask(local[0], "conversation.get", conversation=conversation))
        for start in range(0, len(questions), OPENING):
            await asyncio.gather(*questions[start : start + OPENING])
        return heads

    def _live(self, sessions: Iterable[Session]) -> list[Session]:
        return [session for session in sessions if session.live]

    async def leave(self) -> None:
        """Close every connection."""
        self.closing = True
        self.stopping.set()
        for session in self.sessions:
            session.leave()
        await self.until(lambda: not any(s.live for s in self.sessions), CLOSE_WITHIN_S)
        for session in self.sessions:
            session.cut()

    def progress(self, cpu: float) -> Progress:
        """What has been done so far."""
        counts, tally = self.counts, self.tally
        return Progress(
            at=now_us(), cpu=cpu,
            due=counts.due, sent=counts.sent, waited=counts.waited, answered=counts.answered,
            refused=counts.refused, actions=counts.actions, connects=counts.connects,
            cuts=counts.cuts, live=counts.live, unanswered=self.unanswered,
            deliveries=tally.deliveries, signals=tally.signals, bytes=tally.bytes,
            resets=tally.resets, findings=self.ledger.findings.total,
            errors=dict(counts.errors), closes=dict(counts.closes),
            deliveries_us=tally.late.take(), answers_us=counts.answers.take(),
            opens_us=counts.opens.take(),
        )  # fmt: skip
