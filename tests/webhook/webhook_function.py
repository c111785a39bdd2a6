"""The webhook function with the fixtures' AWS, a clock that a test sets, and its log.

The function's module is imported again for each test, as in a cold start, so that its start-up code runs. Its clients
are those of the fixtures. test_table_connection.py tests the real clients.
"""

import importlib
import io
import json
from base64 import b64encode
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

import webhook
from gatewayapi import clock
from gatewayapi.event_table import EventTable
from gatewayapi.secrets import Secret
from gatewayapi.signature import sign
from tests.aws_calls import Calls
from tests.conftest import ENVIRONMENT
from tests.layer import webhook_bodies
from tests.layer.stored_records import MSG_ID, NOW, TABLE
from tests.layer.webhook_bodies import SMS, status
from tests.moto_aws import KEY, Aws, SecretArns

HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store"}
STORE = "TransactWriteItems"
READ_KEY = "GetSecretValue"
IAM_CALLER = {"identity": {"userArn": "arn:aws:sts::123456789012:assumed-role/deployer/someone"}}

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """The function's response, the log of its invocation, and the number of its calls to AWS by operation."""

    status: int
    body: Fields
    log: str
    calls: dict[str, int]

    def log_line(self) -> Fields:
        """Return the line that describes the event."""
        (line,) = [line for line in self._log_lines() if line.get("message") == "event"]
        return line

    def metrics(self) -> dict[str, list[float]]:
        """Return the metrics by name, from the line that CloudWatch reads."""
        (line,) = [line for line in self._log_lines() if "_aws" in line]
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        return {metric["Name"]: line[metric["Name"]] for metric in directive["Metrics"]}

    def _log_lines(self) -> list[Fields]:
        return [json.loads(line) for line in self.log.splitlines()]


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
        webhook.TABLE = EventTable(
            self.aws.dynamodb, TABLE, int(ENVIRONMENT["RETENTION_DAYS"]), sleep=lambda _seconds: None
        )

    def rotate(self, key: str) -> None:
        """Make this the current key. The current key becomes the previous key."""
        self.aws.secretsmanager.put_secret_value(SecretId=self.secret, SecretString=key)

    def post(self, body: bytes | Fields, signature: str | None = None, *, key: str = KEY) -> Answer:
        """Send a body to /webhooks, signed with the key if no signature is given."""
        return self.invoke(request(body, sign(raw(body), key) if signature is None else signature))

    def sign(self, body: bytes | Fields, context: object = IAM_CALLER) -> Answer:
        """Send a body to /sign, with the request context that API Gateway adds."""
        return self.invoke(request(body, "") | {"resource": "/sign", "headers": None, "requestContext": context})

    def invoke(self, event: object) -> Answer:
        """Invoke the handler, and check that its response is valid for API Gateway's proxy integration."""
        log = io.StringIO()
        for handler in webhook.logger.handlers:
            handler.setStream(log)  # type: ignore[attr-defined] # a StreamHandler
        self.calls.forget()
        with redirect_stdout(log), redirect_stderr(log):
            answer = webhook.handler(event, None)
        assert set(answer) == {"statusCode", "headers", "body", "isBase64Encoded"}
        assert type(answer["statusCode"]) is int
        assert answer["headers"] == HEADERS
        assert answer["isBase64Encoded"] is False
        return Answer(answer["statusCode"], json.loads(answer["body"]), log.getvalue(), dict(self.calls.counts()))

    @property
    def calls(self) -> Calls:
        """The recorded calls to AWS, made by the function and by the test."""
        return self.aws.calls


@pytest.fixture
def function(
    aws: Aws,
    table: EventTable,  # noqa: ARG001 - the function uses it by name
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


def raw(body: bytes | Fields) -> bytes:
    """Return the bytes of a body."""
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def request(body: bytes | Fields, signature: str) -> Fields:
    """Return API Gateway's event for a POST to /webhooks."""
    return {
        "resource": "/webhooks",
        "httpMethod": "POST",
        "headers": {"Signature": signature},
        "body": b64encode(raw(body)).decode(),
        "isBase64Encoded": True,
        "requestContext": {"identity": {"userArn": None}},
    }


def envelope(event: Fields | None = None, **changes: Any) -> Fields:  # noqa: ANN401 - JSON
    """Return the body of a status webhook. `event` changes fields of its event, `changes` those of the envelope."""
    fields = status(**{"status_at": clock.to_text(NOW), "msg_id": MSG_ID, **(event or {})})
    return webhook_bodies.envelope(SMS, fields, **{"timestamp": clock.to_text(NOW), **changes})
