"""A pair read from either side says the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain import relations

keys = st.integers(1, 50)
pairs_of_keys = st.tuples(keys, keys).filter(lambda two: two[0] != two[1])
FIELDS = {"blocks": True, "unblocked_ms": 7, "invitation": 8, "withdrew_ms": 9, "refuses": True}


@given(two=pairs_of_keys)
def test_a_pair_is_one_whoever_asks(two: tuple[int, int]) -> None:
    a, b = two
    assert relations.ident(a, b) == relations.ident(b, a) == tuple(sorted(two))
    pair = relations.new(a, b)
    assert pair == relations.new(b, a)
    assert relations.other(pair, a) == b
    assert relations.other(pair, b) == a


@given(two=pairs_of_keys, field=st.sampled_from(sorted(FIELDS)))
def test_what_one_does_is_their_side_alone(two: tuple[int, int], field: str) -> None:
    a, b = two
    pair = relations.mark(relations.new(a, b), a, **{field: FIELDS[field]})
    assert relations.of(pair, a, field) == FIELDS[field]
    assert not relations.of(pair, b, field)
    others = FIELDS.keys() - {field}
    assert not any(relations.of(pair, one, name) for one in two for name in others)
    assert relations.mark(pair, a, **{field: 0}) == relations.new(a, b)


@given(two=pairs_of_keys)
def test_a_block_of_either_is_a_block(two: tuple[int, int]) -> None:
    pair = relations.new(*two)
    assert not relations.blocked(pair)
    for one in two:
        assert relations.blocked(relations.mark(pair, one, blocks=True))


def test_without_a_pair_there_is_nothing() -> None:
    assert relations.of(None, 1, "blocks") == 0
    assert not relations.blocked(None)
    assert not relations.connected(None)


def test_a_side_has_no_other_fields() -> None:
    with pytest.raises(ValueError, match="connected_ms"):
        relations.mark(relations.new(1, 2), 1, connected_ms=5)
