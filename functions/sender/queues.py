"""The sender's own calls to SQS: copies to the dead-letter queue, and visibility timeouts.

Lambda deletes the messages that were handled, so a batch without failures makes no call. Each call is for one
message. SQS's batch actions would save some calls, but one entry can fail although the call succeeds.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.logging import Logger
from botocore.exceptions import BotoCoreError, ClientError

import timing
from delivery import ERROR_CODE, ERROR_MESSAGE, REFERENCE
from gatewayapi.transaction import code_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from mypy_boto3_sqs import SQSClient

    from delivery import Delivery
    from outcome import DeadLetter, Retry

# Characters that SQS does not allow in an attribute. Source: "SendMessage" in the SQS API reference. It lists the
# allowed characters, but a pattern of those takes longer to compile.
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

# SQS answers these with 400, although they are not about the message. Source: the errors in the SQS API reference.
_THROTTLED = {"RequestThrottled", "ThrottlingException", "KmsThrottled", "OverLimit"}

MAX_ERROR_MESSAGE = 1000
SERVER_ERROR = 500

logger = Logger(child=True)


class Queues:
    """The two queues and the dead-letter queue. `client` returns the SQS client when a call to SQS is needed."""

    def __init__(self, client: Callable[[], SQSClient], urls: tuple[str, ...], dead_letter_url: str) -> None:
        self._client = client
        self._urls = urls
        self._dead_letter_url = dead_letter_url

    def send_to_dead_letter_queue(
        self, dead_letters: Sequence[DeadLetter], remaining_s: Callable[[], float]
    ) -> set[str]:
        """Send copies to the dead-letter queue with their reasons; return the message ids of those not sent.

        If SQS rejects one message, the others are still sent. If SQS fails,
        throttles or is unreachable, or the invocation has no time left, no further call is made.
        """
        failed: set[str] = set()
        for index, dead_letter in enumerate(dead_letters):
            if remaining_s() < timing.LAST_CALL_S:
                return failed | {other.delivery.message_id for other in dead_letters[index:]}
            try:
                self._client().send_message(
                    QueueUrl=self._dead_letter_url,
                    MessageBody=dead_letter.delivery.body,
                    MessageAttributes=_attributes(dead_letter),
                )
            except (ClientError, BotoCoreError) as error:
                logger.warning("not sent to the dead-letter queue", extra=_log_fields(dead_letter.delivery, error))
                if not is_rejection(error):
                    return failed | {other.delivery.message_id for other in dead_letters[index:]}
                failed.add(dead_letter.delivery.message_id)
        return failed

    def set_visibility_timeouts(
        self, retries: Sequence[Retry], now: datetime, remaining_s: Callable[[], float]
    ) -> None:
        """Set when SQS delivers each message again.

        If SQS fails, the remaining messages return after the queue's visibility timeout.
        """
        for retry in retries:
            if remaining_s() < timing.LAST_CALL_S:
                return
            try:
                self._client().change_message_visibility(
                    QueueUrl=self._url(retry.delivery.queue_arn),
                    ReceiptHandle=retry.delivery.receipt_handle,
                    VisibilityTimeout=timing.visibility_s(retry.at, now),
                )
            except (ClientError, BotoCoreError) as error:
                logger.warning("visibility timeout not set", extra=_log_fields(retry.delivery, error))
                if not is_rejection(error):
                    return

    def _url(self, queue_arn: str) -> str:
        name = queue_arn.rpartition(":")[2]
        return next((url for url in self._urls if url.rpartition("/")[2] == name), self._urls[0])


def is_rejection(error: ClientError | BotoCoreError) -> bool:
    """Return True if SQS rejected this message (4xx), False if SQS failed or was unreachable."""
    if not isinstance(error, ClientError) or code_of(error) in _THROTTLED:
        return False
    return error.response["ResponseMetadata"]["HTTPStatusCode"] < SERVER_ERROR


def _log_fields(delivery: Delivery, error: ClientError | BotoCoreError) -> dict[str, str]:
    return {"message_id": delivery.message_id, "error": code_of(error)}


def _attributes(dead_letter: DeadLetter) -> dict[str, Any]:
    values = {
        ERROR_CODE: dead_letter.code,
        ERROR_MESSAGE: _FORBIDDEN.sub("?", dead_letter.details)[:MAX_ERROR_MESSAGE] or "no details",
        REFERENCE: dead_letter.delivery.reference,
    }
    return {name: {"DataType": "String", "StringValue": value} for name, value in values.items()}
