"""The sender's times are consistent for all values of the provider and SQS."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import timing

NOW = datetime(2025, 4, 1, 12, tzinfo=UTC)
HOURS_12_S = 43_200  # the longest visibility timeout of SQS, counted from the receipt
jitters = st.floats(0, 1)


def test_a_lease_ends_after_its_invocation() -> None:
    assert timing.lease_until(NOW, 12.5) == NOW + timedelta(seconds=12.5) + timing.LEASE_MARGIN
    assert timing.lease_until(NOW, 12.5) > NOW + timedelta(seconds=12.5)


def test_the_visibility_timeout_is_longer_than_the_lease() -> None:
    assert timing.VISIBILITY_S >= 6 * timing.FUNCTION_TIMEOUT_S + timing.MAX_BATCH_WINDOW_S
    longest = timing.lease_until(NOW, timing.FUNCTION_TIMEOUT_S) - NOW
    assert timedelta(seconds=timing.VISIBILITY_S - timing.MAX_BATCH_WINDOW_S) > longest


def test_a_request_ends_before_the_reserve() -> None:
    assert timing.request_timeout_s(30) == 30 - timing.RESERVE_S
    assert timing.request_timeout_s(timing.RESERVE_S + timing.MIN_REQUEST_S) == timing.MIN_REQUEST_S


@pytest.mark.parametrize("remaining_s", [timing.RESERVE_S + timing.MIN_REQUEST_S - 0.001, timing.RESERVE_S, 0, -1])
def test_a_request_without_enough_time_is_not_begun(remaining_s: float) -> None:
    assert timing.request_timeout_s(remaining_s) is None


@given(st.integers(1, 50), jitters)
def test_the_back_off_grows_with_each_try_up_to_the_maximum(count: int, jitter: float) -> None:
    wait, following = timing.back_off(count, jitter), timing.back_off(count + 1, jitter)
    assert wait < following or wait == following >= timedelta(seconds=timing.MAX_BACK_OFF_S / 2)
    assert timedelta(seconds=timing.FIRST_BACK_OFF_S / 2) <= wait <= timedelta(seconds=timing.MAX_BACK_OFF_S)


def test_the_back_off_is_the_documented_one() -> None:
    waits = [timing.back_off(count, 1).total_seconds() for count in range(1, 9)]
    assert waits == [10, 30, 90, 270, 810, 2430, 3600, 3600]
    assert sum(waits[:7]) > 2 * 3600


@given(st.integers(1, 50))
def test_the_jitter_is_half_of_the_back_off(count: int) -> None:
    assert timing.back_off(count, 0) * 2 == timing.back_off(count, 1)


@pytest.mark.parametrize("count", [0, -1, 10**6])
def test_any_number_of_tries_has_a_back_off(count: int) -> None:
    assert timedelta(seconds=10) <= timing.back_off(count, 1) <= timedelta(hours=1)


@given(st.integers(1, 50), st.floats(0, 30_000), jitters)
def test_retry_after_is_honoured_and_jitter_is_added(count: int, retry_after_s: float, jitter: float) -> None:
    wait = timing.back_off(count, jitter, retry_after_s)
    assert timedelta(seconds=retry_after_s) <= wait + timedelta(microseconds=1)
    longest = timedelta(seconds=retry_after_s * 1.25 + 1, microseconds=1)
    assert wait <= (longest if count == 1 else max(longest, timing.back_off(count - 1, jitter)))


def test_a_short_retry_after_does_not_use_up_the_deliveries() -> None:
    waits = [timing.back_off(count, 1, 2).total_seconds() for count in range(1, 8)]
    assert waits == [3.5, 10, 30, 90, 270, 810, 2430]


@given(st.floats(0, 10_000), jitters, jitters)
def test_messages_with_the_same_retry_after_return_at_different_times(
    retry_after_s: float, one: float, other: float
) -> None:
    assume(abs(one - other) > 0.001)
    assert timing.back_off(1, one, retry_after_s) != timing.back_off(1, other, retry_after_s)


@given(st.floats(40_000, 1e300), jitters)
def test_a_retry_after_beyond_the_longest_visibility_timeout_is_cut(retry_after_s: float, jitter: float) -> None:
    assert timing.back_off(1, jitter, retry_after_s) == timedelta(seconds=timing.MAX_VISIBILITY_S)


@given(st.timedeltas(timedelta(days=-1), timedelta(days=1)))
def test_a_visibility_timeout_ends_after_the_wait_and_is_valid_for_sqs(wait: timedelta) -> None:
    seconds = timing.visibility_s(NOW + wait, NOW)
    assert 1 <= seconds <= timing.MAX_VISIBILITY_S < HOURS_12_S
    if wait < timedelta(seconds=timing.MAX_VISIBILITY_S - 2):
        assert timedelta(seconds=seconds) > wait
    if wait > timedelta(0):
        assert timedelta(seconds=seconds) <= wait + timedelta(seconds=2)


@pytest.mark.parametrize("late_s", [0, 1, 86_400])
def test_a_message_that_is_due_is_delivered_at_once(late_s: int) -> None:
    assert timing.visibility_s(NOW - timedelta(seconds=late_s), NOW) == 1


def test_the_longest_visibility_timeout_leaves_time_for_the_invocation() -> None:
    assert timing.MAX_VISIBILITY_S + timing.VISIBILITY_S < HOURS_12_S
