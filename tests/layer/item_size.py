"""The size of a DynamoDB item. Source: "DynamoDB item sizes and formats" in the DynamoDB developer guide."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

MAX_ITEM = 400 * 1024


def item_size(item: Mapping[str, Mapping[str, Any]]) -> int:
    """Return the bytes of all names and values."""
    return sum(len(name.encode()) + value_size(attribute) for name, attribute in item.items())


def value_size(attribute: Mapping[str, Any]) -> int:
    """Return the bytes of one attribute value. A number counts as its largest possible size."""
    ((kind, value),) = attribute.items()
    if kind == "S":
        return len(value.encode())
    if kind == "B":
        return len(value)
    if kind == "N":
        return len(Decimal(value).as_tuple().digits) // 2 + 3
    if kind == "L":
        return 3 + sum(1 + value_size(element) for element in value)
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + value_size(element) for name, element in value.items())
    return 1
