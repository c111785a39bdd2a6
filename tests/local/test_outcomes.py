"""`make local` shows what becomes of each message in one line per outcome."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gatewayapi.record import EventRecord, MessageRecord, OptOutRecord, QuarantineRecord, Record
from local import outcomes

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def message(status: str, **given: Any) -> MessageRecord:  # noqa: ANN401 - as the record takes them
    fields: dict[str, Any] = {
        "recipient": 4512345678,
        "queued_at": NOW,
        "updated_at": NOW,
        "expires_at": NOW,
        "message_id": "1",
    }
    return MessageRecord("order-1", status, **(fields | given))


def event(**given: Any) -> EventRecord:  # noqa: ANN401 - as the record takes them
    fields: dict[str, Any] = {
        "timestamp": NOW,
        "received_at": NOW,
        "expires_at": NOW,
        "body": "{}",
        "signature": "v1=00",
    }
    return EventRecord("order-1", "e1", **(fields | given))


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (message("ACCEPTED"), "order-1  ACCEPTED: GatewayAPI accepted it; number …678"),
        (
            message("RETRYING", error={"code": "UNREACHABLE", "details": "ConnectTimeout"}),
            "order-1  RETRYING: GatewayAPI could not be reached (UNREACHABLE: ConnectTimeout); number …678",
        ),
        (
            message("INVALID", recipient=None, error={"code": "INVALID_JSON", "details": "$"}),
            "order-1  INVALID: the queue message is not JSON (INVALID_JSON: $); a copy is in the dead-letter queue",
        ),
        (
            message("HELD", error={"code": "DRY_RUN", "details": "SendMode is DryRun"}),
            "order-1  HELD: SendMode does not allow sending it (DRY_RUN: SendMode is DryRun); number …678",
        ),
        (message("DELIVERED", forgotten_at=NOW), "order-1  forgotten: its personal data is removed"),
        (message("SENDING"), None),
        (event(event_type="message.status.sms", status="DELIVERED"), None),
        (
            event(event_type="user-message.text.sms", sender=4587654321),
            "order-1  received user-message.text.sms from …321",
        ),
        (OptOutRecord("4587654321", "OUT", NOW, "e1"), "…321  opted out"),
        (OptOutRecord("4587654321", "IN", NOW, "e2"), "…321  opted in again"),
        (
            QuarantineRecord("00", "{}", "v1=00", "not JSON", NOW, NOW),
            "a signed body is no usable event and is quarantined: not JSON",
        ),
    ],
)
def test_a_record_is_a_line_unless_another_line_shows_the_same(record: Record, line: str | None) -> None:
    assert outcomes.line(record) == line
