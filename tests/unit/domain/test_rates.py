"""A token bucket lets a burst through, then the rate, and never owes anybody anything."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.domain.policy import Rate
from server.domain.rates import Bucket

rates = st.builds(Rate, st.floats(0.1, 1_000), st.integers(1, 200))


@given(rate=rates, start=st.floats(0, 1e6))
def test_a_burst_passes_and_the_next_waits(rate: Rate, start: float) -> None:
    bucket = Bucket(rate, start)
    assert [bucket.take(rate, start) for _ in range(rate.burst)] == [0] * rate.burst
    wait = bucket.take(rate, start)
    assert 1 <= wait <= max(1, round(1000 / rate.per_second))


@given(rate=rates, start=st.floats(0, 1e6))
def test_after_the_wait_that_it_names_one_passes(rate: Rate, start: float) -> None:
    bucket = Bucket(rate, start)
    for _ in range(rate.burst):
        bucket.take(rate, start)
    wait = bucket.take(rate, start)
    later = start + (wait + 1) / 1000
    assert bucket.take(rate, later) == 0


@given(rate=rates, pauses=st.lists(st.floats(0, 5), max_size=100))
def test_never_more_than_a_burst_and_the_rate(rate: Rate, pauses: list[float]) -> None:
    bucket, now, passed = Bucket(rate, 0.0), 0.0, 0
    for pause in pauses:
        now += pause
        passed += bucket.take(rate, now) == 0
    assert passed <= rate.burst + now * rate.per_second + 1e-6


@given(rate=rates, idle=st.floats(1, 1e6))
def test_silence_saves_up_no_more_than_a_burst(rate: Rate, idle: float) -> None:
    bucket = Bucket(rate, 0.0)
    now = idle + rate.burst / rate.per_second
    passed = sum(bucket.take(rate, now) == 0 for _ in range(2 * rate.burst + 1))
    assert passed == rate.burst
