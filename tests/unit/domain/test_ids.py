"""Wire ids come back as the keys they stand for; what was made up is found out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.ids import Ids, conversation_topic, is_member_id, member_topic

IDS = Ids(bytes(range(32)))
OTHERS = Ids(bytes(32))
KINDS = ("conversation", "message", "invitation")
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

keys = st.integers(0, 2**63 - 1)
kinds = st.sampled_from(KINDS)


def to_id(kind: str, key: int, ids: Ids = IDS) -> str:
    text: str = getattr(ids, kind)(key)
    return text


def to_key(kind: str, text: str, ids: Ids = IDS) -> int | None:
    key: int | None = getattr(ids, f"{kind}_key")(text)
    return key


@given(kind=kinds, key=keys)
def test_an_id_leads_back_to_its_key(kind: str, key: int) -> None:
    text = to_id(kind, key)
    assert len(text) == 22
    assert set(text) <= set(ALPHABET)
    assert to_key(kind, text) == key


@given(key=keys, one=kinds, other=kinds)
def test_an_id_of_one_kind_is_none_of_another(key: int, one: str, other: str) -> None:
    assert to_key(other, to_id(one, key)) == (key if one == other else None)


@given(kind=kinds, key=keys)
def test_another_deployments_id_is_not_ours(kind: str, key: int) -> None:
    assert to_key(kind, to_id(kind, key, OTHERS)) is None


@given(kind=kinds, key=keys, at=st.integers(0, 21), letter=st.sampled_from(ALPHABET))
def test_an_id_with_one_letter_changed_is_refused(
    kind: str, key: int, at: int, letter: str
) -> None:
    text = to_id(kind, key)
    forged = text[:at] + letter + text[at + 1 :]
    assert to_key(kind, forged) == (key if forged == text else None)


@given(kind=kinds, text=st.text(max_size=30) | st.text(ALPHABET, min_size=22, max_size=22))
def test_what_was_never_given_out_is_refused(kind: str, text: str) -> None:
    assert to_key(kind, text) is None


@given(kind=kinds, key=st.integers(0, 2**63 - 2))
def test_ids_tell_nothing_of_order(kind: str, key: int) -> None:
    one, next_ = to_id(kind, key), to_id(kind, key + 1)
    assert sum(a == b for a, b in zip(one, next_, strict=True)) < 11


@pytest.mark.parametrize("secret", [b"", bytes(31), bytes(33)])
def test_a_secret_of_another_length_is_refused(secret: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Ids(secret)


@pytest.mark.parametrize("text", ["a", "ada", "Ada_L.-9", "x" * 64, ".", "-"])
def test_a_members_id_is_a_few_plain_letters(text: str) -> None:
    assert is_member_id(text)
    assert member_topic(text) == f"member:{text}"


@pytest.mark.parametrize("text", ["", "x" * 65, "a b", "ada\n", "a:b", "é", "a/b", "ada\x00"])
def test_anything_else_is_no_members_id(text: str) -> None:
    assert not is_member_id(text)


def test_a_conversations_topic_carries_its_id() -> None:
    assert conversation_topic("c0ffee") == "conversation:c0ffee"
