"""The sender function between the AWS of the fixtures and the simulated provider, invoked as the queues invoke it.

The function's module is imported again for each test, as in a cold start, so its own wiring runs.
"""

import importlib
import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest

import sender
from gatewayapi.record import EventRecord, MessageRecord, from_item
from gatewayapi.table import Table
from simulator.provider import Provider, Settings
from simulator.server import Answer, Server
from tests.aws_calls import Calls
from tests.conftest import ENVIRONMENT
from tests.moto_aws import TOKEN, Aws, QueueUrls, SecretArns
from tests.sender.sqs_records import DeadLetter, Fields, Record, dead_letter, delivered

TABLE = ENVIRONMENT["TABLE_NAME"]
WRITE, READ_TOKEN = "TransactWriteItems", "GetSecretValue"
SEND_DEAD_LETTER, SET_VISIBILITY = "SendMessage", "ChangeMessageVisibility"


@dataclass(frozen=True, slots=True)
class Invocation:
    """One invocation.

    The message ids that it reported as failed, what it wrote to its log, what it called and how often, and the
    visibility time-outs that it set, in order.
    """

    failed: list[str]
    log: str
    calls: dict[str, int]
    visibility_timeouts_s: list[int]

    def outcomes(self) -> Fields:
        """Return how often each outcome was, by the line that is there for each batch."""
        lines = [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]
        (batch,) = [line for line in lines if line.get("message") == "batch"]
        return dict(batch["outcomes"])


@dataclass
class Sender:
    """One sender. `clock_ahead` moves its clock; `remaining_s` is what Lambda says is left, or `context` does."""

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
        """What is asked of AWS, by the function and by the test."""
        return self.aws.calls

    def start(self, **environment: str) -> None:
        """Start the function with these settings, as a cold start does."""
        for name, value in environment.items():
            self.patch.setitem(os.environ, name, value)
        importlib.reload(sender)
        # The pauses between DynamoDB calls are counted, and not waited for.
        table = Table(self.aws.dynamodb, TABLE, int(ENVIRONMENT["RETENTION_DAYS"]), sleep=lambda _seconds: None)
        self.patch.setattr(sender, "CLIENTS", replace(sender.CLIENTS, now=self.now, table=table))

    def now(self) -> datetime:
        """Return the sender's time."""
        return datetime.now(UTC) + self.clock_ahead

    @contextmanager
    def answered_with(self, status: int, body: bytes) -> Iterator[None]:
        """Have the provider's first answer be these bytes, which no fault of the simulator's can be."""
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
        """Put messages on a queue, and return the records with which it delivers them."""
        queue_url = url or self.queues.main
        bodies = [each if isinstance(each, str) else json.dumps(each, ensure_ascii=False) for each in messages]
        for group in _tens(bodies):
            entries = [
                {"Id": str(place), "MessageBody": body, "MessageAttributes": attributes or {}}
                for place, body in enumerate(group)
            ]
            self.aws.sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)
        return self.receive(queue_url)

    def receive(self, queue_url: str) -> list[Record]:
        """Return a record for each message that is visible on a queue, enqueued by the test's clock."""
        records: list[Record] = []
        while True:
            answer = self.aws.sqs.receive_message(
                QueueUrl=queue_url,
                MaxNumberOfMessages=10,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            if not answer.get("Messages"):
                return records
            for received in answer["Messages"]:
                record = delivered(received, queue_url)
                sent_ms = int(record["attributes"]["SentTimestamp"]) + round(self.clock_ahead.total_seconds() * 1000)
                record["attributes"] = record["attributes"] | {"SentTimestamp": str(sent_ms)}
                records.append(record)

    def deliver(self, records: Iterable[Record], *, receive_count: int | None = None) -> Invocation:
        """Invoke the function with a batch, and delete what it handled, as an event source mapping does."""
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
        for group in _tens(done):
            entries = [{"Id": str(place), "ReceiptHandle": each["receiptHandle"]} for place, each in enumerate(group)]
            self.aws.sqs.delete_message_batch(QueueUrl=self.queue_url(group[0]), Entries=entries)
        return Invocation(failed, log.getvalue(), calls, visibility_timeouts_s)

    def send(self, *messages: Fields | str) -> Invocation:
        """Put messages on the queue and deliver them, all in one batch."""
        return self.deliver(self.put(*messages))

    def queue_url(self, record: Record) -> str:
        """Return the queue that a record came from."""
        name = record["eventSourceARN"].rpartition(":")[2]
        return self.queues.urgent if self.queues.urgent.endswith(f"/{name}") else self.queues.main

    def waiting(self) -> int:
        """Return how many messages the queue still has, hidden or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.aws.sqs.get_queue_attributes(QueueUrl=self.queues.main, AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)

    def dead_letters(self) -> list[DeadLetter]:
        """Return what is in the dead-letter queue, and take it out."""
        return [dead_letter(record) for record in self.receive(self.queues.dead_letters)]

    def redrive(self) -> list[Record]:
        """Move the dead letters back to the queue as SQS does, as new and with its attributes; return the records."""
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
        return {each.reference: each.status for each in found if isinstance(each, MessageRecord)}

    def webhook(self, event: EventRecord) -> None:
        """Have the webhook function's table store an event."""
        assert Table(self.aws.dynamodb, TABLE, 90).store(event)


@pytest.fixture
def function(
    aws: Aws,
    table: Table,  # noqa: ARG001 - it has to be there, and is reached by its name
    queues: QueueUrls,
    secrets: SecretArns,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Sender]:
    """A sender that has just started, with nothing on its queues and no provider's fault."""
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


def _tens(things: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(things), 10):
        yield things[start : start + 10]
