"""The model: state plus events is the state read afresh, whatever was done and replayed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client_demo.conversations import Message
from client_demo.inbox import Inbox, as_read
from client_demo.protocol import Event
from tests.support.naive_house import ME, OTHERS, House

ROOMS = ["two", "many"]
rooms = st.sampled_from(ROOMS)
everybody = st.sampled_from([ME, *OTHERS])
picks = st.integers(0, 30)
Step = Callable[[House], None]

steps: st.SearchStrategy[Step] = st.one_of(
    st.builds(lambda r, w: lambda h: h.send(r, w), rooms, everybody),
    st.builds(lambda r, w: lambda h: h.send(r, w), rooms, everybody),
    st.builds(lambda r, p: lambda h: h.edit(r, p), rooms, picks),
    st.builds(lambda r, p: lambda h: h.delete(r, p), rooms, picks),
    st.builds(
        lambda r, p, w, e: lambda h: h.react(r, p, w, e),
        rooms, picks, everybody, st.sampled_from("👍🎉❤"),
    ),
    st.builds(lambda r, p: lambda h: h.read(r, p), rooms, picks),
    st.builds(lambda t: lambda h: h.rename(t), st.sampled_from(["", "Trusses", "Crane"])),
    st.builds(lambda w: lambda h: h.roster(w), st.sampled_from(OTHERS)),
    st.builds(
        lambda r, n, o: lambda h: h.mark(r, n, o),
        rooms, st.sampled_from(["muted", "starred", "unread_mark", "archived"]), st.booleans(),
    ),
    st.builds(lambda r: lambda h: h.clear(r), rooms),
    st.builds(lambda r, b: lambda h: h.write(r, b), rooms, st.sampled_from(["", "to do"])),
)  # fmt: skip


def fetched(house: House, limit: int = 200) -> Inbox:
    """An inbox that has just read everything."""
    inbox = Inbox()
    inbox.me = ME
    for ident in ROOMS:
        inbox.load(house.conversation(ident))
        inbox.load_history(ident, house.history(ident, None, limit), before=None)
    return inbox


def catch_up(inbox: Inbox, house: House) -> None:
    """What the messenger does with what events could not say."""
    for ident in sorted(inbox.stale):
        inbox.load(house.conversation(ident))


def unordered(message: Message | None) -> object:
    """A message without the order of its reactions, which a replay cannot tell."""
    if message is None:
        return None
    reactions = sorted((e, sorted(w) if isinstance(w, tuple) else w) for e, w in message.reactions)
    return replace(message, reactions=()), reactions


def read_of(inbox: Inbox) -> dict[str, Any]:
    return {
        ident: {**room, "last": unordered(room["last"])} for ident, room in as_read(inbox).items()
    }


def same(inbox: Inbox, house: House) -> None:
    fresh = fetched(house)
    assert read_of(inbox) == read_of(fresh)
    for ident, room in inbox.conversations.items():
        true = fresh.conversations[ident].messages
        for seq, message in room.messages.items():
            assert unordered(message) == unordered(true[seq])
        if room.messages:
            low = min(room.messages)
            assert list(room.messages) == list(range(low, room.seq + 1))


@settings(max_examples=400)
@given(
    st.lists(steps, min_size=12, max_size=40),
    st.lists(steps, min_size=8, max_size=40),
    st.booleans(),
    st.booleans(),
    st.integers(0, 40),
    st.randoms(use_true_random=False),
    st.integers(1, 50),
)
def test_state_and_events_are_the_state_read_afresh(
    before: list[Step],
    after: list[Step],
    leaves: bool,
    live: bool,
    back: int,
    twice: Random,
    limit: int,
) -> None:
    """Reads in the middle; takes events from somewhat before that, some more than once."""
    house = House()
    for step in before:
        step(house)
    inbox = fetched(house, limit)
    read_at = len(house.log)
    for step in after:
        step(house)
    if leaves and house.heads.get("conversation:many"):
        house.leave()
    start = max(0, read_at - back)
    events = house.live[start:] if live else house.events(start, len(house.log))
    for replayed in events:
        for _ in range(twice.randint(1, 2)):
            inbox.apply(replayed, 0.0)
    catch_up(inbox, house)
    same(inbox, house)


@given(st.lists(steps, min_size=8, max_size=30), st.lists(st.integers(0, 30), max_size=4))
def test_live_events_with_reads_in_between(all_steps: list[Step], reads: list[int]) -> None:
    """Each event as it happens; now and then a conversation is read again, as after a joining."""
    house = House()
    inbox = fetched(house)
    told: list[int] = []
    for number, step in enumerate(all_steps):
        start = len(house.log)
        step(house)
        if number in reads:
            for ident in ROOMS:
                inbox.load(house.conversation(ident))
        for live in house.events(start, len(house.log)):
            applied = inbox.apply(live, 0.0)
            if live.name == "message.created" and live.data["conversation"] == "two":
                assert applied.news
                assert applied.message is not None
                told.append(applied.message.seq)
        catch_up(inbox, house)
    same(inbox, house)
    assert told == list(range(1, len(told) + 1))  # each new message was news, once


@given(st.lists(steps, max_size=30), st.integers(1, 9))
def test_paging_back_loads_everything_once(all_steps: list[Step], limit: int) -> None:
    house = House()
    for step in all_steps:
        step(house)
    inbox = fetched(house, limit)
    room = inbox.conversations["two"]
    gone = max(room.own.cleared_seq, 0)
    while room.older:
        first = min(room.messages)
        page = house.history("two", first, limit)
        shown = inbox.load_history("two", page, before=first)
        assert [m.seq for m in shown] == list(range(max(gone + 1, first - limit), first))
    assert len(room.messages) == room.seq - gone
    same(inbox, house)


def test_a_reset_begins_the_loaded_run_anew() -> None:
    house = House()
    for _ in range(3):
        house.send("two", "grace")
    inbox = fetched(house)
    for _ in range(50):
        house.send("two", "grace")
    inbox.load(house.conversation("two"))
    shown = inbox.load_history("two", house.history("two", None, 20), before=None)
    assert [m.seq for m in shown] == list(range(34, 54))
    assert inbox.conversations["two"].older
    same(inbox, house)


def test_a_state_that_was_read_earlier_does_not_set_back() -> None:
    house = House()
    house.send("two", "grace")
    old = house.conversation("two")
    inbox = fetched(house)
    house.send("two", "grace")
    for late in house.events(1, 2):
        inbox.apply(late, 0.0)
    inbox.load(old)
    same(inbox, house)


def test_typing_runs_out_and_ends_with_the_message() -> None:
    house = House()
    house.send("two", "grace")
    inbox = fetched(house)
    typing = Event(
        "typing.started", {"conversation": "two", "member": "grace", "expires_in_ms": 6000}
    )
    assert inbox.apply(typing, 100.0).news
    assert not inbox.apply(typing, 103.0).news  # renewed
    assert inbox.typing("two", 108.9) == ["grace"]
    assert inbox.typing("two", 109.1) == []
    assert inbox.apply(typing, 110.0).news
    house.send("two", "grace")
    inbox.apply(house.events(1, 2)[0], 111.0)
    assert inbox.typing("two", 111.0) == []
    inbox.apply(typing, 112.0)
    stopped = Event("typing.stopped", {"conversation": "two", "member": "grace"})
    assert inbox.apply(stopped, 112.5).news
    assert inbox.typing("two", 113.0) == []


def test_a_receipt_only_moves_forward() -> None:
    house = House()
    for _ in range(3):
        house.send("two", ME)
    inbox = fetched(house)

    def receipt(seq: int, member: str = "grace") -> bool:
        data = {"conversation": "two", "member": member, "seq": seq, "seen_at": 1}
        return inbox.apply(Event("receipt.read", data), 0.0).news

    assert [receipt(2), receipt(1), receipt(2), receipt(3)] == [True, False, False, True]
    assert not receipt(3, "nobody")
    assert inbox.conversations["two"].people["grace"].shown == 3


@pytest.mark.parametrize("name", ["connection.added", "connection.removed", "block.changed"])
def test_what_an_event_cannot_say_is_read_again(name: str) -> None:
    inbox = fetched(House())
    inbox.apply(Event(name, {"member": "alan"}, "member:ada", 1), 0.0)
    assert inbox.stale == {"many"}
    inbox.apply(Event("settings.changed", {"receipts": False}, "member:ada", 2), 0.0)
    assert inbox.stale == {"many", "two"}


def test_an_unknown_conversation_is_read() -> None:
    house = House()
    inbox = Inbox()
    house.send("two", "grace")
    applied = inbox.apply(house.events(0, 1)[0], 0.0)
    assert applied.news
    assert inbox.stale == {"two"}
    catch_up(inbox, house)
    assert not inbox.stale
    assert inbox.conversations["two"].unread == 1


def test_counted_reactions_are_left_to_the_next_reading() -> None:
    house = House()
    house.send("two", "grace")
    house.rooms["two"].messages[0]["reactions"] = [{"emoji": "👍", "count": 60}]
    inbox = fetched(house)
    data = {"conversation": "two", "message": "two-1", "rev": 4, "member": "alan", "emojis": ["👍"]}
    inbox.apply(Event("message.reacted", data, "member:ada", 2), 0.0)
    assert inbox.conversations["two"].messages[1].reactions == (("👍", 60),)
