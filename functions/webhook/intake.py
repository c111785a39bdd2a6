"""Verify one webhook body, read it, and store it.

A body is read only after its signature is verified. A webhook is answered with 200 only after DynamoDB has stored it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewayapi import webhook_body
from gatewayapi.errors import EventError, SignatureError, UnstorableError
from gatewayapi.signature import parse_signature, verify
from stop_words import UnreadableTextError, opt_out

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from gatewayapi.event_record import EventRecord
    from gatewayapi.event_table import EventTable
    from gatewayapi.opt_out_record import OptOutRecord
    from gatewayapi.secrets import Secret
    from stop_words import Words

STORED, DUPLICATE, QUARANTINED = "stored", "duplicate", "quarantined"
CURRENT, PREVIOUS = "current", "previous"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The result of receiving a body.

    Arguments:
        status: STORED, DUPLICATE or QUARANTINED.
        key: which key signed it, CURRENT or PREVIOUS.
        event: the event, or None if the body is not a usable event.
        opt_out: the opt-out or opt-in of an inbound text.
        text_unreadable: whether the event is an inbound text that cannot be read and so may be an opt-out.
        reason: why the body is not a usable event.

    """

    status: str
    key: str
    event: EventRecord | None = None
    opt_out: OptOutRecord | None = None
    text_unreadable: bool = False
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """The operator's settings: the template's MaxEventAge, and its stop words, start words and keywords."""

    max_age: timedelta
    words: Words


def receive(
    body: bytes, signature: str, *, settings: Settings, keys: Secret, table: EventTable, now: datetime
) -> Receipt:
    """Verify and store a body.

    Raises SignatureError, EventAgeError (such a body is not quarantined), StorageError and SecretError. Raises
    UnstorableError only if a quarantine record cannot be stored either.
    """
    key = verify_body(body, signature, keys)
    expires_at = table.expiry(now)
    try:
        event = webhook_body.read(body, signature, received_at=now, expires_at=expires_at)
        webhook_body.check_age(event, settings.max_age)
        opt_out_record, unreadable = _opt_out(event, settings.words)
        status = STORED if table.store(event, opt_out_record) else DUPLICATE
        return Receipt(status, key, event, opt_out_record, unreadable)
    except (EventError, UnstorableError) as error:
        reason = str(error)
    record = webhook_body.quarantined(body, signature, reason, received_at=now, expires_at=expires_at)
    return Receipt(QUARANTINED if table.quarantine(record) else DUPLICATE, key, reason=reason)


def _opt_out(event: EventRecord, words: Words) -> tuple[OptOutRecord | None, bool]:
    try:
        return opt_out(event, words), False
    except UnreadableTextError:
        return None, True


def verify_body(body: bytes, signature: str, keys: Secret) -> str:
    """Verify a body, and return which key signed it: CURRENT or PREVIOUS. Raises SignatureError and SecretError.

    If neither did, the keys are read again, because they may have been rotated. In a new process,
    `previous()` is None until then. `Secret` limits how often the keys are read again, so the loop ends.
    """
    parse_signature(signature)  # raises SignatureError for a malformed header, before any call to Secrets Manager
    while True:
        current, previous = keys.current(), keys.previous()
        try:
            verify(body, signature, [current, previous or ""])
        except SignatureError:
            if not keys.refresh():
                raise
        else:
            return CURRENT if _signed(body, signature, current) else PREVIOUS


def _signed(body: bytes, signature: str, key: str) -> bool:
    """Return whether this key signed a verified body. This is only used to count the keys in use."""
    try:
        verify(body, signature, [key])
    except SignatureError:
        return False
    return True
