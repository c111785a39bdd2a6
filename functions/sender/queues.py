"""What the sender does to its queues itself: copies to the dead-letter queue, and when a message comes back.

Lambda deletes what was handled and leaves what was reported as failed; everything else about a message is here. A
fault-free batch makes no call. Where there are calls, each is for one message: the batch actions would save some of
them and bring a second way to fail for each entry.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.logging import Logger
from botocore.exceptions import BotoCoreError, ClientError

import timing
from delivery import REFERENCE
from outcome import MAX_DETAILS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from mypy_boto3_sqs import SQSClient

    from outcome import Outcome

# SQS takes no such characters in an attribute. Source: `SendMessage` in the SQS API reference, which names those that
# it takes; that set takes 5 ms to compile.
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

SERVER_ERROR = 500

logger = Logger(child=True)


@dataclass(frozen=True, slots=True)
class Queues:
    """The queues by URL; `client` is asked for only when there is something to do."""

    client: Callable[[], SQSClient]
    urls: tuple[str, ...]
    dead_letter_url: str

    def copy(self, outcomes: Sequence[Outcome]) -> set[str]:
        """Copy messages to the dead-letter queue with their reasons; return the message ids of those not copied.

        A message that SQS refuses (too long with its reasons) is no reason to leave out the next one; SQS in trouble
        is, since each further try would cost the same time.
        """
        failed: set[str] = set()
        for index, each in enumerate(outcomes):
            try:
                self.client().send_message(
                    QueueUrl=self.dead_letter_url, MessageBody=each.delivery.body, MessageAttributes=_reasons(each)
                )
            except (ClientError, BotoCoreError) as error:
                logger.warning("no copy in the dead-letter queue", extra=said(each, error))
                if is_refusal(error):
                    failed.add(each.delivery.message_id)
                    continue
                return failed | {later.delivery.message_id for later in outcomes[index:]}
        return failed

    def hide(self, outcomes: Sequence[Outcome], now: datetime) -> None:
        """Set when each message comes back; what SQS in trouble leaves out, does after the queue's own visibility."""
        for each in outcomes:
            try:
                self.client().change_message_visibility(
                    QueueUrl=self._url(each.delivery.queue_arn),
                    ReceiptHandle=each.delivery.receipt_handle,
                    VisibilityTimeout=timing.visibility_s(each.back_at or now, now),
                )
            except (ClientError, BotoCoreError) as error:
                logger.warning("visibility not set", extra=said(each, error))
                if not is_refusal(error):
                    return

    def _url(self, queue_arn: str) -> str:
        name = queue_arn.rpartition(":")[2]
        return next((url for url in self.urls if url.rpartition("/")[2] == name), self.urls[0])


def is_refusal(error: ClientError | BotoCoreError) -> bool:
    """Return whether SQS has answered that it will not have this one; else it did not answer, or not to it."""
    return isinstance(error, ClientError) and error.response["ResponseMetadata"]["HTTPStatusCode"] < SERVER_ERROR


def said(outcome: Outcome, error: ClientError | BotoCoreError) -> dict[str, str]:
    """Return what a log may say of an AWS error: its code, and not its text, which can hold what was sent."""
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
    return {"message_id": outcome.delivery.message_id, "error": code}


def _reasons(outcome: Outcome) -> dict[str, Any]:
    values = {
        "ErrorCode": outcome.code or "",
        "ErrorMessage": _FORBIDDEN.sub("?", outcome.details)[:MAX_DETAILS] or "no details",
        REFERENCE: outcome.delivery.reference,
    }
    return {name: {"DataType": "String", "StringValue": value} for name, value in values.items()}
