"""Message records and events that tests store in the table, and functions that read the table back."""

from datetime import UTC, datetime, timedelta
from typing import Any

from gatewayapi import state
from gatewayapi.record import EventRecord, MessageRecord, QuarantineRecord, Record, from_item
from tests.conftest import ENVIRONMENT
from tests.moto_aws import Aws

TABLE = ENVIRONMENT["TABLE_NAME"]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EXPIRES = datetime(2026, 5, 30, 12, tzinfo=UTC)
MSG_ID = "01KJMM956GY1YEECJZB50908V0"  # a ULID whose time is 30 seconds before NOW
NUMBER = 4512345678


def message(reference: str = "order-1", status: str = state.SENDING, **fields: Any) -> MessageRecord:  # noqa: ANN401 - the record's
    """Return the record of a message that was queued at NOW."""
    record = MessageRecord(reference, status, NOW, NOW, EXPIRES, f"queue-{reference}", recipient=NUMBER)
    return record._replace(**fields)


def message_in_doubt(**fields: Any) -> MessageRecord:  # noqa: ANN401 - the record's
    """Return the record of a message that the provider can have accepted, with the msg_id MSG_ID."""
    return message(**{"status": state.UNCERTAIN, "in_doubt": True, "doubt_until": NOW, **fields})


def event(status: str | None, after_s: float = 10, *, reference: str = "order-1", **fields: Any) -> EventRecord:  # noqa: ANN401 - the record's
    """Return the event of a message that reached this status `after_s` seconds after NOW."""
    status_at = NOW + timedelta(seconds=after_s)
    given = {
        "key": reference,
        "event_id": f"{status}-{after_s}",
        "event_type": "message.status.sms",
        "timestamp": status_at,
        "received_at": status_at + timedelta(seconds=1),
        "expires_at": EXPIRES + timedelta(hours=1),
        "body": "{}",
        "signature": "v1=" + "0" * 64,
        "msg_id": MSG_ID,
        "reference": reference,
        "status": status,
        "status_at": status_at,
        "recipient": NUMBER,
    }
    return EventRecord(**{**given, **fields})


def quarantined(body: str | bytes = b"hello") -> QuarantineRecord:
    """Return the record of a signed body that is not a usable event."""
    return QuarantineRecord("0" * 64, body, "v1=" + "0" * 64, "not JSON", NOW, EXPIRES)


def stored_items(aws: Aws) -> list[dict[str, Any]]:
    """Return all items of the table, in DynamoDB's form."""
    pages = aws.dynamodb.get_paginator("scan").paginate(TableName=TABLE)
    return [item for page in pages for item in page["Items"]]


def stored_records(aws: Aws) -> list[Record]:
    """Return all records of the table."""
    return [record for item in stored_items(aws) if (record := from_item(item)) is not None]


def stored_events(aws: Aws) -> list[EventRecord]:
    """Return the events in the table."""
    return [record for record in stored_records(aws) if isinstance(record, EventRecord)]


def stored_messages(aws: Aws) -> dict[str, MessageRecord]:
    """Return the message records in the table by reference."""
    return {record.reference: record for record in stored_records(aws) if isinstance(record, MessageRecord)}


def stored_message(aws: Aws, reference: str = "order-1") -> MessageRecord:
    """Return the stored record of a message. It must exist."""
    return stored_messages(aws)[reference]


def put_item(aws: Aws, record: Record) -> None:
    """Put a record without a condition."""
    aws.dynamodb.put_item(TableName=TABLE, Item=record.to_item())


def delete_items(aws: Aws) -> None:
    """Delete all items of the table."""
    for item in stored_items(aws):
        aws.dynamodb.delete_item(TableName=TABLE, Key={"pk": item["pk"], "sk": item["sk"]})
