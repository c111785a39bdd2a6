"""Items of the table as the functions write them, with the index's attributes."""

from datetime import UTC, datetime, timedelta
from typing import Any

from gatewayapi.clock import to_text
from gatewayapi.dynamodb_values import to_attribute
from tools.deployed import Deployed
from tools.records import Values

NUMBER = "4512345678"
NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(days=30)
MSG_ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def message(reference: str, at: datetime = LONG_AGO, **given: object) -> dict[str, Any]:
    """Return a message's record: DELIVERED, to NUMBER, queued and last changed at one time."""
    values = {
        "pk": reference,
        "sk": "MESSAGE",
        "record_type": "message",
        "status": "DELIVERED",
        "msg_id": MSG_ID,
        "recipient": int(NUMBER),
        "phone_number": NUMBER,
        "recorded_at": to_text(at),
        "sender": "Example",
        "label": "Orders",
        "context": "trace-1",
        "segments": 1,
        "fingerprint": "0" * 64,
        "attempts": 1,
        "message_id": "sqs-1",
        "queued_at": to_text(at),
        "updated_at": to_text(at),
        "accepted_at": to_text(at),
        "expires_at": int((at + timedelta(days=90)).timestamp()),
    }
    return {name: value for name, value in (values | given).items() if value is not None}


def event(key: str, event_id: str, at: datetime = LONG_AGO, **given: object) -> dict[str, Any]:
    """Return the record of a status event that a message of ours leads to."""
    values = {
        "pk": key,
        "sk": f"EVENT#{event_id}",
        "record_type": "event",
        "event_id": event_id,
        "event_type": "message.status.sms",
        "timestamp": to_text(at),
        "received_at": to_text(at),
        "msg_id": MSG_ID,
        "reference": key,
        "status": "DELIVERED",
        "recipient": int(NUMBER),
        "body": '{"recipient": 4512345678}',
        "signature": "v1=00",
        "expires_at": int((at + timedelta(days=90)).timestamp()),
    }
    return {name: value for name, value in (values | given).items() if value is not None}


def inbound(event_id: str, text: str, at: datetime = LONG_AGO, **given: object) -> dict[str, Any]:
    """Return the record of a text from NUMBER."""
    values = {
        "event_type": "user-message.text.sms",
        "reference": None,
        "status": None,
        "recipient": None,
        "sender": int(NUMBER),
        "content": {"message": text, "encoding": "GSM", "header": None},
        "phone_number": NUMBER,
        "recorded_at": to_text(at),
    }
    return event(f"msg-{event_id}", event_id, at, **(values | given))


def put(stack: Deployed, *records: Values) -> None:
    """Put records into the table."""
    for record in records:
        item = {name: to_attribute(value) for name, value in record.items()}
        stack.client("dynamodb").put_item(TableName=stack.output("TableName"), Item=item)
