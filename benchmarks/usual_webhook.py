"""The webhook as most people would write it with Powertools: resolver, parser model, idempotency, boto3's resource.

The real webhook is compared with it. Its idempotency records need a table of their own with the string key `id`.
"""

import hashlib
import hmac
import os
import time
from datetime import datetime
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import UnauthorizedError
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.parameters import get_secret
from aws_lambda_powertools.utilities.parser import parse
from botocore.exceptions import ClientError
from pydantic import BaseModel

logger = Logger()
metrics = Metrics()
app = APIGatewayRestResolver()
config = IdempotencyConfig(event_key_jmespath="event_id", expires_after_seconds=90 * 86400)
records = DynamoDBPersistenceLayer(table_name=os.environ["IDEMPOTENCY_TABLE"])
table = boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"])


class Status(BaseModel):
    """A status event."""

    msg_id: str
    recipient: int
    reference: str | None = None
    status: str
    status_at: datetime
    error: dict[str, Any] | None = None


class Envelope(BaseModel):
    """The provider's envelope."""

    event_id: str
    timestamp: datetime
    event_type: str
    event: Status


@idempotent_function(  # type: ignore[untyped-decorator] # Powertools' own
    data_keyword_argument="envelope", config=config, persistence_store=records
)
def store(envelope: Envelope, body: str) -> dict[str, str]:
    """Store one event, and move its message."""
    event = envelope.event
    key = event.reference or event.msg_id
    expires_at = int(time.time()) + 90 * 86400
    item = envelope.model_dump(mode="json")["event"]
    item |= {"pk": key, "sk": f"EVENT#{envelope.event_id}", "body": body, "expires_at": expires_at}
    table.put_item(Item=item)
    try:
        table.update_item(
            Key={"pk": key, "sk": "MESSAGE"},
            UpdateExpression="SET #s = :s, status_at = :a, expires_at = :e",
            ConditionExpression="attribute_exists(pk) AND (attribute_not_exists(status_at) OR status_at < :a)",
            ExpressionAttributeNames={"#s": "status"},
            ExpressionAttributeValues={":s": event.status, ":a": event.status_at.isoformat(), ":e": expires_at},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
    return {"status": "stored"}


@app.post("/webhooks")
def receive() -> Response[str]:
    """Answer POST /webhooks."""
    body: str = app.current_event.decoded_body or ""
    key = get_secret(os.environ["WEBHOOK_KEY_SECRET_ARN"], max_age=3600)
    expected = "v1=" + hmac.new(key.encode(), body.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, app.current_event.headers.get("Signature", "")):
        raise UnauthorizedError("the signature does not verify")
    envelope = parse(event=body, model=Envelope)  # type: ignore[call-overload] # it takes JSON too
    store(envelope=envelope, body=body)
    logger.info("event", extra={"event_id": envelope.event_id, "status": envelope.event.status})
    metrics.add_metric(name="EventStored", unit=MetricUnit.Count, value=1)
    return Response(status_code=200, content_type="application/json", body='{"status": "stored"}')


@metrics.log_metrics
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> Any:  # noqa: ANN401 - neither Lambda nor Powertools has a type here
    """Receive one event."""
    config.register_lambda_context(context)
    return app.resolve(event, context)
