"""All four forms of `expiration` give a point in time, counted from when the message was enqueued."""

import math
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayapi.expiration import MAX_AGE, MAX_OFFSET_S, deadline
from tests.layer.field_values import EXPIRATIONS_OF_ANOTHER_FORM, EXPIRATIONS_THAT_ARE_NOT_POSITIVE

ENQUEUED = datetime(2025, 4, 1, 12, tzinfo=UTC)
# The error does not contain the value, because it can be a text or a phone number by mistake.
REASONS = ("must be an ISO 8601 duration", "must be later than", "must be at most 5 days")
UNIX = int(ENQUEUED.timestamp())


@pytest.mark.parametrize(
    ("expiration", "after"),
    [
        ("PT1S", timedelta(seconds=1)),
        ("PT0.5S", timedelta(milliseconds=500)),
        ("PT90M", timedelta(minutes=90)),
        ("PT36H", timedelta(hours=36)),
        ("P5D", timedelta(days=5)),
        ("P3DT4H33M17S", timedelta(days=3, hours=4, minutes=33, seconds=17)),
        ("PT432000S", timedelta(days=5)),
        (1, timedelta(seconds=1)),
        (0.25, timedelta(milliseconds=250)),
        (3600, timedelta(hours=1)),
        (432_000, timedelta(days=5)),
        ("3600", timedelta(hours=1)),
        ("3600.5", timedelta(hours=1, milliseconds=500)),
        (UNIX + 60, timedelta(minutes=1)),
        (UNIX + 0.5, timedelta(milliseconds=500)),
        (str(UNIX + 60), timedelta(minutes=1)),
        ("2025-04-01T12:01:00Z", timedelta(minutes=1)),
        ("2025-04-01 12:01:00Z", timedelta(minutes=1)),
        ("2025-04-01T12:01:00.25Z", timedelta(minutes=1, milliseconds=250)),
        ("2025-04-01T14:01:00+02:00", timedelta(minutes=1)),
        ("2025-04-01T14:01:00+0200", timedelta(minutes=1)),
        ("2025-04-01T06:31:00-05:30", timedelta(minutes=1)),
        ("2025-04-01T12:01:00", timedelta(minutes=1)),
    ],
)
def test_every_form_gives_its_point_in_time(expiration: str | float, after: timedelta) -> None:
    assert deadline(expiration, ENQUEUED) == ENQUEUED + after


def test_a_time_without_an_offset_is_utc_in_every_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "EST5")
    time.tzset()
    try:
        assert deadline("2025-04-01T12:01:00", ENQUEUED) == ENQUEUED + timedelta(minutes=1)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("expiration", ["2025-04-01T11:59:59Z", UNIX - 1, str(UNIX - 1), 432_001])
def test_a_point_in_time_can_be_in_the_past(expiration: str | float) -> None:
    assert deadline(expiration, ENQUEUED) < ENQUEUED


@pytest.mark.parametrize(
    "expiration",
    ["P5DT0.000001S", "P1W", "PT433000S", UNIX + 432_001, "2025-04-06T12:00:00.000001Z", 10**11, "99999999999"],
)
def test_more_than_five_days_after_enqueuing_are_refused(expiration: str | float) -> None:
    with pytest.raises(ValueError, match="at most 5 days"):
        deadline(expiration, ENQUEUED)


@pytest.mark.parametrize("expiration", EXPIRATIONS_THAT_ARE_NOT_POSITIVE)
def test_a_span_of_zero_or_less_is_refused(expiration: str | float) -> None:
    with pytest.raises(ValueError, match="later than the time of enqueuing"):
        deadline(expiration, ENQUEUED)


@pytest.mark.parametrize(
    "expiration",
    [
        *EXPIRATIONS_OF_ANOTHER_FORM,
        *(math.inf, -math.inf, math.nan),
        *("0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"),
    ],
)
def test_another_form_is_refused_with_the_four_valid_forms(expiration: str | float) -> None:
    with pytest.raises(ValueError, match="ISO 8601 duration, a date-time, a unix time, or a number"):
        deadline(expiration, ENQUEUED)


def test_a_number_over_five_days_of_seconds_is_a_unix_time() -> None:
    assert deadline(MAX_OFFSET_S, ENQUEUED) == ENQUEUED + MAX_AGE
    assert deadline(MAX_OFFSET_S + 1, ENQUEUED) == datetime.fromtimestamp(MAX_OFFSET_S + 1, UTC)


@given(st.timedeltas(timedelta(microseconds=1), MAX_AGE))
def test_a_span_is_the_same_in_every_form(span: timedelta) -> None:
    moment = ENQUEUED + span
    seconds = f"{span // timedelta(seconds=1)}.{span.microseconds:06}"
    assert deadline(f"PT{seconds}S", ENQUEUED) == moment
    assert deadline(seconds, ENQUEUED) == moment
    assert deadline(moment.isoformat(), ENQUEUED) == moment
    assert deadline(moment.replace(tzinfo=None).isoformat(" "), ENQUEUED) == moment


@given(
    st.one_of(
        st.text(),
        st.integers(),
        st.floats(),
        st.from_regex(r"\d{1,13}(\.\d{1,7})?"),
        st.from_regex(r"P(\d+W)?(\d+D)?(T(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?", fullmatch=True),
        st.from_regex(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:?\d\d)?", fullmatch=True),
    )
)
def test_every_invalid_value_raises_a_value_error_without_the_value(expiration: str | float) -> None:
    reason = ""
    try:
        moment = deadline(expiration, ENQUEUED)
    except ValueError as error:
        reason, moment = str(error), ENQUEUED
    assert not reason or reason.startswith(REASONS)
    assert moment.tzinfo is UTC
    assert moment <= ENQUEUED + MAX_AGE
