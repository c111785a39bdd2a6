"""Reads every event type of the provider. Unknown types, statuses and fields are kept."""

from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256

import pytest

from gatewayapi import state
from gatewayapi.errors import EventAgeError, EventError
from gatewayapi.record import EventRecord
from gatewayapi.webhook_body import MAX_AHEAD, check_age, quarantined
from tests.layer.webhook_bodies import (
    ABSENT,
    EXPIRES,
    FILE_RCS,
    LOCATION_RCS,
    MSG_ID,
    RCS,
    RECEIVED,
    SIGNATURE,
    SMS,
    TEXT_RCS,
    TEXT_SMS,
    body,
    envelope,
    inbound,
    read,
    status,
    status_body,
)

REJECTED = {"hex_code": "0x1905", "details": "Unsupported sender"}


def test_an_sms_status_becomes_a_record_with_all_its_fields() -> None:
    raw = status_body(status="REJECTED", error=REJECTED)
    assert read(raw) == EventRecord(
        key="order-1",
        event_id="09c829a2-a77b-422d-8562-2f88e784dfb5",
        event_type=SMS,
        timestamp=datetime(2025, 4, 1, 11, 50, 12, 3029, tzinfo=UTC),
        received_at=RECEIVED,
        expires_at=EXPIRES,
        body=raw.decode(),
        signature=SIGNATURE,
        msg_id=MSG_ID,
        reference="order-1",
        status="REJECTED",
        status_at=datetime(2025, 4, 1, 11, 49, 12, 5021, tzinfo=UTC),
        error=REJECTED,
        recipient=4512345678,
    )


@pytest.mark.parametrize("kind", [SMS, RCS])
@pytest.mark.parametrize("name", ["ACCEPTED", "ENROUTE", "UNKNOWN", *state.FINAL, "READ", "Held at customs"])
def test_every_status_is_read_even_an_unknown_one(kind: str, name: str) -> None:
    record = read(status_body(kind, status=name))
    assert (record.event_type, record.status, record.recipient) == (kind, name, 4512345678)


@pytest.mark.parametrize("error", [ABSENT, None, {}, {"code": 7, "more": [1.5, {"a": None}]}])
def test_an_rcs_error_may_be_absent_or_any_object(error: object) -> None:
    record = read(status_body(RCS, error=error))
    assert record.error == (None if error is ABSENT else error)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (TEXT_SMS, {"message": "Hej, ja tak 🍓", "encoding": "UCS2", "header": None}),
        (TEXT_RCS, "Hello"),
        (LOCATION_RCS, {"latitude": Decimal("55.676098"), "longitude": Decimal("-12.568337")}),
        (
            FILE_RCS,
            {
                "category": "image",
                "thumbnail": {"mime_type": "image/jpeg", "size": 1200, "url": "https://files.example/t"},
                "payload": {"mime_type": "image/jpeg", "size": 98000, "url": "https://files.example/p"},
            },
        ),
    ],
)
def test_every_type_of_inbound_message_is_read(kind: str, content: object) -> None:
    raw = body(envelope(kind, inbound("CONTENT"))).replace(b'"CONTENT"', json_of(content))
    record = read(raw)
    assert (record.event_type, record.sender, record.content) == (kind, 4587654321, content)
    assert (record.key, record.msg_id, record.reference, record.status) == (MSG_ID, MSG_ID, None, None)
    assert record.body == raw.decode()


def json_of(content: object) -> bytes:
    """Return the JSON as `body` does, with decimals in all their digits."""
    if isinstance(content, dict) and all(isinstance(value, Decimal) for value in content.values()):
        return ("{" + ", ".join(f'"{name}": {value}' for name, value in content.items()) + "}").encode()
    return body(content)


def test_the_event_of_an_unknown_type_is_kept_but_not_read() -> None:
    raw = body(envelope("message.price.sms", status(status=["no", "status"], error=7, price=0.07)))
    record = read(raw)
    assert (record.event_type, record.key, record.body) == ("message.price.sms", "order-1", raw.decode())
    assert (record.status, record.error, record.recipient, record.content) == (None, None, None, None)


def test_unknown_fields_stay_in_the_body() -> None:
    raw = body(envelope(SMS, status(price={"amount": 0.07}), version=[2]))
    assert read(raw).body == raw.decode()
    assert set(read(raw).to_item()) == set(read(status_body()).to_item())


def test_a_body_is_kept_unchanged() -> None:
    raw = status_body().replace(b", ", b" ,\r\n\t").replace(b"order-1", "bestilling-å".encode())
    record = read(raw)
    assert (record.body.encode(), record.key) == (raw, "bestilling-å")


@pytest.mark.parametrize("reference", [ABSENT, None, ""])
def test_an_event_without_a_reference_is_stored_under_its_msg_id(reference: object) -> None:
    record = read(status_body(reference=reference))
    assert (record.key, record.reference, record.msg_id) == (MSG_ID, None, MSG_ID)


def test_an_unknown_type_can_have_a_reference_without_a_msg_id() -> None:
    record = read(body(envelope("message.new", {"reference": "order-1"})))
    assert (record.key, record.reference, record.msg_id) == ("order-1", "order-1", None)


@pytest.mark.parametrize("recipient", [ABSENT, None, 4512345678, "+4512345678", "short code"])
def test_a_recipient_can_be_missing_or_text(recipient: object) -> None:
    assert read(status_body(recipient=recipient)).recipient == (None if recipient is ABSENT else recipient)


def test_the_last_of_two_fields_with_the_same_name_counts() -> None:
    raw = status_body().replace(b'"status": ', b'"status": "ENROUTE", "status": ')
    record = read(raw)
    assert (record.status, record.body) == ("DELIVERED", raw.decode())


def test_a_quarantined_body_is_stored_under_its_hash() -> None:
    raw = "no event: æ".encode()
    record = quarantined(raw, SIGNATURE, "not JSON", received_at=RECEIVED, expires_at=EXPIRES)
    assert record.body_sha256 == sha256(raw).hexdigest()
    assert (record.body, record.signature, record.reason) == ("no event: æ", SIGNATURE, "not JSON")
    assert (record.received_at, record.expires_at) == (RECEIVED, EXPIRES)


def test_a_quarantined_body_that_is_not_utf_8_is_stored_as_bytes() -> None:
    record = quarantined(b"\xff\xfe", SIGNATURE, "not UTF-8", received_at=RECEIVED, expires_at=EXPIRES)
    assert record.body == b"\xff\xfe"
    assert record.to_item()["body"] == {"B": b"\xff\xfe"}


@pytest.mark.parametrize(
    ("age", "reason"),
    [
        (timedelta(0), None),
        (timedelta(days=7), None),
        (timedelta(days=7, microseconds=1), "the event is too old"),
        (timedelta(days=4000), "the event is too old"),
        (-MAX_AHEAD, None),
        (-MAX_AHEAD - timedelta(microseconds=1), "the event is too far in the future"),
        (-timedelta(days=4000), "the event is too far in the future"),
    ],
)
def test_an_event_outside_the_allowed_age_is_refused(age: timedelta, reason: str | None) -> None:
    record = replace(read(status_body()), timestamp=RECEIVED - age)
    # An EventError would quarantine the body.
    with nullcontext() if reason is None else pytest.raises(EventAgeError, match=reason):
        check_age(record, timedelta(days=7))
    assert not issubclass(EventAgeError, EventError)
