"""Positions: what is new, what is seen, what is a gap; over random cuts of random logs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from client_demo.positions import Positions, Verdict, pages
from client_demo.protocol import Event

TOPIC = "conversation:c"


def opened(topics: dict[str, int], reset: list[str], epoch: str = "e") -> dict[str, object]:
    return {"epoch": epoch, "topics": topics, "reset": reset}


def event(
    pos: int,
    topic: str = TOPIC,
    name: str = "message.created",
    data: dict[str, object] | None = None,
) -> Event:
    return Event(name, data or {}, topic, pos)


def test_dense_positions_are_taken_once() -> None:
    seen = Positions("e", {TOPIC: 4})
    assert seen.judge(TOPIC, 4) is Verdict.SEEN
    assert seen.judge(TOPIC, 6) is Verdict.GAP
    assert seen.judge(TOPIC, 5) is Verdict.NEW
    seen.take(event(5))
    assert seen.judge(TOPIC, 5) is Verdict.SEEN
    assert seen.seen == {TOPIC: 5}


def test_opening_without_resuming_begins_at_the_heads() -> None:
    seen = Positions()
    reset = seen.opened(opened({"member:ada": 3, TOPIC: 9}, []), resumed=False)
    assert reset == [TOPIC, "member:ada"]
    assert seen.seen == {"member:ada": 3, TOPIC: 9}


def test_opening_keeps_what_is_resumed_and_takes_heads_for_what_is_not() -> None:
    seen = Positions("e", {"member:ada": 3, TOPIC: 9, "conversation:gone": 2})
    reset = seen.opened(
        opened({"member:ada": 5, TOPIC: 20, "conversation:new": 1}, [TOPIC, "conversation:new"]),
        resumed=True,
    )
    assert reset == [TOPIC, "conversation:new"]
    assert seen.seen == {"member:ada": 3, TOPIC: 20, "conversation:new": 1}


def test_another_epoch_keeps_nothing() -> None:
    seen = Positions("e", {"member:ada": 3})
    assert seen.opened(opened({"member:ada": 5}, [], "f"), resumed=True) == ["member:ada"]
    assert (seen.epoch, seen.seen) == ("f", {"member:ada": 5})


def test_a_head_that_went_back_is_another_history() -> None:
    seen = Positions("e", {"member:ada": 7})
    assert seen.opened(opened({"member:ada": 5}, []), resumed=True) == ["member:ada"]
    assert seen.seen == {"member:ada": 5}


def test_joining_and_leaving_change_the_topics() -> None:
    seen = Positions("e", {"member:ada": 1})
    joined: dict[str, object] = {"conversation": "c", "topic": TOPIC, "pos": 6}
    seen.take(event(2, "member:ada", "conversation.joined", joined))
    assert seen.judge(TOPIC, 7) is Verdict.NEW
    assert seen.judge(TOPIC, 8) is Verdict.GAP
    seen.take(event(3, "member:ada", "conversation.left", joined))
    assert seen.seen == {"member:ada": 3}


def test_a_replayed_joining_or_leaving_never_sets_back_a_later_stay() -> None:
    seen = Positions("e", {"member:ada": 1, TOPIC: 12})
    left: dict[str, object] = {"conversation": "c", "topic": TOPIC, "pos": 7}
    joined: dict[str, object] = {"conversation": "c", "topic": TOPIC, "pos": 9}
    seen.take(event(2, "member:ada", "conversation.left", left))
    seen.take(event(3, "member:ada", "conversation.joined", joined))
    assert seen.seen[TOPIC] == 12


def test_the_second_gap_at_one_place_gives_the_topic_up() -> None:
    seen = Positions("e", {TOPIC: 4})
    seen.gap(TOPIC)
    assert seen.seen == {TOPIC: 4}
    assert seen.opened(opened({TOPIC: 9}, []), resumed=True) == []
    seen.gap(TOPIC)
    assert seen.seen == {}
    assert seen.opened(opened({TOPIC: 9}, [TOPIC]), resumed=True) == [TOPIC]


def test_a_gap_that_healed_is_forgotten() -> None:
    seen = Positions("e", {TOPIC: 4})
    seen.gap(TOPIC)
    seen.take(event(5))
    seen.gap(TOPIC)
    assert seen.seen == {TOPIC: 5}


@given(st.dictionaries(st.text(max_size=8), st.integers(0, 99), max_size=30), st.integers(1, 7))
def test_pages_hold_everything_once(topics: dict[str, int], size: int) -> None:
    parts = list(pages(topics, size))
    assert parts
    assert all(len(part) <= size for part in parts)
    assert {t: p for part in parts for t, p in part.items()} == topics
    assert sum(map(len, parts)) == len(topics)


@given(st.integers(0, 30), st.lists(st.tuples(st.integers(0, 30), st.integers(1, 12)), max_size=9))
def test_whatever_is_replayed_each_position_is_taken_once_in_order(
    start: int, replays: list[tuple[int, int]]
) -> None:
    """Each replay is a dense run that may begin anywhere up to the next one missing."""
    seen = Positions("e", {TOPIC: start})
    taken: list[int] = []
    for begin, count in replays:
        for pos in range(begin, begin + count):
            match seen.judge(TOPIC, pos):
                case Verdict.NEW:
                    seen.take(event(pos))
                    taken.append(pos)
                case Verdict.GAP:
                    assert pos > seen.seen[TOPIC] + 1
                    break
                case Verdict.SEEN:
                    assert pos <= seen.seen[TOPIC]
    assert taken == list(range(start + 1, start + 1 + len(taken)))
