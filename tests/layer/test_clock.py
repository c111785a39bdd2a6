"""Times are read strictly and written so that comparing two strings compares two times."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayapi import clock

# Far from both ends of the calendar, so that an offset does not lead beyond them.
moments = st.builds(
    lambda since, offset: (datetime(2, 1, 1, tzinfo=UTC) + since).astimezone(timezone(offset)),
    st.timedeltas(timedelta(0), timedelta(days=365 * 9990)),
    st.timedeltas(timedelta(hours=-23), timedelta(hours=23)),
)


def test_now_is_in_utc() -> None:
    before = datetime.now(UTC)
    now = clock.now()
    assert now.tzinfo is UTC
    assert before <= now <= datetime.now(UTC)


@given(moments)
def test_a_written_time_is_read_as_the_same_time(moment: datetime) -> None:
    assert clock.from_text(clock.to_text(moment)) == moment


@given(moments, moments)
def test_written_times_compare_like_the_times(first: datetime, second: datetime) -> None:
    assert (clock.to_text(first) < clock.to_text(second)) == (first < second)


def test_a_time_is_written_in_utc_with_microseconds() -> None:
    oslo = timezone(timedelta(hours=2))
    assert clock.to_text(datetime(2025, 4, 1, 13, 50, tzinfo=oslo)) == "2025-04-01T11:50:00.000000+00:00"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-04-01T11:50:12.003029+00:00", datetime(2025, 4, 1, 11, 50, 12, 3029, tzinfo=UTC)),
        ("2025-04-01T11:50:12Z", datetime(2025, 4, 1, 11, 50, 12, tzinfo=UTC)),
        ("2025-04-01t11:50:12z", datetime(2025, 4, 1, 11, 50, 12, tzinfo=UTC)),
        ("2025-04-01 11:50:12Z", datetime(2025, 4, 1, 11, 50, 12, tzinfo=UTC)),
        ("2025-04-01T11:50:12.5Z", datetime(2025, 4, 1, 11, 50, 12, 500_000, tzinfo=UTC)),
        ("2025-04-01T11:50:12.123456789Z", datetime(2025, 4, 1, 11, 50, 12, 123_456, tzinfo=UTC)),
        ("2025-04-01T13:50:12+02:00", datetime(2025, 4, 1, 11, 50, 12, tzinfo=UTC)),
        ("2025-04-01T13:50:12+0200", datetime(2025, 4, 1, 11, 50, 12, tzinfo=UTC)),
        ("2025-04-01T06:20:12-05:30", datetime(2025, 4, 1, 11, 50, 12, tzinfo=UTC)),
    ],
)
def test_an_rfc_3339_time_is_read_in_utc(text: str, moment: datetime) -> None:
    read = clock.from_text(text)
    assert read == moment
    assert read.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2025-04-01",
        "2025-04-01T11:50:12",  # no offset
        "2025-04-01T11:50Z",
        "2025-W14-2T11:50:12Z",
        "20250401T115012Z",
        "2025-04-01T11:50:12,5Z",
        "2025-04-01T11:50:12.Z",
        "2025-04-01T11:50:12.1234567890Z",
        "2025-04-01T11:50:12Z ",
        "2025-04-01T11:50:12Z\n",
        "2025-02-30T11:50:12Z",
        "2025-04-01T24:00:00Z",
        "2025-04-01T11:50:60Z",
        "2025-04-01T11:50:12+24:00",
        "\u0662025-04-01T11:50:12Z",  # a digit of another script
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        clock.from_text(text)


@given(st.one_of(st.text(), st.from_regex(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:?\d\d)")))
def test_every_text_is_read_or_raises_a_value_error(text: str) -> None:
    try:
        moment = clock.from_text(text)
    except ValueError:
        return
    assert clock.from_text(clock.to_text(moment)) == moment


@pytest.mark.parametrize("milliseconds", [1_764_000_000_123, "1764000000123"])
def test_an_sqs_timestamp_keeps_its_milliseconds(milliseconds: str | int) -> None:
    assert clock.to_text(clock.from_epoch_ms(milliseconds)) == "2025-11-24T16:00:00.123000+00:00"


def test_a_ulid_contains_its_time() -> None:
    # The provider's own example of a msg_id.
    made_at = clock.from_ulid("01JQRJWK259Y1YEECJZB50908V")
    assert made_at == datetime.fromtimestamp(0x195F12E4C45 / 1000, UTC)


@given(st.integers(0, 253_402_300_799_999))
def test_the_first_ten_characters_of_a_ulid_are_milliseconds(milliseconds: int) -> None:
    digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    ulid = "".join(digits[milliseconds >> shift & 31] for shift in range(45, -1, -5)) + "0" * 16
    assert clock.from_ulid(ulid) == clock.from_epoch_ms(milliseconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "01JQRJWK259Y1YEECJZB50908",
        "01JQRJWK259Y1YEECJZB50908V0",
        "01JQRJWK259Y1YEECJZB50908U",  # the alphabet has no U
        "01jqrjwk259y1yeecjzb50908v",
        "ZZZZZZZZZZ9Y1YEECJZB50908V",  # far after the year 9999
        "01J\nRJWK259Y1YEECJZB50908V",
    ],
)
def test_other_ids_have_no_time(text: str) -> None:
    assert clock.from_ulid(text) is None
