"""A consumer of the stream to start from: it keeps each message's events in a table of its own, each of them once.

Two kinds of failure part ways here. A record that can never be handled goes to the failure queue at once, whole and
with its reason, and the shard goes on. Anything else is raised: the mapping then tries the batch again, in halves
and only so often (template.yaml), and that is harmless, because an event that was handled is known.
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
    """Do with an event what you are here for; this puts it into a table, unless it is there."""
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


def set_aside(entry: dict[str, Any], error: RecordError) -> None:
    """Keep a record that cannot be handled: the stream itself forgets it after a day."""
    body = json.dumps({"reason": str(error), "record": entry})
    aws.client("sqs").send_message(QueueUrl=FAILURE_QUEUE_URL, MessageBody=body)
    logger.warning("event", extra={"outcome": "set_aside", "stream_event_id": entry.get("eventID")})


def handler(event: dict[str, Any], context: object) -> None:  # noqa: ARG001 - Lambda passes it
    """Take a batch of the stream; the mapping's filter lets only events through."""
    for entry in event["Records"]:
        try:
            found = records({"Records": [entry]})
        except RecordError as error:
            set_aside(entry, error)
            continue
        for record in found:
            if isinstance(record, EventRecord):
                handle(record)
    logger.info("batch", extra={"records": len(event["Records"])})
