"""Times as the table, the provider and SQS write them, all of them in UTC.

Strings have a fixed width, so that comparing two of them in a DynamoDB condition compares the times.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

# fromisoformat alone also takes dates, week numbers and local times, and each Python a little more than the last
# (24:00 since 3.14). What is a time must not depend on the runtime.
CLOCK_TIME = r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d"
OFFSET = r"[+-]([01]\d|2[0-3]):?[0-5]\d"
# RFC 3339 with its mandatory offset.
_RFC3339 = re.compile(rf"\d{{4}}-\d\d-\d\d[Tt ]{CLOCK_TIME}(\.\d{{1,9}})?([Zz]|{OFFSET})", re.ASCII)


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


@lru_cache(maxsize=256)  # a batch writes the same few moments hundreds of times
def to_text(moment: datetime) -> str:
    """Return an RFC 3339 string in UTC with microseconds."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def from_text(text: str) -> datetime:
    """Return the time of an RFC 3339 string; raises ValueError for anything else."""
    if not _RFC3339.fullmatch(text):
        raise ValueError("not an RFC 3339 time")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except OverflowError as error:  # year 1 or 9999, moved over the edge by its offset
        raise ValueError("not a representable time") from error


def from_epoch_ms(milliseconds: str | int) -> datetime:
    """Return the time of SQS's `SentTimestamp`, which counts milliseconds since 1970."""
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)


def from_ulid(ulid: str) -> datetime | None:
    """Return the time in a ULID's first ten characters, or None where it is none.

    The provider's `msg_id` is a ULID made at acceptance, which spares us a read to learn when that was.
    """
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    if len(ulid) != 26 or any(letter not in alphabet for letter in ulid):  # noqa: PLR2004 - a ULID's length
        return None
    milliseconds = 0
    for letter in ulid[:10]:
        milliseconds = milliseconds * 32 + alphabet.index(letter)
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None
