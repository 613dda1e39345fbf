"""The retry schedule: exponential steps with jitter, what a provider asks for, and an end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.contracts.queues import RETRY_DELAYS
from tidings.delivery.schedule import JITTER, RetrySchedule

steps = st.lists(st.floats(0.01, 86_400), min_size=1, max_size=8).map(lambda waits: tuple(sorted(waits)))
attempts = st.integers(1, 100)


@given(delays=steps, attempt=attempts)
def test_a_wait_is_its_step_and_a_little_more(delays: tuple[float, ...], attempt: int) -> None:
    """The wait after the n-th failure is the n-th step, then the last one, plus at most a fifth."""
    step = delays[min(attempt, len(delays)) - 1]
    assert step <= RetrySchedule(delays, 8).delay(attempt) <= step * (1 + JITTER)


@given(delays=steps, attempt=attempts)
def test_later_waits_are_no_shorter(delays: tuple[float, ...], attempt: int) -> None:
    """But for the jitter, each wait is at least as long as the one before."""
    schedule = RetrySchedule(delays, 8)
    assert schedule.delay(attempt + 1) >= schedule.delay(attempt) / (1 + JITTER)


@given(delays=steps, attempt=attempts, asked=st.floats(0, 86_400))
def test_what_a_provider_asks_for_is_honoured(delays: tuple[float, ...], attempt: int, asked: float) -> None:
    """A wait that was asked for replaces the step, is never cut short, and hardly prolonged."""
    wait = RetrySchedule(delays, 8).delay(attempt, asked)
    assert asked <= wait <= asked * (1 + JITTER)
    assert wait <= asked + 60


def test_what_failed_together_does_not_come_back_together() -> None:
    """A thousand messages that fail at one moment are spread over the whole fifth."""
    waits = sorted(RetrySchedule((100.0,), 8).delay(1) for _ in range(1_000))
    assert waits[0] < 102
    assert waits[-1] > 118


@pytest.mark.parametrize(("attempt", "exhausted"), [(1, False), (7, False), (8, True), (9, True)])
def test_attempts_end(attempt: int, *, exhausted: bool) -> None:
    """The last attempt is the one whose number is the limit."""
    assert RetrySchedule(RETRY_DELAYS, 8).exhausted(attempt) is exhausted
