"""Convert Python values to DynamoDB attribute values, and back.

boto3's serializer is not used, because importing it loads all of boto3 (see docs/performance.md). It also raises
various errors for values that DynamoDB cannot store, and a webhook body can contain any JSON value.
Limits: "Data types" and "Quotas" in the DynamoDB developer guide.
"""

from __future__ import annotations

from base64 import b64decode
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from gatewayapi.errors import EventError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_DEPTH = 28  # DynamoDB's 32 levels, less those of the record around the value
MAX_DIGITS = 38
MAX_EXPONENT = 125
MIN_EXPONENT = -130
MAX_NAME = 65_535  # bytes


def to_attribute(value: object, depth: int = 0) -> dict[str, Any]:
    """Return a JSON value as an attribute value. Raises EventError if DynamoDB cannot store it."""
    if depth > MAX_DEPTH:
        raise EventError("nested too deeply")
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, str):
        return {"S": text(value)}
    if isinstance(value, int | Decimal):
        return {"N": number(value)}
    if isinstance(value, list):
        return {"L": [to_attribute(item, depth + 1) for item in value]}
    if isinstance(value, dict):
        return {"M": {_name(name): to_attribute(item, depth + 1) for name, item in value.items()}}
    raise EventError(f"{type(value).__name__} is not a JSON value")


def from_attribute(attribute: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
    """Return the Python value of an attribute value. Whole numbers are int, other numbers are Decimal."""
    ((kind, value),) = attribute.items()
    if kind == "NULL":
        return None
    if kind == "N":
        amount = Decimal(value)
        return int(amount) if amount == amount.to_integral_value() else amount
    if kind == "L":
        return [from_attribute(item) for item in value]
    if kind == "M":
        return {name: from_attribute(item) for name, item in value.items()}
    if kind == "B" and isinstance(value, str):  # a Lambda event is JSON, so bytes are base64
        return b64decode(value)
    return value


def text(value: str) -> str:
    """Return the string, or raise EventError if it has no UTF-8 form."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise EventError("a string is not valid Unicode") from error
    return value


def number(value: int | Decimal) -> str:
    """Return a number in DynamoDB's form, or raise EventError if DynamoDB would round it or cannot store it."""
    _, digits, exponent = Decimal(value).as_tuple()
    if not isinstance(exponent, int):
        raise EventError("a number is not finite")
    significant = len("".join(map(str, digits)).strip("0"))
    magnitude = len(digits) + exponent - 1
    if significant > MAX_DIGITS or (significant and not MIN_EXPONENT <= magnitude <= MAX_EXPONENT):
        raise EventError("a number has more than 38 digits, or an exponent that DynamoDB does not have")
    return str(value) if significant else "0"


def _name(value: str) -> str:
    if not 1 <= len(text(value).encode()) <= MAX_NAME:
        raise EventError("a name is empty or longer than the table can hold")
    return value
