"""A sample consumer of the stream: it stores each event once, in a table of its own.

There are two kinds of failure. A damaged record can never be handled. It goes to the failure queue at once, with the
reason, and the next record follows. Any other error is raised. Then the event source mapping splits the batch and
delivers both halves again, also the events that were handled before. So `handle` must be idempotent. `make replay`
also delivers events again.
"""

import json
import os
from typing import Any

from aws_lambda_powertools.logging import Logger
from botocore.exceptions import ClientError

from gatewayapi import aws
from gatewayapi.clock import to_text
from gatewayapi.errors import RecordError
from gatewayapi.message_record import epoch
from gatewayapi.record import EventRecord
from gatewayapi.stream import records

TABLE_NAME = os.environ["TABLE_NAME"]
FAILURE_QUEUE_URL = os.environ["FAILURE_QUEUE_URL"]

logger = Logger()


def handle(event: EventRecord) -> None:
    """Handle an event: here, by storing it. Replace this with your own code.

    An event can be delivered twice. So write your result and the event's id in one transaction, with the condition
    `attribute_not_exists(event_id)`.
    If you write the id first and your code fails afterwards, the next delivery does nothing.
    """
    item = {
        "event_id": {"S": event.event_id},
        "reference": {"S": event.reference or ""},
        "what": {"S": event.status or event.event_type},
        "received_at": {"S": to_text(event.received_at)},
        "expires_at": {"N": epoch(event.expires_at)},
    }
    try:
        aws.client("dynamodb").put_item(
            TableName=TABLE_NAME, Item=item, ConditionExpression="attribute_not_exists(event_id)"
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        outcome = "known"
    else:
        outcome = "handled"
    logger.info("event", extra={"outcome": outcome, "event_id": event.event_id})


def send_to_failure_queue(entry: dict[str, Any], error: RecordError) -> None:
    """Keep a record that cannot be handled. The stream itself keeps it for a day only."""
    body = json.dumps({"reason": str(error), "record": entry})
    aws.client("sqs").send_message(QueueUrl=FAILURE_QUEUE_URL, MessageBody=body)
    logger.warning("event", extra={"outcome": "failed", "stream_event_id": entry.get("eventID")})


def handler(event: dict[str, Any], context: object) -> None:  # noqa: ARG001 - Lambda passes it
    """Handle a batch of the stream. The mapping's filter selects new events."""
    for entry in event["Records"]:
        try:
            found = records({"Records": [entry]})
        except RecordError as error:
            send_to_failure_queue(entry, error)
            continue
        for record in found:
            if isinstance(record, EventRecord):
                handle(record)
    logger.info("batch", extra={"records": len(event["Records"])})
