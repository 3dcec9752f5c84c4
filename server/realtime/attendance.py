"""Which sessions this node has, for the other nodes to know: presence, and how many a member has.

A session is written with its connecting, in the same transaction. That it is over, silent, or has
to make room for one on another node is written by its second: it decides nothing that is private.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from server.realtime.session import Session

log = logging.getLogger("subrosa.hub")
TURN_S: Final = 1.0
SOON_S: Final = 0.02  # what is over within it is written together
SILENT_MS: Final = 5_000  # between two looks for sessions that have fallen silent
CHECK_MS: Final = 60_000  # between two looks for sessions that nobody has
WAITING: Final = 100_000  # changes kept while the store is away; beyond it the oldest are forgotten


class Changes(msgspec.Struct):
    """What is to be written: sessions that are over, when members were last here, since when
    sessions are silent (0 for those that are no longer), and sessions elsewhere to be ended."""

    gone: dict[str, None] = {}
    seen: dict[str, int] = {}
    silent: dict[str, int] = {}
    unwanted: dict[str, None] = {}


class Rolls(Protocol):
    """The store's side."""

    async def write(self, node: str, changes: Changes) -> Sequence[str]:
        """Write these in one transaction; answers this node's sessions that are unwanted."""

    async def opened(self, node: str, before_ms: int) -> Sequence[str]:
        """The sessions that are said to be on this node since before that time."""


class Attending(Protocol):
    """What the hub and the connections say."""

    def left(self, session: Session) -> None:
        """A session is over."""

    def unwanted(self, session: str) -> None:
        """A session on another node has to make room."""


class NoAttendance:
    """A process that is alone has nobody to tell."""

    def left(self, session: Session) -> None:
        """Nothing to do."""

    def unwanted(self, session: str) -> None:
        """There is no other node."""


class Attendance:
    """One node's. `sessions` are those that are here; `end` ends one that is unwanted."""

    def __init__(
        self,
        rolls: Rolls,
        node: str,
        *,
        sessions: Callable[[], Iterable[Session]],
        is_silent: Callable[[Session], bool],
        end: Callable[[Session], None],
        now_ms: Callable[[], int],
    ) -> None:
        self._rolls = rolls
        self._node = node
        self._sessions = sessions
        self._is_silent = is_silent
        self._end = end
        self._now_ms = now_ms
        self._changes = Changes()
        self._silent: set[str] = set()
        self._looked_ms = 0
        self._checked_ms = now_ms()
        self._news = asyncio.Event()

    def left(self, session: Session) -> None:
        """A session is over."""
        changes = self._changes
        changes.gone[session.id] = None
        self._silent.discard(session.id)
        if not session.audience.sessions:
            changes.seen[session.audience.member] = self._now_ms()
        if len(changes.gone) > WAITING:
            del changes.gone[next(iter(changes.gone))]
        if len(changes.seen) > WAITING:
            del changes.seen[next(iter(changes.seen))]
        self._news.set()

    def unwanted(self, session: str) -> None:
        """A session on another node has to make room."""
        self._changes.unwanted[session] = None
        self._news.set()

    async def run(self) -> None:
        """Write every second, and soon when a session is over."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TURN_S):
                    await self._news.wait()
            self._news.clear()
            await asyncio.sleep(SOON_S)
            try:
                await self.turn()
            except Exception as error:
                log.warning("attendance could not be written: trying on", exc_info=error)
                await asyncio.sleep(TURN_S)

    async def turn(self) -> None:
        """Write what is new. Raises what the store raises; then it is kept."""
        if self._now_ms() - self._looked_ms >= SILENT_MS:
            self._look_for_silent()
        if self._now_ms() - self._checked_ms >= CHECK_MS:
            await self._check()
        changes, self._changes = self._changes, Changes()
        try:
            unwanted = set(await self._rolls.write(self._node, changes))
        except BaseException:
            self._put_back(changes)
            raise
        if unwanted:
            for session in [s for s in self._sessions() if s.id in unwanted]:
                self._end(session)

    async def _check(self) -> None:
        """A connecting whose outcome was unknown may have left a session that nobody has."""
        self._checked_ms = self._now_ms()
        here = {session.id for session in self._sessions()}
        for session in await self._rolls.opened(self._node, self._checked_ms - CHECK_MS):
            if session not in here:
                self._changes.gone[session] = None

    def _put_back(self, changes: Changes) -> None:
        later = self._changes
        self._changes = Changes(
            {**changes.gone, **later.gone},
            {**changes.seen, **later.seen},
            {**changes.silent, **later.silent},
            {**changes.unwanted, **later.unwanted},
        )

    def _look_for_silent(self) -> None:
        silent = {session.id for session in self._sessions() if self._is_silent(session)}
        self._looked_ms = now = self._now_ms()
        changed: Mapping[str, int] = {
            **dict.fromkeys(self._silent - silent, 0),
            **dict.fromkeys(silent - self._silent, now),
        }
        self._changes.silent.update(changed)
        self._silent = silent
