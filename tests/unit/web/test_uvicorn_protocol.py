"""An open WebSocket over a transport that only takes notes: bytes in, frames and calls out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.protocol.frames import TEXT as TEXT_MESSAGES
from server.protocol.frames import binary_frame
from server.protocol.wire import Listener, Wire
from server.web.endpoint import Endpoint, Limits
from server.web.uvicorn_protocol import WebSocketProtocol
from tests.support.peer import BINARY, CLOSE, PING, PONG, TEXT, frame, unmasked_frame

RESPONSE = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
LIMITS = Limits(max_size=1000, fragments=4, controls=3, controls_s=10.0, close_s=5.0, chatter=500)

CONTINUED = 0x00
LAST = 0x80


@dataclass
class Timer:
    """One `call_later`."""

    when: float
    callback: Callable[[], object]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """What the protocol asks of a loop, with time and turns that the test takes itself."""

    def __init__(self) -> None:
        self.now = 100.0
        self.soon: list[Callable[[], object]] = []
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Callable[[], object]) -> None:
        self.soon.append(callback)

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        self.timers.append(Timer(self.now + delay, callback))
        return self.timers[-1]

    def turn(self) -> None:
        """Do what was put off until "soon"."""
        soon, self.soon = self.soon, []
        for callback in soon:
            callback()

    def advance(self, seconds: float) -> None:
        """Let time pass and due timers run."""
        self.now += seconds
        due = [timer for timer in self.timers if timer.when <= self.now]
        self.timers = [timer for timer in self.timers if timer not in due]
        for timer in due:
            if not timer.cancelled:
                timer.callback()


class Transport(asyncio.Transport):
    """Takes everything, sends nothing, and loses the connection when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.writes = 0
        self.calls: list[str] = []
        self._reading = True
        self.limits: tuple[int | None, int | None] = (None, None)

    def write(self, data: Any) -> None:
        assert "close" not in self.calls, "written to after close"
        assert "write_eof" not in self.calls, "written to after its end"
        self.written += data
        self.writes += 1

    def taken(self) -> bytes:
        """What was written since the last look."""
        written, self.written = bytes(self.written), bytearray()
        return written

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.limits = (high, low)

    def write_eof(self) -> None:
        self.calls.append("write_eof")

    def close(self) -> None:
        self.calls.append("close")

    def abort(self) -> None:
        self.calls.append("abort")

    def is_reading(self) -> bool:
        return self._reading

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True


class Recorder:
    """A listener and the acceptor that appoints it: keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[object] = []
        self.on_message: Callable[[bytes], None] = lambda payload: None
        self.on_open: Callable[[Wire], None] = lambda wire: None

    def subprotocols(self) -> Sequence[str]:
        return ()

    def refusal(self, origin: str | None) -> tuple[int, str] | None:
        return None

    def accepted(self, wire: Wire, subprotocol: str) -> Listener:
        self.on_open(wire)
        return self

    def received(self, payload: bytes) -> None:
        self.heard.append(payload)
        self.on_message(payload)

    def alive(self) -> None:
        self.heard.append("alive")

    def drained(self) -> None:
        self.heard.append("drained")

    def lost(self) -> None:
        self.heard.append("lost")

    @property
    def messages(self) -> list[bytes]:
        return [said for said in self.heard if isinstance(said, bytes)]


class Connection:
    """A protocol between its two fakes, opened."""

    def __init__(self, subprotocol: str = "x.msgpack", listener: Recorder | None = None) -> None:
        self.loop = Loop()
        self.transport = Transport()
        self.listener = listener or Recorder()
        self.connections: set[asyncio.Protocol] = set()
        self.wire = WebSocketProtocol(
            Endpoint(self.listener, LIMITS),
            self.transport,
            cast(asyncio.AbstractEventLoop, self.loop),
            self.connections,
            "192.0.2.1:50123",
        )
        self.wire.open(RESPONSE, subprotocol)
        assert self.transport.taken().startswith(RESPONSE)

    def receive(self, *data: bytes) -> None:
        """What one read of the socket brings."""
        self.wire.data_received(b"".join(data))

    def closed_with(self) -> tuple[int, str]:
        """The Close frame that was written last, alone."""
        written = self.transport.taken()
        assert written[:1] == bytes((CLOSE,)), written
        assert len(written) == 2 + written[1]
        return int.from_bytes(written[2:4]), written[4:].decode()


@pytest.fixture
def connection() -> Connection:
    return Connection()


@pytest.fixture
def text() -> Connection:
    return Connection("x.json")


# Opening.


def test_an_open_wire_is_one_of_the_servers_connections(connection: Connection) -> None:
    assert connection.connections == {connection.wire}
    assert connection.transport.limits == (65_536, 16_384)
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


# Writing.


def test_frames_of_one_call_leave_in_one_write(connection: Connection) -> None:
    writes = connection.transport.writes
    connection.wire.write([binary_frame(b"a"), binary_frame(b"b"), binary_frame(b"c")])
    connection.wire.write([binary_frame(b"d")])

    assert connection.transport.taken() == b"\x82\x01a\x82\x01b\x82\x01c\x82\x01d"
    assert connection.transport.writes == writes + 2


def test_full_follows_the_transport_and_the_end_of_it_is_told(connection: Connection) -> None:
    wire = connection.wire
    seen = [wire.full]
    wire.pause_writing()
    seen.append(wire.full)
    assert connection.listener.heard == []
    wire.resume_writing()
    seen.append(wire.full)

    assert seen == [False, True, False]
    assert connection.listener.heard == ["drained"]


# Not reading.


def test_frames_wait_while_reading_is_paused(connection: Connection) -> None:
    connection.listener.on_message = lambda payload: connection.wire.pause_reading()
    connection.receive(frame(BINARY, b"1"), frame(BINARY, b"2"), frame(BINARY, b"3")[:4])
    assert connection.listener.messages == [b"1"]
    assert not connection.transport.is_reading()

    connection.wire.resume_reading()
    assert connection.listener.messages == [b"1"], "nothing is delivered within a call"
    connection.loop.turn()
    assert connection.listener.messages == [b"1", b"2"]
    assert not connection.transport.is_reading()

    connection.wire.resume_reading()
    connection.loop.turn()
    assert connection.transport.is_reading()
    connection.receive(frame(BINARY, b"3")[4:])
    assert connection.listener.messages == [b"1", b"2", b"3"]


def test_pausing_and_resuming_may_be_repeated(connection: Connection) -> None:
    connection.wire.pause_reading()
    connection.wire.pause_reading()
    connection.wire.resume_reading()
    connection.wire.resume_reading()
    connection.loop.turn()

    assert connection.transport.is_reading()
    connection.receive(frame(BINARY, b"read"))
    assert connection.listener.messages == [b"read"]


def test_a_pause_right_after_a_resume_holds(connection: Connection) -> None:
    connection.wire.pause_reading()
    connection.wire.resume_reading()
    connection.wire.pause_reading()
    connection.loop.turn()

    assert not connection.transport.is_reading()


def test_a_paused_wire_that_is_closed_reads_on_to_the_peers_close(connection: Connection) -> None:
    connection.wire.pause_reading()
    connection.wire.close(4001, "after_ms=7")
    connection.loop.turn()
    assert connection.transport.is_reading()
    connection.receive(frame(BINARY, b"unheard"), frame(CLOSE, b"\x0f\xa1"))

    assert connection.transport.calls == ["close"]
    assert connection.listener.messages == []


# Closing.


def test_closing_says_why_and_then_nothing(connection: Connection) -> None:
    connection.wire.close(4008, "too slow")
    assert connection.closed_with() == (4008, "too slow")

    connection.wire.write([binary_frame(b"more")])
    connection.wire.close(4004)
    connection.receive(frame(BINARY, b"unheard"), frame(PING, b"?"))
    connection.wire.resume_writing()

    assert connection.transport.taken() == b""
    assert connection.listener.heard == []


def test_the_server_ends_the_connection_once_both_have_closed(connection: Connection) -> None:
    connection.wire.close(1000)
    connection.receive(frame(BINARY, b"on its way"), frame(CLOSE, b"\x03\xe8"))
    assert connection.transport.calls == ["close"]

    connection.wire.connection_lost(None)
    connection.loop.advance(60)
    assert connection.transport.calls == ["close"]


def test_a_peer_that_does_not_answer_is_aborted(connection: Connection) -> None:
    connection.wire.close(4001)
    connection.loop.advance(LIMITS.close_s - 0.01)
    assert connection.transport.calls == []

    connection.loop.advance(0.01)
    assert connection.transport.calls == ["abort"]


def test_a_peer_that_talks_on_has_its_window_shut(connection: Connection) -> None:
    connection.wire.close(4001)
    for _ in range(5):
        connection.receive(b"\x82\xe4" + b"\0" * 98)
    assert connection.transport.is_reading()
    connection.receive(b"\0")

    assert not connection.transport.is_reading()


def test_a_full_wire_is_aborted_instead_of_closed(connection: Connection) -> None:
    connection.wire.pause_writing()
    connection.wire.close(4008)

    assert connection.transport.taken() == b""
    assert connection.transport.calls == ["abort"]


def test_a_full_wire_is_aborted_when_its_frames_are_bad(connection: Connection) -> None:
    connection.wire.pause_writing()
    connection.receive(frame(0x83, b"x"))

    assert connection.transport.calls == ["abort"]


@pytest.mark.parametrize("payload", [b"", b"\x03\xe8", b"\x0f\xa0bye"])
def test_the_peers_close_is_echoed(connection: Connection, payload: bytes) -> None:
    connection.receive(frame(CLOSE, payload), frame(BINARY, b"unheard"))

    assert connection.transport.taken() == bytes((CLOSE, len(payload))) + payload
    assert connection.transport.calls == ["close"]
    assert connection.listener.heard == ["alive"]


def test_the_peers_close_among_fragments_is_a_close(connection: Connection) -> None:
    connection.receive(frame(0x02, b"half a mess"), frame(CLOSE, b"\x03\xe8"))

    assert connection.closed_with() == (1000, "")


def test_who_never_takes_the_rest_is_aborted_after_its_close(connection: Connection) -> None:
    connection.wire.pause_writing()
    connection.receive(frame(CLOSE, b"\x03\xe8"))
    connection.loop.advance(LIMITS.close_s)

    assert connection.transport.calls == ["close", "abort"]


def test_half_a_close_ends_the_connection_too(connection: Connection) -> None:
    connection.wire.eof_received()
    connection.wire.write([b"nobody asked"])
    connection.loop.advance(LIMITS.close_s)

    assert connection.transport.taken() == b""
    assert connection.transport.calls == ["abort"]


def test_lost_is_told_once_and_last(connection: Connection) -> None:
    connection.receive(frame(BINARY, b"hello"), frame(0x02, b"unfinish"))
    connection.wire.pause_writing()
    connection.wire.connection_lost(ConnectionResetError())
    connection.wire.resume_writing()
    connection.wire.write([b"into the void"])
    connection.wire.close(1000)
    connection.wire.pause_reading()
    connection.wire.resume_reading()
    connection.loop.turn()

    assert connection.listener.heard == ["alive", b"hello", "alive", "lost"]
    assert connection.transport.taken() == b""
    assert not connection.wire.full
    assert connection.connections == set()


def test_a_message_held_back_dies_with_the_connection(connection: Connection) -> None:
    connection.listener.on_message = lambda payload: connection.wire.pause_reading()
    connection.receive(frame(BINARY, b"1"), frame(BINARY, b"2"))
    connection.wire.resume_reading()
    connection.wire.connection_lost(None)
    connection.loop.turn()

    assert connection.listener.messages == [b"1"]
    assert connection.listener.heard[-1] == "lost"


def test_aborting_drops_everything_at_once(connection: Connection) -> None:
    connection.wire.abort()
    connection.receive(frame(BINARY, b"unheard"))

    assert connection.transport.calls == ["abort"]
    assert connection.listener.heard == []


def test_the_servers_shutdown_sends_clients_back_later(connection: Connection) -> None:
    connection.wire.shutdown()

    assert connection.closed_with() == (4001, "after_ms=1000")


def test_a_listener_that_closes_gets_nothing_more_of_the_same_read(connection: Connection) -> None:
    connection.listener.on_message = lambda payload: connection.wire.close(4501)
    connection.receive(frame(BINARY, b"1"), frame(BINARY, b"2"))

    assert connection.listener.messages == [b"1"]


def test_which_kind_of_message_is_spoken_can_be_told_otherwise() -> None:
    listener = Recorder()
    transport = Transport()
    endpoint = Endpoint(listener, LIMITS, lambda subprotocol: TEXT_MESSAGES)
    loop = cast(asyncio.AbstractEventLoop, Loop())
    wire = WebSocketProtocol(endpoint, transport, loop, set(), "")
    wire.open(RESPONSE, "")
    wire.data_received(frame(TEXT, b"hello"))

    assert listener.messages == [b"hello"]
