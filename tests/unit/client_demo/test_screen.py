"""What is printed: others' text shows and never acts; every error code has its line."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from client_demo.conversations import Message
from client_demo.errors import (
    CommandError,
    ConnectionLost,
    NoAnswer,
    OutboxFull,
    SessionEnded,
)
from client_demo.inbox import Inbox
from client_demo.screen import Screen, clean, explained, shortened
from tests.support.naive_house import House

HOSTILE = [
    "\x1b[2J\x1b[H gone",
    "\x1b]0;title\x07 x",
    "\x9b31m red",
    "a\rb",
    "a\x08\x08b",
    "\u202egnp.exe",
    "[bold red]markup[/]",
    "a\u2028b\u2029c\x85d",
    "\x00\x7f",
    ":smile:",
]


@given(st.text() | st.sampled_from(HOSTILE), st.booleans())
def test_cleaned_text_holds_nothing_that_a_terminal_obeys(text: str, lines: bool) -> None:
    cleaned = clean(text, lines=lines)
    allowed = {"\n"} if lines else set()
    assert all(unicodedata.category(c) != "Cc" or c in allowed for c in cleaned)
    assert not any(unicodedata.bidirectional(c) in ("RLO", "LRO", "RLE", "LRE") for c in cleaned)
    assert clean(cleaned, lines=lines) == cleaned


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S", "M", "Zs"])))
def test_plain_text_is_left_as_it_is(text: str) -> None:
    assert clean(text) == text


def test_emoji_sequences_survive() -> None:
    for emoji in ("👩‍🚒", "❤️", "👍🏽", "🇸🇪"):
        assert clean(emoji) == emoji


def test_shortening_is_one_line_of_a_width() -> None:
    assert shortened("one\n\n two\tthree", 99) == "one two three"
    assert shortened("x" * 60, 10) == "x" * 9 + "…"


def screen(inbox: Inbox | None = None) -> tuple[Screen, list[Text]]:
    lines: list[Text] = []
    return Screen(inbox or Inbox(), lines.append, lambda: 1_700_000_000.0), lines


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_message_does_nothing_on_a_terminal(text: str) -> None:
    """Every escape in the output is one of rich's own colours."""
    house = House()
    house.send("two", "grace")
    message = house.rooms["two"].messages[0]
    message |= {"body": text, "reactions": [{"emoji": text, "members": ["grace"]}]}
    inbox = Inbox()
    data = house.conversation("two")
    data["title"] = text
    data["participants"][1]["name"] = text
    room = inbox.load(data)
    shown, lines = screen(inbox)
    shown.message(room, Message.of(message))
    shown.elsewhere(room, Message.of(message))
    shown.conversations([room])
    shown.changed("message.edited", Message.of(message), "grace")
    shown.changed("message.reacted", Message.of(message), "grace")
    shown.seen("grace", 1, 1)
    console = Console(force_terminal=True, color_system="truecolor", width=400, record=True)
    with console.capture() as captured:
        for line in lines:
            console.print(line, soft_wrap=True)
    output = captured.get()
    parts = output.split("\x1b[")
    assert all(part.split("m", 1)[0].replace(";", "").isdigit() for part in parts[1:])
    rest = "".join([parts[0], *(part.split("m", 1)[1] for part in parts[1:])])
    assert all(unicodedata.category(c) != "Cc" or c == "\n" for c in rest)
    if "[" in text and "\x1b" not in text:
        assert "[bold red]markup[/]" in rest


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (CommandError("invalid", "too long", details={"field": "body"}), "(body): too long"),
        (CommandError("unauthenticated", ""), "sign in again"),
        (CommandError("unreachable", ""), "nothing there that you can reach"),
        (CommandError("costs_credit", "", details={"cost": 1, "balance": 3}), "cost 1 credits"),
        (CommandError("refused", "Too late.", details={"rule": "edit_window"}), "[edit_window]"),
        (CommandError("client_id_reused", ""), "another text"),
        (CommandError("rate_limited", "", details={"retry_after_ms": 2500}), "again in 2.5 s"),
        (CommandError("too_large", ""), "larger than the server takes"),
        (CommandError("unknown_outcome", ""), "repeat it"),
        (CommandError("busy", ""), "busy"),
        (CommandError("internal", "", details={"ref": "r-17"}), "r-17"),
        (CommandError("novel", "words"), "novel: words"),
        (NoAnswer("ping had no answer"), "ping had no answer; it may"),
        (ConnectionLost(""), "connection was lost"),
        (SessionEnded(4508, "revoked"), "4508"),
        (OutboxFull(""), "not taken"),
        (CommandError("refused", "\x1b[2J", details={"rule": "\x07"}), "not allowed: [2J"),
    ],
)
def test_every_failure_has_a_line_of_its_own(error: CommandError, line: str) -> None:
    words = explained(error)
    assert line in words
    assert "\n" not in words
    assert "\x1b" not in words


def test_times_say_the_day_unless_it_is_today() -> None:
    shown, _ = screen()
    today = shown.when(1_700_000_000_000)
    assert len(today) == 5
    assert today[2] == ":"
    assert today in shown.when(1_700_000_000_000 - 3 * 86_400_000)
    assert shown.when(1_700_000_000_000 - 800 * 86_400_000).startswith("2021-")
