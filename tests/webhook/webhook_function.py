"""The webhook function with the fixtures' AWS, a clock that a test sets, and its log.

The function's module is imported again for each test, as in a cold start, so that its start-up code runs. Its clients
are those of the fixtures. test_webhook_connection.py tests the real clients.
"""

import importlib
import io
import json
from base64 import b64encode
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import webhook
from gatewayapi import clock, state
from gatewayapi.record import EventRecord, MessageRecord, QuarantineRecord, Record, from_item
from gatewayapi.secrets import Secret
from gatewayapi.signature import sign
from gatewayapi.table import Table
from tests.aws_calls import Calls, Refusal
from tests.conftest import ENVIRONMENT
from tests.moto_aws import KEY, Aws, SecretArns

MSG_ID = "01KJMM956GY1YEECJZB50908V0"  # a ULID made 30 seconds before NOW
NUMBER = 4512345678
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store"}
TABLE = ENVIRONMENT["TABLE_NAME"]
STORE = "TransactWriteItems"
READ_KEY = "GetSecretValue"

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """The function's response, and the log of its invocation."""

    status: int
    body: Fields
    log: str


@dataclass
class Webhook:
    """One function with its table and its secret. `now` and `wall_clock_s` are its clocks."""

    aws: Aws
    secret: str
    now: datetime = NOW
    wall_clock_s: float = 1000

    def start(self) -> None:
        """Start the function, as a cold start does."""
        importlib.reload(webhook)
        # Use the test's clock, and do not wait between two tries.
        webhook.KEYS = Secret(self.secret, now_s=lambda: self.wall_clock_s)
        webhook.TABLE = Table(
            self.aws.dynamodb, TABLE, int(ENVIRONMENT["RETENTION_DAYS"]), sleep=lambda _seconds: None
        )

    def rotate(self, key: str) -> None:
        """Make this the current key. The current key becomes the previous key."""
        self.aws.secretsmanager.put_secret_value(SecretId=self.secret, SecretString=key)

    def post(self, body: bytes | Fields, signature: str | None = None, *, key: str = KEY) -> Answer:
        """Send a body to /webhooks, signed with the key if no signature is given."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.invoke(request(raw, sign(raw, key) if signature is None else signature))

    def invoke(self, event: object) -> Answer:
        """Invoke the handler, and check that its response is valid for API Gateway's proxy integration."""
        log = io.StringIO()
        for handler in webhook.logger.handlers:
            handler.setStream(log)  # type: ignore[attr-defined] # a StreamHandler
        with redirect_stdout(log), redirect_stderr(log):
            answer = webhook.handler(event, None)
        assert set(answer) == {"statusCode", "headers", "body", "isBase64Encoded"}
        assert type(answer["statusCode"]) is int
        assert answer["headers"] == HEADERS
        assert answer["isBase64Encoded"] is False
        return Answer(answer["statusCode"], json.loads(answer["body"]), log.getvalue())

    @property
    def calls(self) -> Calls:
        """The recorded calls to AWS, made by the function and by the test."""
        return self.aws.calls

    def counted(self, act: Callable[[], object]) -> dict[str, int]:
        """Run `act`, and return the number of its calls to AWS by operation."""
        self.calls.forget()
        act()
        return dict(self.calls.counts())

    def fail(self, code: str, *reasons: str, status: int = 400, count: int | None = 1) -> None:
        """Refuse the next writes with `code`. With `reasons`, cancel them with a reason for each item."""
        cancelled = tuple({"Code": reason} for reason in reasons) or None
        self.calls.refuse(STORE, Refusal(code, status, cancelled), count=count)

    def put(self, record: Record) -> None:
        """Put a record without a condition."""
        self.aws.dynamodb.put_item(TableName=TABLE, Item=record.to_item())

    def clear(self) -> None:
        """Delete all records."""
        for item in self.aws.dynamodb.scan(TableName=TABLE)["Items"]:
            self.aws.dynamodb.delete_item(TableName=TABLE, Key={"pk": item["pk"], "sk": item["sk"]})

    def records(self) -> list[Record]:
        """Return all records."""
        pages = self.aws.dynamodb.get_paginator("scan").paginate(TableName=TABLE)
        items = (item for page in pages for item in page["Items"])
        return [record for item in items if (record := from_item(item)) is not None]

    def message(self) -> MessageRecord | None:
        """Return the only message record, or None."""
        found = [record for record in self.records() if isinstance(record, MessageRecord)]
        assert len(found) <= 1
        return found[0] if found else None

    def events(self) -> list[EventRecord]:
        """Return the stored events."""
        return [record for record in self.records() if isinstance(record, EventRecord)]

    def quarantined(self) -> list[QuarantineRecord]:
        """Return the quarantine records."""
        return [record for record in self.records() if isinstance(record, QuarantineRecord)]


@pytest.fixture
def function(
    aws: Aws,
    table: Table,  # noqa: ARG001 - the function uses it by name
    secrets: SecretArns,
    monkeypatch: pytest.MonkeyPatch,
) -> Webhook:
    """A function that has just started, with an empty table."""
    function = Webhook(aws, secrets.webhook_key)
    monkeypatch.setenv("WEBHOOK_KEY_SECRET_ARN", secrets.webhook_key)
    monkeypatch.setattr("gatewayapi.aws.client", lambda service: getattr(aws, service))
    monkeypatch.setattr("gatewayapi.clock.now", lambda: function.now)
    function.start()
    return function


def request(body: bytes, signature: str) -> Fields:
    """Return API Gateway's event for a POST to /webhooks."""
    return {
        "resource": "/webhooks",
        "httpMethod": "POST",
        "headers": {"Signature": signature},
        "body": b64encode(body).decode(),
        "isBase64Encoded": True,
        "requestContext": {"identity": {"userArn": None}},
    }


def envelope(event: Fields | None = None, **changes: Any) -> Fields:  # noqa: ANN401 - JSON
    """Return the body of a status webhook. `event` changes fields of its event, `changes` those of the envelope."""
    return {
        "event_id": "6f1b2b8e-63f0-4a5c-8a76-3f1f5f0f2c11",
        "timestamp": clock.to_text(NOW),
        "event_type": "message.status.sms",
        "event": {
            "msg_id": MSG_ID,
            "recipient": NUMBER,
            "reference": "order-1",
            "status": "DELIVERED",
            "status_at": clock.to_text(NOW),
            "error": None,
            **(event or {}),
        },
        **changes,
    }


def message(status: str = "ACCEPTED", **fields: Any) -> MessageRecord:  # noqa: ANN401 - the record's
    """Return the record of a message that was sent a minute ago. If it is settled, it has the events' msg_id."""
    before = NOW - timedelta(minutes=1)
    given: Fields = {
        "reference": "order-1",
        "status": status,
        "queued_at": before,
        "updated_at": before,
        "expires_at": NOW + timedelta(days=90),
        "message_id": "id-1",
        "recipient": NUMBER,
        "msg_id": MSG_ID if state.is_settled(status) else None,
        **fields,
    }
    return MessageRecord(**given)
