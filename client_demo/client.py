"""The asyncio client: one member's session that survives its connections.

    async with Client("http://127.0.0.1:8000", token=get_token) as client:
        await client.send(to="grace", body="Hello")
        async for event in client.events():
            ...

Owns the connecting (backoff with full jitter, the server's own delays, final close codes), the
resuming from positions, the token's renewal, the watch over silence and the outbox. It depends on
the wire alone. What it gives the application, in order:

- every event with a position once, as long as the process lives; after a restart with a state
  file, from the last event whose successor was asked for, so the last ones may come again;
- signals (typing, receipts) while connected;
- "client.online" {member, session, limits} and "client.offline" {code, reason};
- "client.reset" {topics}: what these topics were is unknown, read their state anew; also the first
  thing after a first connection;
- "message.sent" and "message.refused" for messages of the outbox that nobody awaits.

The queue of events is bounded (`queue`). When it is full, events are let go while commands go on
being answered, and once the application has taken half of it the client reconnects and resumes
from the last event it kept: nothing is lost, and a loop over events may await commands.
"""

from __future__ import annotations

import asyncio
import logging
import random as random_numbers
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from client_demo.backlog import Backlog
from client_demo.calls import Calls
from client_demo.errors import (
    CommandError,
    ConnectionLost,
    NoAnswer,
    SessionEnded,
    StateUnusable,
    TokenUnavailable,
)
from client_demo.link import NO_CODE, Ended, HangUp, Link, open_link
from client_demo.outbox import Outbox
from client_demo.pacing import Backoff, Clock, SystemClock
from client_demo.positions import Positions, Verdict, pages
from client_demo.protocol import TOKEN_EXPIRED, Encoding, Ending, Event, Map
from client_demo.state import Entry, StateFile
from client_demo.tokens import Source, Tokens

log = logging.getLogger(__name__)

TOPICS_A_FRAME = 500  # some 50 bytes each: far below what a frame may carry
STEADY_S = 10.0  # a session that lived this long counts as a success for the backoff
SAVE_EVERY = 100  # events between two writes of the positions, while the queue is not empty
CREATING = {"message.send", "invitation.send", "conversation.start", "conversation.add"}
HARMLESS = {"receipt.read", "settings.set", "presence.get", "explain", "ping"}


@dataclass(frozen=True, slots=True)
class _Item:
    """What waits for the application; `seen` are the positions that an opened session set."""

    event: Event
    seen: tuple[dict[str, int], str] | None = None


class Client(Calls):
    """One member's session on one device. Use it as an async context manager."""

    def __init__(
        self,
        url: str,
        *,
        token: Source,
        device: str = "",
        encoding: Encoding = "msgpack",
        state: str | Path | None = None,
        queue: int = 2000,
        outbox: int = 1000,
        timeout_s: float = 30.0,
        clock: Clock | None = None,
        random: Callable[[], float] = random_numbers.random,
    ) -> None:
        """`url` is the server's base ("https://host") or the socket's. `token` is a token, or a
        function (plain or async) that gives one. `state` is a file for unsent messages and
        positions; without one both end with the process. `queue` and `outbox` are bounds;
        `timeout_s` is how long a command waits for its answer, being offline included."""
        self._url = url
        self._device = device
        self._encoding: Encoding = encoding
        self._tokens = Tokens(token)
        self._timeout_s = timeout_s
        self._clock = clock or SystemClock()
        self._random = random
        self._state = StateFile(Path(state) if state is not None else None)
        self._outbox = Outbox(
            self._state, self._try_send, self._report, self._clock, self._backoff, limit=outbox
        )
        self._received = Positions()
        self._taken = Positions()
        self._unsaved = 0
        self._backlog: Backlog[_Item] = Backlog(queue)
        self._half = queue // 2
        self._behind = False
        self._iterating = False
        self._link: Link | None = None
        self._ended: SessionEnded | StateUnusable | None = None
        self._standing = asyncio.Event()  # there is a link, or there will be none
        self._owner: asyncio.TaskGroup | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.member = ""
        """The member's id, once connected."""
        self.limits: Map = {}
        """The server's limits, as it said when connecting."""

    # --- life -------------------------------------------------------------------------------

    async def __aenter__(self) -> Client:
        """Open the state and start connecting; commands wait for the connection by themselves.

        Raises: StateUnusable.
        """
        saved = await self._state.open()
        self.member = saved.member
        self._received.keep(saved.topics, saved.epoch)
        self._taken.keep(saved.topics, saved.epoch)
        self._outbox.load(saved.entries)
        self._owner = asyncio.TaskGroup()
        await self._owner.__aenter__()
        self._tasks = [
            self._owner.create_task(self._stay_connected()),
            self._owner.create_task(self._outbox.run()),
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection and the state. What is unsent stays in the state file."""
        self._end(SessionEnded(0, "the client was closed"))
        for task in self._tasks:
            task.cancel()
        try:
            if self._owner is not None:
                await self._owner.__aexit__(kind, error, trace)
        finally:
            try:
                await self._save_positions()
            finally:
                await self._state.close()

    async def connected(self) -> None:
        """Wait until there is a session.

        Raises: SessionEnded.
        """
        await self._online()

    # --- commands ---------------------------------------------------------------------------

    async def call(self, cmd: str, /, **params: Any) -> Map:
        """Give one command and return its result; waits for a connection if there is none.

        A command that is safe to repeat is repeated after a lost connection: one that reads, and
        one that creates, which gets a `client_id` if it has none. Commands are sent in the order
        given, and answered in any.

        Raises: CommandError; ConnectionLost for a command that may have happened; NoAnswer after
        `timeout_s`; SessionEnded.
        """
        params = {name: value for name, value in params.items() if value is not None}
        if cmd in CREATING:
            params.setdefault("client_id", uuid.uuid4().hex)
        try:
            async with asyncio.timeout(self._timeout_s):
                while True:
                    link = await self._online()
                    try:
                        return await link.call(cmd, params)
                    except ConnectionLost:
                        self._offline(link)
                        if not _repeatable(cmd, params):
                            raise
        except TimeoutError:
            raise NoAnswer(f"{cmd} had no answer within {self._timeout_s:g} s") from None

    async def send(
        self,
        *,
        to: str | None = None,
        conversation: str | None = None,
        body: str,
        **more: Any,
    ) -> Map:
        """Send a message through the outbox and wait for its result, however long that takes.

        Messages to the same `to` (or the same `conversation`) keep their order. `more` are
        further params of `message.send`. Cancelling this stops the waiting, not the sending.

        Raises: CommandError for a refusal; OutboxFull; StateUnusable; SessionEnded (with a state
        file, the message is sent when the next client opens it).
        """
        return await self._outbox.send(_message(to, conversation, body, more))

    async def post(
        self,
        *,
        to: str | None = None,
        conversation: str | None = None,
        body: str,
        **more: Any,
    ) -> str:
        """Put a message into the outbox and return its `client_id` at once; it is on disk then.

        The outcome comes as the event "message.sent" or "message.refused".

        Raises: OutboxFull; StateUnusable.
        """
        return (await self._outbox.put(_message(to, conversation, body, more))).client_id

    @property
    def unsent(self) -> tuple[Entry, ...]:
        """The messages that are not known to be sent, in the order given."""
        return self._outbox.unsent

    # --- events -----------------------------------------------------------------------------

    async def events(self) -> AsyncIterator[Event]:
        """Everything that happens, in order, for ever; one iteration at a time.

        An event counts as dealt with when the next one is asked for.

        Raises: SessionEnded, after the last event; RuntimeError for a second iteration.
        """
        if self._iterating:
            raise RuntimeError("somebody else iterates over this client's events")
        self._iterating = True
        try:
            while True:
                if self._unsaved and (not self._backlog or self._unsaved >= SAVE_EVERY):
                    await self._save_positions()
                item = await self._backlog.take()
                if self._behind and self._link is not None and len(self._backlog) <= self._half:
                    self._link.abort("events were let go and there is room again")
                yield item.event
                self._taken.take(item.event)
                if item.seen is not None:
                    self._taken.keep(*item.seen)
                self._unsaved += item.seen is not None or item.event.pos is not None
        finally:
            self._iterating = False

    def _take(self, event: Event) -> None:
        """One event from the link, in the order of the wire."""
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
        if self._backlog.offer(_Item(event)):
            self._received.take(event)
        elif event.pos is not None:  # a signal that does not fit is no loss
            self._behind = True
            log.warning("the application is %d events behind: letting go", len(self._backlog))

    def _report(self, event: Event) -> None:
        self._backlog.push(_Item(event))  # bounded by the outbox

    async def _save_positions(self) -> None:
        if self._unsaved:
            self._unsaved = 0
            await self._state.save(self._taken.seen, self._taken.epoch)

    # --- the connection ---------------------------------------------------------------------

    async def _stay_connected(self) -> None:
        """Open one link after the other until the session ends for good."""
        backoff = self._backoff()
        while True:
            begun = self._clock.monotonic()
            try:
                ending = await self._one_session()
            except Ended as ended:
                ending = ended.ending
            except (SessionEnded, StateUnusable) as final:
                self._end(final)
                return
            except (ConnectionLost, TokenUnavailable, OSError, TimeoutError) as error:
                ending = Ending(NO_CODE, str(error) or type(error).__name__)
            except CommandError as error:
                if not error.retryable:
                    self._end(SessionEnded(0, f"connecting was refused: {error}"))
                    return
                ending = Ending(4013, f"after_ms={error.retry_after_ms or 0}")
            if ending.final:
                self._end(SessionEnded(ending.code, ending.reason))
                return
            if ending.code == TOKEN_EXPIRED:
                if not self._tokens.renewable:
                    self._end(SessionEnded(ending.code, "the token has expired"))
                    return
                self._tokens.forget()
            if self._clock.monotonic() - begun >= STEADY_S:
                backoff.reset()
            wait_s = max(ending.after_s, backoff.next_s())
            log.info("offline (%d %s): again in %.1f s", ending.code, ending.reason, wait_s)
            await self._clock.sleep(wait_s)

    async def _one_session(self) -> Ending:
        """Connect, resume and read until the connection ends."""
        token = await self._tokens.current()
        link = await open_link(self._url, self._encoding, self._clock)
        try:
            async with asyncio.timeout(self._timeout_s):
                result, early = await self._connect(link, token)
            await self._recognise(result["member"])
            self.limits = result.get("limits", {})
            self._opened(link, result)
            for event in early:
                self._take(event)
            async with asyncio.TaskGroup() as group:
                beside = [
                    group.create_task(link.watch(2 * result["ping_s"])),
                    group.create_task(self._keep_token(link, result)),
                ]
                ending = await link.read(self._take)
                for task in beside:
                    task.cancel()
        except HangUp as gap:
            ending = Ending(NO_CODE, str(gap))
        finally:
            self._offline(link)
            await link.close()
        if not self._behind:
            offline = Event("client.offline", {"code": ending.code, "reason": ending.reason})
            self._backlog.offer(_Item(offline))
        return ending

    async def _connect(self, link: Link, token: str) -> tuple[Map, list[Event]]:
        """The first exchange: who we are, and where we go on from."""
        params: Map = {"token": token}
        if self._device:
            params["device"] = self._device
        self._behind = self._backlog.room < 3  # what a session's opening puts in
        rest: list[dict[str, int]] = []
        if self._received.epoch and not self._behind:
            first, *rest = pages(self._received.seen, TOPICS_A_FRAME)
            params |= {"resume": first, "epoch": self._received.epoch}
            if rest:
                params["resume_more"] = True
        result, early = await link.exchange("connect", params)
        for page in rest:
            params = {"topics": page} if page is rest[-1] else {"topics": page, "more": True}
            resumed, events = await link.exchange("resume", params)
            early += events
            result = {**result, **resumed}
        return result, early

    async def _recognise(self, member: str) -> None:
        """Bind the state to the member, or notice that it is another's."""
        if self.member not in ("", member):
            raise StateUnusable(f"the state belongs to {self.member}, the token to {member}")
        if not self.member:
            self.member = member
            await self._state.belong_to(member)

    def _opened(self, link: Link, result: Map) -> None:
        """From here on there is a session: settle the positions and say so."""
        if not self._behind:
            reset = self._received.opened(result, resumed=bool(self._received.epoch))
            seen = (dict(self._received.seen), self._received.epoch)
            online = {name: result.get(name) for name in ("member", "session", "limits")}
            self._backlog.offer(_Item(Event("client.online", online)))
            if reset:
                self._backlog.offer(_Item(Event("client.reset", {"topics": reset}), seen))
        self._link = link
        self._standing.set()

    async def _keep_token(self, link: Link, opened: Map) -> None:
        """Refresh the token well before it expires; returns when there is nothing to do."""
        left_s = (opened["expires_at"] - opened["now"]) / 1000
        backoff = self._backoff()
        expires_at, begun = opened["expires_at"], self._clock.monotonic()
        while self._tokens.renewable:
            # Spread, so that clients that connected together do not refresh together.
            await self._clock.sleep(max(left_s * (0.7 + 0.2 * self._random()), 1.0))
            try:
                result = await link.call("refresh", {"token": await self._tokens.fresh()})
                expires_at = result["expires_at"]
                backoff.reset()
            except ConnectionLost:
                return
            except (CommandError, TokenUnavailable, OSError) as error:
                log.warning("the token could not be renewed: %s", type(error).__name__)
                await self._clock.sleep(backoff.next_s())
            server_now = opened["now"] + (self._clock.monotonic() - begun) * 1000
            left_s = (expires_at - server_now) / 1000

    async def _online(self) -> Link:
        """The present link, when there is one.

        Raises: SessionEnded, StateUnusable.
        """
        while True:
            await self._standing.wait()
            if self._ended is not None:
                raise self._ended
            if self._link is not None:
                return self._link
            self._standing.clear()

    def _offline(self, link: Link) -> None:
        if self._link is link:
            self._link = None
            if self._ended is None:
                self._standing.clear()

    def _end(self, error: SessionEnded | StateUnusable) -> None:
        if self._ended is None:
            self._ended = error
            self._standing.set()
            self._backlog.end(error)

    async def _try_send(self, entry: Entry) -> Map:
        try:
            return await self.call("message.send", client_id=entry.client_id, **entry.params)
        except StateUnusable as error:
            raise SessionEnded(0, str(error)) from None

    def _backoff(self) -> Backoff:
        return Backoff(self._random)


def _message(to: str | None, conversation: str | None, body: str, more: Map) -> Map:
    if (to is None) == (conversation is None):
        raise ValueError("a message goes either to a member or to a conversation")
    where = {"to": to} if to is not None else {"conversation": conversation}
    return {**where, "body": body, **{k: v for k, v in more.items() if v is not None}}


def _repeatable(cmd: str, params: Map) -> bool:
    """Whether giving a command twice is the same as giving it once."""
    reads = cmd.endswith((".get", ".list", ".history"))
    return reads or cmd in HARMLESS or "client_id" in params


async def first(client: Client, name: str) -> Event:
    """The next event of this name; those before it are passed over. For scripts and tests.

    Raises: SessionEnded.
    """
    async with aclosing(client.events()) as events:  # type: ignore[type-var]
        async for event in events:
            if event.name == name:
                return event
    raise SessionEnded(0, "there are no more events")
