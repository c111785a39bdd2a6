"""One webhook body on its way in: who signed it, what it is, whether it is new, and where it is kept.

The order is the point. Nothing of a body is looked at before its signature holds, and nothing is answered as
received before the table has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewayapi import event as events
from gatewayapi.errors import EventError, SignatureError, UnstorableError
from gatewayapi.signature import verify, well_formed

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from gatewayapi.record import EventRecord
    from gatewayapi.secrets import Secret
    from gatewayapi.table import Table

STORED, DUPLICATE, QUARANTINED = "stored", "duplicate", "quarantined"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a body: its status, the key that signed it, and the event, or why there is none."""

    status: str
    key: str
    event: EventRecord | None = None
    reason: str | None = None


def receive(body: bytes, signature: str, *, keys: Secret, table: Table, max_age: timedelta, now: datetime) -> Receipt:
    """Verify and store a body, and return what became of it.

    Raises SignatureError, EventAgeError, StorageError and SecretError; each has its own answer.
    """
    key = signer(body, signature, keys)
    expires_at = table.expiry(now)
    try:
        event = events.from_body(body, signature, received_at=now, expires_at=expires_at)
        events.check_age(event, max_age)
        return Receipt(STORED if table.store(event) else DUPLICATE, key, event)
    except (EventError, UnstorableError) as error:
        reason = str(error)
    record = events.quarantined(body, signature, reason, received_at=now, expires_at=expires_at)
    return Receipt(QUARANTINED if table.quarantine(record) else DUPLICATE, key, reason=reason)


def signer(body: bytes, signature: str, keys: Secret) -> str:
    """Return which key signed the body, `current` or `previous`; raises SignatureError and SecretError.

    On a mismatch the keys are read again, for a rotation may have happened, but no more often than the secret
    allows itself: a flood of bad signatures stays a flood of hashes.
    """
    well_formed(signature)
    while True:
        for name, key in (("current", keys.current()), ("previous", keys.previous())):
            try:
                verify(body, signature, [key] if key else [])
            except SignatureError:
                continue
            return name
        if not keys.reread():
            raise SignatureError("no key of ours signed this body")
