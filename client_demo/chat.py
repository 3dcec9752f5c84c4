"""The terminal messenger without its terminal: follows the events, answers the lines.

Owns which conversation is open, what was shown of it, what is read and when typing is told.
`terminal` gives it lines and prints what `screen` makes; `slash` has its commands.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any

from client_demo import notices
from client_demo.client import Client
from client_demo.conversations import ONE_TO_ONE, Conversation, Message
from client_demo.errors import ClientError, CommandError, SessionEnded, StateUnusable
from client_demo.inbox import Inbox
from client_demo.pacing import Clock
from client_demo.protocol import Event, Map
from client_demo.screen import Screen, clean, shortened

log = logging.getLogger(__name__)

PAGE = 20  # messages shown when a conversation is opened, and for /older
TYPING_EVERY_S = 3.0  # the server takes a renewal at most this often
RETRY_S = 1.0


class Chat:
    """One member's messenger over a client."""

    def __init__(
        self,
        client: Client,
        inbox: Inbox,
        screen: Screen,
        clock: Clock,
        *,
        prints_typing: bool = True,
        page: int = PAGE,
    ) -> None:
        """`prints_typing`: nobody shows `status`, so that typing is printed as a line."""
        self.client = client
        self.inbox = inbox
        self.screen = screen
        self.clock = clock
        self.page = page
        self._prints_typing = prints_typing
        self.listed: list[str] = []
        """The conversations by the numbers of the last list."""
        self.open: str = ""
        """The open conversation, if any."""
        self.draft_to: str = ""
        """A member who is written to without a conversation so far."""
        self.unpaid: tuple[Map, int] | None = None
        """A message that would cost something, and how much: nothing is spent without a word."""
        self.online = False
        self._was_offline = False
        self.awaited: set[str] = set()
        """The texts sent from here that were neither shown nor refused yet, by client_id."""
        self._loaded = asyncio.Event()
        self._wanted = asyncio.Event()
        self._read_up_to: dict[str, int] = {}
        self._typing_wanted: tuple[str, str] | None = None
        self._typing_at = float("-inf")

    # --- what is there ----------------------------------------------------------------------

    @property
    def room(self) -> Conversation | None:
        """The open conversation."""
        return self.inbox.conversations.get(self.open)

    def latest_first(self) -> list[Conversation]:
        """The conversations by their last message."""
        rooms = self.inbox.conversations.values()
        return sorted(rooms, key=lambda r: r.last.sent_at if r.last else 0, reverse=True)

    def with_member(self, member: str) -> Conversation | None:
        """The conversation of two with a member."""
        for room in self.inbox.conversations.values():
            if room.kind == ONE_TO_ONE and member in room.people and member != self.inbox.me:
                return room
        return None

    async def ready(self) -> None:
        """Wait until the conversations have been read."""
        await self._loaded.wait()

    def status(self) -> str:
        """One line about now: who, where, who is typing, what is unsent."""
        parts = [self.inbox.me or "…"]
        if self.room is not None:
            parts.append(self.screen.title(self.room))
            typing = self.inbox.typing(self.open, self.clock.monotonic())
            if typing:
                verb = "is" if len(typing) == 1 else "are"
                parts.append(f"{self.screen.names(typing)} {verb} typing…")
        elif self.draft_to:
            parts.append(f"to {self.screen.name(self.draft_to)}")
        rooms = [room for room in self.inbox.conversations.values() if room.in_inbox]
        unread = sum(1 for room in rooms if room.unread or room.own.unread_mark)
        if unread:
            parts.append(f"{unread} unread")
        if self.awaited:
            parts.append(f"{len(self.awaited)} sending")
        if not self.online:
            parts.append("offline")
        return " · ".join(parts)

    # --- events -----------------------------------------------------------------------------

    async def follow(self) -> None:
        """Take events until the session ends.

        Raises: SessionEnded, StateUnusable.
        """
        async for event in self.client.events():
            try:
                await self._take(event)
            except (SessionEnded, StateUnusable):
                raise
            except ClientError as error:
                # Most likely the connection went while something was read: the next one reads it.
                self.screen.failure(error, "reading the conversations")

    async def _take(self, event: Event) -> None:
        match event.name:
            case "client.online":
                self.inbox.me = self.client.member
                self.online = True
                if self._was_offline:
                    self.screen.notice("online again")
                self._was_offline = False
                # Receipts are not replayed, so that every connection reads the state anew.
                await self.refresh()
                self._loaded.set()
            case "client.offline":
                self.online, self._was_offline = False, True
                reason = event.data["reason"] or f"closed with {event.data['code']}"
                self.screen.notice(f"offline ({clean(reason)}): reconnecting")
            case "client.reset":
                pass  # "client.online" came before it, and the state has been read
            case "message.sent":
                self._sent(event.data["result"])
            case "message.refused":
                self.awaited.discard(event.data["client_id"])
                error = CommandError(
                    event.data["code"], event.data["message"], details=event.data["details"]
                )
                self._refused(error, event.data["params"])
            case _:
                await self._apply(event)

    def _refused(self, error: CommandError, params: Map) -> None:
        if question := notices.price(error):
            self.unpaid = (params, error.cost or 0)
            self.screen.notice(question)
        else:
            self.screen.failure(error, f"not sent: “{params.get('body', '')}”")

    async def _apply(self, event: Event) -> None:
        if event.name == "message.created":
            self.awaited.discard(event.data.get("client_id", ""))
        applied = self.inbox.apply(event, self.clock.monotonic())
        if applied.news:
            self._show(event, applied.conversation, applied.message)
        await self._catch_up()

    async def _catch_up(self) -> None:
        """Read again what events could not say."""
        for conversation in sorted(self.inbox.stale):
            self.inbox.stale.discard(conversation)
            known = conversation in self.inbox.conversations
            try:
                room = self.inbox.load(await self.client.conversation(conversation))
            except CommandError as error:
                if error.code != "unreachable":
                    raise
                self.inbox.conversations.pop(conversation, None)
            else:
                if not known and room.last is not None:
                    self._found(room, room.last)

    def _found(self, room: Conversation, last: Message) -> None:
        """A conversation is new here, with messages in it: their events, if any are still to come,
        are no news any more."""
        mine = last.sender == self.inbox.me
        if mine and self.draft_to and self.draft_to in room.people:
            self.open, self.draft_to = room.id, ""
            room.messages, room.older = {last.seq: last}, last.seq > 1
            self.show(room, last)
        elif mine or (room.unread and not room.own.muted):
            self.screen.elsewhere(room, last)

    def _show(self, event: Event, room: Conversation | None, message: Message | None) -> None:
        data, screen = event.data, self.screen
        here = room is not None and room.id == self.open
        match event.name:
            case "message.created" if room is not None and message is not None:
                if here:
                    self.show(room, message)
                elif message.sender != self.inbox.me and not room.own.muted:
                    screen.elsewhere(room, message)
            case "message.edited" | "message.deleted" if here and message is not None:
                screen.changed(event.name, message, message.sender)
            case "message.reacted" if here and message is not None:
                screen.changed(event.name, message, data["member"])
            case "receipt.read" if here and room is not None:
                self._seen(room, data)
            case "typing.started" if here and self._prints_typing:
                screen.notice(f"{screen.name(data['member'])} is typing…")
            case "conversation.renamed" if room is not None:
                screen.notice(f"a conversation is now called {screen.title(room)}")
            case "roster.changed":
                for change in data.get("changes", ()):
                    where = f" ({screen.title(room)})" if room is not None and not here else ""
                    screen.notice(f"{notices.change(change, screen)}{where}")
            case "conversation.joined":
                screen.notice("you are in a new conversation: /list")
            case "conversation.left" if room is not None:
                screen.notice(f"you are no longer in {screen.title(room)}")
            case "invitation.received":
                screen.notice(f"{screen.name(data['from'])} invites you to connect: /invitations")
            case "invitation.answered" if data["accepted"] and data["member"] != self.inbox.me:
                screen.notice(f"{screen.name(data['member'])} accepted your invitation")
            case "connection.added":
                screen.notice(f"you are connected with {screen.name(data['member'])}")
            case _ if words := notices.notice(event, room, screen):
                screen.notice(words)

    def _seen(self, room: Conversation, data: Map) -> None:
        mine = [m.seq for m in room.messages.values() if m.sender == self.inbox.me]
        latest = max((seq for seq in mine if seq <= data["seq"]), default=0)
        if latest:
            self.screen.seen(data["member"], latest, data["seen_at"])

    def _sent(self, result: Map) -> None:
        """A first message to somebody opens the conversation that it went to."""
        room = self.inbox.conversations.get(result["conversation"])
        if room is not None and self.draft_to and self.draft_to in room.people:
            self.open, self.draft_to = room.id, ""

    # --- reading ----------------------------------------------------------------------------

    async def refresh(self) -> None:
        """Read the conversations and names, and what the open conversation has missed."""
        for room in (await self.client.conversations(limit=100))["conversations"]:
            self.inbox.load(room)
        for known in (await self.client.connections(limit=200))["members"]:
            self.inbox.names[known["member"]] = known["name"]
        self.inbox.stale.clear()
        room = self.room
        if room is not None:
            before = dict(room.messages)
            for message in await self._page(room.id):
                known = before.get(message.seq)
                if known is None and message.seq > max(before, default=0):
                    self.show(room, message)
                elif known is not None and known.rev < message.rev:
                    gone = "deleted" if message.deleted_at else "edited"
                    self.screen.changed(f"message.{gone}", message, message.sender)

    async def _page(self, conversation: str, before: int | None = None) -> list[Message]:
        data = await self.client.history(conversation, before=before, limit=self.page)
        return self.inbox.load_history(conversation, data, before=before)

    async def enter(self, room: Conversation) -> None:
        """Open a conversation and show its end."""
        messages = await self._page(room.id)
        self.open, self.draft_to = room.id, ""
        room = self.inbox.conversations[room.id]
        self.screen.heading(self.screen.title(room))
        if room.older:
            self.screen.notice("/older shows what was before")
        for message in messages:
            self.show(room, message)
        if room.draft:
            self.screen.notice(f"a draft of yours: {shortened(room.draft)} (/draft send)")
        if room.own.unread_mark:
            self._read_up_to.setdefault(room.id, room.read)
            self._wanted.set()

    async def older(self) -> None:
        """Show the page before what is loaded."""
        room = self.room
        if room is None or not room.messages or not room.older:
            self.screen.notice("there is nothing older")
            return
        self.screen.heading("older")
        for message in await self._page(room.id, before=min(room.messages)):
            self.screen.message(room, message)
        self.screen.heading("back to now")

    def show(self, room: Conversation, message: Message) -> None:
        """Print a message of the open conversation; it is read by that."""
        self.screen.message(room, message)
        if message.seq > room.read and message.sender != self.inbox.me:
            self._read_up_to[room.id] = max(message.seq, self._read_up_to.get(room.id, 0))
            self._wanted.set()

    # --- writing ----------------------------------------------------------------------------

    async def say(self, body: str, *, reply_to: str | None = None) -> None:
        """Send a text to where one is; it is shown when it comes back as an event."""
        self._typing_wanted, self._typing_at = None, float("-inf")
        if self.open:
            await self.post(conversation=self.open, body=body, reply_to=reply_to)
        elif self.draft_to:
            await self.post(to=self.draft_to, body=body)
        else:
            self.screen.error("nothing is open: /list and /open NUMBER, or /to NAME TEXT")

    async def post(self, **message: Any) -> None:
        """Put a message into the client's outbox, and expect to see it."""
        self.awaited.add(await self.client.post(**message))

    def typing(self, text: str) -> None:
        """The line being edited has changed to this."""
        if not self.open or text.startswith("/"):
            return
        now = self.clock.monotonic()
        if text and now - self._typing_at >= TYPING_EVERY_S:
            self._typing_at = now
            self._typing_wanted = ("start", self.open)
            self._wanted.set()
        elif not text and now - self._typing_at < 2 * TYPING_EVERY_S:
            self._typing_at = float("-inf")
            self._typing_wanted = ("stop", self.open)
            self._wanted.set()

    async def tell(self) -> None:
        """Send read marks and typing behind what is shown, the latest only; runs for ever.

        Raises: SessionEnded, StateUnusable.
        """
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            typing, self._typing_wanted = self._typing_wanted, None
            if typing is not None:
                act = self.client.typing if typing[0] == "start" else self.client.stop_typing
                await self._quietly(act(typing[1]))
            for conversation, seq in list(self._read_up_to.items()):
                if await self._quietly(self.client.read(conversation, seq)):
                    if self._read_up_to.get(conversation) == seq:
                        del self._read_up_to[conversation]
                else:
                    self._wanted.set()

    async def _quietly(self, act: Awaitable[object]) -> bool:
        """Whether it need not be tried again; a failure is no news to who reads and types."""
        try:
            await act
        except (SessionEnded, StateUnusable):
            raise
        except CommandError as error:
            log.info("not told: %s", error.code)
            if not error.retryable:
                return True
            await self.clock.sleep(max((error.retry_after_ms or 0) / 1000, RETRY_S))
            return False
        except ClientError as error:
            log.info("not told: %s", type(error).__name__)
            return False
        return True
