"""Backoff: full jitter, growing to a ceiling, back to the start after a success."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from client_demo.pacing import Backoff


def test_the_ceiling_doubles_up_to_its_limit() -> None:
    backoff = Backoff(lambda: 1.0, base_s=0.5, ceiling_s=30)
    assert [backoff.next_s() for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    backoff.reset()
    assert backoff.next_s() == 0.5


def test_ten_thousand_failures_do_not_overflow() -> None:
    backoff = Backoff(lambda: 1.0)
    assert max(backoff.next_s() for _ in range(10_000)) == 30


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=20))
def test_a_delay_is_drawn_from_all_of_the_range(draws: list[float]) -> None:
    numbers = iter(draws)
    backoff = Backoff(lambda: next(numbers), base_s=1, ceiling_s=8)
    for tries, draw in enumerate(draws):
        assert backoff.next_s() == min(8, 2**tries) * draw
