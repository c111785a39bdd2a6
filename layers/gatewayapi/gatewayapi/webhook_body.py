"""Read a webhook body into the record of its event.

The provider adds event types, statuses and fields without notice. So only the fields that a record needs are checked:
the envelope, the key, and the status and its time in a status event. The raw body is stored too.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from gatewayapi import dynamodb_values
from gatewayapi.clock import from_text
from gatewayapi.errors import EventAgeError, EventError
from gatewayapi.event_record import EventRecord, QuarantineRecord

if TYPE_CHECKING:
    from datetime import datetime

MAX_BODY = 256 * 1024
# A DynamoDB item has at most 400 KB. The parsed copy of a body can take twice its size, so a large body is stored
# without one.
MAX_PARSED_BODY = 100 * 1024
MAX_AHEAD = timedelta(minutes=5)
MAX_PARTITION_KEY = 2048
# The most bytes of an id, a type or a status. A sort key has at most 1024 bytes, with its prefix.
MAX_NAME = 1000

STATUS = "message.status."
INBOUND = "user-message."


def read(body: bytes, signature: str, *, received_at: datetime, expires_at: datetime) -> EventRecord:
    """Return the record of a signed body. Raises EventError, with a reason, for a body that is not a usable event."""
    text, envelope = _parse(body)
    event = _field(envelope, "event", dict)
    event_type = _name(envelope, "event_type")
    msg_id, reference = _key(event, "msg_id"), _key(event, "reference")
    key = reference or msg_id
    if not key:
        raise EventError("event: neither a reference nor a msg_id")
    record = EventRecord(
        key=key,
        event_id=_name(envelope, "event_id"),
        event_type=event_type,
        timestamp=_time(envelope, "timestamp"),
        received_at=received_at,
        expires_at=expires_at,
        body=text,
        signature=signature,
        msg_id=msg_id or None,
        reference=reference or None,
    )
    whole = len(body) <= MAX_PARSED_BODY
    if event_type.startswith(STATUS):
        if not msg_id:
            raise EventError("msg_id: is required")
        error = _field(event, "error", dict, optional=True) if whole else None
        record = replace(
            record,
            status=_name(event, "status"),
            status_at=_time(event, "status_at"),
            recipient=_msisdn(event, "recipient"),
            error=error,
        )
    elif event_type.startswith(INBOUND):
        record = replace(record, sender=_msisdn(event, "sender"), content=event.get("content") if whole else None)
    record.to_item()  # raises EventError for values that DynamoDB cannot store
    return record


def quarantined(
    body: bytes, signature: str, reason: str, *, received_at: datetime, expires_at: datetime
) -> QuarantineRecord:
    """Return the record of a signed body that is not a usable event."""
    try:
        kept: str | bytes = body.decode()
    except UnicodeDecodeError:
        kept = body
    return QuarantineRecord(
        body_sha256=sha256(body).hexdigest(),
        body=kept,
        signature=signature,
        reason=reason,
        received_at=received_at,
        expires_at=expires_at,
    )


def check_age(record: EventRecord, max_age: timedelta) -> None:
    """Return if the event's age is allowed, else raise EventAgeError.

    A replay within this age is recognised as a duplicate, because records are kept longer. An older event is refused.
    """
    age = record.received_at - record.timestamp
    if age > max_age:
        raise EventAgeError("the event is too old")
    if age < -MAX_AHEAD:
        raise EventAgeError("the event is too far in the future")


def _parse(body: bytes) -> tuple[str, dict[str, Any]]:
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise EventError("not UTF-8") from error
    try:
        envelope = json.loads(text, parse_float=Decimal, parse_constant=_no_constant)
    # Decimal raises ArithmeticError for an exponent that is too large.
    except (ValueError, ArithmeticError) as error:
        raise EventError("not JSON") from error
    except RecursionError as error:
        raise EventError("nested too deeply") from error
    if not isinstance(envelope, dict):
        raise EventError("not a JSON object")
    return text, envelope


def _field(fields: dict[str, Any], name: str, kind: type, *, optional: bool = False) -> Any:  # noqa: ANN401 - of `kind`
    value = fields.get(name)
    if isinstance(value, kind) or (optional and value is None):
        return value
    raise EventError(f"{name}: must be {'a string' if kind is str else 'an object'}")


def _name(fields: dict[str, Any], name: str) -> str:
    value: str = dynamodb_values.text(_field(fields, name, str))
    if not value:
        raise EventError(f"{name}: must not be empty")
    if len(value.encode()) > MAX_NAME:
        raise EventError(f"{name}: longer than a name may be")
    return value


def _key(event: dict[str, Any], name: str) -> str:
    value: str = dynamodb_values.text(_field(event, name, str, optional=True) or "")
    if len(value.encode()) > MAX_PARTITION_KEY:
        raise EventError(f"{name}: longer than a key may be")
    return value


def _time(fields: dict[str, Any], name: str) -> datetime:
    try:
        return from_text(_field(fields, name, str))
    except ValueError as error:
        raise EventError(f"{name}: must be an RFC 3339 time") from error


def _msisdn(event: dict[str, Any], name: str) -> int | str | None:
    value = event.get(name)
    if isinstance(value, str) and len(value) > MAX_NAME:
        raise EventError(f"{name}: longer than a phone number may be")
    if value is None or (isinstance(value, int | str) and not isinstance(value, bool)):
        return value
    raise EventError(f"{name}: must be a phone number")


def _no_constant(name: str) -> object:
    raise ValueError(name)
