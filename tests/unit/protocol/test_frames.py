"""Frames built and found here are what the `websockets` library would build and parse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ProtocolError
from websockets.frames import Frame, Opcode

from server.protocol.frames import (
    MAX_REASON,
    PING,
    binary_frame,
    close_frame,
    is_utf8,
    text_frame,
    unmasked,
    whole_frame,
)

MAX_SIZE = 131_072
EDGES = [0, 1, 125, 126, 127, 65_535, 65_536, MAX_SIZE]

payloads = st.binary(max_size=300) | st.sampled_from(EDGES).map(lambda size: b"\xe9" * size)


@given(payload=payloads)
def test_built_frames_are_the_librarys(payload: bytes) -> None:
    assert text_frame(payload) == Frame(Opcode.TEXT, payload).serialize(mask=False)
    assert binary_frame(payload) == Frame(Opcode.BINARY, payload).serialize(mask=False)


def test_ping_is_the_librarys() -> None:
    assert Frame(Opcode.PING, b"").serialize(mask=False) == PING


def test_close_frame_carries_code_and_reason() -> None:
    assert close_frame(4001, "after_ms=250") == b"\x88\x0e\x0f\xa1after_ms=250"
    assert close_frame(1000) == b"\x88\x02\x03\xe8"
    assert len(close_frame(1000, "x" * MAX_REASON)) == 127


def test_close_frame_refuses_what_cannot_be_sent() -> None:
    with pytest.raises(ValueError, match="too long"):
        close_frame(1000, "é" * 62)
    with pytest.raises(ProtocolError):
        close_frame(1005)


@given(payload=payloads, before=st.binary(max_size=20), after=st.binary(max_size=20))
def test_a_clients_frame_is_found_and_unmasked(payload: bytes, before: bytes, after: bytes) -> None:
    frame = Frame(Opcode.BINARY, payload).serialize(mask=True)
    data = before + frame + after

    found = whole_frame(data, len(before), MAX_SIZE)

    assert found is not None
    mask, end = found
    assert end == len(before) + len(frame)
    assert unmasked(data, mask, end) == payload
    assert unmasked(bytearray(data), mask, end) == payload


@given(payload=st.binary(max_size=300), data=st.data())
def test_a_part_of_a_frame_is_waited_for(payload: bytes, data: st.DataObject) -> None:
    frame = Frame(Opcode.BINARY, payload).serialize(mask=True)
    cut = data.draw(st.integers(0, len(frame) - 1))

    assert whole_frame(frame[:cut], 0, MAX_SIZE) is None


@pytest.mark.parametrize("length", [MAX_SIZE + 1, 1 << 31, 1 << 62, (1 << 64) - 1])
def test_a_frame_too_large_is_condemned_by_its_header(length: int) -> None:
    header = b"\x82\xff" + length.to_bytes(8)

    assert whole_frame(header[:-1], 0, MAX_SIZE) is None
    assert whole_frame(header, 0, MAX_SIZE) == (0, 10)


def test_a_frame_without_a_mask_is_condemned_by_its_header() -> None:
    assert whole_frame(b"\x82", 0, MAX_SIZE) is None
    assert whole_frame(b"\x82\x05", 0, MAX_SIZE) == (0, 2)


@given(payload=st.binary(max_size=40) | st.text(max_size=20).map(str.encode))
def test_is_utf8_agrees_with_decoding(payload: bytes) -> None:
    try:
        payload.decode()
        valid = True
    except UnicodeDecodeError:
        valid = False

    assert is_utf8(payload) is valid


@pytest.mark.parametrize("payload", [b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xce"])
def test_surrogates_overlong_and_cut_off_sequences_are_not_utf8(payload: bytes) -> None:
    assert not is_utf8(payload)
