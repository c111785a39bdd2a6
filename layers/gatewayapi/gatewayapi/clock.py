"""Convert times from and to the formats of the table, the provider and SQS. All are in UTC.

Strings have a fixed width, so that comparing two of them in a DynamoDB condition compares the times.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

# fromisoformat alone also accepts dates, week numbers and local times, and newer versions of Python accept more
# (24:00 since 3.14). The same texts must be valid with every version.
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
    except OverflowError as error:  # the offset moves a time of year 1 or 9999 out of range
        raise ValueError("not a representable time") from error


def from_epoch_ms(milliseconds: str | int) -> datetime:
    """Return the time of SQS's `SentTimestamp`, which counts milliseconds since 1970."""
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)


def from_ulid(ulid: str) -> datetime | None:
    """Return the time in a ULID's first ten characters, or None if the text is not a ULID.

    The provider's `msg_id` is a ULID made at acceptance, so the time of acceptance is known without a read.
    """
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    if len(ulid) != 26 or any(character not in alphabet for character in ulid):  # noqa: PLR2004 - a ULID's length
        return None
    milliseconds = 0
    for character in ulid[:10]:
        milliseconds = milliseconds * 32 + alphabet.index(character)
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None
