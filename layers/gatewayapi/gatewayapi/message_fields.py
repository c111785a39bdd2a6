"""The fields of a queue message, and the rules of each field.

A reader takes all fields and returns the value of one field, or None if it is absent and optional. It raises
ValueError with a description of a valid value. The error does not contain the value, because a value can be a text or
a phone number.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gatewayapi import expiration
from gatewayapi.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Fields = Mapping[str, object]

MAX_MESSAGE = 39_015
MAX_REFERENCE = 255
MAX_LABEL = 128
MAX_CONTEXT = 256
MIN_RECIPIENT, MAX_RECIPIENT = 1_001, 999_999_999_999_999
# Phones show 11 characters, or 15 digits. The template's DefaultSender has the same pattern.
SENDER = "[0-9]{3,15}|.{3,11}"

_SENDER = re.compile(SENDER, re.DOTALL)
# Spaces and hyphens only: the "(0)" in "+45 (0) 12345678" would lead to another person's number.
_RECIPIENT = re.compile(r"\+?[1-9][0-9]*(?:[ -][0-9]+)*", re.ASCII)
# SQS refuses these in the attribute that carries the reference through the dead-letter queue.
_NOT_IN_REFERENCE = re.compile(r"[\x00-\x1f\x7f\ufffe\uffff]")
_NOT_IN_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")

# Names of the same fields in other APIs, which are too different for a suggestion by spelling.
_OTHER_NAMES = {
    "to": "recipient",
    "msisdn": "recipient",
    "number": "recipient",
    "phone": "recipient",
    "phone_number": "recipient",
    "from": "sender",
    "text": "message",
    "body": "message",
    "content": "message",
    "ref": "reference",
    "id": "reference",
    "ttl": "expiration",
    "type": "message_type",
    "trace_id": "context",
}
_MAX_UNKNOWN = 10
_MAX_SHOWN = 64


def unknown(fields: Fields) -> list[Problem]:
    """Return a problem for each unknown field, at most ten."""
    names = fields.keys() - READERS.keys()
    return [_unknown(name) for name in sorted(names)[:_MAX_UNKNOWN]] if names else []


def reference(fields: Fields) -> str | None:
    """Return the reference, or None if it is absent or null."""
    value = _text(fields, "reference", 1, MAX_REFERENCE, nullable=True)
    if value is not None and _NOT_IN_REFERENCE.search(value):
        raise ValueError("must not contain control characters")
    return value


def phone_number(value: object) -> int:
    """Return the phone number of an integer or a text such as "+45 12 34 56 78". Raises ValueError."""
    if isinstance(value, str) and _RECIPIENT.fullmatch(value):
        digits = value.replace(" ", "").replace("-", "").removeprefix("+")
        number = int(digits) if len(digits) <= len(str(MAX_RECIPIENT)) else 0
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, float) and value.is_integer():  # 4512345678.0 is an integer in JSON Schema
        number = int(value)
    else:
        raise ValueError("must be an integer, or a string of digits that starts with the country code")
    if not MIN_RECIPIENT <= number <= MAX_RECIPIENT:
        raise ValueError("must be a phone number with its country code, at most 15 digits")
    return number


def _message(fields: Fields) -> str:
    value = _printable(fields, "message", 1, MAX_MESSAGE)
    if value is None:
        raise ValueError("is required")
    return value


def _sender(fields: Fields) -> str | None:
    value = _printable(fields, "sender", 3, 15)
    if value is not None and not _SENDER.fullmatch(value):
        raise ValueError("must be 3 to 11 characters, or 3 to 15 digits")
    return value


def _recipient(fields: Fields) -> int:
    value = fields.get("recipient")
    if value is None:
        raise ValueError("is required")
    return phone_number(value)


def _expiration(fields: Fields) -> str | float | None:
    if "expiration" not in fields:
        return None
    value = fields["expiration"]
    if (
        isinstance(value, bool)
        or not isinstance(value, str | int | float)
        or (isinstance(value, float) and not math.isfinite(value))
    ):
        raise ValueError("must be a string or a number")
    # As if enqueued far in the future, so that no point in time is too late and only the form is checked.
    expiration.deadline(value, datetime(9000, 1, 1, tzinfo=UTC))
    return value


def _priority(fields: Fields) -> str | None:
    value = _text(fields, "priority", 1, 16)
    if value not in {None, "normal", "urgent"}:
        raise ValueError("must be normal or urgent")
    return value


def _label(fields: Fields) -> str | None:
    return _printable(fields, "label", 0, MAX_LABEL, nullable=True)


def _message_type(fields: Fields) -> str | None:
    value = _text(fields, "message_type", 1, 16, nullable=True)
    if value not in {None, "transactional", "promotional"}:
        raise ValueError("must be transactional or promotional")
    return value


def _context(fields: Fields) -> str | None:
    return _printable(fields, "context", 0, MAX_CONTEXT, nullable=True)


def _printable(fields: Fields, name: str, shortest: int, longest: int, *, nullable: bool = False) -> str | None:
    value = _text(fields, name, shortest, longest, nullable=nullable)
    if value is not None and not value.isprintable() and _NOT_IN_TEXT.search(value):
        raise ValueError("must not contain control characters other than tab, line feed and carriage return")
    return value


def _text(fields: Fields, name: str, shortest: int, longest: int, *, nullable: bool = False) -> str | None:
    if name not in fields or (nullable and fields[name] is None):
        return None
    value = fields[name]
    if not isinstance(value, str):
        raise ValueError("must be a string")  # noqa: TRY004 - one error for every broken rule
    if not shortest <= len(value) <= longest:
        raise ValueError(f"must have {shortest} to {longest} characters")
    # JSON can contain half a surrogate pair, which has no UTF-8 form. The provider and DynamoDB refuse it.
    if not value.isascii() and _SURROGATE.search(value):
        raise ValueError("must be valid Unicode")
    return value


def _unknown(name: str) -> Problem:
    from difflib import get_close_matches  # noqa: PLC0415 - most invocations never need it

    meant = _OTHER_NAMES.get(name.lower()) or next(iter(get_close_matches(name.lower(), NAMES, 1)), None)
    # A name is the producer's text too, so its length and its characters are limited.
    shown = name[:_MAX_SHOWN].encode("ascii", "backslashreplace").decode()[:_MAX_SHOWN]
    return Problem(f"$.{shown}", f"is not a known field; did you mean {meant}?" if meant else "is not a known field")


READERS: dict[str, Callable[[Fields], object]] = {
    "message": _message,
    "recipient": _recipient,
    "sender": _sender,
    "reference": reference,
    "expiration": _expiration,
    "priority": _priority,
    "label": _label,
    "message_type": _message_type,
    "context": _context,
}
NAMES = tuple(READERS)
