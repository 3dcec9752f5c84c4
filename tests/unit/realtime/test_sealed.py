"""Sealed messages open with the key and on the channel that they were made for, and no others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.realtime.sealed import VERSION, Seal, known

SEAL = Seal(b"k" * 32)


@given(channel=st.binary(), body=st.binary())
def test_what_was_sealed_opens(channel: bytes, body: bytes) -> None:
    sealed = SEAL.seal(channel, body)
    assert sealed[:1] == VERSION == b"\x01"
    assert known(sealed)
    assert SEAL.open(channel, sealed) == body


@given(st.data())
def test_no_other_bytes_open(data: st.DataObject) -> None:
    sealed = bytearray(SEAL.seal(b"channel", b"body"))
    at = data.draw(st.integers(0, len(sealed) - 1))
    sealed[at] ^= data.draw(st.integers(1, 255))
    assert SEAL.open(b"channel", bytes(sealed)) is None


def test_a_part_of_it_does_not_open() -> None:
    sealed = SEAL.seal(b"channel", b"body")
    assert not any(SEAL.open(b"channel", sealed[:end]) for end in range(len(sealed)))
    assert SEAL.open(b"channel", sealed + b"y") is None


def test_it_opens_on_its_own_channel_alone() -> None:
    sealed = SEAL.seal(b"conversation:1", b"0 body")
    assert SEAL.open(b"conversation:2", sealed) is None
    # What moves the border between the channel and the body is another message as well.
    assert SEAL.open(b"conversation:10", sealed.replace(b"0 body", b" body")) is None
    assert SEAL.open(b"conversation:", sealed[:17] + b"10 body") is None


def test_it_opens_with_its_own_key_alone() -> None:
    assert Seal(b"another").open(b"channel", SEAL.seal(b"channel", b"body")) is None


def test_another_version_is_not_known() -> None:
    sealed = b"\x02" + SEAL.seal(b"channel", b"body")[1:]
    assert not known(sealed)
    assert not known(b"")
    assert SEAL.open(b"channel", sealed) is None


def test_an_empty_body_is_one() -> None:
    assert SEAL.open(b"channel", SEAL.seal(b"channel", b"")) == b""
