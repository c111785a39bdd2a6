"""One webhook body on its way into the table: verified, read, and stored.

Nothing of a body is read before its signature is verified, and no body is answered as received before DynamoDB has
stored it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewayapi import webhook_body
from gatewayapi.errors import EventError, SignatureError, UnstorableError
from gatewayapi.signature import verify, well_formed
from stop_words import UnreadableTextError, opt_out

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from gatewayapi.event_record import EventRecord
    from gatewayapi.opt_out_record import OptOutRecord
    from gatewayapi.secrets import Secret
    from gatewayapi.table import Table
    from stop_words import Words

STORED, DUPLICATE, QUARANTINED = "stored", "duplicate", "quarantined"
CURRENT, PREVIOUS = "current", "previous"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a body.

    Arguments:
        status: STORED, DUPLICATE or QUARANTINED.
        key: which key signed it, CURRENT or PREVIOUS.
        event: the event, None for a body that is not one.
        opt_out: the opt-out or opt-in that an inbound text led to.
        unreadable: whether an inbound text may have been an opt-out, but cannot be read.
        reason: why the body is not a usable event.

    """

    status: str
    key: str
    event: EventRecord | None = None
    opt_out: OptOutRecord | None = None
    unreadable: bool = False
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator decides: the template's MaxEventAge, and its stop words, start words and keywords."""

    max_age: timedelta
    words: Words


def receive(body: bytes, signature: str, *, settings: Settings, keys: Secret, table: Table, now: datetime) -> Receipt:
    """Verify and store a body.

    Raises SignatureError, EventAgeError, StorageError, UnstorableError and SecretError.
    """
    key = signing_key(body, signature, keys)
    expires_at = table.expiry(now)
    try:
        event = webhook_body.read(body, signature, received_at=now, expires_at=expires_at)
        webhook_body.check_age(event, settings.max_age)
        statement, unreadable = _opt_out(event, settings.words)
        status = STORED if table.store(event, statement) else DUPLICATE
        return Receipt(status, key, event, statement, unreadable)
    except (EventError, UnstorableError) as error:
        reason = str(error)
    record = webhook_body.quarantined(body, signature, reason, received_at=now, expires_at=expires_at)
    return Receipt(QUARANTINED if table.quarantine(record) else DUPLICATE, key, reason=reason)


def _opt_out(event: EventRecord, words: Words) -> tuple[OptOutRecord | None, bool]:
    try:
        return opt_out(event, words), False
    except UnreadableTextError:
        return None, True


def signing_key(body: bytes, signature: str, keys: Secret) -> str:
    """Return which key signed the body. Raises SignatureError and SecretError.

    If none did, the keys are read again, because they may have been rotated. `Secret` limits how often.
    """
    well_formed(signature)  # a malformed header costs no call to Secrets Manager
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
    """Return whether this key signed a body whose signature is verified. It is only used to count the keys in use."""
    try:
        verify(body, signature, [key])
    except SignatureError:
        return False
    return True
