"""The table's items as plain values, for commands that show them or change them.

The typed records of the package gatewayapi are for what the functions write. A command must also show an item that is
not one of them: one of a newer version, or one whose personal data has been removed.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gatewayapi.clock import from_text
from gatewayapi.dynamodb_values import from_attribute
from tools.deployed import Deployed

INDEX = "by_phone_number"

Values = Mapping[str, Any]


def plain(item: Mapping[str, Any]) -> Values:
    """Return an item's values without DynamoDB's types."""
    return {name: from_attribute(attribute) for name, attribute in item.items()}


def under(stack: Deployed, partition_key: str) -> list[Values]:
    """Return all items of a partition key, by sort key: events first, then the message."""
    return _query(
        stack,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": partition_key}},
        ConsistentRead=True,
    )


def keys_of_number(stack: Deployed, number: str) -> list[Values]:
    """Return the keys that the index has for a phone number, newest first."""
    return _query(
        stack,
        IndexName=INDEX,
        KeyConditionExpression="phone_number = :number",
        ExpressionAttributeValues={":number": {"S": number}},
        ScanIndexForward=False,
    )


def _query(stack: Deployed, **arguments: object) -> list[Values]:
    pages = stack.client("dynamodb").get_paginator("query").paginate(TableName=stack.output("TableName"), **arguments)
    return [plain(item) for page in pages for item in page["Items"]]


def is_message(values: Values) -> bool:
    """Return whether an item is the record of a message."""
    return bool(values.get("record_type") == "message")


def is_event(values: Values) -> bool:
    """Return whether an item is a webhook event."""
    return bool(values.get("record_type") == "event")


def time_of(values: Values, name: str) -> datetime | None:
    """Return a time of an item, or None where it has none."""
    text = values.get(name)
    return from_text(text) if text else None
