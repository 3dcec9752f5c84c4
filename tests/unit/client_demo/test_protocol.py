"""Frames in both encodings, and what close codes ask for."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_demo.errors import CommandError
from client_demo.link import socket_url
from client_demo.protocol import (
    Encoding,
    Ending,
    Event,
    Failure,
    Garbled,
    Result,
    decode,
    encode,
)

ENCODINGS: list[Encoding] = ["msgpack", "json"]
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
maps = st.dictionaries(st.text(), values, max_size=5)


@given(maps, st.integers(0, 2**31), st.sampled_from(ENCODINGS))
def test_a_result_survives_the_wire(result: dict[str, object], ident: int, how: Encoding) -> None:
    assert decode(encode({"id": ident, "result": result}, how)) == Result(ident, result)


@given(maps, st.text(), st.sampled_from(ENCODINGS))
def test_an_event_survives_the_wire(data: dict[str, object], name: str, how: Encoding) -> None:
    frame = {"event": name, "topic": "member:ada", "pos": 7, "data": data, "later": "ignored"}
    assert decode(encode(frame, how)) == Event(name, data, "member:ada", 7)


@pytest.mark.parametrize("how", ENCODINGS)
def test_an_error_keeps_its_details(how: Encoding) -> None:
    error = {"code": "rate_limited", "message": "wait", "retryable": True, "retry_after_ms": 250}
    answer = decode(encode({"id": None, "error": error}, how))
    assert isinstance(answer, Failure)
    assert answer.id is None
    assert answer.error.code == "rate_limited"
    assert answer.error.retryable
    assert answer.error.retry_after_ms == 250
    assert answer.error.field is None


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_anything_else_is_garbled(data: bytes | str) -> None:
    try:
        frame = decode(data)
    except Garbled:
        return
    assert isinstance(frame, Event | Result | Failure)


@pytest.mark.parametrize(
    "data",
    [
        "[" * 100_000,
        "1",
        b"\xc1",
        b"",
        '{"id": 1}',
        '{"event": 3, "data": {}}',
        '{"event": "x", "data": {}, "pos": 1}',
        '{"event": "x", "data": {}, "topic": "t", "pos": "1"}',
        '{"id": 1, "error": {}}',
        msgpack.packb({1: 2}),
    ],
)
def test_what_is_no_frame_is_garbled(data: bytes | str) -> None:
    with pytest.raises(Garbled):
        decode(data)


@pytest.mark.parametrize(
    ("how", "value"),
    [
        ("json", "\ud800"),
        ("json", {1, 2}),
        ("json", float("nan")),
        ("msgpack", "\ud800"),
        ("msgpack", {1, 2}),
        ("msgpack", 2**70),
    ],
)
def test_what_no_frame_can_carry_is_refused_here(how: Encoding, value: object) -> None:
    with pytest.raises(CommandError) as refused:
        encode({"body": value}, how)
    assert refused.value.code == "invalid"


@pytest.mark.parametrize("how", ENCODINGS)
def test_a_frame_beyond_the_limit_is_refused_here(how: Encoding) -> None:
    assert encode({"b": "é" * 65_000}, how)
    with pytest.raises(CommandError) as refused:
        encode({"b": "é" * 65_600}, how)
    assert refused.value.code == "too_large"


@pytest.mark.parametrize(
    ("code", "reason", "final", "after_s"),
    [
        (4001, "after_ms=1500", False, 1.5),
        (4013, "after_ms=20", False, 0.02),
        (4013, "", False, 0.0),
        (4008, "after_ms=1500", False, 0.0),
        (4001, "after_ms=999999999999", False, 600.0),
        (4001, "after_ms=-1", False, 0.0),
        (4499, "", False, 0.0),
        (4500, "", True, 0.0),
        (4999, "", True, 0.0),
        (1006, "", False, 0.0),
    ],
)
def test_close_codes(code: int, reason: str, final: bool, after_s: float) -> None:
    ending = Ending(code, reason)
    assert (ending.final, ending.after_s) == (final, after_s)


@pytest.mark.parametrize(
    ("url", "socket"),
    [
        ("http://127.0.0.1:8000", "ws://127.0.0.1:8000/ws"),
        ("https://example.org/", "wss://example.org/ws"),
        ("wss://example.org/chat/ws", "wss://example.org/chat/ws"),
        ("ws://[::1]:80/?token=x#y", "ws://[::1]:80/ws"),
    ],
)
def test_the_socket_of_a_server(url: str, socket: str) -> None:
    assert socket_url(url) == socket


@pytest.mark.parametrize("url", ["ftp://example.org", "example.org", "http:///x"])
def test_what_is_no_server(url: str) -> None:
    with pytest.raises(ValueError, match="not the URL"):
        socket_url(url)
