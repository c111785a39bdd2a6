"""The `expiration` field: a point in time in one of four forms.

The provider counts a duration from when the request arrives. A message can wait in a queue first, so we count from
when it was enqueued, and send the provider the resulting point in time.
Forms: the provider's openapi.json, `MobileMessageRequest.expiration`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from gatewayapi.clock import CLOCK_TIME, OFFSET

MAX_AGE = timedelta(days=5)
# How far the provider's clock may be behind ours.
CLOCK_TOLERANCE = timedelta(minutes=1)
MAX_OFFSET_S = 432_000  # a larger number is a unix time

_DURATION = re.compile(
    r"P(?=.)(?:(?P<weeks>\d{1,3})W)?(?:(?P<days>\d{1,4})D)?"
    r"(?:T(?=.)(?:(?P<hours>\d{1,4})H)?(?:(?P<minutes>\d{1,6})M)?(?:(?P<seconds>\d{1,7}(?:\.\d{1,6})?)S)?)?",
    re.ASCII,
)
_POINT = re.compile(rf"\d{{4}}-\d\d-\d\d[T ]{CLOCK_TIME}(\.\d{{1,6}})?(Z|{OFFSET})?", re.ASCII)
_NUMBER = re.compile(r"\d{1,11}(\.\d{1,6})?", re.ASCII)


def deadline(expiration: str | float, enqueued_at: datetime) -> datetime:
    """Return the time after which a message must not be sent any more.

    Raises ValueError for anything the provider would refuse. The error's text describes a valid field.
    """
    moment = _moment(expiration, enqueued_at)
    if moment > enqueued_at + MAX_AGE:
        raise ValueError("must be at most 5 days after the message was enqueued")
    return moment


def for_provider(moment: datetime, now: datetime) -> datetime:
    """Return a deadline as it can be sent: at most 5 days away, even if the provider's clock is a little behind.

    Otherwise the provider could refuse a `P5D` message that is sent at once.
    """
    return min(moment, now + MAX_AGE - CLOCK_TOLERANCE)


def _moment(expiration: str | float, enqueued_at: datetime) -> datetime:
    if not isinstance(expiration, str) or _NUMBER.fullmatch(expiration):
        return _number(expiration, enqueued_at)
    if parts := _DURATION.fullmatch(expiration):
        span = timedelta(**{unit: float(amount) for unit, amount in parts.groupdict(default="0").items()})
        return enqueued_at + _positive(span)
    return _point(expiration)


def _number(expiration: str | float, enqueued_at: datetime) -> datetime:
    try:
        number = float(expiration)
        if number > MAX_OFFSET_S:
            return datetime.fromtimestamp(number, UTC)
        span = timedelta(seconds=number)
    # For example milliseconds since 1970, whose year is out of the range of datetime.
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(_FORMS) from error
    return enqueued_at + _positive(span)


def _point(text: str) -> datetime:
    if not _POINT.fullmatch(text):
        raise ValueError(_FORMS)
    try:
        moment = datetime.fromisoformat(text)
        # The offset is optional in the provider's format. Without one, the time is UTC.
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(_FORMS) from error


def _positive(span: timedelta) -> timedelta:
    if span <= timedelta(0):
        raise ValueError("must be later than the time of enqueuing")
    return span


_FORMS = "must be an ISO 8601 duration, a date-time, a unix time, or a number of seconds up to 432000"
