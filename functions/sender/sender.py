"""The function behind the queues: it sends each batch through the provider."""

from __future__ import annotations

from gatewayapi import startup  # first, because it stops the garbage collector for the imports below

# isort: split
import os
from collections import Counter
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit

import delivery
import settings
from batch import Clients, process
from gatewayapi import aws
from gatewayapi.client import Client
from gatewayapi.message_table import MessageTable
from gatewayapi.secrets import Secret
from outcome import Acceptance, DeadLetter, OutcomeName, Retry
from queues import Queues

if TYPE_CHECKING:
    from collections.abc import Sequence

    from outcome import Outcome

SETTINGS = settings.from_environment(os.environ)
CLIENTS = Clients(
    table=MessageTable(aws.client("dynamodb"), os.environ["TABLE_NAME"], int(os.environ["RETENTION_DAYS"])),
    provider=Client("", os.environ["GATEWAYAPI_URL"]),  # the token is passed with each request
    token=Secret(os.environ["TOKEN_SECRET_ARN"]),
    queues=Queues(
        client=lambda: aws.client("sqs"),
        urls=(os.environ["QUEUE_URL"], os.environ["URGENT_QUEUE_URL"]),
        dead_letter_url=os.environ["DEAD_LETTER_QUEUE_URL"],
    ),
)
# The CloudWatch metric of each outcome; docs/operations.md explains them.
METRICS = {
    OutcomeName.ACCEPTED: "MessageAccepted",
    OutcomeName.DUPLICATE: "MessageDuplicate",
    OutcomeName.SETTLED: "MessageSettledByWebhook",
    OutcomeName.INVALID: "MessageInvalid",
    OutcomeName.REFERENCE_REUSED: "MessageReferenceReused",
    OutcomeName.LAPSED: "MessageLapsed",
    OutcomeName.SUPPRESSED: "MessageSuppressed",
    OutcomeName.DRY_RUN: "MessageDryRun",
    OutcomeName.UNCERTAIN: "MessageUncertain",
    OutcomeName.HELD: "MessageHeld",
    OutcomeName.PROVIDER_REFUSED: "ProviderRefused",
    OutcomeName.THROTTLED: "ProviderThrottled",
    OutcomeName.UNREACHABLE: "ProviderUnreachable",
    OutcomeName.TOKEN_REFUSED: "TokenRefused",
    OutcomeName.TOKEN_UNREADABLE: "TokenUnreadable",
    OutcomeName.TABLE_UNAVAILABLE: "TableUnavailable",
    OutcomeName.NOT_RECORDED: "ResultNotRecorded",
    OutcomeName.DEAD_LETTER_FAILED: "DeadLetterFailed",
    OutcomeName.WAITING: "MessageWaiting",
}

logger = Logger()
metrics = Metrics()


def report(outcomes: Sequence[Outcome]) -> None:
    """Write one log line for the batch, one for each message that was not accepted, and the metrics."""
    counts = Counter(outcome.name for outcome in outcomes)
    for name, count in counts.items():
        metrics.add_metric(METRICS[name], MetricUnit.Count, count)
    accepted = [outcome for outcome in outcomes if isinstance(outcome, Acceptance)]
    records = [outcome.write.record for outcome in accepted]
    segments = sum(record.segments or 0 for record in records)
    encodings = Counter(record.encoding for record in records if record.encoding)
    if accepted:
        waits = [outcome.write.record.updated_at - outcome.delivery.sent_at for outcome in accepted]
        # Only the longest wait of the batch, because one value for each message costs more than writing its record.
        metrics.add_metric("QueueToAcceptSeconds", MetricUnit.Seconds, max(waits).total_seconds())
        metrics.add_metric("SegmentsSent", MetricUnit.Count, segments)
    for outcome in outcomes:
        if not isinstance(outcome, Acceptance):
            logger.info("message", extra=described(outcome))
    logger.info(
        "batch",
        extra={
            "messages": len(outcomes),
            "outcomes": dict(counts),
            "segments": segments,
            "encodings": dict(encodings),
        },
    )
    metrics.flush_metrics()


def described(outcome: Outcome) -> dict[str, object]:
    """Return the log fields of an outcome: ids, codes and texts that this project wrote."""
    dead_letter = outcome if isinstance(outcome, DeadLetter) else None
    return {
        "outcome": outcome.name,
        "reference": outcome.delivery.reference,
        "message_id": outcome.delivery.message_id,
        "receive_count": outcome.delivery.receive_count,
        "code": dead_letter.code if dead_letter else None,
        "reason": None if dead_letter and not dead_letter.details_are_ours else outcome.details,
    }


startup.done()


def handler(event: dict[str, Any], context: Any) -> dict[str, list[dict[str, str]]]:  # noqa: ANN401 - Lambda's own
    """Send the messages of an SQS event. Return those that SQS must deliver again."""
    outcomes = process(
        [delivery.from_record(record, SETTINGS.rules) for record in event["Records"]],
        settings=SETTINGS,
        clients=CLIENTS,
        remaining_s=lambda: context.get_remaining_time_in_millis() / 1000,
    )
    report(outcomes)
    failed = [outcome.delivery.message_id for outcome in outcomes if isinstance(outcome, Retry)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}
