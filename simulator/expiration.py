"""The forms that a message's `expiration` may have.

The provider's description types the field as text, but its prose also allows numbers, so both are accepted.
"""

import math
import re
from datetime import datetime

MAX_EXPIRATION_S = 432_000
FAR_FUTURE = 10**12  # in Unix time, some 30,000 years ahead

DURATION = re.compile(
    r"P(?:([0-9]+)Y)?(?:([0-9]+)M)?(?:([0-9]+)W)?(?:([0-9]+)D)?"
    r"(?:T(?=[0-9])(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+(?:[.,][0-9]+)?)S)?)?"
)
# Years and months vary in length. Even the shortest exceeds the limit, so an approximate length is enough.
DURATION_UNITS_S = (365 * 86400, 28 * 86400, 7 * 86400, 86400, 3600, 60, 1)
INSTANT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?)"
    r"(?:Z|([+-][0-9]{2}):?([0-9]{2}))?"
)
NUMBER = re.compile(r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,9})?")


def expires_in_s(value: object, now: datetime) -> float | None:
    """Return the seconds from now until an expiration, or None if the value has none of the allowed forms.

    A number of at most 432000 counts from now. A greater number is Unix time.
    """
    if isinstance(value, str) and NUMBER.fullmatch(value):
        value = float(value)
    if isinstance(value, str):
        duration_s = _duration_s(value)
        return _seconds_until(value, now) if duration_s is None else duration_s
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Compare before converting: an integer may be too large for a float.
    if value > FAR_FUTURE or value <= 0:
        return math.inf if value > 0 else 0.0
    return float(value) if value <= MAX_EXPIRATION_S else value - now.timestamp()


def _duration_s(value: str) -> float | None:
    if (parts := DURATION.fullmatch(value)) is None:
        return None
    amounts = [float((part or "0").replace(",", ".")) for part in parts.groups()]
    return sum(amount * unit_s for amount, unit_s in zip(amounts, DURATION_UNITS_S, strict=True))


def _seconds_until(value: str, now: datetime) -> float | None:
    if (parts := INSTANT.fullmatch(value)) is None:
        return None
    day, time, hours, minutes = parts.groups()
    try:
        instant = datetime.fromisoformat(f"{day}T{time}{f'{hours}:{minutes}' if hours else '+00:00'}")
    except ValueError:
        return None
    return (instant - now).total_seconds()
