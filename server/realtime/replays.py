"""What a hub has to wait for: a session that resumes, a gap that heals, heads compared.

Each runs as a task that this owner awaits at the end and whose failure it reports. After every
wait the session's right is looked at again: an end of access that came meanwhile has taken the
topic from it, and what was read before goes nowhere.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from server.commands.outcome import Event
from server.commands.snapshot import Snapshot
from server.errors import SubrosaError
from server.realtime import log_pages
from server.realtime.log_pages import Page
from server.realtime.session import Session
from server.realtime.topics import LiveTopic

if TYPE_CHECKING:
    from server.realtime.hub import Hub

log = logging.getLogger("subrosa.hub")
POSITION_LOST = (4010, "position lost: reconnect and resume")
HEADS_MARGIN_MS = 15_000  # longer than any transaction
Ask = Callable[[Callable[[Snapshot], Any]], Coroutine[Any, Any, Any]]


class Replays:
    """The reading side of one hub. `ask` is set once the store is open."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._tasks: dict[asyncio.Task[None], LiveTopic | None] = {}
        self.ask: Ask | None = None

    def following(self, live: LiveTopic) -> bool:
        """Whether somebody is on the way to this topic."""
        return any(topic is live for topic in self._tasks.values())

    async def close(self) -> None:
        """Stop everything that is under way, and wait until it has."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, what: Coroutine[Any, Any, None], live: LiveTopic | None) -> None:
        task = asyncio.get_running_loop().create_task(what)
        self._tasks[task] = live
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        live = self._tasks.pop(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            log.error("a replay failed", exc_info=failure)
        if live is not None:
            self._hub.forget_if_deserted(live)

    async def _page(self, question: Callable[[Snapshot], Page]) -> Page:
        if self.ask is None:
            raise RuntimeError("the hub has no store to read")
        page: Page = await self.ask(question)
        return page

    # A session on its way into a topic's audience

    def resume(self, session: Session, live: LiveTopic, pos: int) -> None:
        """Give a session what it missed since `pos`, then let it into the audience."""
        self._start(self._resume(session, live, pos), live)

    async def _resume(self, session: Session, live: LiveTopic, pos: int) -> None:
        try:
            while live.name in session.topics:
                if pos >= live.pos:
                    self._hub.join(session, live, pos)
                    return
                page = await self._page(log_pages.seen_by(session.audience.member, live.name, pos))
                for event in page.events:
                    if live.name not in session.topics or event.pos > live.pos:
                        break
                    if session.heavy:  # the rest is read again, as it is by then
                        break
                    self._give(session, event)
                    pos = event.pos
                else:
                    pos = max(pos, min(page.end, live.pos))
                    if page.over:  # conversation.left tells them
                        session.topics.discard(live.name)
                        return
                await session.drained()
        except SubrosaError:
            log.warning("a resume could not be read", exc_info=True)
            self._hub.end(session, *POSITION_LOST)

    def _give(self, session: Session, event: Event) -> None:
        self._hub.push_event(session, event)
        self._hub.follow(session, event)

    def past(self, session: Session, topic: str, pos: int, last: int) -> None:
        """Give a session what it missed of a topic that the member has lost, up to the last
        position that was theirs."""
        self._start(self._past(session, topic, pos, last), None)

    async def _past(self, session: Session, topic: str, pos: int, last: int) -> None:
        try:
            while pos < last and not session.ended:
                page = await self._page(log_pages.seen_by(session.audience.member, topic, pos))
                since = pos
                for event in page.events:
                    if session.heavy:
                        break
                    if event.pos <= last and topic not in session.topics:
                        self._hub.push_event(session, event)
                    pos = event.pos
                else:
                    if page.over or page.end <= since:
                        return
                    pos = page.end
                await session.drained()
        except SubrosaError:
            log.warning("a resume could not be read", exc_info=True)
            self._hub.end(session, *POSITION_LOST)

    # A topic that is behind the store

    def heal(self, live: LiveTopic) -> None:
        """Read what this node has not been told of a topic."""
        if not live.healing:
            live.healing = True
            self._hub.counters.healed += 1
            self._start(self._heal(live), live)

    async def _heal(self, live: LiveTopic) -> None:
        try:
            while True:
                page = await self._page(log_pages.whole(live.name, live.pos))
                for event in page.events:
                    self._hub.receive(event)
                if not page.events:
                    return
        except SubrosaError:
            log.warning("a topic could not be healed; the next comparison of heads tries again")
        finally:
            live.healing = False
            live.catch_up_with()

    async def compare_heads(self, now_ms: int) -> None:
        """Find topics whose last events this node was never told of."""
        since = now_ms - HEADS_MARGIN_MS
        if self.ask is None:
            return
        try:
            heads: dict[str, int] = await self.ask(lambda s: s.changed_heads(since))
        except SubrosaError:
            log.warning("heads could not be compared", exc_info=True)
            return
        for name, head in heads.items():
            live = self._hub.topics.get(name)
            if live is not None and head > live.pos:
                self.heal(live)
