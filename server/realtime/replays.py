"""What a hub has to wait for: sessions that resume, gaps that heal, heads compared.

One task a session gives it what it missed, topic after topic, as its socket drains; pages are
read together (`PageReader`). Every page comes with the right to it, read in the same
snapshot, and after every wait the session's hold on the topic is looked at again: an end of
access that came meanwhile has taken it, and what was read goes nowhere. A failure ends the
session, which resumes, rather than leaving it open and deaf.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from server.commands.snapshot import Snapshot
from server.realtime import log_pages
from server.realtime.framing import WRITE_BYTES
from server.realtime.log_pages import FAR, PAGE, Page, Wanted
from server.realtime.page_reader import PageReader
from server.realtime.session import Attachment, Session
from server.realtime.topics import LiveTopic

if TYPE_CHECKING:
    from server.realtime.hub import Hub

log = logging.getLogger("subrosa.hub")
POSITION_LOST = (4010, "position lost: reconnect and resume")
HEADS_MARGIN_MS = 15_000  # longer than any transaction
HEADS_AT_ONCE = 512
WHOLE = 20  # of so many comparisons one asks for every head, however old
READS_AT_ONCE = 64
SHORT = 16  # events of a page for a socket that does not take a long one
Ask = Callable[[Callable[[Snapshot], Any]], Coroutine[Any, Any, Any]]


class Past(msgspec.Struct):
    """A topic that the member has lost: what they missed of it, after `pos` up to `last`; `over`
    once they have come back to it, and go on from there."""

    topic: str
    pos: int
    last: int
    over: bool = False


class Missed(msgspec.Struct, frozen=True):
    """A topic that a session holds, and the hold: with another one it is another's to give."""

    live: LiveTopic
    held: Attachment


class Replays:
    """The reading side of one hub. `ask` is set once the store is open."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._tasks: set[asyncio.Task[None]] = set()
        self._todo: dict[Session, deque[Missed | Past]] = {}
        self._reads = asyncio.Semaphore(READS_AT_ONCE)
        self.reader = PageReader(self._ask, self._start)
        self._unhealed: set[str] = set()
        self._unchecked: set[str] = set()
        self._rounds = 0
        self._compared_ms = 0  # the store's time at the last comparison's beginning
        self.ask: Ask | None = None

    async def close(self) -> None:
        """Stop everything that is under way, and wait until it has."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, what: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(what)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, question: Callable[[Snapshot], Any]) -> Any:
        if self.ask is None:
            raise RuntimeError("the hub has no store to read")
        async with self._reads:
            return await self.ask(question)

    # Sessions on their way into audiences

    def resume(self, session: Session, live: LiveTopic) -> None:
        """Give a session what it missed of a topic that it holds, then let it join."""
        live.followers += 1
        self._add(session, Missed(live, session.topics[live.name]))

    def past(self, session: Session, topic: str, pos: int, last: int) -> None:
        """Give a session what it missed of a topic that the member has lost."""
        self._add(session, Past(topic, pos, last))

    def go_on(self, session: Session, topic: str) -> None:
        """A session has a topic again: what it missed of it before is not given behind that."""
        for what in self._todo.get(session, ()):
            if isinstance(what, Past) and what.topic == topic:
                what.over = True

    def _add(self, session: Session, what: Missed | Past) -> None:
        todo = self._todo.get(session)
        if todo is not None:
            todo.append(what)
            return
        self._todo[session] = deque([what])
        self._start(self._replay(session))

    async def _replay(self, session: Session) -> None:
        todo = self._todo[session]
        try:
            while todo:
                what = todo[0]
                if isinstance(what, Past):
                    await self._past(session, what)
                else:
                    await self._resume(session, what)
                self._leave(todo.popleft())
        except Exception:
            log.exception("a session could not be given what it missed")
            self._hub.end(session, *POSITION_LOST)
        finally:
            del self._todo[session]
            for what in todo:
                self._leave(what)

    def _leave(self, what: Missed | Past) -> None:
        if isinstance(what, Missed):
            what.live.followers -= 1
            self._hub.forget_if_deserted(what.live)

    async def _resume(self, session: Session, missed: Missed) -> None:
        live, held, limit = missed.live, missed.held, PAGE

        def holds() -> bool:
            return session.topics.get(live.name) is held

        with live.approached():
            while holds():
                page = await self._page(session, live.name, held.pos, FAR, limit)
                before = held.pos
                whole = self._give(session, page, held, holds)
                if not holds():
                    return
                if not whole:  # what a socket takes slowly is not read in vain over and over
                    limit = max(SHORT, held.pos - before)
                elif page.over:  # conversation.left tells them
                    del session.topics[live.name]
                    return
                elif not page.more and await self._go_live(session, live, held, holds):
                    return
                del page  # it may be large, and the socket slow
                await session.drained()

    def _give(
        self, session: Session, page: Page, at: Attachment | Past, goes_on: Callable[[], bool]
    ) -> bool:
        """Give a session a page as far as its socket takes it; whether that was all of it. The
        rest is read again, as it is by then."""
        due = session.held_bytes
        for part in page.parts(session.audience.member, session.codec):
            if due >= WRITE_BYTES or not goes_on():
                return False
            self._hub.outflow.push(session, part.item)
            due += len(part.item.frame)
            at.pos = part.events[-1].pos
            for event in part.events:
                self._hub.follow(session, event)
        at.pos = max(at.pos, page.end)
        return True

    async def _go_live(
        self, session: Session, live: LiveTopic, held: Attachment, holds: Callable[[], bool]
    ) -> bool:
        """Let a session join that had all there was when a page was read since its hold began;
        whether it has. What the hub delivered meanwhile is the session's as anybody's, while the
        hold lasts: it was to be had live, and is given from memory, without another read that
        would be behind again by the time it is answered."""
        while holds() and (behind := live.since(held.pos)) is not None:
            due = session.held_bytes
            for framed in behind:
                if due >= WRITE_BYTES:
                    break
                due += self._hub.outflow.push_event(session, framed)
                held.pos = framed.event.pos
                self._hub.follow(session, framed.event)
            else:
                self._hub.join(session, live)
                return True
            await session.drained()
        return False

    async def _past(self, session: Session, past: Past) -> None:
        def goes_on() -> bool:
            return past.pos < past.last and not session.ended and not past.over

        limit = PAGE
        while goes_on():
            page = await self._page(session, past.topic, past.pos, past.last, limit)
            before = past.pos
            if not self._give(session, page, past, lambda: not past.over):
                limit = max(SHORT, past.pos - before)
            elif page.over or not page.more:
                return
            del page
            await session.drained()

    def _page(
        self, session: Session, topic: str, after: int, until: int, limit: int
    ) -> Coroutine[Any, Any, Page]:
        wanted = Wanted(session.audience.member, topic, after, until, limit)
        return self.reader.page(session, wanted)

    # A topic that is behind the store

    def heal(self, live: LiveTopic) -> None:
        """Read what this node has not been told of a topic."""
        if not live.healing:
            live.healing = True
            self._hub.counters.healed += 1
            self._start(self._heal(live))

    async def _heal(self, live: LiveTopic) -> None:
        try:
            more = True
            while more:
                page: Page = await self._ask(log_pages.whole(live.name, live.pos))
                for framed in page.events:
                    self._hub.receive(framed.event)
                # What came too early meanwhile waits for more than was there to be read.
                more = page.more or bool(page.events and live.early)
        except Exception:
            log.warning("a topic is not healed yet", exc_info=True)
            self._unhealed.add(live.name)
        finally:
            live.healing = False
            live.catch_up_with()
            self._hub.forget_if_deserted(live)

    def check(self, topics: Iterable[str]) -> None:
        """Compare the heads of these, soon."""
        idle = not self._unchecked
        self._unchecked.update(topics)
        if idle and self._unchecked:
            self._start(self._check())

    async def _check(self) -> None:
        await asyncio.sleep(0)  # what is subscribed together is asked for together
        names, self._unchecked = list(self._unchecked), set()
        try:
            for start in range(0, len(names), HEADS_AT_ONCE):
                await self._compare(names[start : start + HEADS_AT_ONCE], lambda _: 0)
        except Exception:
            log.warning("heads could not be compared", exc_info=True)
            self._unhealed.update(names)

    async def compare_heads(self, spread_s: float = 0.0) -> None:
        """Find topics whose last events this node was never told of, over so many seconds."""
        again, self._unhealed = self._unhealed, set()
        names = list(self._hub.topics)
        before, earliest = self._compared_ms, 0
        self._rounds += 1
        # Now and then all of them: a commit may have hung for longer than any margin.
        whole = self._rounds % WHOLE == 0
        steps = range(0, len(names), HEADS_AT_ONCE)
        for start in steps:
            now_ms = await self._compare(
                names[start : start + HEADS_AT_ONCE],
                lambda now_ms: 0 if whole else min(now_ms, before or now_ms) - HEADS_MARGIN_MS,
            )
            # The store's clock may be set back or forth in between: the earlier counts.
            earliest = min(now_ms, earliest or now_ms)
            if spread_s:
                await asyncio.sleep(spread_s / len(steps))
        self._compared_ms = earliest
        for name in again:
            live = self._hub.topics.get(name)
            if live is not None:
                self.heal(live)

    async def _compare(self, names: Sequence[str], since_ms: Callable[[int], int]) -> int:
        """Heal those of these that moved since then; answers the store's time."""

        def ask(snapshot: Snapshot) -> tuple[int, dict[str, int]]:
            return snapshot.now_ms, snapshot.changed_heads(names, since_ms(snapshot.now_ms))

        found: tuple[int, dict[str, int]] = await self._ask(ask)
        now_ms, heads = found
        for name, head in heads.items():
            live = self._hub.topics.get(name)
            if live is not None and head > live.pos:
                self.heal(live)
        return now_ms
