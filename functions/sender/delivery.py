"""One SQS delivery of a queue message: its SQS data, its reference, and its content or its error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from gatewayapi import clock
from gatewayapi.errors import MessageError
from gatewayapi.message import from_body, from_fields, reference_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from gatewayapi.message import Message, StackRules

# The message attributes of a copy in the dead-letter queue. SQS keeps them when the copy is redriven.
REFERENCE, ERROR_CODE, ERROR_MESSAGE = "Reference", "ErrorCode", "ErrorMessage"


class Content(NamedTuple):
    """A message that is valid in itself, with its deadline and its fingerprint.

    `not_sendable` checks the rules of the stack.
    """

    message: Message
    deadline: datetime | None
    fingerprint: str


class Delivery(NamedTuple):
    """One delivery of a queue message.

    Arguments:
        receive_count: how often SQS has delivered the message, this time included.
        sent_at: when the message was enqueued.
        from_dead_letter_queue: whether the message carries the `ErrorCode` of a copy in the dead-letter queue.
        content: the message, or the error of an invalid one.

    """

    message_id: str
    receipt_handle: str
    queue_arn: str
    body: str
    receive_count: int
    sent_at: datetime
    from_dead_letter_queue: bool
    reference: str
    content: Content | MessageError


def from_record(record: Mapping[str, Any], stack: StackRules | None = None) -> Delivery:
    """Return the delivery of one record of a Lambda SQS event. Invalid content is returned, not raised.

    The reference is the first valid one of these: the field in the body, the `Reference` attribute, and the SQS
    message id. So even a body that is not JSON has a reference. With `stack`, the error of an invalid message also
    lists the fields that this stack requires.
    """
    attributes = record["attributes"]
    reference = _reference_attribute(record) or record["messageId"]
    sent_at = clock.from_epoch_ms(attributes["SentTimestamp"])
    content: Content | MessageError
    try:
        fields = from_body(record["body"])
        reference = reference_of(fields) or reference
        message = from_fields(fields, stack)
        content = Content(message, message.deadline(sent_at), message.fingerprint(reference))
    except MessageError as error:
        content = error
    return Delivery(
        message_id=record["messageId"],
        receipt_handle=record["receiptHandle"],
        queue_arn=record["eventSourceARN"],
        body=record["body"],
        receive_count=int(attributes["ApproximateReceiveCount"]),
        sent_at=sent_at,
        from_dead_letter_queue=ERROR_CODE in record.get("messageAttributes", {}),
        reference=reference,
        content=content,
    )


def _reference_attribute(record: Mapping[str, Any]) -> str | None:
    value = record.get("messageAttributes", {}).get(REFERENCE, {}).get("stringValue")
    try:
        return reference_of({"reference": value})
    except MessageError:
        return None
