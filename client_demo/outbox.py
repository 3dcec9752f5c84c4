"""Messages on their way: kept on disk from before the first try until the outcome is known.

A message has its `client_id` before it is tried, and every further try carries the same one, so
that it is stored once however often it is sent. Messages to the same member or conversation go
one after the other; different ones go side by side. It is tried again after a lost connection, no
answer, and every retryable refusal; any other refusal ends it and is reported.

At the bound (`limit` unsent messages) `put` raises OutboxFull: nothing is forgotten silently.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import uuid
from collections import deque
from collections.abc import Awaitable, Callable

from client_demo.errors import (
    CommandError,
    ConnectionLost,
    OutboxFull,
    SessionEnded,
    StateUnusable,
)
from client_demo.pacing import Backoff, Clock
from client_demo.protocol import Event, Map
from client_demo.state import Entry, StateFile

log = logging.getLogger(__name__)

AT_ONCE = 16  # sends without an answer, over all lanes
FAULTS_BEFORE_GIVING_UP = 5  # a message that the server fails at again and again holds up its lane

Outcome = Map | CommandError | SessionEnded


class Outbox:
    """Sends what is put into it until each message's outcome is known."""

    def __init__(
        self,
        state: StateFile,
        send: Callable[[Entry], Awaitable[Map]],
        report: Callable[[Event], None],
        clock: Clock,
        backoff: Callable[[], Backoff],
        *,
        limit: int,
    ) -> None:
        """`send` tries once and raises CommandError, ConnectionLost or SessionEnded. `report` takes
        the outcomes that nobody waits for: "message.sent" {client_id, result} and
        "message.refused" {client_id, params, code, message, details}."""
        self._state = state
        self._send = send
        self._report = report
        self._clock = clock
        self._backoff = backoff
        self._limit = limit
        self._entries: dict[str, Entry] = {}
        self._lanes: dict[str, deque[Entry]] = {}
        self._left: dict[str, deque[Entry]] = {}  # of lanes that an ended session has stopped
        self._waiting: dict[str, asyncio.Future[Outcome]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._group: asyncio.TaskGroup | None = None

    @property
    def unsent(self) -> tuple[Entry, ...]:
        """What is not known to be sent, in the order put."""
        return tuple(self._entries.values())

    def load(self, entries: tuple[Entry, ...]) -> None:
        """Take over what an earlier process left. Call before `run`."""
        for entry in entries:
            self._entries[entry.client_id] = entry
            self._lanes.setdefault(entry.lane, deque()).append(entry)

    async def put(self, params: Map) -> Entry:
        """Keep a message and start sending it; on disk when this returns. Cancelling this does
        not take it back.

        Raises: OutboxFull; StateUnusable if the disk refuses it; RuntimeError if not running.
        """
        if self._group is None:
            raise RuntimeError("the client is not open")
        params = dict(params)
        entry = Entry(params.pop("client_id", None) or uuid.uuid4().hex, params)
        known = self._entries.get(entry.client_id)
        if known is not None:
            if known.lane in self._left:
                self._start(known.lane, self._group)
            return known
        if len(self._entries) >= self._limit:
            raise OutboxFull(f"{self._limit} messages are waiting to be sent")
        self._entries[entry.client_id] = entry  # its place is taken before the disk has it
        failed = await asyncio.shield(self._group.create_task(self._keep(entry)))
        if failed is not None:
            raise failed
        return entry

    async def send(self, params: Map) -> Map:
        """Keep a message, and wait for its result. Cancelling this stops the waiting, not the
        sending; the outcome is then reported.

        Raises: as `put`; CommandError; SessionEnded.
        """
        client_id = params.get("client_id") or uuid.uuid4().hex
        # Before it is kept: where the session has ended, its outcome is there at once.
        waiting = self._waiting.get(client_id)
        if waiting is None:
            waiting = self._waiting[client_id] = asyncio.get_running_loop().create_future()
        try:
            await self.put({**params, "client_id": client_id})
            outcome = await asyncio.shield(waiting)
        except BaseException:
            self._waiting.pop(client_id, None)
            raise
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def run(self, started: asyncio.Event) -> None:
        """Send until cancelled; owns the tasks of all lanes. Sets `started` once `put` works."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            started.set()
            try:
                for lane in list(self._lanes):
                    group.create_task(self._work(lane))
                await asyncio.Event().wait()
            finally:
                self._group = None
                for waiting in self._waiting.values():
                    if not waiting.done():
                        waiting.set_result(SessionEnded(0, "the client was closed"))

    async def _keep(self, entry: Entry) -> StateUnusable | None:
        try:
            await self._state.add(entry)
        except sqlite3.Error as error:
            del self._entries[entry.client_id]
            return StateUnusable(f"the message could not be kept: {error}")
        if entry.lane not in self._lanes and self._group is not None:
            self._start(entry.lane, self._group)
        self._lanes.setdefault(entry.lane, deque()).append(entry)
        return None

    def _start(self, lane: str, group: asyncio.TaskGroup) -> None:
        """Send what this lane has, what is left of it first, and what comes into it."""
        self._lanes[lane] = self._left.pop(lane, deque())
        group.create_task(self._work(lane))

    async def _work(self, lane: str) -> None:
        """Send one lane's messages in order, then end."""
        entries = self._lanes[lane]
        while entries:
            entry = entries[0]
            outcome = await self._deliver(entry)
            if isinstance(outcome, SessionEnded):
                # The rest stays on disk for a later session with a better token.
                for left in entries:
                    self._settle(left, outcome)
                self._left[lane] = entries
                break
            await self._state.remove(entry.client_id)
            del self._entries[entry.client_id]
            entries.popleft()
            if not self._settle(entry, outcome):
                self._tell(entry, outcome)
        del self._lanes[lane]

    async def _deliver(self, entry: Entry) -> Outcome:
        backoff = self._backoff()
        faults = 0
        while True:
            try:
                async with self._slots:
                    return await self._send(entry)
            except SessionEnded as ended:
                return ended
            except ConnectionLost as lost:
                log.info("send %s: %s; trying again", entry.client_id, type(lost).__name__)
                wait_s = backoff.next_s()
            except CommandError as error:
                faults += error.code == "internal"
                if not error.retryable or faults >= FAULTS_BEFORE_GIVING_UP:
                    return error
                log.info("send %s: %s; trying again", entry.client_id, error.code)
                wait_s = max((error.retry_after_ms or 0) / 1000, backoff.next_s())
            await self._clock.sleep(wait_s)

    def _settle(self, entry: Entry, outcome: Outcome) -> bool:
        """Whether somebody waits for this outcome."""
        waiting = self._waiting.pop(entry.client_id, None)
        if waiting is None or waiting.done():
            return False
        waiting.set_result(outcome)
        return True

    def _tell(self, entry: Entry, outcome: Outcome) -> None:
        if isinstance(outcome, CommandError):
            self._report(
                Event(
                    "message.refused",
                    {
                        "client_id": entry.client_id,
                        "params": entry.params,
                        "code": outcome.code,
                        "message": outcome.message,
                        "details": dict(outcome.details),
                    },
                )
            )
        elif not isinstance(outcome, SessionEnded):
            self._report(Event("message.sent", {"client_id": entry.client_id, "result": outcome}))
