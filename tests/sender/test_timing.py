"""The sender's times fit into each other, and no number that a provider or a queue says breaks them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import timing

NOW = datetime(2025, 4, 1, 12, tzinfo=UTC)
HOURS_12_S = 43_200  # the longest that SQS hides a message, counted from its receipt
chances = st.floats(0, 1)


def test_a_lease_outlives_the_invocation_that_takes_it() -> None:
    assert timing.lease_until(NOW, 12.5) == NOW + timedelta(seconds=12.5) + timing.LEASE_MARGIN
    assert timing.lease_until(NOW, 12.5) > NOW + timedelta(seconds=12.5)


def test_the_queue_hides_a_message_longer_than_its_lease_can_run() -> None:
    assert timing.VISIBILITY_S >= 6 * timing.FUNCTION_TIMEOUT_S + timing.MAX_BATCH_WINDOW_S
    longest = timing.lease_until(NOW, timing.FUNCTION_TIMEOUT_S) - NOW
    assert timedelta(seconds=timing.VISIBILITY_S - timing.MAX_BATCH_WINDOW_S) > longest


def test_a_request_leaves_the_reserve() -> None:
    assert timing.request_s(30) == 30 - timing.RESERVE_S
    assert timing.request_s(timing.RESERVE_S + timing.MIN_REQUEST_S) == timing.MIN_REQUEST_S


@pytest.mark.parametrize("remaining_s", [timing.RESERVE_S + timing.MIN_REQUEST_S - 0.001, timing.RESERVE_S, 0, -1])
def test_a_request_that_could_not_end_in_time_does_not_begin(remaining_s: float) -> None:
    assert timing.request_s(remaining_s) is None


@given(st.integers(1, 50), chances)
def test_pauses_grow_with_each_delivery_up_to_the_longest(count: int, chance: float) -> None:
    pause, following = timing.pause(count, None, chance), timing.pause(count + 1, None, chance)
    assert pause < following or pause == following >= timedelta(seconds=timing.MAX_PAUSE_S / 2)
    assert timedelta(seconds=timing.FIRST_PAUSE_S / 2) <= pause <= timedelta(seconds=timing.MAX_PAUSE_S)


def test_the_pauses_are_those_that_the_module_tells() -> None:
    pauses = [timing.pause(count, None, 1).total_seconds() for count in range(1, 9)]
    assert pauses == [10, 30, 90, 270, 810, 2430, 3600, 3600]
    assert sum(pauses[:7]) > 2 * 3600


@given(st.integers(1, 50))
def test_pauses_are_spread_over_half_their_length(count: int) -> None:
    assert timing.pause(count, None, 0) * 2 == timing.pause(count, None, 1)


@pytest.mark.parametrize("count", [0, -1, 10**6])
def test_any_count_of_deliveries_has_a_pause(count: int) -> None:
    assert timedelta(seconds=10) <= timing.pause(count, None, 1) <= timedelta(hours=1)


@given(st.integers(1, 50), st.floats(0, 30_000), chances)
def test_the_provider_s_own_wish_is_kept_and_added_to(count: int, wish_s: float, chance: float) -> None:
    pause = timing.pause(count, wish_s, chance)
    assert timedelta(seconds=wish_s) <= pause + timedelta(microseconds=1)
    longest = timedelta(seconds=wish_s * 1.25 + 1, microseconds=1)
    assert pause <= (longest if count == 1 else max(longest, timing.pause(count - 1, None, chance)))


def test_a_short_wish_each_time_does_not_use_up_the_deliveries() -> None:
    pauses = [timing.pause(count, 2, 1).total_seconds() for count in range(1, 8)]
    assert pauses == [3.5, 10, 30, 90, 270, 810, 2430]


@given(st.floats(0, 10_000), chances, chances)
def test_messages_that_the_provider_put_off_do_not_return_together(wish_s: float, one: float, other: float) -> None:
    assume(abs(one - other) > 0.001)
    assert timing.pause(1, wish_s, one) != timing.pause(1, wish_s, other)


@given(st.floats(40_000, 1e300), chances)
def test_a_wish_beyond_what_a_queue_can_do_is_cut(wish_s: float, chance: float) -> None:
    assert timing.pause(1, wish_s, chance) == timedelta(seconds=timing.MAX_VISIBILITY_S)


@given(st.timedeltas(timedelta(days=-1), timedelta(days=1)))
def test_a_visibility_is_one_that_sqs_takes_and_brings_the_message_back_afterwards(wait: timedelta) -> None:
    seconds = timing.visibility_s(NOW + wait, NOW)
    assert 1 <= seconds <= timing.MAX_VISIBILITY_S < HOURS_12_S
    if wait < timedelta(seconds=timing.MAX_VISIBILITY_S - 2):
        assert timedelta(seconds=seconds) > wait
    if wait > timedelta(0):
        assert timedelta(seconds=seconds) <= wait + timedelta(seconds=2)


@pytest.mark.parametrize("late_s", [0, 1, 86_400])
def test_a_message_that_is_due_comes_back_at_once(late_s: int) -> None:
    assert timing.visibility_s(NOW - timedelta(seconds=late_s), NOW) == 1


def test_the_longest_visibility_leaves_time_for_the_invocation_and_its_batch() -> None:
    assert timing.MAX_VISIBILITY_S + timing.VISIBILITY_S < HOURS_12_S
