"""Between the link and the application: what is kept, what is dropped, what waits, how far it got.

Holds two sets of positions: what was received, for resuming on the next connection, and what the
application has dealt with, for resuming in the next process. At the backlog's bound it lets
events go and says when to resume; `client` describes that to who uses it. No I/O.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from client_demo.backlog import Backlog
from client_demo.link import HangUp
from client_demo.positions import Positions, Verdict
from client_demo.protocol import Ending, Event, Map

log = logging.getLogger(__name__)

OPENING = 3  # what the opening and the end of a session put into the backlog at most


@dataclass(frozen=True, slots=True)
class Item:
    """What waits for the application; `seen` are the positions that the opened session set."""

    event: Event
    seen: tuple[dict[str, int], str] | None = None


class Intake:
    """Takes a link's events in order, gives them to the application once each."""

    def __init__(self, limit: int) -> None:
        """`limit` bounds the events that wait for the application; at least 8."""
        self._backlog: Backlog[Item] = Backlog(max(limit, 8))
        self._half = max(limit, 8) // 2
        self._received = Positions()
        self._taken = Positions()
        self._behind = False
        self._offline_told = False
        self.unsaved = 0
        """Events dealt with since the positions were last saved."""

    # --- the link's side --------------------------------------------------------------------

    def start_at(self, topics: Mapping[str, int], epoch: str) -> None:
        """Go on from where an earlier process was."""
        self._received.keep(topics, epoch)
        self._taken.keep(topics, epoch)

    def resume(self) -> tuple[Mapping[str, int], str] | None:
        """What the next session resumes from: (topics, epoch). None: it does not resume, because
        it is the first, or because there is no room for what would follow."""
        self._behind = self._backlog.room < OPENING
        if self._behind or not self._received.epoch:
            return None
        return self._received.seen, self._received.epoch

    def opened(self, result: Map, *, resumed: bool) -> None:
        """A session is open; its events follow."""
        self._offline_told = False
        if self._behind:
            return
        reset = self._received.opened(result, resumed=resumed)
        seen = (dict(self._received.seen), self._received.epoch)
        online = Event(
            "client.online", {name: result.get(name) for name in ("member", "session", "limits")}
        )
        if reset:
            self._backlog.push(Item(online))
            # The positions count only once the application has read the state they belong to.
            self._backlog.push(Item(Event("client.reset", {"topics": reset}), seen))
        else:
            self._backlog.push(Item(online, seen))

    def take(self, event: Event) -> None:
        """One event of the session, in the order of the wire.

        Raises: HangUp at a gap, which on a live connection cannot be: resuming heals it.
        """
        if self._behind:
            return
        if event.pos is not None:
            match self._received.judge(event.topic, event.pos):
                case Verdict.SEEN:
                    return
                case Verdict.GAP:
                    self._received.gap(event.topic)
                    raise HangUp(f"a gap before position {event.pos} of {event.topic}")
                case Verdict.NEW:
                    pass
        if self._backlog.offer(Item(event)):
            self._received.take(event)
        elif event.pos is not None:  # a signal that does not fit is no loss
            self._behind = True
            log.warning("the application is %d events behind: letting go", len(self._backlog))

    def offline(self, ending: Ending) -> None:
        """There is no session; said once until there is one again, the first one included."""
        if self._behind or self._offline_told:
            return
        self._offline_told = True
        data: Map = {"code": ending.code, "reason": ending.reason}
        self._backlog.push(Item(Event("client.offline", data)))

    def report(self, event: Event) -> None:
        """An outcome of the outbox, whose own bound limits how many there are."""
        self._backlog.push(Item(event))

    def end(self, error: Exception) -> None:
        """There will be no more: `next` raises `error` after what is left."""
        self._backlog.end(error)

    # --- the application's side -------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Whether nothing waits."""
        return not self._backlog

    @property
    def resume_due(self) -> bool:
        """Whether events were let go and there is room again: time for another session."""
        return self._behind and len(self._backlog) <= self._half

    @property
    def taken(self) -> Positions:
        """How far the application has got."""
        return self._taken

    async def next(self) -> Item:
        """The next item. Raises: what was given to `end`."""
        return await self._backlog.take()

    def done(self, item: Item) -> None:
        """The application has dealt with it."""
        self._taken.take(item.event)
        if item.seen is not None:
            self._taken.keep(*item.seen)
        self.unsaved += item.seen is not None or item.event.pos is not None
