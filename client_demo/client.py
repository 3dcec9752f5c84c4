"""The asyncio client: one member's session that survives its connections.

    async with Client("http://127.0.0.1:8000", token=get_token) as client:
        await client.send(to="grace", body="Hello")
        async for event in client.events():
            ...

Joins the parts: `reconnector` (staying connected), `intake` (events in order, once), `outbox`
(messages until their outcome is known), `calls` (the commands by name). What it gives the
application, in order:

- every event with a position once, as long as the process lives; after a restart with a state
  file, from the last event whose successor was asked for, so the last ones may come again;
- signals (typing, receipts) while connected;
- "client.online" {member, session, limits} and "client.offline" {code, reason}, also when the
  first connection fails, and once however many follow;
- "client.reset" {topics}: what these topics were is unknown, read their state anew; also the first
  thing after a first connection;
- "message.sent" and "message.refused" for messages of the outbox that nobody awaits.

The queue of events is bounded (`queue`). When it is full, events are let go while commands go on
being answered, and once the application has taken half of it the client reconnects and resumes
from the last event it kept: nothing is lost, and a loop over events may await commands.
"""

from __future__ import annotations

import asyncio
import random as random_numbers
import uuid
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from client_demo.calls import Calls
from client_demo.errors import (
    CommandError,
    ConnectionLost,
    NoAnswer,
    SessionEnded,
    StateUnusable,
)
from client_demo.intake import Intake
from client_demo.link import NotSent
from client_demo.outbox import Outbox
from client_demo.pacing import Backoff, Clock, SystemClock
from client_demo.protocol import Encoding, Event, Map
from client_demo.reconnector import Reconnector
from client_demo.state import Entry, StateFile
from client_demo.tokens import Source, Tokens

SAVE_EVERY = 100  # events between two writes of the positions while more are waiting
CREATING = {
    "message.send", "invitation.send", "conversation.start", "conversation.add", "report.send",
}  # fmt: skip
CLOSE_WITHIN_S = 5.0  # a server that has refused a session's token closes at once
HARMLESS = {
    "receipt.read", "settings.set", "conversation.set", "draft.set", "message.search", "explain",
    "ping",
}  # fmt: skip


class Client(Calls):
    """One member's session on one device. Use it once, as an async context manager."""

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
        self.member = ""
        """The member's id, once connected."""
        self.limits: Map = {}
        """The server's limits, as it said when connecting."""
        clock = clock or SystemClock()
        self._timeout_s = timeout_s
        self._state = StateFile(Path(state) if state is not None else None)
        self._intake = Intake(queue)
        self._reconnector = Reconnector(
            url, encoding, device, Tokens(token), self._intake, clock, random
        )
        self._outbox = Outbox(
            self._state,
            self._try_send,
            self._intake.report,
            clock,
            lambda: Backoff(random),
            limit=outbox,
        )
        self._iterating = False
        self._running: asyncio.Task[None] | None = None

    # --- life -------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Open the state and start connecting; commands wait for the connection by themselves.

        Raises: StateUnusable.
        """
        saved = await self._state.open()
        self.member = saved.member
        self._intake.start_at(saved.topics, saved.epoch)
        self._outbox.load(saved.entries)
        started = asyncio.Event()
        self._running = asyncio.create_task(self._run(started))  # awaited in __aexit__
        await started.wait()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection and the state. What is unsent stays in the state file.

        Raises: what the client's own work failed with, unless the body failed itself.
        """
        self._reconnector.end(SessionEnded(0, "the client was closed"))
        try:
            if self._running is not None:
                self._running.cancel()
                (outcome,) = await asyncio.gather(self._running, return_exceptions=True)
                if isinstance(outcome, Exception) and error is None:
                    raise outcome
        finally:
            try:
                await self._save_positions()
            finally:
                await self._state.close()

    async def connected(self) -> None:
        """Wait until there is a session.

        Raises: SessionEnded.
        """
        await self._reconnector.online()

    @property
    def trouble(self) -> str:
        """Why there is no session now, in words; empty while there is one."""
        return self._reconnector.trouble if self._reconnector.link is None else ""

    async def _run(self, started: asyncio.Event) -> None:
        """Everything that goes on beside the application; its failure ends the session."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._outbox.run(started))
                group.create_task(self._reconnector.run(self._recognise))
        except ExceptionGroup as failure:
            self._reconnector.end(SessionEnded(0, f"the client failed: {failure.exceptions[0]!r}"))
            raise

    async def _recognise(self, result: Map) -> None:
        """Bind the state to the member, or notice that it is another's."""
        member = result["member"]
        if self.member not in ("", member):
            raise StateUnusable(f"the state belongs to {self.member}, the token to {member}")
        if not self.member:
            await self._state.belong_to(member)
        self.member = member
        self.limits = result.get("limits", {})

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
                    link = await self._reconnector.online()
                    try:
                        return await link.call(cmd, params)
                    except ConnectionLost as lost:
                        self._reconnector.lost(link)
                        if not (isinstance(lost, NotSent) or _repeatable(cmd, params)):
                            raise
                    except CommandError as error:
                        if error.code != "unauthenticated":
                            raise
                        # The token ran out under the command, which was not carried out. The
                        # server closes; its code says whether there is a next session.
                        await link.over(CLOSE_WITHIN_S)
                        self._reconnector.lost(link)
        except TimeoutError:
            trouble = f" ({self.trouble})" if self.trouble else ""
            raise NoAnswer(f"{cmd} had no answer within {self._timeout_s:g} s{trouble}") from None

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

        The outcome comes as the event "message.sent" {client_id, result} or "message.refused"
        {client_id, params, code, message, details}.

        Raises: OutboxFull; StateUnusable.
        """
        return (await self._outbox.put(_message(to, conversation, body, more))).client_id

    @property
    def unsent(self) -> tuple[Entry, ...]:
        """The messages that are not known to be sent, in the order given."""
        return self._outbox.unsent

    async def _try_send(self, entry: Entry) -> Map:
        try:
            return await self.call("message.send", client_id=entry.client_id, **entry.params)
        except StateUnusable as error:
            raise SessionEnded(0, str(error)) from None

    # --- events -----------------------------------------------------------------------------

    async def events(self) -> AsyncGenerator[Event, None]:
        """Everything that happens, in order, for ever; one iteration at a time.

        An event counts as dealt with when the next one is asked for.

        Raises: SessionEnded, after the last event; RuntimeError for a second iteration.
        """
        if self._iterating:
            raise RuntimeError("somebody else iterates over this client's events")
        self._iterating = True
        intake = self._intake
        try:
            while True:
                if intake.idle or intake.unsaved >= SAVE_EVERY:
                    await self._save_positions()
                item = await intake.next()
                if intake.resume_due:
                    self._reconnector.again("events were let go and there is room again")
                yield item.event
                intake.done(item)
        finally:
            self._iterating = False

    async def _save_positions(self) -> None:
        if self._intake.unsaved:
            self._intake.unsaved = 0
            await self._state.save(self._intake.taken.seen, self._intake.taken.epoch)


def _message(to: str | None, conversation: str | None, body: str, more: Map) -> Map:
    if (to is None) == (conversation is None):
        raise ValueError("a message goes either to a member or to a conversation")
    where = {"to": to} if to is not None else {"conversation": conversation}
    return {**where, "body": body, **{k: v for k, v in more.items() if v is not None}}


def _repeatable(cmd: str, params: Map) -> bool:
    """Whether giving a command twice is the same as giving it once."""
    reads = cmd.endswith((".get", ".list", ".history"))
    return reads or cmd in HARMLESS or "client_id" in params
