"""The table's three records, typed, in both directions.

`table` writes them and `stream` reads them; nothing else names an attribute. A reader takes what it does not know
as it is, so that a consumer on an older layer lives through a new attribute.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from gatewayapi.clock import from_text, to_text
from gatewayapi.dynamodb_values import from_attribute, to_attribute
from gatewayapi.errors import RecordError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MESSAGE_SK = "MESSAGE"
EVENT_SK = "EVENT#"
QUARANTINE_PK = "QUARANTINE"

Attributes = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class MessageRecord:
    """Where one message stands. `reference` is its identity; the text is not in it, a fingerprint is.

    `message_id` is the queue's id of the message that wrote it last; `lease_until` is set only while SENDING, and
    says until when the invocation that claimed it can still be alive; `resent` marks one that was uncertain and
    sent again by the operator's policy.
    """

    record_type: ClassVar[str] = "message"

    reference: str
    status: str
    queued_at: datetime
    updated_at: datetime
    expires_at: datetime
    message_id: str
    attempts: int = 0
    fingerprint: str | None = None
    recipient: int | None = None
    sender: str | None = None
    label: str | None = None
    priority: str | None = None
    msg_id: str | None = None
    accepted_at: datetime | None = None
    status_at: datetime | None = None
    lease_until: datetime | None = None
    resent: bool = False
    error: Mapping[str, Any] | None = None

    def to_item(self) -> Attributes:
        """Return the record as DynamoDB's item."""
        item: Attributes = {
            "pk": {"S": self.reference},
            "sk": {"S": MESSAGE_SK},
            "record_type": {"S": self.record_type},
            "status": {"S": self.status},
            "queued_at": {"S": to_text(self.queued_at)},
            "updated_at": {"S": to_text(self.updated_at)},
            "expires_at": {"N": epoch(self.expires_at)},
            "message_id": {"S": self.message_id},
            "attempts": {"N": str(self.attempts)},
        }
        for name in ("fingerprint", "sender", "label", "priority", "msg_id"):
            value = getattr(self, name)
            if value is not None:
                item[name] = {"S": value}
        for name in ("accepted_at", "status_at", "lease_until"):
            value = getattr(self, name)
            if value is not None:
                item[name] = {"S": to_text(value)}
        if self.recipient is not None:
            item["recipient"] = {"N": str(self.recipient)}
        if self.resent:
            item["resent"] = {"BOOL": True}
        if self.error is not None:
            item["error"] = to_attribute(dict(self.error))
        return item


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One webhook as it arrived: what it says, and the raw body that was signed."""

    record_type: ClassVar[str] = "event"

    key: str
    event_id: str
    event_type: str
    timestamp: datetime
    received_at: datetime
    expires_at: datetime
    body: str
    signature: str
    msg_id: str | None = None
    reference: str | None = None
    status: str | None = None
    status_at: datetime | None = None
    error: Any = None
    recipient: int | str | None = None
    sender: int | str | None = None
    content: Any = None

    def to_item(self) -> Attributes:
        """Return the record as DynamoDB's item; raises EventError where DynamoDB could not hold a value."""
        item: Attributes = {
            "pk": {"S": self.key},
            "sk": {"S": EVENT_SK + self.event_id},
            "record_type": {"S": self.record_type},
            "event_id": {"S": self.event_id},
            "event_type": {"S": self.event_type},
            "timestamp": {"S": to_text(self.timestamp)},
            "received_at": {"S": to_text(self.received_at)},
            "expires_at": {"N": epoch(self.expires_at)},
            "body": {"S": self.body},
            "signature": {"S": self.signature},
        }
        if self.status_at is not None:
            item["status_at"] = {"S": to_text(self.status_at)}
        for name in ("msg_id", "reference", "status", "error", "recipient", "sender", "content"):
            value = getattr(self, name)
            if value is not None:
                # One level down already, for that is where a message's record takes the error to.
                item[name] = to_attribute(value, depth=1)
        return item


@dataclass(frozen=True, slots=True)
class QuarantineRecord:
    """A signed body that is no event we can file, kept whole: a string, or bytes where it is no UTF-8."""

    record_type: ClassVar[str] = "quarantine"

    body_sha256: str
    body: str | bytes
    signature: str
    reason: str
    received_at: datetime
    expires_at: datetime

    def to_item(self) -> Attributes:
        """Return the record as DynamoDB's item."""
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


Record = MessageRecord | EventRecord | QuarantineRecord


def from_item(item: Mapping[str, Any]) -> Record:
    """Return the record of DynamoDB's item; raises RecordError where it is none of the three."""
    try:
        values = {name: from_attribute(attribute) for name, attribute in item.items()}
        return _READERS[values["record_type"]](values)
    except (KeyError, TypeError, ValueError, ArithmeticError, OSError) as error:  # the last two from impossible times
        raise RecordError(f"not a record of this table: {error!r}") from error


def epoch(moment: datetime) -> str:
    """Return whole seconds since 1970, as DynamoDB's TTL wants them."""
    return str(int(moment.timestamp()))


def _message(values: Mapping[str, Any]) -> MessageRecord:
    return MessageRecord(
        reference=values["pk"],
        status=values["status"],
        queued_at=from_text(values["queued_at"]),
        updated_at=from_text(values["updated_at"]),
        expires_at=_moment(values["expires_at"]),
        message_id=values.get("message_id", ""),
        attempts=values.get("attempts", 0),
        fingerprint=values.get("fingerprint"),
        recipient=values.get("recipient"),
        sender=values.get("sender"),
        label=values.get("label"),
        priority=values.get("priority"),
        msg_id=values.get("msg_id"),
        accepted_at=_time(values.get("accepted_at")),
        status_at=_time(values.get("status_at")),
        lease_until=_time(values.get("lease_until")),
        resent=values.get("resent", False),
        error=values.get("error"),
    )


def _event(values: Mapping[str, Any]) -> EventRecord:
    return EventRecord(
        key=values["pk"],
        event_id=values["event_id"],
        event_type=values["event_type"],
        timestamp=from_text(values["timestamp"]),
        received_at=from_text(values["received_at"]),
        expires_at=_moment(values["expires_at"]),
        body=values["body"],
        signature=values["signature"],
        msg_id=values.get("msg_id"),
        reference=values.get("reference"),
        status=values.get("status"),
        status_at=_time(values.get("status_at")),
        error=values.get("error"),
        recipient=values.get("recipient"),
        sender=values.get("sender"),
        content=values.get("content"),
    )


def _quarantined(values: Mapping[str, Any]) -> QuarantineRecord:
    return QuarantineRecord(
        body_sha256=values["sk"].removeprefix(EVENT_SK),
        body=values["body"],
        signature=values["signature"],
        reason=values["reason"],
        received_at=from_text(values["received_at"]),
        expires_at=_moment(values["expires_at"]),
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else from_text(text)


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


_READERS: dict[str, Callable[[Mapping[str, Any]], Record]] = {
    "message": _message,
    "event": _event,
    "quarantine": _quarantined,
}
