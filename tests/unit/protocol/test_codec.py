"""Two encodings of one protocol: what one carries the other does, and both refuse the same."""

from __future__ import annotations

import json
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from server.protocol.codec import CODECS, DEPTH, JSON, MAX_INT, MSGPACK, Codec, Malformed

Map = dict[str, Any]
both = pytest.mark.parametrize("codec", [JSON, MSGPACK], ids=["json", "msgpack"])

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-MAX_INT, MAX_INT)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
wild = (
    scalars
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(st.characters(), max_size=5)  # lone surrogates too
    | st.sampled_from([MAX_INT + 1, -MAX_INT - 1, float("nan"), float("inf"), "\ud800"])
)


def maps(leaves: st.SearchStrategy[Any], keys: st.SearchStrategy[str]) -> st.SearchStrategy[Map]:
    """Frames with such leaves and keys."""
    inner = st.recursive(
        leaves,
        lambda below: st.lists(below, max_size=4) | st.dictionaries(keys, below, max_size=4),
        max_leaves=12,
    )
    return st.dictionaries(keys, inner, max_size=5)


frames = maps(scalars, st.text(max_size=8))


def in_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def in_msgpack(value: Any) -> bytes:
    packed: bytes = msgpack.packb(value, unicode_errors="surrogatepass")
    return packed


def read(codec: Codec, payload: bytes) -> Map | None:
    """What a payload says, or None where it is refused."""
    try:
        return codec.decode(payload)
    except Malformed:
        return None


@both
@given(value=frames)
def test_a_map_comes_back_as_it_was(codec: Codec, value: Map) -> None:
    assert codec.decode(codec.encode(value)) == value


@given(value=frames)
def test_others_read_what_is_written_here(value: Map) -> None:
    assert json.loads(JSON.encode(value)) == value
    assert msgpack.unpackb(MSGPACK.encode(value)) == value


@given(value=frames)
def test_what_others_write_is_read_alike(value: Map) -> None:
    assert JSON.decode(in_json(value)) == MSGPACK.decode(in_msgpack(value)) == value


@given(value=maps(wild, st.text(st.characters(), max_size=3)))
def test_both_refuse_the_same(value: Map) -> None:
    one, other = read(JSON, in_json(value)), read(MSGPACK, in_msgpack(value))
    assert one == other
    assert one is None or one == value


@pytest.mark.parametrize(
    "leaf",
    [
        float("nan"),
        float("inf"),
        -float("inf"),
        MAX_INT + 1,
        -MAX_INT - 1,
        2**63,
        "\ud800",
        "a\udfff",
    ],
)
@pytest.mark.parametrize("place", [lambda x: {"a": x}, lambda x: {"a": [1, {"b": x}]}])
def test_what_no_client_could_be_told_is_refused(leaf: Any, place: Any) -> None:
    value = place(leaf)
    assert read(JSON, in_json(value)) is None
    assert read(MSGPACK, in_msgpack(value)) is None


@both
@pytest.mark.parametrize(
    "leaf", [MAX_INT, -MAX_INT, 0.5, -0.0, 1e308, "", "👍", [], {}, None, True]
)
def test_the_edges_of_what_is_carried(codec: Codec, leaf: Any) -> None:
    assert codec.decode(codec.encode({"a": leaf})) == {"a": leaf}


@pytest.mark.parametrize(
    "payload",
    [
        {"a": b"bytes"},
        {"a": msgpack.ExtType(5, b"x")},
        {"a": msgpack.Timestamp(1)},
        {1: "a"},
        {"a": {None: 1}},
        {b"a": 1},
    ],
)
def test_msgpack_carries_no_more_than_json_can(payload: Any) -> None:
    assert read(MSGPACK, msgpack.packb(payload)) is None


@both
@pytest.mark.parametrize("value", [[], [{}], "map", 1, None, True, 1.5])
def test_a_frame_is_a_map(codec: Codec, value: Any) -> None:
    assert read(codec, codec.encode(value)) is None


@both
def test_nesting_has_a_bound(codec: Codec) -> None:
    def nested(levels: int) -> Map:
        value: Any = "leaf"
        for _ in range(levels):
            value = [value]
        return {"a": value}

    assert read(codec, codec.encode(nested(DEPTH - 2))) is not None
    assert read(codec, codec.encode(nested(DEPTH - 1))) is None


@pytest.mark.parametrize("depth", [1_000, 30_000, 60_000])
def test_nesting_without_end_is_refused_and_harmless(depth: int) -> None:
    assert read(JSON, b'{"a":' + b"[" * depth + b"]" * depth + b"}") is None
    assert read(JSON, b'{"a":' * depth + b"1" + b"}" * depth) is None
    assert read(MSGPACK, b"\x81\xa1a" + b"\x91" * depth + b"\xc0") is None
    assert read(MSGPACK, b"\x81\xa1a" * depth + b"\xc0") is None


@pytest.mark.parametrize(
    "text",
    ['{"a": 1} ', '{"a":1}x', '{"a":1,}', "{a:1}", "{'a':1}", '{"a":NaN}', '{"a":01}',
     '{"a":"\\x"}', '{"a":1', '{"a":"\\ud800"}', "", " ", '{"a":1e999}', '{"a":' + "9" * 400 + "}"],
)  # fmt: skip
def test_json_is_json(text: str) -> None:
    assert (read(JSON, text.encode()) is not None) == (text == '{"a": 1} ')


@both
@given(value=frames, data=st.data())
def test_mutated_bytes_are_read_or_refused(codec: Codec, value: Map, data: st.DataObject) -> None:
    payload = bytearray(codec.encode(value))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(payload)))
        change = data.draw(st.binary(max_size=3))
        payload[at : at + data.draw(st.integers(0, 3))] = change
    found = read(codec, bytes(payload))
    if found is not None:  # whatever it says now, any client can be told
        assert JSON.decode(JSON.encode(found)) == found
        assert MSGPACK.decode(MSGPACK.encode(found)) == found


@both
@given(payload=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(codec: Codec, payload: bytes) -> None:
    found = read(codec, payload)
    assert found is None or codec.decode(codec.encode(found)) == found


@given(value=frames)
def test_a_frame_is_text_for_json_and_binary_for_msgpack(value: Map) -> None:
    text = Frame(Opcode.TEXT, JSON.encode(value)).serialize(mask=False)
    binary = Frame(Opcode.BINARY, MSGPACK.encode(value)).serialize(mask=False)
    assert (JSON.frame(value), MSGPACK.frame(value)) == (text, binary)


def test_codecs_go_by_their_subprotocol() -> None:
    assert CODECS == {"subrosa.v1.msgpack": MSGPACK, "subrosa.v1.json": JSON}
    assert {c.media_type for c in CODECS.values()} == {"application/json", "application/msgpack"}
