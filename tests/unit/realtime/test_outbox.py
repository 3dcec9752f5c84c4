"""The queue before Redis: its bounds by count, bytes and age."""

from __future__ import annotations

from server.realtime.outbox import Outbox, Waiting


def take(outbox: Outbox, now: float = 0.0, messages: int = 100, size: int = 1000) -> list[bytes]:
    return [one.message for one in outbox.take(now, messages=messages, size=size)]


def test_what_was_put_first_is_taken_first() -> None:
    outbox = Outbox()
    for number in b"abc":
        outbox.put("t", bytes([number]), 1.5)
    assert outbox.take(1.5, messages=1, size=100) == [Waiting("t", b"a", 1.5)]
    assert take(outbox) == [b"b", b"c"]
    assert (len(outbox), outbox.size, outbox.dropped) == (0, 0, 0)


def test_the_oldest_makes_room_by_count() -> None:
    outbox = Outbox(messages=2)
    for number in b"abcd":
        outbox.put("t", bytes([number]), 0)
    assert outbox.dropped == 2
    assert take(outbox) == [b"c", b"d"]


def test_the_oldest_makes_room_by_bytes() -> None:
    outbox = Outbox(size=10)
    outbox.put("t", b"1234", 0)
    outbox.put("t", b"abcd", 0)
    assert outbox.dropped == 0
    outbox.put("t", b"x", 0)
    assert (outbox.dropped, outbox.size) == (1, 7)
    assert take(outbox) == [b"abcd", b"x"]


def test_one_that_never_fits_is_dropped() -> None:
    outbox = Outbox(size=10)
    outbox.put("t", bytes(10), 0)
    assert (outbox.dropped, len(outbox), outbox.size) == (1, 0, 0)


def test_what_waited_too_long_is_dropped() -> None:
    outbox = Outbox(age_s=5)
    outbox.put("t", b"old", 1)
    outbox.put("t", b"new", 3)
    outbox.expire(6)
    assert outbox.dropped == 0
    assert take(outbox, now=6.5) == [b"new"]
    assert (outbox.dropped, outbox.size) == (1, 0)


def test_as_many_are_taken_as_go_together_but_one_at_least() -> None:
    outbox = Outbox()
    for body in (b"1234", b"abcd", b"xyz"):
        outbox.put("t", body, 0)
    assert take(outbox, size=9) == [b"1234"]
    assert take(outbox, size=1) == [b"abcd"]
    assert take(outbox, messages=1) == [b"xyz"]
    assert take(outbox) == []
