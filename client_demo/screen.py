"""What the terminal messenger prints: one line or a few, made of text that cannot act.

Names, titles and messages were written by others. `clean` takes out what a terminal would obey
(control characters, escapes, changes of writing direction), and all text is appended as text,
never parsed as markup. Printing itself is `terminal`'s.
"""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable, Iterable

from rich.text import Text

from client_demo.conversations import Conversation, Message, title
from client_demo.errors import (
    ClientError,
    CommandError,
    ConnectionLost,
    NoAnswer,
    OutboxFull,
    SessionEnded,
)
from client_demo.inbox import Inbox
from client_demo.protocol import Map

COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "bright_red", "bright_cyan")
_DIRECTION = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C}
_LINES = {0x2028, 0x2029, 0x85}
_INVISIBLE = {0xFEFF, 0x00AD, *range(0xE0000, 0xE0080)}
_DROPPED = ("Cc", "Cs", "Cn", "Co")


def clean(text: str, *, lines: bool = False) -> str:
    """Text that only shows: no control characters, no escapes, no changes of direction.

    `lines` keeps line ends (as \\n) and turns tabs into spaces; otherwise each is one space.
    """
    out: list[str] = []
    for char in text.replace("\r\n", "\n"):
        code = ord(char)
        if char == "\n" or code in _LINES:
            out.append("\n" if lines else " ")
        elif char == "\t":
            out.append(" ")
        elif code in _DIRECTION or code in _INVISIBLE or unicodedata.category(char) in _DROPPED:
            continue
        else:
            out.append(char)
    return "".join(out)


def shortened(text: str, width: int = 48) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(clean(text).split())
    return line if len(line) <= width else line[: width - 1] + "…"


class Screen:
    """Makes the lines of one member's messenger and hands them to `out`."""

    def __init__(
        self, inbox: Inbox, out: Callable[[Text], None], now_s: Callable[[], float] = time.time
    ) -> None:
        """`now_s` is the wall clock, in Unix seconds."""
        self._inbox = inbox
        self._out = out
        self._now_s = now_s

    # --- words ------------------------------------------------------------------------------

    def name(self, member: str) -> str:
        """A member's name, or the id where no name was told."""
        return "you" if member == self._inbox.me else clean(self._inbox.names.get(member) or member)

    def names(self, members: Iterable[str]) -> str:
        """Several names in a row."""
        return ", ".join(self.name(member) for member in members)

    def title(self, room: Conversation) -> str:
        """What a conversation is called."""
        return clean(title(room, self._inbox.me))

    def when(self, at_ms: int) -> str:
        """The time of day, with the date unless it is today's; in local time."""
        at, now = time.localtime(at_ms / 1000), time.localtime(self._now_s())
        if (at.tm_year, at.tm_yday) == (now.tm_year, now.tm_yday):
            return time.strftime("%H:%M", at)
        return time.strftime("%-d %b %H:%M" if at.tm_year == now.tm_year else "%Y-%m-%d %H:%M", at)

    # --- lines ------------------------------------------------------------------------------

    def notice(self, text: str) -> None:
        """Something about the messenger itself."""
        self._out(Text(f"· {text}", style="dim"))

    def error(self, text: str) -> None:
        """Something did not work."""
        self._out(Text(f"! {text}", style="bold red"))

    def heading(self, text: str) -> None:
        """What follows is of this."""
        self._out(Text(f"— {text} —", style="bold"))

    def rows(self, rows: Iterable[tuple[str, str]], empty: str) -> None:
        """A list of two columns, or what to say if it is empty."""
        table = [(clean(left), clean(right)) for left, right in rows]
        if not table:
            self.notice(empty)
        width = max((len(left) for left, _ in table), default=0)
        for left, right in table:
            line = Text(f"  {left:<{width}}  ", style="bold")
            line.append(right, style="not bold")
            self._out(line)

    def conversations(self, rooms: Iterable[Conversation]) -> None:
        """The list of conversations, numbered from 1."""
        empty = True
        for number, room in enumerate(rooms, 1):
            empty = False
            line = Text(f"{number:>3} ", style="dim")
            badge = f"({room.unread or '·'}) " if room.unread or room.own.unread_mark else ""
            line.append(badge, style="bold green")
            line.append(self.title(room), style="bold" if room.unread else "")
            line.append("".join(_signs(room)), style="yellow")
            if room.state != "open":
                line.append(f" [{clean(room.state)}]", style="dim")
            if room.draft:
                line.append(f"  draft: {shortened(room.draft)}", style="italic")
            elif room.last is not None:
                line.append(f"  {self.when(room.last.sent_at)}  ", style="dim")
                line.append(f"{self.name(room.last.sender)}: {self._gist(room.last)}", style="dim")
            self._out(line)
        if empty:
            self.notice("No conversations yet: /to NAME TEXT begins one.")

    def message(self, room: Conversation, message: Message) -> None:
        """A message in the open conversation, with its number for /edit, /react and so on."""
        line = self._opening(message)
        if message.deleted_at:
            line.append("deleted", style="dim italic")
            self._out(line)
            return
        if message.reply_to:
            answered = next((m for m in room.messages.values() if m.id == message.reply_to), None)
            gist = f"#{answered.seq} {self._gist(answered)}" if answered else "an earlier message"
            line.append(f"↳ {gist}\n      ", style="dim")
        if message.subject:
            line.append(f"{clean(message.subject)}\n      ", style="bold")
        line.append(clean(message.body, lines=True).replace("\n", "\n      "))
        if message.kind not in ("", "direct"):
            line.append(f"  [{clean(message.kind)}]", style="dim")
        if message.edited_at:
            line.append("  (edited)", style="dim")
        if message.reactions:
            line.append(f"  {self._reactions(message)}", style="dim")
        self._out(line)

    def elsewhere(self, room: Conversation | None, message: Message) -> None:
        """A message that came into a conversation that is not open."""
        line = Text("✉ ", style="green")
        line.append(self.name(message.sender), style="bold")
        if room is not None and (room.title or room.participant_count > 2):
            line.append(f" in {self.title(room)}")
        if message.kind not in ("", "direct"):
            line.append(f" [{clean(message.kind)}]", style="dim")
        line.append(f": {self._gist(message)}")
        if room is not None and room.state == "request" and message.sender != self._inbox.me:
            line.append("  (a request: /requests)", style="dim")
        self._out(line)

    def changed(self, event: str, message: Message, member: str) -> None:
        """An edit, a deletion or a reaction in the open conversation."""
        line = Text(f"#{message.seq} ", style="dim")
        if event == "message.deleted":
            line.append(f"{self.name(member)} deleted this message", style="dim italic")
        elif event == "message.edited":
            line.append(f"{self.name(member)} changed this to: ", style="dim")
            line.append(clean(message.body, lines=True).replace("\n", "\n      "))
        else:
            line.append(f"{self.name(member)} reacted: ", style="dim")
            line.append(self._reactions(message) or "no more")
        self._out(line)

    def seen(self, member: str, seq: int, at_ms: int) -> None:
        """Somebody has read up to a message of one's own."""
        self._out(Text(f"✓ seen by {self.name(member)} {self.when(at_ms)} (#{seq})", style="dim"))

    def failure(self, error: ClientError, what: str = "") -> None:
        """One line that says what a failure means and what to do about it."""
        self.error(f"{what}{': ' if what else ''}{explained(error)}")

    # --- parts ------------------------------------------------------------------------------

    def _opening(self, message: Message) -> Text:
        line = Text(f"#{message.seq} {self.when(message.sent_at)} ", style="dim")
        colour = COLOURS[sum(message.sender.encode()) % len(COLOURS)]
        style = "bold" if message.sender == self._inbox.me else f"bold {colour}"
        line.append(self.name(message.sender), style=f"not dim {style}")
        line.append("  ")
        out = Text()
        out.append_text(line)
        return out

    def _gist(self, message: Message) -> str:
        return "deleted" if message.deleted_at else shortened(message.body)

    def _reactions(self, message: Message) -> str:
        return "  ".join(
            f"{clean(emoji)} {who}" if isinstance(who, int) else f"{clean(emoji)} {self.names(who)}"
            for emoji, who in message.reactions
        )


def _signs(room: Conversation) -> Iterable[str]:
    own = room.own
    for on, sign in (
        (own.starred, " ★"), (own.muted, " muted"), (room.archived, " archived"),
        (own.reported, " reported"),
    ):  # fmt: skip
        if on:
            yield sign


def explained(error: ClientError) -> str:
    """What a failure means, in one line without control characters."""
    match error:
        case CommandError():
            return clean(_answer(error))
        case NoAnswer():
            return clean(f"{error}; it may or may not have happened")
        case ConnectionLost():
            return "the connection was lost meanwhile; it may or may not have happened"
        case SessionEnded():
            return clean(str(error))
        case OutboxFull():
            return "too many messages are waiting to be sent; this one was not taken"
        case _:
            return clean(str(error))


def _answer(error: CommandError) -> str:
    details: Map = dict(error.details)
    match error.code:
        case "invalid":
            field = f" ({error.field})" if error.field else ""
            return f"not possible like this{field}: {error.message}"
        case "unauthenticated":
            return "the server does not accept this session: sign in again"
        case "unreachable":
            return "there is nothing there that you can reach"
        case "costs_credit":
            return f"this would cost {error.cost or 'some'} credits; you have {error.balance or 0}"
        case "refused":
            return f"not allowed: {error.message} [{error.rule or 'a rule'}]"
        case "client_id_reused":
            return "this was sent before with another text; write it again"
        case "rate_limited":
            return f"too fast: again in {(error.retry_after_ms or 1000) / 1000:.1f} s"
        case "too_large":
            return "this is larger than the server takes"
        case "unknown_outcome":
            return "the server does not know whether it happened; repeat it"
        case "busy":
            return "the server is busy; repeat it in a moment"
        case "internal":
            return f"the server failed at this (its log knows: {error.ref or 'no ref'})"
        case _:
            return f"{error.code}: {error.message} {details or ''}".strip()
