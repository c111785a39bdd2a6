"""What becomes of each message, in one line per outcome, as it happens.

Most outcomes are changes of the table, so they are read from its stream. A duplicate and a refused reference change
nothing there: they are read from the sender's log. A message that SQS itself moves shows only in the count of the
dead-letter queue.
"""

import json
from collections.abc import Iterator
from typing import Any

from gatewayapi.record import EventRecord, MessageRecord, OptOutRecord, QuarantineRecord, Record
from local import tail
from local.stack import NAME, Stack
from tools import explanations
from tools.timeline import masked

# The sender's outcomes that no record shows.
LOGGED = {
    "duplicate": "duplicate: sent before, acknowledged",
    "reference_reused": "not sent: the reference belongs to another message; a copy is in the dead-letter queue",
}
IN_DEAD_LETTER_QUEUE = {"INVALID", "HELD"}


def follow(stack: Stack) -> Iterator[str | None]:
    """Yield a line for each outcome, and None whenever there is nothing new for a moment."""
    log, dead_letters = _Log(stack), _DeadLetters(stack)
    for change in tail.follow(stack.client("dynamodbstreams"), stack.outputs["StreamArn"]):
        if change is None:
            yield from log.new()
            yield from dead_letters.new()
            yield None
        elif change.record and (text := line(change.record)) and text != (change.previous and line(change.previous)):
            yield text


def line(record: Record) -> str | None:
    """Return the line of a record that was written; None if another line shows the same."""
    match record:
        case MessageRecord(status="SENDING"):
            return None
        case MessageRecord() if record.forgotten_at:
            return f"{record.reference}  forgotten: its personal data is removed"
        case MessageRecord():
            return f"{record.reference}  {_message(record)}"
        case EventRecord() if record.status is None:
            number = f" from {masked(record.sender)}" if record.sender else ""
            return f"{record.key}  received {record.event_type}{number}"
        case OptOutRecord():
            return f"{masked(record.number)}  {'opted out' if record.status == 'OUT' else 'opted in again'}"
        case QuarantineRecord():
            return f"a signed body is no usable event and is quarantined: {record.reason}"
    return None


def _message(record: MessageRecord) -> str:
    error = explanations.error(record.error) if record.error else ""
    meaning = error or explanations.STATUSES.get(record.status, "")
    parts = [f"{record.status}: {meaning}" if meaning else record.status]
    if record.status in IN_DEAD_LETTER_QUEUE and (record.error or {}).get("code") != "DRY_RUN":
        parts.append("a copy is in the dead-letter queue")
    if record.recipient:
        parts.append(f"number {masked(record.recipient)}")
    return "; ".join(parts)


class _Log:
    """The sender's log, read from where the last reading ended."""

    def __init__(self, stack: Stack) -> None:
        self._logs = stack.client("logs")
        self._since = 0
        self._seen: set[tuple[int, str]] = set()

    def new(self) -> Iterator[str]:
        pages = self._logs.get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/{NAME}-sender", startTime=self._since
        )
        for event in (event for page in pages for event in page["events"]):
            self._since = max(self._since, event["timestamp"])
            key = (event["timestamp"], event["message"])  # the local AWS gives events no id
            if key in self._seen:
                continue
            self._seen.add(key)
            if text := self._line(event["message"]):
                yield text

    @staticmethod
    def _line(message: str) -> str | None:
        try:
            fields = json.loads(message)
        except ValueError:
            return None  # Lambda's own lines are text
        if not isinstance(fields, dict) or fields.get("outcome") not in LOGGED:
            return None
        return f"{fields.get('reference')}  {LOGGED[fields['outcome']]}"


class _DeadLetters:
    """The number of messages in the dead-letter queue, as far as it changed."""

    def __init__(self, stack: Stack) -> None:
        self._sqs: Any = stack.client("sqs")
        self._url = stack.outputs["DeadLetterQueueUrl"]
        self._last = 0

    def new(self) -> Iterator[str]:
        # Both, or a command that reads the queue would change the number.
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)["Attributes"]
        count = sum(int(attributes[name]) for name in names)
        if count != self._last:
            self._last = count
            yield f"the dead-letter queue: {explanations.counted(count, 'message')}; `make dead-letters` lists them"
