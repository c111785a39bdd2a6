"""Webhook bodies for tests: the provider's event types, with any field changed or left out."""

import json
from datetime import UTC, datetime
from typing import Any

from gatewayapi import webhook_body
from gatewayapi.record import EventRecord

RECEIVED = datetime(2025, 4, 1, 11, 50, 13, 250_000, tzinfo=UTC)
EXPIRES = datetime(2025, 6, 30, 11, 50, 13, tzinfo=UTC)
SIGNATURE = "v1=" + "0123456789abcdef" * 4
MSG_ID = "01JQRJWK259Y1YEECJZB50908V"
SMS, RCS = "message.status.sms", "message.status.rcs"
TEXT_SMS, TEXT_RCS = "user-message.text.sms", "user-message.text.rcs"
LOCATION_RCS, FILE_RCS = "user-message.location.rcs", "user-message.file.rcs"
ABSENT = object()


def status(**fields: object) -> dict[str, Any]:
    """Return a status event. `ABSENT` leaves a field out."""
    usual = {
        "msg_id": MSG_ID,
        "recipient": 4512345678,
        "reference": "order-1",
        "status": "DELIVERED",
        "status_at": "2025-04-01T11:49:12.005021+00:00",
        "error": None,
    }
    return present(usual | fields)


def inbound(content: object = "Hello", **fields: object) -> dict[str, Any]:
    """Return the event of an inbound message."""
    usual = {"msg_id": MSG_ID, "sender": 4587654321, "sent_at": "2025-04-01T11:49:12+00:00", "content": content}
    return present(usual | fields)


def envelope(kind: object, inner: object, **fields: object) -> dict[str, Any]:
    """Return an envelope. `ABSENT` leaves a field out."""
    usual = {
        "event_id": "09c829a2-a77b-422d-8562-2f88e784dfb5",
        "timestamp": "2025-04-01T11:50:12.003029+00:00",
        "event_type": kind,
        "event": inner,
    }
    return present(usual | fields)


def present(fields: dict[str, object]) -> dict[str, Any]:
    """Return the fields that are not ABSENT."""
    return {name: value for name, value in fields.items() if value is not ABSENT}


def body(document: object) -> bytes:
    """Return a document as the provider sends it."""
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")


def status_body(kind: object = SMS, **fields: object) -> bytes:
    """Return the body of a status event as the provider sends it."""
    return body(envelope(kind, status(**fields)))


def read(raw: bytes) -> EventRecord:
    """Return the record of a body."""
    return webhook_body.read(raw, SIGNATURE, received_at=RECEIVED, expires_at=EXPIRES)
