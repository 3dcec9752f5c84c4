"""When things are due: at the rate, growing over the ramp, shared without a gap."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_demo.load.schedule import US, Schedule

RATES = st.floats(0.5, 5_000)
SECONDS = st.floats(0.1, 20)


def test_without_a_ramp_it_is_the_rate() -> None:
    schedule = Schedule(100, 2)
    assert schedule.count == 200
    assert [schedule.due(n) for n in (0, 1, 100)] == [0, 10_000, US]


def test_a_ramp_grows_from_nothing_to_the_rate() -> None:
    schedule = Schedule(100, 10, ramp=2)
    assert schedule.count == 900  # half as many over the ramp
    dues = [schedule.due(n) for n in range(schedule.count)]
    first = sum(due < US for due in dues)
    second = sum(US <= due < 2 * US for due in dues)
    assert (first, second) == (25, 75)
    assert sum(5 * US <= due < 6 * US for due in dues) == 100


def test_a_run_that_ends_within_its_ramp() -> None:
    schedule = Schedule(100, 1, ramp=2)
    assert schedule.count == 25
    assert schedule.due(schedule.count - 1) < US


@given(RATES, SECONDS, st.floats(0, 5), st.integers(1, 5))
def test_processes_share_one_schedule(rate: float, seconds: float, ramp: float, share: int) -> None:
    whole = Schedule(rate, seconds, ramp)
    parts = [Schedule(rate, seconds, ramp, index, share) for index in range(share)]
    dues = sorted(part.due(n) for part in parts for n in range(part.count))
    assert dues == [whole.due(n) for n in range(whole.count)]


@given(RATES, SECONDS, st.floats(0, 5))
def test_everything_is_due_in_order_and_within_the_time(
    rate: float, seconds: float, ramp: float
) -> None:
    schedule = Schedule(rate, seconds, ramp)
    dues = [schedule.due(n) for n in range(schedule.count)]
    assert dues == sorted(dues)
    assert all(due <= seconds * US + 1 for due in dues)


@pytest.mark.parametrize("elapsed", [0, 5_000, 10_000, 999_999, 5 * US])
def test_what_was_offered_is_what_was_due(elapsed: int) -> None:
    schedule = Schedule(100, 2, 0.5, index=1, share=3)
    due = sum(schedule.due(n) <= elapsed for n in range(schedule.count))
    assert schedule.offered(elapsed) == due
