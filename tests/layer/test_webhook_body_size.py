"""The largest accepted body fits into a DynamoDB item, and so does its change of the message's item."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gatewayapi.dynamodb_values import MAX_DEPTH, from_attribute
from gatewayapi.errors import EventError
from gatewayapi.event_table import EventTable
from gatewayapi.webhook_body import MAX_BODY, MAX_PARSED_BODY, quarantined
from tests.layer.item_size import MAX_ITEM, item_size, value_size
from tests.layer.stored_records import message
from tests.layer.webhook_bodies import (
    EXPIRES,
    FILE_RCS,
    RCS,
    RECEIVED,
    SIGNATURE,
    SMS,
    TEXT_SMS,
    body,
    envelope,
    inbound,
    read,
    status,
    status_body,
)


class Transactions:
    """A DynamoDB client that records every transaction."""

    def __init__(self) -> None:
        self.transactions: list[list[dict[str, Any]]] = []

    def transact_write_items(self, TransactItems: list[dict[str, Any]]) -> None:  # noqa: N803 - botocore's name
        self.transactions.append(TransactItems)


list_elements: st.SearchStrategy[object] = st.recursive(
    st.sampled_from([None, True, 0, -1, 1234567, 0.5, "", "a", "å", [], {}, "\x00"]),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)),
    max_leaves=6,
)


@settings(max_examples=10)  # every example writes and reads up to a quarter of a megabyte
@given(
    list_elements,
    st.sampled_from([MAX_PARSED_BODY, MAX_PARSED_BODY + 1, MAX_BODY]),
    st.sampled_from(["error", "content"]),
)
@example(0, MAX_PARSED_BODY, "content")
@example([], MAX_PARSED_BODY, "content")
@example({"a": -1}, MAX_PARSED_BODY, "error")
@example("å", MAX_BODY, "error")
def test_a_body_of_the_largest_size_fits_into_an_item(element: object, size: int, field: str) -> None:
    def filled(count: int) -> bytes:
        elements = {"list": [element] * count}
        inner = status(error=elements) if field == "error" else inbound(elements)
        return body(envelope(RCS if field == "error" else FILE_RCS, inner))

    empty, one = len(filled(0)), len(filled(1)) + 2
    raw = filled((size - empty) // (one - empty))
    raw += b" " * (size - len(raw))
    record = read(raw)
    assert len(record.body.encode()) == size
    assert (getattr(record, field) is not None) == (size <= MAX_PARSED_BODY)
    assert item_size(record.to_item()) < MAX_ITEM


@pytest.mark.parametrize("size", [MAX_PARSED_BODY, MAX_BODY])
@pytest.mark.parametrize("field", ["event_id", "event_type", "status", "recipient", "sender", "reference", "msg_id"])
def test_no_single_field_makes_an_item_too_large(field: str, size: int) -> None:
    def long(count: int) -> bytes:
        value = (SMS if field == "event_type" else "") + "x" * count
        inner = inbound("Hello") if field == "sender" else status()
        document = envelope(TEXT_SMS if field == "sender" else SMS, inner)
        (inner if field in inner else document)[field] = value
        return body(document)

    raw = long(size - len(long(0)))
    assert len(raw) == size
    try:
        assert item_size(read(raw).to_item()) < MAX_ITEM
    except EventError as error:
        assert str(error).startswith(f"{field}: longer than ")  # noqa: PT017 - both are right


@pytest.mark.parametrize("raw", [b"x" * MAX_BODY, b"\xff" * MAX_BODY])
def test_a_quarantined_body_of_the_largest_size_fits_into_an_item(raw: bytes) -> None:
    record = quarantined(raw, SIGNATURE, "not JSON", received_at=RECEIVED, expires_at=EXPIRES)
    assert item_size(record.to_item()) < MAX_ITEM


@pytest.mark.parametrize("error", [{"nested": "deeply"}, {"hex_code": {"nested": "deeply"}, "details": None}])
def test_an_error_of_the_greatest_depth_can_be_stored_in_the_message(error: dict[str, Any]) -> None:
    name = next(iter(error))
    with pytest.raises(EventError, match="nested too deeply"):
        read(status_body(RCS, error={**error, name: nested(MAX_DEPTH - 1)}))
    raw = status_body(RCS, error={**error, name: nested(MAX_DEPTH - 2)})
    database = Transactions()
    assert EventTable(database, "table", 90).store(read(raw))  # type: ignore[arg-type]
    moved = from_attribute(database.transactions[0][1]["Update"]["ExpressionAttributeValues"][":error"])
    assert levels(moved) + 1 <= 32
    assert message(error=moved).to_item()  # the sender can write the record again


def nested(levels: int) -> object:
    value: object = 0
    for _ in range(levels):
        value = [value]
    return value


def levels(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return max(map(levels, inner), default=-1) + 1


def test_the_largest_error_fits_into_the_item_of_the_message() -> None:
    raw = status_body(RCS, error={"list": [0] * 34_000})
    assert MAX_PARSED_BODY - 2000 < len(raw) <= MAX_PARSED_BODY
    database = Transactions()
    assert EventTable(database, "table", 90).store(read(raw))  # type: ignore[arg-type]
    values = database.transactions[0][1]["Update"]["ExpressionAttributeValues"]
    assert sum(map(value_size, values.values())) < MAX_ITEM - 10_000
