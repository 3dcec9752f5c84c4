"""The histogram against exact percentiles, and that pieces add up."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_demo.load.histogram import BUCKETS, LONGEST, Histogram, bounds, bucket

VALUES = st.integers(0, LONGEST)
MANY = st.lists(st.one_of(st.integers(0, 2_000), VALUES), min_size=1, max_size=300)


@given(VALUES)
def test_a_value_lies_in_its_bucket_which_is_narrow(value: int) -> None:
    low, high = bounds(bucket(value))
    assert low <= value <= high
    assert high - low <= value / 128


def test_buckets_follow_each_other_without_a_gap() -> None:
    edges = [bounds(index) for index in range(BUCKETS)]
    assert all(a[1] + 1 == b[0] for a, b in itertools.pairwise(edges))
    assert edges[-1][1] == LONGEST


@given(MANY, st.sampled_from([0.1, 50, 90, 99, 99.9, 100]))
def test_percentiles_are_those_of_the_sorted_values(values: list[int], percent: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    exact = sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]
    found = histogram.percentile(percent)
    assert exact <= found <= exact * (1 + 1 / 128)


@given(MANY, MANY)
def test_pieces_add_up(first: list[int], second: list[int]) -> None:
    whole, one, other = Histogram(), Histogram(), Histogram()
    for value in first:
        whole.record(value)
        one.record(value)
    for value in second:
        whole.record(value)
        other.record(value)
    one.add(other.take())
    assert other.total == 0
    assert one.counts == whole.counts
    assert Histogram(one.sparse()).counts == whole.counts


def test_without_values_everything_is_nothing() -> None:
    empty = Histogram()
    assert (empty.total, empty.percentile(99), empty.largest) == (0, 0, 0)
    assert list(empty.curve()) == []


@pytest.mark.parametrize("value", [-5, 0])
def test_no_latency_is_below_nothing(value: int) -> None:
    histogram = Histogram()
    histogram.record(value)
    assert histogram.percentile(100) == 0


def test_the_curve_ends_with_everything() -> None:
    histogram = Histogram()
    for value in (10, 20, 20, 5_000):
        histogram.record(value)
    assert list(histogram.curve()) == [(25.0, 10), (75.0, 20), (100.0, bounds(bucket(5_000))[1])]
