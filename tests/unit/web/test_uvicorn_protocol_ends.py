"""An open WebSocket over a transport that takes notes: writing, waiting, and how it ends."""

from __future__ import annotations

import weakref

import pytest

from server.protocol.frames import binary_frame
from server.web.endpoint import Endpoint
from tests.support.notebook import LIMITS, Connection, Recorder
from tests.support.peer import BINARY, CLOSE, PING, frame

LAST = 0x80


@pytest.fixture
def connection() -> Connection:
    return Connection()


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
    assert not connection.wire.full
    connection.wire.resume_writing()
    connection.wire.write([b"into the void"])
    connection.wire.close(1000)
    connection.wire.pause_reading()
    connection.wire.resume_reading()
    connection.loop.turn()

    assert connection.listener.heard == ["alive", b"hello", "alive", "lost"]
    assert connection.transport.taken() == b""
    assert connection.connections == set()


def test_a_lost_connection_holds_neither_its_listener_nor_its_bytes() -> None:
    connection = Connection()
    listener = weakref.ref(connection.listener)
    connection.receive(frame(0x02, b"unfinish"), frame(LAST, b"ed")[:5])
    connection.wire.connection_lost(None)
    del connection.listener
    connection.wire._endpoint = Endpoint(Recorder(), LIMITS)

    assert listener() is None
    assert (connection.wire._unread, connection.wire._fragments) == (b"", None)
    assert connection.wire._parser is None


def test_what_follows_bad_frames_is_not_kept(connection: Connection) -> None:
    connection.receive(frame(0x83, b"x"), b"x" * 100)
    connection.receive(b"x" * 100)

    assert connection.wire._unread == b""


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
