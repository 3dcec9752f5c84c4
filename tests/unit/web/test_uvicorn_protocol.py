"""An open WebSocket over a transport that only takes notes: what comes in, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.protocol.frames import TEXT as TEXT_MESSAGES
from tests.support.notebook import LIMITS, Connection, Recorder
from tests.support.peer import BINARY, CLOSE, PING, PONG, TEXT, frame, unmasked_frame

CONTINUED = 0x00
LAST = 0x80


@pytest.fixture
def connection() -> Connection:
    return Connection()


@pytest.fixture
def text() -> Connection:
    return Connection("x.json")


# Opening.


def test_an_open_wire_is_one_of_the_servers_connections(connection: Connection) -> None:
    assert connection.connections == {connection.wire}
    assert connection.transport.limits == (0, 0)
    assert connection.wire.peer == "192.0.2.1:50123"
    assert not connection.wire.full


def test_a_wire_may_be_closed_while_it_is_being_accepted() -> None:
    listener = Recorder()
    listener.on_open = lambda wire: wire.close(4504)
    connection = Connection(listener=listener)
    connection.receive(frame(BINARY, b"too late"))

    connection.wire.connection_lost(None)

    assert listener.heard == ["lost"]


# Messages.


def test_a_whole_message_is_handed_over(connection: Connection) -> None:
    connection.receive(frame(BINARY, b"hello"))

    assert connection.listener.heard == ["alive", b"hello"]
    assert connection.transport.taken() == b""


def test_several_messages_of_one_read_come_in_order(connection: Connection) -> None:
    connection.receive(*(frame(BINARY, bytes([n])) for n in range(5)))

    assert connection.listener.messages == [b"\0", b"\1", b"\2", b"\3", b"\4"]


def test_fragments_are_one_message_even_around_a_ping(connection: Connection) -> None:
    connection.receive(
        frame(0x02, b"one "), frame(PING, b"?"), frame(CONTINUED, b"two "), frame(LAST, b"three")
    )

    assert connection.listener.messages == [b"one two three"]
    assert connection.listener.heard.count("alive") == 4
    assert connection.transport.taken() == b"\x8a\x01?"


@given(
    messages=st.lists(st.lists(st.binary(max_size=200), min_size=1, max_size=4), max_size=5),
    cuts=st.lists(st.integers(1, 400), max_size=12),
)
def test_how_bytes_are_cut_makes_no_difference(
    messages: list[list[bytes]], cuts: list[int]
) -> None:
    connection = Connection()
    sent = b""
    for parts in messages:
        for number, part in enumerate(parts):
            first = (CONTINUED if number else 0x02) | (LAST if number == len(parts) - 1 else 0)
            sent += frame(first, part)
    for cut in cuts:
        connection.wire.data_received(sent[:cut])
        sent = sent[cut:]
    connection.wire.data_received(sent)

    assert connection.listener.messages == [b"".join(parts) for parts in messages]


def test_a_message_that_comes_byte_by_byte_is_whole_in_the_end(connection: Connection) -> None:
    for byte in frame(BINARY, b"x" * 300):
        connection.receive(bytes((byte,)))

    assert connection.listener.heard == ["alive", b"x" * 300]


def test_text_is_handed_over_as_the_bytes_it_is_made_of(text: Connection) -> None:
    text.receive(frame(TEXT, "Grüße".encode()))

    assert text.listener.messages == ["Grüße".encode()]


def test_utf8_may_be_cut_between_fragments(text: Connection) -> None:
    word = "Grüße".encode()
    text.receive(frame(0x01, word[:3]), frame(LAST, word[3:]))

    assert text.listener.messages == [word]


# What is refused.


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(unmasked_frame(BINARY, b"plain"), 1002, id="unmasked"),
        pytest.param(frame(BINARY | 0x40, b"x"), 1002, id="rsv1"),
        pytest.param(frame(BINARY | 0x20, b"x"), 1002, id="rsv2"),
        pytest.param(frame(BINARY | 0x10, b"x"), 1002, id="rsv3"),
        pytest.param(frame(0x83, b"x"), 1002, id="reserved-opcode"),
        pytest.param(frame(0x8B, b"x"), 1002, id="reserved-control-opcode"),
        pytest.param(frame(0x09, b"x"), 1002, id="fragmented-ping"),
        pytest.param(frame(PING, b"x" * 126), 1002, id="oversize-ping"),
        pytest.param(frame(LAST, b"x"), 1002, id="continuation-of-nothing"),
        pytest.param(frame(0x02, b"x") + frame(BINARY, b"y"), 1002, id="message-in-a-message"),
        pytest.param(frame(CLOSE, b"\x03"), 1002, id="close-of-one-byte"),
        pytest.param(frame(CLOSE, b"\x03\xed"), 1002, id="close-with-1005"),
        pytest.param(frame(CLOSE, b"\x13\x88"), 1002, id="close-with-5000"),
        pytest.param(frame(CLOSE, b"\x03\xe8\xff"), 1007, id="close-reason-not-utf8"),
        pytest.param(frame(BINARY, length=1001), 1009, id="too-large"),
        pytest.param(frame(BINARY, length=1 << 62), 1009, id="huge-by-its-header"),
        pytest.param(frame(0x02, b"x" * 600) + frame(LAST, b"x" * 401), 1009, id="large-in-parts"),
    ],
)
def test_frames_that_cannot_be_read_on_end_the_stream(
    connection: Connection, data: bytes, code: int
) -> None:
    connection.receive(data, frame(BINARY, b"never read"))

    assert connection.closed_with()[0] == code
    assert connection.transport.calls == ["write_eof"]
    assert connection.listener.messages == []
    connection.loop.advance(LIMITS.close_s)
    assert connection.transport.calls == ["write_eof", "abort"]


@pytest.mark.parametrize(
    ("subprotocol", "data", "code"),
    [
        pytest.param("x.msgpack", frame(TEXT, b"{}"), 1003, id="text-on-msgpack"),
        pytest.param("x.json", frame(BINARY, b"\x80"), 1003, id="binary-on-json"),
        pytest.param("x.msgpack", frame(0x01, b"{"), 1003, id="fragment-of-text-on-msgpack"),
        pytest.param("x.json", frame(TEXT, b"\xff"), 1007, id="not-utf8"),
        pytest.param("x.json", frame(TEXT, b"\xed\xa0\x80"), 1007, id="lone-surrogate"),
        pytest.param(
            "x.json", frame(0x01, b"\xc3") + frame(LAST, b"\x28"), 1007, id="not-utf8-over-parts"
        ),
        pytest.param(
            "x.msgpack",
            frame(0x02) + frame(CONTINUED) * 4,
            1009,
            id="endless-empty-fragments",
        ),
    ],
)
def test_messages_that_are_not_wanted_close_in_order(
    subprotocol: str, data: bytes, code: int
) -> None:
    connection = Connection(subprotocol)
    connection.receive(data, frame(BINARY, b"never read"))

    assert connection.closed_with()[0] == code
    assert connection.listener.messages == []
    assert connection.transport.calls == []
    connection.receive(frame(CLOSE, code.to_bytes(2)))
    assert connection.transport.calls == ["close"]


def test_a_message_of_exactly_the_limit_is_taken(connection: Connection) -> None:
    connection.receive(frame(BINARY, b"x" * 1000))
    connection.receive(frame(0x02, b"y" * 500), frame(LAST, b"y" * 500))
    connection.receive(frame(0x02), frame(CONTINUED), frame(CONTINUED), frame(LAST, b"z"))

    assert connection.listener.messages == [b"x" * 1000, b"y" * 1000, b"z"]


# Control frames.


def test_a_ping_is_answered_with_its_payload(connection: Connection) -> None:
    connection.receive(frame(PING, b"\0" * 125))

    assert connection.transport.taken() == b"\x8a\x7d" + b"\0" * 125
    assert connection.listener.heard == ["alive"]


def test_a_pong_is_a_sign_of_life_and_no_more(connection: Connection) -> None:
    connection.receive(frame(PONG, b""))

    assert connection.listener.heard == ["alive"]
    assert connection.transport.taken() == b""


def test_more_control_frames_than_allowed_close_with_a_delay(connection: Connection) -> None:
    connection.receive(*[frame(PONG)] * 3, frame(PING, b"one too many"), frame(PING, b"unheard"))

    assert connection.closed_with() == (4013, "after_ms=5000")


def test_control_frames_are_counted_anew_after_a_while(connection: Connection) -> None:
    connection.receive(frame(PONG), frame(PONG), frame(PONG))
    connection.loop.advance(LIMITS.controls_s)
    connection.receive(frame(PONG), frame(PONG), frame(PONG))
    assert connection.transport.taken() == b""
    connection.receive(frame(PONG))

    assert connection.closed_with()[0] == 4013


def test_who_does_not_read_gets_no_pongs(connection: Connection) -> None:
    connection.wire.pause_writing()
    connection.receive(frame(PING, b"1"))
    assert connection.transport.taken() == b""
    connection.wire.resume_writing()
    connection.receive(frame(PING, b"2"))

    assert connection.transport.taken() == b"\x8a\x012"


def test_which_kind_of_message_is_spoken_can_be_told_otherwise() -> None:
    connection = Connection("", opcode_of=lambda subprotocol: TEXT_MESSAGES)
    connection.receive(frame(TEXT, b"hello"))

    assert connection.listener.messages == [b"hello"]
