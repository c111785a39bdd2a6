"""The simulated SQS queue. It delivers a message until it is deleted or moved to the dead-letter queue."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import timing
from gatewayapi.errors import MessageError
from gatewayapi.message import from_body, from_fields

ARN = "arn:aws:sqs:eu-west-1:123456789012:queue"
URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/queue"
DEAD_LETTER_URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/dead-letters"

Attributes = dict[str, dict[str, str]]


@dataclass(slots=True)
class Queued:
    """A message on the queue. `identity` is its reference, or its message id if it has none."""

    message_id: str
    body: str
    sent_at: datetime
    visible_at: datetime
    identity: str
    text: str
    attributes: Attributes = field(default_factory=dict)
    receives: int = 0
    invocation_count: int = 0  # how many running invocations have it
    # An invocation with it was killed or had a failing call, or two invocations had it at the same time.
    had_failure: bool = False

    @property
    def deadline(self) -> datetime | None:
        """When the message expires. Its expiration is a time, or the seconds after it was enqueued."""
        expiration = json.loads(self.body).get("expiration")
        if isinstance(expiration, str):
            return datetime.fromisoformat(expiration)
        return None if expiration is None else self.sent_at + timedelta(seconds=expiration)

    def record(self) -> dict[str, Any]:
        """Return it as a record of a Lambda event."""
        return {
            "messageId": self.message_id,
            "receiptHandle": self.message_id,
            "body": self.body,
            "attributes": {
                "ApproximateReceiveCount": str(self.receives),
                "SentTimestamp": str(int(self.sent_at.timestamp() * 1000)),
            },
            "messageAttributes": {
                name: {"dataType": "String", "stringValue": value["StringValue"]}
                for name, value in self.attributes.items()
            },
            "eventSourceARN": ARN,
        }


@dataclass(frozen=True, slots=True, eq=False)
class DeadLetter:
    """A message in the dead-letter queue."""

    body: str
    attributes: Attributes
    identity: str
    text: str
    written_at: datetime
    moved_by_sqs: bool = False

    @property
    def code(self) -> str | None:
        """Its ErrorCode. A message that SQS moved has none."""
        return None if self.moved_by_sqs else self.attributes.get("ErrorCode", {}).get("StringValue")

    @property
    def fingerprint(self) -> str | None:
        """The hash of its content, which its record has too. An invalid message has none."""
        try:
            return from_fields(from_body(self.body)).fingerprint(self.identity)
        except MessageError:
            return None


class Queue:
    """The queue with its dead-letter queue."""

    def __init__(self, max_receive_count: int) -> None:
        self.max_receive_count = max_receive_count
        self._ids = itertools.count(1)
        self.messages: dict[str, Queued] = {}
        self.dead: list[DeadLetter] = []

    def send(self, body: str, now: datetime, identity: str = "", attributes: Attributes | None = None) -> Queued:
        """Enqueue a message. Its identity is the given one, else its reference, else its message id."""
        message_id = f"id-{next(self._ids)}"
        fields = json.loads(body)
        identity = identity or fields.get("reference") or message_id
        message = Queued(message_id, body, now, now, identity, str(fields.get("message")), dict(attributes or {}))
        self.messages[message_id] = message
        return message

    def receive(self, message: Queued, now: datetime) -> dict[str, Any] | None:
        """Deliver a message and hide it. Return None if it is moved to the dead-letter queue instead."""
        if message.receives >= self.max_receive_count:
            del self.messages[message.message_id]
            letter = DeadLetter(
                message.body, message.attributes, message.identity, message.text, now, moved_by_sqs=True
            )
            self.dead.append(letter)
            return None
        message.receives += 1
        message.visible_at = now + timedelta(seconds=timing.VISIBILITY_S)
        return message.record()

    def delete(self, message_id: str) -> None:
        """Delete an acknowledged message, if it is still there."""
        self.messages.pop(message_id, None)

    def set_visibility(self, message_id: str, seconds: int, now: datetime) -> None:
        """Set when a message is delivered next."""
        if message_id in self.messages:
            self.messages[message_id].visible_at = now + timedelta(seconds=seconds)

    def next_visible_at(self) -> datetime | None:
        """Return when the next message becomes visible, or None if the queue is empty."""
        return min((message.visible_at for message in self.messages.values()), default=None)

    def visible(self, now: datetime) -> list[Queued]:
        """Return the messages that can be delivered now."""
        return [message for message in self.messages.values() if message.visible_at <= now]

    def redrive(self, letter: DeadLetter, now: datetime) -> Queued:
        """Move a dead letter back as `make redrive` does: as a new message, with the missing attributes added."""
        self.dead.remove(letter)
        attributes = letter.attributes
        if letter.moved_by_sqs:
            missing = {"ErrorCode": "UNCERTAIN", "ErrorMessage": "moved by SQS", "Reference": letter.identity}
            attributes = {
                name: {"DataType": "String", "StringValue": value} for name, value in missing.items()
            } | attributes
        return self.send(letter.body, now, letter.identity, attributes)
