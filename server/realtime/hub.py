"""The hub: from committed outcomes to the sockets of exactly those who may have them.

It follows every topic that a session here is attached to, delivers event n+1 after n, drops what
it has seen, and reads the store where something is missing. Roster changes are applied as they
are delivered, fences before the change that wrote them is answered. Everything runs on the event
loop's thread; fan-out awaits nothing. `Replays` does what has to wait.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Sequence

import msgspec

from server.commands.outcome import Elsewhere, Ending, Event, Opened, Outcome
from server.domain.policy import Policy
from server.realtime.attendance import Attending, NoAttendance
from server.realtime.audience import Audience
from server.realtime.bus import Bus
from server.realtime.fences import Fencing
from server.realtime.framing import Item
from server.realtime.messages import decode, encode
from server.realtime.outflow import Outflow
from server.realtime.replays import POSITION_LOST, Replays
from server.realtime.session import Attachment, Session
from server.realtime.signals import Signals
from server.realtime.topics import LiveTopic

TOO_SLOW = (4008, "too slow: reconnect and resume")
REVOKED = (4508, "revoked")
TOO_MANY = (4504, "too many sessions")
FENCES = "fences"  # the channel on which nodes tell each other that there is one
_REMEMBERED = 100_000  # members whose last activity is known without a session of theirs


class Counters(msgspec.Struct):
    """What the hub has done since it started, for /metrics."""

    delivered: int = 0
    signals: int = 0
    healed: int = 0
    too_slow: int = 0
    revoked: int = 0
    aborted: int = 0
    connections: int = 0


class Hub:
    """One node's live side. `close_session` ends a session's connection for a reason."""

    def __init__(
        self,
        bus: Bus,
        policy: Policy,
        *,
        loop: asyncio.AbstractEventLoop | None = None,
        now_ms: Callable[[], int],
    ) -> None:
        self.attendance: Attending = NoAttendance()
        self.audiences: dict[str, Audience] = {}
        self.topics: dict[str, LiveTopic] = {}
        self.counters = Counters()
        self.bus = bus
        self._name = secrets.token_urlsafe(9)
        self._policy = policy
        self.outflow = Outflow(policy, loop or asyncio.get_running_loop(), self._end_slow)
        self.now_ms = now_ms
        self.replays = Replays(self)
        self.signals = Signals(self, policy)
        bus.listen(self)

    @property
    def fences(self) -> Fencing:
        """This node's lease, and the ends of access it has applied."""
        return self.outflow.fences

    @fences.setter
    def fences(self, fences: Fencing) -> None:
        self.outflow.fences = fences

    # Sessions

    def register(self, session: Session) -> None:
        """Know of a session before anything is read for it, so that no end of access misses it."""
        session.audience.sessions[session.id] = session

    def excess(
        self, session: Session, elsewhere: Sequence[Elsewhere] = ()
    ) -> Session | Elsewhere | None:
        """The session that has to make room for this one to open, which may be itself."""
        there = [one for one in elsewhere if self.fences.lives(one.node)]
        return session.audience.excess(session, there, self._policy.sessions_per_member)

    def audience(self, member: str) -> Audience:
        """The member's sessions here."""
        found = self.audiences.get(member)
        if found is None:
            found = self.audiences[member] = Audience(member)
        return found

    def admit(self, session: Session, opened: Opened) -> bool:
        """Its rights were read: a revocation that came meanwhile, and is later, ends it."""
        if session.fence < 0:
            session.fence = opened.fence
            self._revoke(session, session.doomed)
        return not session.ended

    def open(self, session: Session, opened: Opened, resume: dict[str, int] | None) -> None:
        """Attach a session whose rights were just read: live, or from where its client was.

        To be called in the order of commits, after the connect result was given. `resume` holds
        the positions that can be gone on from; other topics are live from their heads.
        """
        if not self.admit(session, opened):
            return
        session.audience.know(opened.receipts, opened.fence)
        self._touch(session.audience)
        session.opened_pos = opened.topics[f"member:{opened.member}"]
        # What is over comes first: the member's own log, read behind it, tells that it is.
        for topic, last in opened.past.items():
            if resume and topic in resume:
                self.replays.past(session, topic, resume[topic], last)
        for topic, head in opened.topics.items():
            self._attach(session, topic, (resume or {}).get(topic, head), head)

    def leave(self, session: Session) -> None:
        """The session's connection is gone."""
        audience = session.audience
        was_open = session.live
        session.drop_all()
        for topic in list(session.topics):
            self._detach(session, topic)
        self.outflow.forget(session)
        if audience.sessions.pop(session.id, None) is not None:
            if was_open:
                self._touch(audience)
            self.attendance.left(session)
        if not audience.sessions and (
            not audience.last_active_ms or len(self.audiences) > _REMEMBERED
        ):
            self.audiences.pop(audience.member, None)

    def forget(self, member: str) -> None:
        """Nobody bears this id any more: when they were last here is not the next one's."""
        audience = self.audiences.get(member)
        if audience is not None:
            audience.last_active_ms = 0

    def _touch(self, audience: Audience) -> None:
        audience.last_active_ms = self.now_ms()

    def give(self, session: Session, frame: bytes) -> None:
        """Give a session an answer of its own, unless it has ended."""
        if not session.ended:
            self.outflow.push(session, Item(frame))

    def _attach(self, session: Session, topic: str, pos: int, head: int) -> None:
        """Attach a session whose rights are of this moment: `head` is the topic's, in the order
        of commits."""
        live = self._hold(session, topic, pos, head)
        if live is None:
            return
        if pos == live.pos >= head:
            live.admit(session)
        else:  # also where this node is behind: what was missed is read as it is by now
            self.replays.resume(session, live)

    def _hold(self, session: Session, topic: str, pos: int, head: int) -> LiveTopic | None:
        """Give a session a hold on a topic, and the node the topic; None if it has one."""
        if topic in session.topics or session.ended:
            return None
        session.topics[topic] = Attachment(pos, head)
        self.replays.go_on(session, topic)
        live = self.topics.get(topic)
        if live is None:
            live = self.topics[topic] = LiveTopic(topic, head)
            self.bus.subscribe(topic)
        return live

    def join(self, session: Session, live: LiveTopic) -> None:
        """Bring a session into a topic's audience that has everything that this node has."""
        pos = session.topics[live.name].pos
        if pos == live.pos:
            live.admit(session)
        else:
            live.waiting[session] = pos
            self.replays.heal(live)

    def _detach(self, session: Session, topic: str) -> None:
        session.drop_topic(topic)
        live = self.topics.get(topic)
        if live is not None:
            live.drop(session)
            self.forget_if_deserted(live)

    def forget_if_deserted(self, live: LiveTopic) -> None:
        """Stop following a topic that nobody here is attached to any more."""
        if live.deserted and not live.healing and self.topics.get(live.name) is live:
            del self.topics[live.name]
            self.bus.unsubscribe(live.name)

    # What happened

    def apply(self, outcome: Outcome) -> None:
        """Apply a committed outcome here and tell other nodes. In order of commits."""
        for ending in outcome.endings:
            self._end(ending)
        for event in outcome.events:
            if self.bus.carries(event.topic):
                self.bus.publish(event.topic, encode(event))
            self.receive(event, late=False)
        for signal in outcome.signals:
            if self.bus.carries(signal.topic):
                self.bus.publish(signal.topic, encode(signal, self._name))
            self.signals.receive(signal)

    def arrived(self, topic: str, message: bytes) -> None:
        """Another node said something."""
        if topic == FENCES:
            self.fences.poke()
            return
        value, origin = decode(message)
        if value.topic != topic:
            raise ValueError("a message of another topic")
        if isinstance(value, Event):
            self.receive(value)
        elif origin != self._name:  # one's own was given here when it was sent
            self.signals.receive(value)

    def complete(self, topics: Sequence[str]) -> None:
        """What was said on these before may have been missed: compare their heads."""
        if FENCES in topics:
            self.fences.poke()
        self.replays.check(topics)

    def receive(self, event: Event, *, late: bool = True) -> None:
        """An event, from this node or another, perhaps again, perhaps too early.

        One that was just committed here and is delivered in its turn is not `late`.
        """
        live = self.topics.get(event.topic)
        if live is None:
            return
        if live.take(event):
            self.replays.heal(live)
        for ready in live.ready():
            self._deliver(live, ready, late=late or ready is not event)
            if live.waiting:  # who waits at this position has what comes next from here
                live.catch_up_with()
        self.signals.retry()

    def _deliver(self, live: LiveTopic, event: Event, *, late: bool) -> None:
        for member in event.ended:
            self._lose(member, live.name, event.pos)
        self.outflow.push_to_all(live, event)
        live.delivered(event)
        self.counters.delivered += len(live.sessions)
        if event.name in ("conversation.joined", "conversation.left"):
            for session in list(live.sessions):
                self.follow(session, event, late=late)

    def follow(self, session: Session, event: Event, *, late: bool = True) -> None:
        """A session was told that its topics changed: do as it was told.

        Told late, a joining leads through the log, where the right to each page is read with it.
        """
        if event.pos <= session.opened_pos or not event.topic.startswith("member:"):
            return
        if event.name == "conversation.joined":
            topic, pos = event.data["topic"], event.data["pos"]
            live = self._hold(session, topic, pos, pos)
            if live is not None and not late and live.pos == pos:
                live.admit(session)
            elif live is not None:
                self.replays.resume(session, live)
        elif event.name == "conversation.left":
            self._lose_one(session, event.data["topic"], event.data["pos"] + 1)

    def _lose(self, member: str, topic: str, pos: int) -> None:
        """A member's access to a topic ended by the event at `pos`."""
        audience = self.audiences.get(member)
        for session in list(audience.sessions.values()) if audience is not None else ():
            self._lose_one(session, topic, pos)

    def _lose_one(self, session: Session, topic: str, pos: int) -> None:
        held = session.topics.get(topic)
        if held is not None and held.known < pos:  # else they have come back since
            self._detach(session, topic)

    # Ends of access

    def end_access(self, ending: Ending) -> None:
        """Apply a fence in its turn."""
        self._end(ending)
        self.signals.retry()

    def lose_all(self) -> None:
        """Ends of access were missed for good: every session reads its rights anew."""
        self.signals.forget(self.fences.applied)
        for session in list(self.sessions):
            self.end(session, *POSITION_LOST)

    def _end(self, ending: Ending) -> None:
        self.signals.fence(ending)
        self.outflow.drop_signals()
        audience = self.audiences.get(ending.member)
        if audience is None:
            return
        match ending.kind:
            case "switch":
                audience.know(ending.on, ending.seq)
            case "removed":
                self._lose(ending.member, ending.topic, ending.pos + 1)
            case "revoked":
                for session in list(audience.sessions.values()):
                    if session.meets(ending):
                        self._revoke(session, ending.seq)

    def _revoke(self, session: Session, fence: int) -> None:
        """End a session that was opened before this fence; one that is still to be opened will be
        told by its own fence."""
        if session.fence < 0:
            session.doomed = max(session.doomed, fence)
        elif session.fence < fence:
            self.counters.revoked += 1
            self.end(session, *REVOKED)

    def end(self, session: Session, code: int, reason: str) -> None:
        """End a session: what waits for it is dropped, its connection is closed."""
        self.counters.aborted += session.wire.full  # nobody can be told why
        self.leave(session)
        session.wire.close(code, reason)

    def _end_slow(self, session: Session) -> None:
        self.counters.too_slow += 1
        self.end(session, *TOO_SLOW)

    @property
    def sessions(self) -> Iterable[Session]:
        """All registered sessions."""
        return (s for audience in self.audiences.values() for s in audience.sessions.values())
