"""The pages that sessions wait for, read together.

Whatever was asked for while one question was being answered goes into the next, as commands go
into a commit: a node that everybody comes back to asks the store a few dozen questions, and not
one for each session and topic. No page is of a snapshot that began before it was asked for.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from server.commands.snapshot import Snapshot
from server.realtime import log_pages
from server.realtime.log_pages import Page, Wanted
from server.realtime.session import Session

TOGETHER = 64  # pages asked for in one question, at most
NOTHING = Page([], 0)


class _Waiting(NamedTuple):
    session: Session
    wanted: Wanted
    page: asyncio.Future[Page]


class PageReader:
    """One hub's. `ask` asks the store something of one snapshot, `start` has something run."""

    def __init__(
        self,
        ask: Callable[[Callable[[Snapshot], Any]], Coroutine[Any, Any, Any]],
        start: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._ask = ask
        self._start = start
        self._waiting: deque[_Waiting] = deque()
        self._reading = False

    def __len__(self) -> int:
        return len(self._waiting)

    async def page(self, session: Session, wanted: Wanted) -> Page:
        """This page, for this session; an empty one if that has ended. Raises what asking does."""
        page: asyncio.Future[Page] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(session, wanted, page))
        if not self._reading:
            self._reading = True
            self._start(self._read())
        return await page

    async def _read(self) -> None:
        try:
            while self._waiting:
                await self._answer(self._next())
        finally:
            self._reading = False

    def _next(self) -> list[_Waiting]:
        """Those whose pages go into one question."""
        some: list[_Waiting] = []
        while self._waiting and len(some) < TOGETHER:
            one = self._waiting.popleft()
            if not one.session.ended:
                some.append(one)
            elif not one.page.done():
                one.page.set_result(NOTHING)
        return some

    async def _answer(self, some: list[_Waiting]) -> None:
        try:
            pages = await self._ask(log_pages.seen([one.wanted for one in some]))
        except Exception as error:  # noqa: BLE001 - whoever waits for the page is told
            if len(some) > 1:  # one's fault is not its neighbours'
                await asyncio.gather(*(self._answer([one]) for one in some))
            elif some and not some[0].page.done():
                some[0].page.set_exception(error)
            return
        for one, page in zip(some, pages, strict=True):
            if page is not None and not one.page.done():
                one.page.set_result(page)
        late = [one for one, page in zip(some, pages, strict=True) if page is None]
        self._waiting.extendleft(reversed(late))
