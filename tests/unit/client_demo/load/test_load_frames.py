"""The tester's own frames: found however the bytes are cut, and refused when they are none."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from client_demo.load import frames
from client_demo.load.frames import BINARY, CLOSE, PING, TEXT, Broken, Held, Refused

OPCODES = st.sampled_from([TEXT, BINARY])
PAYLOADS = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([124, 125, 126, 127, 128, 65_534, 65_535, 65_536, 70_000]).map(bytes),
)


def read(chunks: list[bytes]) -> list[tuple[int, bytes]]:
    """All frames in a stream, the way `Reading.feed` goes over it."""
    held, found = Held(), []
    for chunk in chunks:
        data = held.join(chunk) if held else chunk
        at = 0
        while at < len(data):
            frame = frames.find(data, at)
            if frame is None:
                held.keep(data[at:])
                break
            opcode, start, at = frame
            found.append((opcode, data[start:at]))
    assert not held
    return found


@given(st.lists(st.tuples(OPCODES, PAYLOADS), max_size=6), st.data())
def test_frames_are_found_however_the_stream_is_cut(
    sent: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    stream = b"".join(frames.server_frame(opcode, payload) for opcode, payload in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    edges = [0, *cuts, len(stream)]
    chunks = [stream[a:b] for a, b in itertools.pairwise(edges) if a < b]
    assert read(chunks) == sent


@given(st.lists(st.tuples(OPCODES, st.binary(max_size=300)), min_size=1, max_size=3))
def test_frames_are_found_byte_by_byte(sent: list[tuple[int, bytes]]) -> None:
    stream = b"".join(frames.server_frame(opcode, payload) for opcode, payload in sent)
    assert read([stream[at : at + 1] for at in range(len(stream))]) == sent


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536])
def test_frames_are_those_of_a_library(length: int) -> None:
    payload = bytes(length)
    library = Frame(Opcode.BINARY, payload).serialize(mask=False)
    assert frames.server_frame(BINARY, payload) == library
    assert frames.find(library, 0) == (BINARY, len(library) - length, len(library))


@given(PAYLOADS)
def test_what_a_client_sends_is_masked_with_nothing(payload: bytes) -> None:
    frame = frames.client_frame(BINARY, payload)
    assert frame[1] & 0x80
    assert frame.endswith(bytes(4) + payload)
    unmasked = frame[:1] + bytes((frame[1] & 0x7F,)) + frame[2:].replace(bytes(4), b"", 1)
    if not payload.startswith(b"\0") and len(payload) < 126:
        assert unmasked == frames.server_frame(BINARY, payload)


@pytest.mark.parametrize(
    "data",
    [
        b"\x02\x00",  # a fragment
        b"\xc2\x00",  # a reserved bit
        b"\x82\x80\0\0\0\0",  # masked
        b"\x83\x00",  # an opcode that is none
        b"\x89\x7e\x00\x7e",  # a ping of 126 bytes
    ],
)
def test_what_no_server_may_send_is_refused(data: bytes) -> None:
    with pytest.raises(Broken):
        frames.find(data, 0)


def test_control_frames_are_found() -> None:
    stream = frames.server_frame(PING, b"") + frames.server_frame(CLOSE, b"\x0f\xa1after_ms=5")
    assert read([stream]) == [(PING, b""), (CLOSE, b"\x0f\xa1after_ms=5")]


def test_a_handshake_is_taken_and_what_follows_it() -> None:
    head = (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept() + b"\r\n\r\n"
    )
    assert frames.upgraded(head[:-1]) is None
    assert frames.upgraded(head + b"\x89\x00") == b"\x89\x00"


def accept() -> bytes:
    """What answers the key of the request, by the library."""
    from websockets.utils import accept_key

    request = frames.handshake("127.0.0.1:1", "/ws", "subrosa.v1.json").decode()
    key = next(line for line in request.split("\r\n") if line.startswith("Sec-WebSocket-Key"))
    return accept_key(key.partition(": ")[2]).encode()


def test_a_handshake_that_is_refused_says_with_what() -> None:
    with pytest.raises(Refused, match="503"):
        frames.upgraded(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nSec-WebSocket-Accept: no\r\n\r\n",
        b"x" * (frames.LONGEST_HEAD + 1),
    ],
)
def test_what_is_no_handshake_is_refused(data: bytes) -> None:
    with pytest.raises(Broken):
        frames.upgraded(data)
