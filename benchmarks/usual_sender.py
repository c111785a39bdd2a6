"""The sender as most people would write it with Powertools: a model, an idempotency record and a request per message.

The real sender is compared with it. Its idempotency records need a table of their own with the string key `id`.
"""

import os
from typing import Any

import requests
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.parameters import get_secret
from aws_lambda_powertools.utilities.parser.models import SqsRecordModel
from pydantic import BaseModel, Field, Json

logger = Logger()
metrics = Metrics()
config = IdempotencyConfig(event_key_jmespath="reference", expires_after_seconds=90 * 86400)
records = DynamoDBPersistenceLayer(table_name=os.environ["IDEMPOTENCY_TABLE"])


class Sms(BaseModel):
    """The queue's message."""

    message: str = Field(min_length=1, max_length=39015)
    recipient: int = Field(gt=1000, le=999_999_999_999_999)
    sender: str = Field(min_length=3, max_length=18)
    reference: str = Field(min_length=1, max_length=255)
    expiration: str | float | None = None
    priority: str | None = None
    label: str | None = None


class SmsRecord(SqsRecordModel):
    """An SQS record with the message in its body."""

    body: Json[Sms]


processor = BatchProcessor(event_type=EventType.SQS, model=SmsRecord)


@idempotent_function(  # type: ignore[untyped-decorator] # Powertools has no type here
    data_keyword_argument="sms", config=config, persistence_store=records
)
def send(sms: Sms) -> dict[str, Any]:
    """Send one message."""
    answer = requests.post(
        f"{os.environ['GATEWAYAPI_URL']}/mobile/single",
        json=sms.model_dump(exclude_none=True),
        headers={"Authorization": f"Token {get_secret(os.environ['TOKEN_SECRET_ARN'], max_age=3600)}"},
        timeout=10,
    )
    answer.raise_for_status()
    return {"msg_id": answer.json()["msg_id"]}


def record_handler(record: SmsRecord) -> None:
    """Send the message of one SQS record."""
    sms: Sms = record.body
    accepted = send(sms=sms)
    logger.info("sent", extra={"reference": sms.reference, "msg_id": accepted["msg_id"]})
    metrics.add_metric(name="MessageSent", unit=MetricUnit.Count, value=1)


@metrics.log_metrics
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> Any:  # noqa: ANN401 - neither Lambda nor Powertools has a type here
    """Send a batch."""
    config.register_lambda_context(context)
    return process_partial_response(event=event, record_handler=record_handler, processor=processor, context=context)
