"""What waits for one socket: in order, bounded, signals the first to go, and taken back in time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from server.domain.policy import DEFAULT
from server.protocol.codec import JSON
from server.realtime.audience import Audience
from server.realtime.framing import WRITE_BYTES, Item
from server.realtime.session import Attachment, Held, Overflow, Session

POLICY = replace(DEFAULT, buffer_soft_bytes=100, buffer_hard_bytes=200, buffer_age_ms=5_000)


class Wire:
    """Takes `room` bytes, then is full until told otherwise."""

    peer = "nobody"

    def __init__(self, room: int) -> None:
        self.room = room
        self.taken: list[bytes] = []
        self.writes: list[int] = []

    @property
    def full(self) -> bool:
        return self.room <= 0

    def write(self, frames: Sequence[bytes]) -> None:
        assert not self.full, "written to a full wire"
        self.taken += frames
        self.writes.append(sum(map(len, frames)))
        self.room -= self.writes[-1]

    def close(self, code: int, reason: str = "") -> None:
        raise AssertionError("the hub closes, not the buffer")

    def abort(self) -> None:
        raise AssertionError("the hub aborts, not the buffer")

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def opened(room: int = 1 << 30) -> tuple[Session, Wire]:
    wire = Wire(room)
    session = Session("s", wire, JSON, Audience("ada"), "phone", 0.0)
    session.live = True
    for topic in ("member:ada", "conversation:x"):
        session.topics[topic] = Attachment(0, 0)
    return session, wire


def event(text: str, topic: str = "member:ada") -> Item:
    return Item(text.encode(), topic)


def signal(text: str, topic: str = "member:ada") -> Item:
    return Item(text.encode(), topic, signal=True)


def test_what_is_due_leaves_in_one_write_and_in_order() -> None:
    session, wire = opened()
    session.pending += [event("a"), Item(b"answer"), signal("typing"), event("b")]
    session.flush(0.0, POLICY, Held())
    assert wire.taken == [b"a", b"answer", b"typing", b"b"]
    assert len(wire.writes) == 1
    assert session.pending == []
    assert session.held_bytes == 0


def test_a_write_is_no_larger_than_stays_in_reach() -> None:
    session, wire = opened()
    session.pending += [event("x" * 1_000) for _ in range(200)]
    session.flush(0.0, POLICY, Held())
    assert sum(wire.writes) == 200_000
    assert max(wire.writes) < WRITE_BYTES + 1_000


def test_a_full_wire_is_given_nothing() -> None:
    session, wire = opened(room=0)
    session.pending += [event("a"), event("b")]
    session.flush(0.0, POLICY, Held())
    assert wire.taken == []
    assert session.held_bytes == 2
    wire.room = 100
    session.flush(1.0, POLICY, Held())
    assert wire.taken == [b"a", b"b"]
    assert session.held_bytes == 0


def test_a_wire_that_fills_up_takes_one_write() -> None:
    session, wire = opened(room=10)
    session.pending += [event("x" * WRITE_BYTES), event("rest")]
    session.flush(0.0, POLICY, Held())
    assert wire.taken == [b"x" * WRITE_BYTES]
    assert session.held_bytes == 4


def test_above_the_soft_limit_signals_go_first() -> None:
    (session, _), seen = opened(room=0), Held()
    session.pending += [event("e" * 60), signal("s" * 39)]
    session.flush(100.0, POLICY, seen)
    assert session.held_bytes == 99
    assert seen.shed == 0
    session.pending.append(event("e" * 10))
    session.flush(103.0, POLICY, seen)
    assert seen == Held(most_bytes=99, longest_s=3.0, shed=1)
    assert [item.signal for item in session.pending] == [False, False]
    assert session.held_bytes == 70


def test_signals_alone_never_end_a_session() -> None:
    session, _ = opened(room=0)
    for _ in range(100):
        session.pending.append(signal("s" * 50))
        session.flush(0.0, POLICY, Held())
    assert session.held_bytes <= POLICY.buffer_soft_bytes


def test_above_the_hard_limit_it_is_over() -> None:
    session, _ = opened(room=0)
    session.pending.append(event("e" * 200))
    session.flush(0.0, POLICY, Held())
    session.pending.append(event("e"))
    with pytest.raises(Overflow):
        session.flush(0.0, POLICY, Held())


def test_answers_count_like_anything_else() -> None:
    session, _ = opened(room=0)
    session.pending.append(Item(b"a" * 201))
    with pytest.raises(Overflow):
        session.flush(0.0, POLICY, Held())


def test_what_waits_too_long_ends_it() -> None:
    session, wire = opened(room=0)
    session.pending.append(event("e"))
    session.flush(100.0, POLICY, Held())
    session.flush(105.0, POLICY, Held())
    with pytest.raises(Overflow):
        session.flush(105.1, POLICY, Held())
    wire.room = 100
    session.flush(200.0, POLICY, Held())
    assert wire.taken == [b"e"]


def test_a_wire_that_does_drain_is_given_its_time_anew() -> None:
    session, wire = opened(room=0)
    session.pending.append(event("a"))
    session.flush(100.0, POLICY, Held())
    wire.room = 1
    session.flush(104.0, POLICY, Held())
    session.pending.append(event("b"))
    session.flush(108.0, POLICY, Held())
    session.flush(112.9, POLICY, Held())
    with pytest.raises(Overflow):
        session.flush(113.1, POLICY, Held())


def test_a_lost_topics_frames_are_taken_back() -> None:
    session, wire = opened(room=0)
    lost = [event("m1", "conversation:x"), signal("typing", "conversation:x")]
    kept = [event("left"), Item(b"answer"), event("m2", "conversation:y")]
    session.pending += [lost[0], kept[0], kept[1], lost[1], kept[2]]
    session.flush(0.0, POLICY, Held())
    session.drop_topic("conversation:x")
    assert session.topics.keys() == {"member:ada"}
    assert session.held_bytes == sum(len(item.frame) for item in kept)
    wire.room = 100
    session.flush(0.0, POLICY, Held())
    assert wire.taken == [item.frame for item in kept]


def test_an_ended_session_gives_nothing_more() -> None:
    session, wire = opened(room=0)
    session.pending += [event("a"), Item(b"answer")]
    session.drop_all()
    wire.room = 100
    session.flush(0.0, POLICY, Held())
    assert wire.taken == []
    assert session.ended
    assert not session.live


async def test_whoever_waits_for_the_wire_goes_on_when_it_has_drained() -> None:
    session, wire = opened(room=0)
    session.pending.append(event("a"))
    session.flush(0.0, POLICY, Held())
    waiting = [asyncio.ensure_future(session.drained()) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    wire.room = 100
    session.flush(0.0, POLICY, Held())
    await asyncio.gather(*waiting)


async def test_whoever_waits_for_the_wire_goes_on_when_it_is_over() -> None:
    session, _ = opened(room=0)
    session.pending.append(event("a"))
    waiting = asyncio.ensure_future(session.drained())
    await asyncio.sleep(0)
    session.drop_all()
    await waiting
    await session.drained()  # and nobody waits for an ended one


async def test_nobody_waits_for_a_wire_that_is_idle() -> None:
    session, _ = opened()
    await session.drained()


steps = st.lists(
    st.tuples(
        st.sampled_from(["event", "signal", "answer", "drain", "lose", "flush"]),
        st.integers(1, 40),
    ),
    max_size=60,
)


@given(steps=steps)
def test_whatever_happens_events_leave_in_order_and_bounds_hold(
    steps: list[tuple[str, int]],
) -> None:
    session, wire = opened(room=50)
    due: list[bytes] = []  # what must leave, in order, if nothing overflows
    for number, (what, size) in enumerate(steps):
        frame = f"{number}:".encode().ljust(size, b".")
        topic = "conversation:x" if size % 2 else "member:ada"
        if what == "event":
            session.pending.append(Item(frame, topic))
            due.append(frame)
        elif what == "signal":
            session.pending.append(Item(frame, topic, signal=True))
        elif what == "answer":
            session.pending.append(Item(frame))
            due.append(frame)
        elif what == "drain":
            wire.room = size * 3
        elif what == "lose":
            gone = {i.frame for i in session.pending if i.topic == "conversation:x"}
            due = [one for one in due if one not in gone]
            session.drop_topic("conversation:x")
        try:
            session.flush(float(number) / 100, POLICY, Held())
        except Overflow:
            assert sum(len(i.frame) for i in session.pending) > POLICY.buffer_hard_bytes
            return
        waiting = sum(len(item.frame) for item in session.pending)
        assert session.held_bytes == waiting <= POLICY.buffer_hard_bytes
        if any(item.signal for item in session.pending):
            assert waiting <= POLICY.buffer_soft_bytes
    wire.room = 1 << 30
    session.flush(10.0, DEFAULT, Held())
    assert [frame for frame in wire.taken if frame in set(due)] == due
    assert len(set(wire.taken)) == len(wire.taken)
