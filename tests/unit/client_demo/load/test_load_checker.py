"""The checker, told the truth and then lies: bytes in, findings out."""

from __future__ import annotations

import itertools
import json
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_demo.load.canary import Canary
from client_demo.load.ends import End
from client_demo.load.frames import BINARY, CLOSE, PING, TEXT, Broken, server_frame
from client_demo.load.ledger import Ledger, Who
from client_demo.load.plan import Assignment, Place, Plan
from client_demo.load.reading import Reading, Tally

RUN = "abcd1234"
ROOM, OTHER = "roomroomroomroomroomAA", "otherotherotherotherBB"
MEMBERS = ("load-0", "load-1", "load-2", "load-3")
PLAN = Plan(scenario="room", members=4, sessions=8, rate=1, seconds=1, ramp=0, processes=1,
            encodings=(0, 1), seed=1)  # fmt: skip
PLACES = (
    Place(0, "room", ROOM, (0, 1, 2)),
    Place(1, "room", OTHER, (0, 1, 3)),
    Place(2, "pair", "pairpairpairpairpairCC", (1, 2)),
)
TOPIC = f"conversation:{ROOM}"


class Rig:
    """One process's checker with as many sessions as are asked for."""

    def __init__(self) -> None:
        assignment = Assignment(RUN, PLAN, 0, (), MEMBERS, (), PLACES)
        self.ledger = Ledger(assignment)
        self.tally = Tally()
        self.told: list[Any] = []
        self.readings: list[Reading] = []

    def session(self, seat: int, encoding: int = 0, **heads: int) -> Reading:
        """A session, connected at these positions of its topics."""
        who = Who(len(self.readings), MEMBERS[seat], seat)
        reading = Reading(who, encoding, self.ledger, self.tally, self)
        self.readings.append(reading)
        named = {"room": TOPIC, "other": f"conversation:{OTHER}", "me": f"member:{MEMBERS[seat]}"}
        reading.connected({named[key]: pos for key, pos in heads.items()}, [], resumed=False)
        return reading

    def answer(self, frame: dict[str, Any]) -> None:
        self.told.append(frame)

    def pinged(self, payload: bytes) -> None:
        self.told.append(payload)

    def closing(self, code: int, reason: str) -> None:
        self.told.append((code, reason))

    def end(self, **heads: int) -> dict[str, int]:
        """Judge everybody, and say what was found."""
        named = {"room": TOPIC, "other": f"conversation:{OTHER}",
                 **{f"m{n}": f"member:{name}" for n, name in enumerate(MEMBERS)}}  # fmt: skip
        known = {named[key].encode(): pos for key, pos in heads.items()}
        for reading in self.readings:
            self.ledger.judge(reading.who, reading.tracks, known)
        return {kind: n for kind, n in self.ledger.findings.counts.items() if n}


@pytest.fixture
def rig() -> Rig:
    return Rig()


def framed(frame: dict[str, Any], encoding: int = 0) -> bytes:
    if encoding:
        return server_frame(TEXT, json.dumps(frame, separators=(",", ":")).encode())
    return server_frame(BINARY, msgpack.packb(frame))


def event(name: str, topic: str, pos: int | None, data: dict[str, Any], encoding: int = 0) -> bytes:
    frame: dict[str, Any] = {"event": name, "topic": topic}
    if pos is not None:
        frame["pos"] = pos
    return framed({**frame, "data": data}, encoding)


def message(
    pos: int, *, author: int = 0, place: int = 0, topic: str = TOPIC, sent: int = 1,
    encoding: int = 0, number: int | None = None, run: str = RUN,
) -> bytes:  # fmt: skip
    mark = Canary(run, author, place, pos if number is None else number, 1, sent)
    data = {"conversation": PLACES[place].conversation, "message": f"m{pos}", "body": mark.body(90)}
    return event("message.created", topic, pos, data, encoding)


# --- what is right ------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 4000), max_size=15), st.sampled_from([0, 1]))
def test_a_clean_stream_is_clean_however_it_is_cut(cuts: list[int], encoding: int) -> None:
    rig = Rig()
    stream = b"".join(message(pos, encoding=encoding) for pos in range(1, 20))
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    first, second = (rig.session(seat, encoding, room=0) for seat in (0, 1))
    for a, b in itertools.pairwise(edges):
        first.feed(stream[a:b], 100) if a < b else None
    second.feed(stream, 200)
    assert rig.end(room=19) == {}
    assert rig.tally.deliveries == 38
    assert rig.tally.late.total == 38


def test_both_encodings_are_one_log(rig: Rig) -> None:
    packed, text = rig.session(0, 0, room=0), rig.session(1, 1, room=0)
    packed.feed(message(1) + message(2), 9)
    text.feed(message(1, encoding=1) + message(2, encoding=1), 9)
    assert rig.end(room=2) == {}


def test_who_comes_later_goes_on_from_the_head(rig: Rig) -> None:
    early = rig.session(0, room=0)
    early.feed(message(1) + message(2), 9)
    late = rig.session(1, room=2)
    for reading in (early, late):
        reading.feed(message(3), 9)
    assert rig.end(room=3) == {}


def test_maps_in_another_order_are_read_all_the_same(rig: Rig) -> None:
    mark = Canary(RUN, 0, 0, 1, 1, 1)
    frame = {"data": {"body": mark.body(80)}, "pos": 1, "topic": TOPIC, "event": "message.created"}
    for encoding in (0, 1):
        rig.session(encoding, encoding, room=0).feed(framed(frame, encoding), 9)
    assert rig.end(room=1) == {}


def test_answers_pings_and_closes_are_passed_on(rig: Rig) -> None:
    reading = rig.session(0, room=0)
    reading.feed(framed({"id": 4, "result": {}}) + server_frame(PING, b"x"), 9)
    reading.feed(server_frame(CLOSE, (4001).to_bytes(2) + b"after_ms=7"), 9)
    assert rig.told == [{"id": 4, "result": {}}, b"x", (4001, "after_ms=7")]


def test_joining_and_leaving_move_what_is_theirs(rig: Rig) -> None:
    stays, goes = rig.session(0, room=0), rig.session(1, me=0, room=0)
    me = "member:load-1"
    removed = {"changes": [{"member": "load-1", "change": "removed"}]}
    added = {"changes": [{"member": "load-1", "change": "added"}]}
    where = {"conversation": ROOM, "topic": TOPIC}
    log = [message(1), event("roster.changed", TOPIC, 2, removed), message(3),
           event("roster.changed", TOPIC, 4, added), message(5)]  # fmt: skip
    stays.feed(b"".join(log), 9)
    goes.feed(event("conversation.left", me, 1, {**where, "pos": 1}) + log[0], 9)
    goes.feed(event("conversation.joined", me, 2, {**where, "pos": 4}) + log[4], 9)
    assert rig.end(room=5, m1=2) == {}


def test_what_waited_when_access_ended_may_be_withheld(rig: Rig) -> None:
    stays, goes = rig.session(0, room=0), rig.session(1, me=0, room=0)
    me, where = "member:load-1", {"conversation": ROOM, "topic": TOPIC}
    stays.feed(b"".join(message(pos) for pos in range(1, 8)), 9)
    goes.feed(message(1) + event("conversation.left", me, 1, {**where, "pos": 3}), 9)
    goes.feed(event("conversation.joined", me, 2, {**where, "pos": 5}), 9)
    goes.feed(message(3) + message(6), 9)  # 3 was under way all the same
    goes.feed(event("conversation.left", me, 3, {**where, "pos": 7}), 9)
    assert rig.end(room=7, m1=3) == {}
    assert rig.ledger.withheld == 2


def test_a_hole_before_an_end_of_access_is_a_loss(rig: Rig) -> None:
    goes = rig.session(1, me=0, room=0)
    left = {"conversation": ROOM, "topic": TOPIC, "pos": 3}
    goes.feed(message(1) + message(3) + event("conversation.left", "member:load-1", 1, left), 9)
    assert rig.end(room=3, m1=1) == {"lost": 1}


# --- what is wrong ------------------------------------------------------------------------------


def test_an_event_that_never_came_is_lost(rig: Rig) -> None:
    whole, holed = rig.session(0, room=0), rig.session(1, room=0)
    whole.feed(b"".join(message(pos) for pos in (1, 2, 3)), 9)
    holed.feed(message(1) + message(3), 9)
    assert rig.end(room=3) == {"lost": 1}
    (example,) = rig.ledger.findings.examples["lost"]
    assert example == f"session 1 (load-1) never got {TOPIC} 2 (message 2 of seat 0)"


def test_the_last_events_are_lost_as_well(rig: Rig) -> None:
    rig.session(0, room=0).feed(message(1), 9)
    assert rig.end(room=3) == {"lost": 2}


def test_an_event_that_came_twice_is_duplicated(rig: Rig) -> None:
    rig.session(0, room=0).feed(message(1) + message(2) + message(2), 9)
    rig.session(1, room=0).feed(message(1) + message(1) + message(2), 9)
    assert rig.end(room=2) == {"duplicated": 2}


def test_two_events_in_the_wrong_order_are_reordered(rig: Rig) -> None:
    rig.session(0, room=0).feed(message(1) + message(3) + message(2) + message(4), 9)
    rig.session(1, room=0).feed(b"".join(message(pos) for pos in (1, 2, 3, 4)), 9)
    assert rig.end(room=4) == {"reordered": 1}


def test_a_position_that_is_another_event_is_reordered(rig: Rig) -> None:
    rig.session(0, room=0).feed(message(1, number=7), 9)
    rig.session(1, room=0).feed(message(1, number=8), 9)
    assert rig.end(room=1) == {"reordered": 1}


def test_an_author_stored_in_the_wrong_order_is_reordered(rig: Rig) -> None:
    rig.session(0, room=0).feed(message(1, number=2) + message(2, number=1), 9)
    assert rig.end(room=2) == {"reordered": 1}


def test_an_event_of_a_foreign_topic_is_leaked(rig: Rig) -> None:
    rig.session(2, room=0).feed(message(1, place=1, topic=f"conversation:{OTHER}"), 9)
    assert rig.end(room=0) == {"leaked": 1}
    (example,) = rig.ledger.findings.examples["leaked"]
    assert example.startswith("session 0 (load-2) got message 1 of seat 0 of conversation:other")


def test_a_text_in_the_wrong_topic_is_leaked(rig: Rig) -> None:
    rig.session(0, room=0).feed(message(1, place=1), 9)
    rig.session(1, room=0).feed(message(1, place=1), 9)
    assert rig.end(room=1) == {"leaked": 1}


def test_a_text_of_another_run_is_leaked(rig: Rig) -> None:
    rig.session(0, room=0).feed(message(1, run="zzzz9999"), 9)
    assert rig.end(room=1)["leaked"] == 1


def test_a_topic_that_is_not_the_members_is_leaked(rig: Rig) -> None:
    rig.session(2, other=0)
    assert rig.end() == {"leaked": 1}


def test_a_text_in_an_answer_has_to_be_ones_own(rig: Rig) -> None:
    reading = rig.session(2, room=0)
    for place in (0, 1):
        body = Canary(RUN, 0, place, 1, 1, 1).body(80)
        reading.feed(framed({"id": 1, "result": {"last": {"body": body}}}), 9)
    assert rig.end(room=0) == {"leaked": 1}


@pytest.mark.parametrize("roster_first", [True, False])
def test_what_comes_after_a_removal_is_leaked(rig: Rig, roster_first: bool) -> None:
    stays, goes = rig.session(0, room=0), rig.session(1, me=0, room=0)
    removed = event(
        "roster.changed", TOPIC, 2, {"changes": [{"member": "load-1", "change": "removed"}]}
    )
    left = event("conversation.left", "member:load-1", 1,
                 {"conversation": ROOM, "topic": TOPIC, "pos": 1})  # fmt: skip
    log = message(1) + removed + message(3)
    if roster_first:
        stays.feed(log, 9)
        goes.feed(log, 9)
        assert rig.end(room=3)["leaked"] == 2
    else:
        goes.feed(message(1) + left + message(3), 9)
        stays.feed(log, 9)
        assert rig.end(room=3, m1=1) == {"leaked": 1}


def test_who_is_already_beyond_their_removal_has_leaked(rig: Rig) -> None:
    stays, goes = rig.session(0, room=0), rig.session(1, me=0, room=0)
    stays.feed(message(1), 9)
    goes.feed(message(1) + message(3), 9)  # their own removal is held back from them
    removed = {"changes": [{"member": "load-1", "change": "removed"}]}
    stays.feed(event("roster.changed", TOPIC, 2, removed), 9)
    assert rig.ledger.findings.counts["leaked"] == 1


def test_what_was_sent_after_a_block_is_leaked(rig: Rig) -> None:
    end = End("block", frozenset((1, 2)), 2, answered=100)
    rig.ledger.begin(end)
    topic = "member:load-1"
    reading = rig.session(1, me=0)
    reading.feed(message(1, author=2, place=2, topic=topic, sent=99), 9)
    assert rig.end(m1=1) == {}
    reading.feed(message(2, author=2, place=2, topic=topic, sent=101), 9)
    rig.ledger.undo(end, 200)
    reading.feed(message(3, author=2, place=2, topic=topic, sent=201), 9)
    assert rig.end(m1=3) == {"leaked": 1}


def test_a_message_accepted_after_a_removal_is_leaked(rig: Rig) -> None:
    rig.ledger.begin(End("removal", frozenset((1,)), 0, answered=100))
    who = rig.session(1, room=0).who
    rig.ledger.acknowledged(who, Canary(RUN, 1, 0, 1, 1, 99))
    assert rig.end(room=0) == {}
    rig.ledger.acknowledged(who, Canary(RUN, 1, 0, 2, 1, 101))
    assert rig.end(room=0) == {"leaked": 1}


def test_an_acknowledged_reset_within_reach_is_a_loss(rig: Rig) -> None:
    reading = rig.session(0, room=0)
    reading.feed(message(1), 9)
    reading.connected({TOPIC: 4}, [TOPIC], resumed=True)
    assert rig.tally.resets == 1
    assert rig.end(room=4) == {"lost": 3}


# --- signals --------------------------------------------------------------------------------------


def typing(member: int, topic: str = TOPIC, place: int = 0, encoding: int = 0) -> bytes:
    data = {"conversation": PLACES[place].conversation, "member": MEMBERS[member]}
    return event("typing.started", topic, None, data, encoding)


@pytest.mark.parametrize("encoding", [0, 1])
def test_signals_of_ones_own_places_are_fine(rig: Rig, encoding: int) -> None:
    reading = rig.session(1, encoding, me=0, room=0)
    reading.feed(typing(0, encoding=encoding) * 2, 9)
    reading.feed(typing(2, "member:load-1", 2, encoding), 9)
    assert rig.end(room=0, m1=0) == {}
    assert rig.tally.signals == 3


@pytest.mark.parametrize(
    ("member", "topic", "place"),
    [(1, TOPIC, 0), (3, f"conversation:{OTHER}", 1), (3, TOPIC, 0), (0, TOPIC, 1)],
    ids=["one's own", "foreign topic", "not in it", "another conversation"],
)
def test_signals_that_are_not_theirs_are_leaked(
    rig: Rig, member: int, topic: str, place: int
) -> None:
    reading = rig.session(1 if member == 1 else 2, room=0)
    reading.feed(typing(member, topic, place), 9)
    assert rig.end(room=0)["leaked"] >= 1


@pytest.mark.parametrize(
    ("kind", "seats", "place"), [("switch", {0}, None), ("switch", {1}, None), ("removal", {0}, 0)]
)
def test_signals_after_an_end_are_leaked_once_the_session_was_told(
    rig: Rig, kind: Any, seats: set[int], place: int | None
) -> None:
    reading = rig.session(1, room=0)
    end = End(kind, frozenset(seats), place, answered=100)
    rig.ledger.begin(end)
    reading.feed(typing(0), 150)  # it may have been on its way
    assert rig.end(room=0) == {}
    end.sound.add(reading.who.session)
    reading.feed(typing(0), 160)
    assert rig.end(room=0) == {"leaked": 1}
    rig.ledger.undo(end, 170)
    reading.feed(typing(0), 180)
    assert rig.end(room=0) == {"leaked": 1}


# --- what nobody can read -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        server_frame(BINARY, b"\xc1"),
        server_frame(BINARY, msgpack.packb([1])),
        server_frame(TEXT, b"{}"),
        event("message.created", TOPIC, None, {}),
        framed({"event": 3}),
    ],
)
def test_what_is_no_frame_of_the_protocol_is_broken(rig: Rig, data: bytes) -> None:
    with pytest.raises(Broken):
        rig.session(0, room=0).feed(data, 9)


def test_a_message_that_nobody_wrote_is_garbled(rig: Rig) -> None:
    rig.session(0, room=0).feed(event("message.created", TOPIC, 1, {"body": "hello"}), 9)
    assert rig.end(room=1) == {"garbled": 1}
