"""The function behind the queues: sends each batch through the provider, once."""

from __future__ import annotations

from gatewayapi import startup  # first: it keeps the garbage collector out of the imports below

# isort: split
import os
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit

import delivery
from batch import Means, process
from claims import Policy
from gatewayapi import aws
from gatewayapi.client import Client
from gatewayapi.secrets import Secret
from gatewayapi.table import Table
from queues import Queues

if TYPE_CHECKING:
    from collections.abc import Sequence

    from outcome import Outcome

POLICY = Policy(
    default_sender=os.environ["DEFAULT_SENDER"],
    allowed_prefixes=tuple(filter(None, os.environ["ALLOWED_PREFIXES"].replace(" ", "").split(","))),
    reconcile_after=timedelta(seconds=int(os.environ["RECONCILE_AFTER_S"])),
    resend=os.environ["UNCERTAIN_SENDS"] == "Resend",
    dry_run=os.environ["SEND_MODE"] == "DryRun",
    max_receive_count=int(os.environ["MAX_RECEIVE_COUNT"]),
)
MEANS = Means(
    table=Table(aws.client("dynamodb"), os.environ["TABLE_NAME"], int(os.environ["RETENTION_DAYS"])),
    client=Client("", os.environ["GATEWAYAPI_URL"]),
    token=Secret(os.environ["TOKEN_SECRET_ARN"]),
    queues=Queues(
        client=lambda: aws.client("sqs"),
        urls=(os.environ["QUEUE_URL"], os.environ["URGENT_QUEUE_URL"]),
        dead_letter_url=os.environ["DEAD_LETTER_QUEUE_URL"],
    ),
)
# What each outcome counts as in CloudWatch; docs/operations.md explains them.
METRICS = {
    "accepted": "MessageAccepted",
    "duplicate": "MessageDuplicate",
    "settled": "MessageSettledByWebhook",
    "invalid": "MessageInvalid",
    "reference_reused": "MessageReferenceReused",
    "lapsed": "MessageLapsed",
    "uncertain": "MessageUncertain",
    "held": "MessageHeld",
    "provider_refused": "ProviderRefused",
    "throttled": "ProviderThrottled",
    "unreachable": "ProviderUnreachable",
    "token_refused": "TokenRefused",
    "token_unreadable": "TokenUnreadable",
    "table_unavailable": "TableUnavailable",
    "not_recorded": "ResultNotRecorded",
    "dead_letter_failed": "DeadLetterFailed",
    "waiting": "MessageWaiting",
    "dry_run": "MessageDryRun",
}

logger = Logger()
metrics = Metrics()


def report(outcomes: Sequence[Outcome]) -> None:
    """Write one log line for the batch, one more for each message that was not simply accepted, and the metrics."""
    counts = Counter(each.name for each in outcomes)
    for name, count in counts.items():
        metrics.add_metric(METRICS[name], MetricUnit.Count, count)
    waits = [
        each.write.record.updated_at - each.delivery.sent_at
        for each in outcomes
        if each.name == "accepted" and each.write is not None
    ]
    if waits:
        # That of the message that waited longest: a value for each would cost more than its record does.
        metrics.add_metric("QueueToAcceptSeconds", MetricUnit.Seconds, max(waits).total_seconds())
    for each in outcomes:
        if each.name == "accepted":
            continue
        logger.info(
            "message",
            extra={
                "outcome": each.name,
                "reference": each.delivery.reference,
                "message_id": each.delivery.message_id,
                "receive_count": each.delivery.receive_count,
                "code": each.code,
                # Only our own words: those of a refusal are the provider's, and may quote the message.
                "reason": None if each.code else each.details,
            },
        )
    logger.info("batch", extra={"messages": len(outcomes), "outcomes": dict(counts)})
    metrics.flush_metrics()


startup.done()


def handler(event: dict[str, Any], context: Any) -> dict[str, list[dict[str, str]]]:  # noqa: ANN401 - Lambda's own
    """Translate an SQS event into a batch, and its outcomes into the items that SQS is to deliver again."""
    deliveries = [
        delivery.from_record(record, default_sender=POLICY.default_sender, allowed_prefixes=POLICY.allowed_prefixes)
        for record in event["Records"]
    ]
    outcomes = process(
        deliveries,
        policy=POLICY,
        means=MEANS,
        remaining_s=lambda: context.get_remaining_time_in_millis() / 1000,
    )
    report(outcomes)
    failed = [each.delivery.message_id for each in outcomes if each.back_at is not None]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}
