"""SQS as the sender can meet it: at least once, again and again until deleted, and to the dead letters after that."""

import itertools
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import timing

ARN = "arn:aws:sqs:eu-west-1:123456789012:queue"
URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/queue"
DEAD_LETTER_URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/dead-letters"

Attributes = dict[str, dict[str, str]]


@dataclass(slots=True)
class Queued:
    """One message on the queue; `receives` counts as SQS does, and `visible_at` is when it is delivered next."""

    message_id: str
    body: str
    sent_at: datetime
    visible_at: datetime
    attributes: Attributes = field(default_factory=dict)
    receives: int = 0
    faults: list[str] = field(default_factory=list)  # of the invocation that had it last

    def record(self) -> dict[str, Any]:
        """Return it as a record of the Lambda event that delivers it."""
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


@dataclass(frozen=True, slots=True)
class Dead:
    """One message in the dead-letter queue; without attributes it is SQS that moved it there."""

    body: str
    attributes: Attributes

    @property
    def code(self) -> str | None:
        """The reason that it carries."""
        return self.attributes.get("ErrorCode", {}).get("StringValue")


class Queue:
    """The queue with its dead-letter queue."""

    def __init__(self, max_receive_count: int) -> None:
        self._max_receive_count = max_receive_count
        self._ids = itertools.count(1)
        self.messages: dict[str, Queued] = {}
        self.dead: list[Dead] = []
        self.moved: list[Dead] = []  # by SQS itself

    def send(self, body: str, now: datetime, attributes: Attributes | None = None) -> Queued:
        """Put a message on the queue."""
        message = Queued(f"id-{next(self._ids)}", body, now, now, attributes or {})
        self.messages[message.message_id] = message
        return message

    def receive(self, message: Queued, now: datetime) -> dict[str, Any] | None:
        """Deliver a message and hide it; None where it was delivered too often and is moved instead."""
        if message.receives >= self._max_receive_count:
            del self.messages[message.message_id]
            self.moved.append(Dead(message.body, message.attributes))
            self.dead.append(self.moved[-1])
            return None
        message.receives += 1
        message.visible_at = now + timedelta(seconds=timing.VISIBILITY_S)
        return message.record()

    def delete(self, message_id: str) -> None:
        """Take an acknowledged message off, if it still is there."""
        self.messages.pop(message_id, None)

    def hide(self, message_id: str, seconds: int, now: datetime) -> None:
        """Set when a message is delivered next."""
        if message_id in self.messages:
            self.messages[message_id].visible_at = now + timedelta(seconds=seconds)

    def next_visible_at(self) -> datetime | None:
        """Return when the next delivery is due, None where the queue is empty."""
        return min((message.visible_at for message in self.messages.values()), default=None)

    def visible(self, now: datetime) -> list[Queued]:
        """Return what can be delivered now."""
        return [message for message in self.messages.values() if message.visible_at <= now]

    def bury(self, body: str, attributes: Attributes) -> None:
        """Put a message into the dead-letter queue."""
        self.dead.append(Dead(body, attributes))

    def redrive(self, dead: Dead, now: datetime) -> Queued:
        """Put a dead message back as the operator does: as new, with a new id, and its attributes."""
        self.dead.remove(dead)
        return self.send(dead.body, now, dead.attributes)
