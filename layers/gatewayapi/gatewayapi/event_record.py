"""The records of what the provider sent: events, and signed bodies that are not usable as events."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from gatewayapi.clock import from_text, to_text
from gatewayapi.dynamodb_values import to_attribute
from gatewayapi.message_record import (
    Item,
    epoch,
    from_epoch,
    optional_time,
    optional_value,
    required_value,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

EVENT_SK = "EVENT#"
QUARANTINE_PK = "QUARANTINE"

# A phone number as the index holds it: at most 15 digits with the country code (ITU-T E.164).
_PHONE_NUMBER = re.compile(r"[1-9][0-9]{3,14}", re.ASCII)


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One webhook event: its fields, and the raw body that was signed.

    Arguments:
        key: the partition key, which is the event's reference, or its msg_id if it has no reference.
        by_phone_number: whether the event is in the index by_phone_number. That is so if this stack has no message
            record for it.

    """

    record_type: ClassVar[str] = "event"

    key: str
    event_id: str
    event_type: str
    timestamp: datetime
    received_at: datetime
    expires_at: datetime
    body: str = ""
    signature: str = ""
    msg_id: str | None = None
    reference: str | None = None
    status: str | None = None
    status_at: datetime | None = None
    error: Any = None
    recipient: int | str | None = None
    sender: int | str | None = None
    content: Any = None
    by_phone_number: bool = False

    @property
    def phone_number(self) -> str | None:
        """The person's phone number as digits, or None if it cannot be a key of the index."""
        number = self.recipient if self.sender is None else self.sender
        digits = re.sub(r"[^0-9]", "", str(number)) if number is not None else ""
        return digits if _PHONE_NUMBER.fullmatch(digits) else None

    def to_item(self) -> Item:
        """Return the record as a DynamoDB item. Raises EventError if DynamoDB cannot store a value."""
        item: Item = {
            "pk": {"S": self.key},
            "sk": {"S": EVENT_SK + self.event_id},
            "record_type": {"S": self.record_type},
            "event_id": {"S": self.event_id},
            "event_type": {"S": self.event_type},
            "timestamp": {"S": to_text(self.timestamp)},
            "received_at": {"S": to_text(self.received_at)},
            "expires_at": {"N": epoch(self.expires_at)},
        }
        for name in ("body", "signature"):  # both are empty for a message that was forgotten
            if value := getattr(self, name):
                item[name] = {"S": value}
        if self.status_at is not None:
            item["status_at"] = {"S": to_text(self.status_at)}
        for name in ("msg_id", "reference", "status", "error", "recipient", "sender", "content"):
            value = getattr(self, name)
            if value is not None:
                # The message record stores the error one level deeper, so levels are counted from 1.
                item[name] = to_attribute(value, depth=1)
        if self.by_phone_number and self.phone_number is not None:
            item |= {"phone_number": {"S": self.phone_number}, "recorded_at": item["received_at"]}
        return item


@dataclass(frozen=True, slots=True)
class QuarantineRecord:
    """A signed body that is not a usable event, kept whole as a string, or as bytes if it is not UTF-8."""

    record_type: ClassVar[str] = "quarantine"

    body_sha256: str
    body: str | bytes
    signature: str
    reason: str
    received_at: datetime
    expires_at: datetime

    def to_item(self) -> Item:
        """Return the record as a DynamoDB item."""
        return {
            "pk": {"S": QUARANTINE_PK},
            "sk": {"S": EVENT_SK + self.body_sha256},
            "record_type": {"S": self.record_type},
            "body": {"S": self.body} if isinstance(self.body, str) else {"B": self.body},
            "signature": {"S": self.signature},
            "reason": {"S": self.reason},
            "received_at": {"S": to_text(self.received_at)},
            "expires_at": {"N": epoch(self.expires_at)},
        }


def event_from_values(values: Mapping[str, Any]) -> EventRecord:
    """Return the record of an item's Python values. Raises KeyError, TypeError or ValueError for a damaged item."""
    return EventRecord(
        key=required_value(values, "pk", str),
        event_id=required_value(values, "event_id", str),
        event_type=required_value(values, "event_type", str),
        timestamp=from_text(values["timestamp"]),
        received_at=from_text(values["received_at"]),
        expires_at=from_epoch(values["expires_at"]),
        # Both are erased from the events of a person who was forgotten.
        body=values.get("body", ""),
        signature=values.get("signature", ""),
        msg_id=optional_value(values, "msg_id", str),
        reference=optional_value(values, "reference", str),
        status=optional_value(values, "status", str),
        status_at=optional_time(values.get("status_at")),
        error=values.get("error"),
        recipient=values.get("recipient"),
        sender=values.get("sender"),
        content=values.get("content"),
        by_phone_number="phone_number" in values,
    )


def quarantine_from_values(values: Mapping[str, Any]) -> QuarantineRecord:
    """Return the record of an item's Python values. Raises KeyError, TypeError or ValueError for a damaged item."""
    return QuarantineRecord(
        body_sha256=values["sk"].removeprefix(EVENT_SK),
        body=values["body"],
        signature=values["signature"],
        reason=values["reason"],
        received_at=from_text(values["received_at"]),
        expires_at=from_epoch(values["expires_at"]),
    )
