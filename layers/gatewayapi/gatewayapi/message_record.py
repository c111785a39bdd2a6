"""The record of one message: its status and its metadata.

The text of the message is not stored. Its fingerprint is stored, to detect another text with the same reference.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from gatewayapi.clock import from_text, to_text
from gatewayapi.dynamodb_values import to_attribute

if TYPE_CHECKING:
    from collections.abc import Mapping

MESSAGE_SK = "MESSAGE"

Item = dict[str, dict[str, Any]]
Kind = TypeVar("Kind")

_TEXTS = ("fingerprint", "sender", "label", "priority", "message_type", "context", "encoding", "msg_id")
_NUMBERS = ("recipient", "segments")
_TIMES = ("lease_until", "doubt_until", "accepted_at", "status_at", "forgotten_at")


class MessageRecord(NamedTuple):
    """One message. `reference` is its idempotency key.

    Arguments:
        message_id: the SQS message id of the message that wrote the record last.
        attempts: the number of claims for this content.
        queued_at: when the content was first enqueued. Retries and redrives keep it.
        lease_until: until when the invocation that claimed the message can be running. Only set while SENDING.
        in_doubt: a request got no usable answer, so the message may have been accepted.
        doubt_until: the latest time at which such a request can have been sent. The doubt does not end then.
        status_at: when the status was reached, according to the provider; for HELD, when it was held.
        resent: the message was sent once more although it was in doubt.
        forgotten_at: when the personal data was erased.

    """

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
    message_type: str | None = None
    context: str | None = None
    segments: int | None = None
    encoding: str | None = None
    msg_id: str | None = None
    accepted_at: datetime | None = None
    status_at: datetime | None = None
    lease_until: datetime | None = None
    in_doubt: bool = False
    doubt_until: datetime | None = None
    resent: bool = False
    forgotten_at: datetime | None = None
    error: Mapping[str, Any] | None = None

    @property
    def record_type(self) -> str:
        """The type of the record in the table."""
        return "message"

    def to_item(self) -> Item:
        """Return the record as a DynamoDB item."""
        item: Item = {
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
        item |= self._index_keys()
        for name in _TEXTS:
            if (value := getattr(self, name)) is not None:
                item[name] = {"S": value}
        for name in _NUMBERS:
            if (value := getattr(self, name)) is not None:
                item[name] = {"N": str(value)}
        for name in _TIMES:
            if (value := getattr(self, name)) is not None:
                item[name] = {"S": to_text(value)}
        for name in ("in_doubt", "resent"):
            if getattr(self, name):
                item[name] = {"BOOL": True}
        if self.error is not None:
            item["error"] = to_attribute(dict(self.error))
        return item

    def _index_keys(self) -> Item:
        """Return the keys of the index by_phone_number.

        They change only with the content, so most later writes do not write to the index.
        """
        if self.recipient is None:
            return {}
        return {"phone_number": {"S": str(self.recipient)}, "recorded_at": {"S": to_text(self.queued_at)}}


def from_values(values: Mapping[str, Any]) -> MessageRecord:
    """Return the record of an item's Python values.

    Raises KeyError, TypeError or ValueError for a damaged item. Every type is checked here, so that a wrong one
    does not fail later, in the middle of a batch.
    """
    optional: dict[str, Any] = {name: optional_value(values, name, str) for name in _TEXTS}
    optional |= {name: optional_value(values, name, int) for name in _NUMBERS}
    optional |= {name: optional_time(values.get(name)) for name in _TIMES}
    updated_at = from_text(values["updated_at"])
    if to_text(updated_at) != values["updated_at"]:  # writes are conditional on this text
        raise ValueError("updated_at has another form")
    error = optional_value(values, "error", dict)
    if error is not None:
        to_attribute(error)  # raises EventError for what could not be written again
    return MessageRecord(
        reference=required_value(values, "pk", str),
        status=required_value(values, "status", str),
        queued_at=from_text(values["queued_at"]),
        updated_at=updated_at,
        expires_at=from_epoch(values["expires_at"]),
        message_id=optional_value(values, "message_id", str) or "",
        attempts=optional_value(values, "attempts", int) or 0,
        in_doubt=optional_value(values, "in_doubt", bool) or False,
        resent=optional_value(values, "resent", bool) or False,
        error=error,
        **optional,
    )


def epoch(moment: datetime) -> str:
    """Return whole seconds since 1970, the form of DynamoDB's TTL attribute."""
    return str(int(moment.timestamp()))


def from_epoch(seconds: float) -> datetime:
    """Return the time of a TTL attribute."""
    return datetime.fromtimestamp(seconds, UTC)


def optional_time(text: str | None) -> datetime | None:
    """Return the time of an attribute that may be absent."""
    return None if text is None else from_text(text)


def required_value(values: Mapping[str, Any], name: str, kind: type[Kind]) -> Kind:
    """Return a value. Raises KeyError if it is absent, and TypeError for a value of another type."""
    value = values[name]
    if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    raise TypeError(f"{name} is a {type(value).__name__}")


def optional_value(values: Mapping[str, Any], name: str, kind: type[Kind]) -> Kind | None:
    """Return a value that may be absent. Raises TypeError for a value of another type."""
    return required_value(values, name, kind) if name in values else None
