"""One delivery of a queue message: what SQS says of it, who it is, and whether it can be sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gatewayapi import clock
from gatewayapi import message as messages
from gatewayapi.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from gatewayapi.message import Message

REFERENCE = "Reference"  # the message attribute that keeps an identity through the dead-letter queue


@dataclass(frozen=True, slots=True)
class Delivery:
    """A queue message in the hands of this invocation; either `message` or `problem` is set."""

    message_id: str
    receipt_handle: str
    queue_arn: str
    body: str
    receive_count: int
    sent_at: datetime
    reference: str
    message: Message | None = None
    expires_at: datetime | None = None
    problem: MessageError | None = None


def from_record(
    record: Mapping[str, Any], *, default_sender: str = "", allowed_prefixes: Collection[str] = ()
) -> Delivery:
    """Return the delivery of one record of a Lambda SQS event; it never raises for what a producer wrote.

    The reference is the body's, else the `Reference` attribute's, else the queue's message id: the first that can
    be one, so that even a body that is no JSON has an identity.
    """
    attributes = record["attributes"]
    message, expires_at, problem = None, None, None
    reference = _attribute(record) or record["messageId"]
    sent_at = clock.from_epoch_ms(attributes["SentTimestamp"])
    try:
        fields = messages.from_body(record["body"])
        reference = messages.reference(fields) or reference
        message = messages.from_fields(fields, default_sender=default_sender, allowed_prefixes=allowed_prefixes)
        expires_at = message.deadline(sent_at)
    except MessageError as error:
        message, problem = None, error
    return Delivery(
        message_id=record["messageId"],
        receipt_handle=record["receiptHandle"],
        queue_arn=record["eventSourceARN"],
        body=record["body"],
        receive_count=int(attributes["ApproximateReceiveCount"]),
        sent_at=sent_at,
        reference=reference,
        message=message,
        expires_at=expires_at,
        problem=problem,
    )


def _attribute(record: Mapping[str, Any]) -> str | None:
    value = record.get("messageAttributes", {}).get(REFERENCE, {}).get("stringValue")
    try:
        return messages.reference({"reference": value})
    except MessageError:
        return None
