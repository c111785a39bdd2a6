"""The provider's rules for each field of a message, as its description gives them.

Where the description leaves a choice, the stricter one is taken: a client that passes here should pass there.
"""

import math
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

MAX_EXPIRATION_S = 432_000
FAR_FUTURE = 10**12  # as unix time, some 30,000 years ahead
PRIORITIES = ("normal", "urgent")

DURATION = re.compile(
    r"P(?:([0-9]+)Y)?(?:([0-9]+)M)?(?:([0-9]+)W)?(?:([0-9]+)D)?"
    r"(?:T(?=[0-9])(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+(?:[.,][0-9]+)?)S)?)?"
)
# A year and a month have no fixed length, and even the shortest is over the limit.
DURATION_UNITS_S = (365 * 86400, 28 * 86400, 7 * 86400, 86400, 3600, 60, 1)
INSTANT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?)"
    r"(?:Z|([+-][0-9]{2}):?([0-9]{2}))?"
)
NUMBER = re.compile(r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,9})?")
SURROGATE = re.compile("[\ud800-\udfff]")


class Problem(NamedTuple):
    """Why one value was refused, in the words that the provider's framework would use."""

    type: str
    msg: str
    ctx: dict[str, Any] | None = None


Check = Callable[[object, datetime], Problem | None]


def text(low: int, high: int | None, *, nullable: bool = False) -> Check:
    """The rule for a text of `low` to `high` characters."""

    def check(value: object, _now: datetime) -> Problem | None:
        if value is None and nullable:
            return None
        if not isinstance(value, str):
            return Problem("string_type", "Input should be a valid string")
        if SURROGATE.search(value):
            words = "Input should be a valid string, unable to parse raw data as a unicode string"
            return Problem("string_unicode", words)
        if len(value) < low:
            words = f"String should have at least {low} characters"
            return Problem("string_too_short", words, {"min_length": low})
        if high is not None and len(value) > high:
            words = f"String should have at most {high} characters"
            return Problem("string_too_long", words, {"max_length": high})
        return None

    return check


def _recipient(value: object, _now: datetime) -> Problem | None:
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if not isinstance(value, int | float) or not whole:
        return Problem("int_type", "Input should be a valid integer")
    if value <= 1000:  # noqa: PLR2004 - the two limits are the description's own
        return Problem("greater_than", "Input should be greater than 1000", {"gt": 1000})
    if value > 999_999_999_999_999:  # noqa: PLR2004
        words = "Input should be less than or equal to 999999999999999"
        return Problem("less_than_equal", words, {"le": 999_999_999_999_999})
    return None


def _priority(value: object, _now: datetime) -> Problem | None:
    if value in PRIORITIES:
        return None
    return Problem("enum", "Input should be 'normal' or 'urgent'", {"expected": "'normal' or 'urgent'"})


def _expiration(value: object, now: datetime) -> Problem | None:
    left_s = expires_in_s(value, now)
    if left_s is None:
        return Problem("value_error", "Value error, neither a duration nor a point in time")
    if left_s <= 0:
        return Problem("value_error", "Value error, the expiration has passed")
    if left_s > MAX_EXPIRATION_S:
        return Problem("value_error", "Value error, the expiration is more than 5 days away")
    return None


def expires_in_s(value: object, now: datetime) -> float | None:
    """Seconds from now until an `expiration` in any of its forms; None if it is in none of them.

    The description lists strings alone, but its words name numbers too, so both are taken: a number of at
    most 432000 counts from now, a greater one from 1970.
    """
    if isinstance(value, str) and NUMBER.fullmatch(value):
        value = float(value)
    if isinstance(value, str):
        duration_s = _duration_s(value)
        return _instant_s(value, now) if duration_s is None else duration_s
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Compared before it is converted: an integer may be too great for a float.
    if value > FAR_FUTURE or value <= 0:
        return math.inf if value > 0 else 0.0
    return float(value) if value <= MAX_EXPIRATION_S else value - now.timestamp()


def _duration_s(value: str) -> float | None:
    if (parts := DURATION.fullmatch(value)) is None:
        return None
    amounts = [float((part or "0").replace(",", ".")) for part in parts.groups()]
    return sum(amount * unit_s for amount, unit_s in zip(amounts, DURATION_UNITS_S, strict=True))


def _instant_s(value: str, now: datetime) -> float | None:
    if (parts := INSTANT.fullmatch(value)) is None:
        return None
    day, time, hours, minutes = parts.groups()
    try:
        instant = datetime.fromisoformat(f"{day}T{time}{f'{hours}:{minutes}' if hours else '+00:00'}")
    except ValueError:
        return None
    return (instant - now).total_seconds()


FIELDS: dict[str, tuple[bool, Check]] = {
    "sender": (True, text(3, 18)),
    "recipient": (True, _recipient),
    "message": (True, text(0, 39015)),
    "reference": (False, text(0, None, nullable=True)),
    "expiration": (False, _expiration),
    "priority": (False, _priority),
    "label": (False, text(0, 128, nullable=True)),
}
