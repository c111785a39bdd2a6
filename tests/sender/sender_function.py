"""The sender function with the fixtures' AWS and the simulated provider. Tests invoke it as Lambda does.

The function's module is imported again for each test, as in a cold start, so that its start-up code runs.
"""

import importlib
import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest

import sender
from gatewayapi.event_table import EventTable
from gatewayapi.message_table import MessageTable
from gatewayapi.record import EventRecord, MessageRecord, from_item
from simulator.provider import Provider, Settings
from simulator.server import Answer, Server
from tests.aws_calls import Calls
from tests.conftest import ENVIRONMENT
from tests.moto_aws import TOKEN, Aws, QueueUrls, SecretArns
from tests.sender.sqs_records import DeadLetter, Fields, Record, dead_letter, delivered

TABLE = ENVIRONMENT["TABLE_NAME"]
WRITE, READ_TOKEN = "TransactWriteItems", "GetSecretValue"
BATCH_OF_SQS = 10  # the most messages of one call to SQS
SEND_DEAD_LETTER, SET_VISIBILITY = "SendMessage", "ChangeMessageVisibility"


@dataclass(frozen=True, slots=True)
class Invocation:
    """The results of one invocation.

    Arguments:
        failed: the message ids that it reported to SQS as failed.
        log: the text of its log.
        calls: the number of its calls to AWS by operation.
        visibility_timeouts_s: the visibility timeouts that it set, in order.

    """

    failed: list[str]
    log: str
    calls: dict[str, int]
    visibility_timeouts_s: list[int]

    def outcomes(self) -> Fields:
        """Return the number of messages by outcome."""
        return dict(self.log_line("batch")["outcomes"])

    def log_line(self, text: str) -> Fields:
        """Return the only log line with this text: "batch", or "message" for a message that was not accepted."""
        (line,) = [line for line in self._log_lines() if line.get("message") == text]
        return line

    def metrics(self) -> Fields:
        """Return the metrics, from the lines that CloudWatch reads."""
        lines = [line for line in self._log_lines() if "_aws" in line]
        return {name: value for line in lines for name, value in line.items() if isinstance(value, list)}

    def _log_lines(self) -> list[Fields]:
        return [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]


@dataclass
class Sender:
    """One sender function. `clock_ahead` moves its clock.

    `remaining_s` is the time left in the invocation, unless a test sets its own `context`.
    """

    aws: Aws
    queues: QueueUrls
    secrets: SecretArns
    provider: Provider
    patch: pytest.MonkeyPatch
    clock_ahead: timedelta = timedelta(0)
    remaining_s: float = 30
    context: Any = None

    @property
    def calls(self) -> Calls:
        """The recorded calls to AWS, made by the function and by the test."""
        return self.aws.calls

    def start(self, **environment: str) -> None:
        """Start the function with these settings, as a cold start does."""
        for name, value in environment.items():
            self.patch.setitem(os.environ, name, value)
        importlib.reload(sender)
        # Tests do not wait for the pauses between DynamoDB calls.
        table = MessageTable(
            self.aws.dynamodb, TABLE, int(ENVIRONMENT["RETENTION_DAYS"]), sleep=lambda _seconds: None
        )
        self.patch.setattr(sender, "CLIENTS", sender.CLIENTS._replace(now=self.now, table=table))

    def now(self) -> datetime:
        """Return the sender's time."""
        return datetime.now(UTC) + self.clock_ahead

    @contextmanager
    def answered_with(self, status: int, body: bytes) -> Iterator[None]:
        """Make the provider's first answer these bytes, which none of the simulator's faults can produce."""
        answers = iter([Answer(status, body)])
        server = Server(
            ("127.0.0.1", 0),
            lambda request: next(answers, None) or self.provider.answer(request),
            max_body_bytes=1_000_000,
            verbose=False,
        )
        server.start()
        self.start(GATEWAYAPI_URL=f"http://127.0.0.1:{server.server_address[1]}")
        try:
            yield
        finally:
            server.close()
            server.join()

    def put(self, *messages: Fields | str, url: str = "", attributes: Fields | None = None) -> list[Record]:
        """Put messages on a queue, and return the records of their deliveries."""
        queue_url = url or self.queues.main
        bodies = [
            message if isinstance(message, str) else json.dumps(message, ensure_ascii=False) for message in messages
        ]
        for group in _in_batches(bodies):
            entries = [
                {"Id": str(index), "MessageBody": body, "MessageAttributes": attributes or {}}
                for index, body in enumerate(group)
            ]
            self.aws.sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)
        return self.receive(queue_url)

    def receive(self, queue_url: str) -> list[Record]:
        """Return a record for each visible message of a queue, with the enqueue time of the test's clock."""
        records: list[Record] = []
        while True:
            answer = self.aws.sqs.receive_message(
                QueueUrl=queue_url,
                MaxNumberOfMessages=BATCH_OF_SQS,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            messages = answer.get("Messages", [])
            for received in messages:
                record = delivered(received, queue_url)
                sent_ms = int(record["attributes"]["SentTimestamp"]) + round(self.clock_ahead.total_seconds() * 1000)
                record["attributes"] = record["attributes"] | {"SentTimestamp": str(sent_ms)}
                records.append(record)
            if len(messages) < BATCH_OF_SQS:
                return records

    def deliver(self, records: Iterable[Record], *, receive_count: int | None = None) -> Invocation:
        """Invoke the function with a batch, and delete the handled messages, as an event source mapping does."""
        batch = [dict(record) for record in records]
        for record in batch:
            if receive_count is not None:
                record["attributes"] = record["attributes"] | {"ApproximateReceiveCount": str(receive_count)}
        context = self.context or SimpleNamespace(get_remaining_time_in_millis=lambda: self.remaining_s * 1000)
        log = io.StringIO()
        for handler in sender.logger.handlers:
            handler.setStream(log)  # type: ignore[attr-defined] # a StreamHandler
        self.calls.forget()
        with redirect_stdout(log), redirect_stderr(log):
            answer = sender.handler({"Records": batch}, context)
        calls = dict(self.calls.counts())
        visibility_timeouts_s = [call["VisibilityTimeout"] for call in self.calls.parameters(SET_VISIBILITY)]
        assert set(answer) == {"batchItemFailures"}
        failed = [item["itemIdentifier"] for item in answer["batchItemFailures"]]
        done = [record for record in batch if record["messageId"] not in failed]
        for group in _in_batches(done):
            entries = [
                {"Id": str(index), "ReceiptHandle": record["receiptHandle"]} for index, record in enumerate(group)
            ]
            self.aws.sqs.delete_message_batch(QueueUrl=self.queue_url(group[0]), Entries=entries)
        return Invocation(failed, log.getvalue(), calls, visibility_timeouts_s)

    def send(self, *messages: Fields | str) -> Invocation:
        """Put messages on the queue and deliver them, all in one batch."""
        return self.deliver(self.put(*messages))

    def queue_url(self, record: Record) -> str:
        """Return the URL of a record's queue."""
        name = record["eventSourceARN"].rpartition(":")[2]
        return self.queues.urgent if self.queues.urgent.endswith(f"/{name}") else self.queues.main

    def waiting(self) -> int:
        """Return how many messages are on the queue, visible or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.aws.sqs.get_queue_attributes(QueueUrl=self.queues.main, AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)

    def dead_letters(self) -> list[DeadLetter]:
        """Receive and return the messages of the dead-letter queue."""
        return [dead_letter(record) for record in self.receive(self.queues.dead_letters)]

    def redrive(self) -> list[Record]:
        """Move the dead letters to the queue as an SQS redrive does: as new messages with the same attributes."""
        for record in self.receive(self.queues.dead_letters):
            attributes = {
                name: {"DataType": "String", "StringValue": value["stringValue"]}
                for name, value in record["messageAttributes"].items()
            }
            self.aws.sqs.send_message(
                QueueUrl=self.queues.main, MessageBody=record["body"], MessageAttributes=attributes
            )
        return self.receive(self.queues.main)

    def record(self, reference: str) -> MessageRecord:
        """Return a message's record."""
        key = {"pk": {"S": reference}, "sk": {"S": "MESSAGE"}}
        item = self.aws.dynamodb.get_item(TableName=TABLE, Key=key)["Item"]
        found = from_item(item)
        assert isinstance(found, MessageRecord)
        return found

    def statuses(self) -> dict[str, str]:
        """Return the status of every message."""
        pages = self.aws.dynamodb.get_paginator("scan").paginate(TableName=TABLE)
        found = [from_item(item) for page in pages for item in page["Items"]]
        return {record.reference: record.status for record in found if isinstance(record, MessageRecord)}

    def webhook(self, event: EventRecord) -> None:
        """Store an event, as the webhook function does."""
        assert EventTable(self.aws.dynamodb, TABLE, 90).store(event)


@pytest.fixture
def function(
    aws: Aws,
    table: MessageTable,  # noqa: ARG001 - the function uses it by name
    queues: QueueUrls,
    secrets: SecretArns,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Sender]:
    """A sender that has just started, with empty queues and a provider without faults."""
    with Provider(Settings(token=TOKEN)) as provider:
        monkeypatch.setattr("gatewayapi.aws.client", lambda service: getattr(aws, service))
        started = Sender(aws, queues, secrets, provider, monkeypatch)
        started.start(
            QUEUE_URL=queues.main,
            URGENT_QUEUE_URL=queues.urgent,
            DEAD_LETTER_QUEUE_URL=queues.dead_letters,
            TOKEN_SECRET_ARN=secrets.token,
            GATEWAYAPI_URL=provider.url,
        )
        yield started


T = TypeVar("T")


def _in_batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), BATCH_OF_SQS):
        yield items[start : start + BATCH_OF_SQS]
