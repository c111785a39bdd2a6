"""`make local` prints a line for each outcome of a message."""

import pytest

from gatewayapi.record import OptOutRecord, Record
from local import outcomes
from tests.layer.stored_records import NOW, event, message, quarantined


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (message(status="ACCEPTED"), "order-1  ACCEPTED: GatewayAPI accepted it; number …678"),
        (
            message(status="RETRYING", error={"code": "UNREACHABLE", "details": "ConnectTimeout"}),
            "order-1  RETRYING: GatewayAPI could not be reached (UNREACHABLE: ConnectTimeout); number …678",
        ),
        (
            message(status="INVALID", recipient=None, error={"code": "INVALID_JSON", "details": "$"}),
            "order-1  INVALID: the queue message is not JSON (INVALID_JSON: $); a copy is in the dead-letter queue",
        ),
        (
            message(status="HELD", error={"code": "DRY_RUN", "details": "SendMode is DryRun"}),
            "order-1  HELD: SendMode does not allow sending it (DRY_RUN: SendMode is DryRun); number …678",
        ),
        (message(status="DELIVERED", forgotten_at=NOW), "order-1  forgotten: its personal data is removed"),
        (message(status="SENDING"), None),
        (event("DELIVERED"), None),
        (
            event(None, event_type="user-message.text.sms", sender=4587654321),
            "order-1  received user-message.text.sms from …321",
        ),
        (OptOutRecord("4587654321", "OUT", NOW, "e1"), "…321  opted out"),
        (OptOutRecord("4587654321", "IN", NOW, "e2"), "…321  opted in again"),
        (
            quarantined(),
            "a signed body is no usable event and is quarantined: not JSON",
        ),
    ],
)
def test_a_record_is_printed_unless_another_line_has_the_same_information(record: Record, line: str | None) -> None:
    assert outcomes.line(record) == line
