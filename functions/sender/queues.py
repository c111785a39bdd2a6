"""What the sender does to its queues itself: copies to the dead-letter queue, and when a message comes back.

Lambda deletes what was handled and leaves what was reported as failed; everything else about a message is here. A
fault-free batch makes no call.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

import timing
from delivery import REFERENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from mypy_boto3_sqs import SQSClient

    from outcome import Outcome

MAX_ENTRIES = 10  # of one batch call
MAX_BATCH_BYTES = 250_000  # of all bodies in it; SQS allowed 256 KiB for long, and some still do
MAX_DETAILS = 1000

# SQS takes no other characters in an attribute. Source: `SendMessage` in the SQS API reference.
_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Queues:
    """The queues by URL; `client` is asked for only when there is something to do."""

    client: Callable[[], SQSClient]
    urls: tuple[str, ...]
    dead_letter_url: str

    def copy(self, outcomes: Sequence[Outcome]) -> set[str]:
        """Copy messages to the dead-letter queue with their reasons; return the message ids of those that failed."""
        failed: set[str] = set()
        for chunk in _chunks(outcomes):
            entries: list[Any] = [
                {"Id": str(index), "MessageBody": each.delivery.body, "MessageAttributes": _reasons(each)}
                for index, each in enumerate(chunk)
            ]
            try:
                answer = self.client().send_message_batch(QueueUrl=self.dead_letter_url, Entries=entries)
                refused = {int(entry["Id"]) for entry in answer.get("Failed", [])}
            except (ClientError, BotoCoreError):
                refused = set(range(len(chunk)))
            failed |= {chunk[index].delivery.message_id for index in refused}
        return failed

    def hide(self, outcomes: Sequence[Outcome], now: datetime) -> None:
        """Set when each message comes back. Where that fails it does so after the queue's own visibility."""
        by_queue: dict[str, list[Outcome]] = {}
        for each in outcomes:
            by_queue.setdefault(self._url(each.delivery.queue_arn), []).append(each)
        for url, group in by_queue.items():
            for start in range(0, len(group), MAX_ENTRIES):
                entries: list[Any] = [
                    {
                        "Id": str(index),
                        "ReceiptHandle": each.delivery.receipt_handle,
                        "VisibilityTimeout": timing.visibility_s(each.back_at or now, now),
                    }
                    for index, each in enumerate(group[start : start + MAX_ENTRIES])
                ]
                try:
                    self.client().change_message_visibility_batch(QueueUrl=url, Entries=entries)
                except (ClientError, BotoCoreError):
                    continue

    def _url(self, queue_arn: str) -> str:
        name = queue_arn.rpartition(":")[2]
        return next((url for url in self.urls if url.rpartition("/")[2] == name), self.urls[0])


def _chunks(outcomes: Sequence[Outcome]) -> Iterator[list[Outcome]]:
    chunk: list[Outcome] = []
    size = 0
    for each in outcomes:
        length = len(each.delivery.body.encode())
        if chunk and (len(chunk) == MAX_ENTRIES or size + length > MAX_BATCH_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(each)
        size += length
    if chunk:
        yield chunk


def _reasons(outcome: Outcome) -> dict[str, Any]:
    values = {
        "ErrorCode": outcome.code or "",
        "ErrorMessage": _FORBIDDEN.sub("?", outcome.details)[:MAX_DETAILS] or "no details",
        REFERENCE: outcome.delivery.reference,
    }
    return {name: {"DataType": "String", "StringValue": value} for name, value in values.items()}
