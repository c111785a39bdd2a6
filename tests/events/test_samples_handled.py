"""The samples under `events/` do in the functions what they are samples of."""

import importlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import sender
from gatewayapi.record import MessageRecord, OptOutRecord, from_item
from simulator.provider import Provider, Settings
from tests.conftest import ENVIRONMENT
from tests.moto_aws import TOKEN, Aws, QueueUrls, SecretArns
from tests.webhook.webhook_function import Webhook, function

__all__ = ["function"]

EVENTS = Path(__file__).parents[2] / "events"
NAMES = sorted(path.stem for path in (EVENTS / "webhook").iterdir())
SENT = datetime(2025, 12, 1, 12, 0, 6, tzinfo=UTC)


def sample(*path: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(EVENTS.joinpath(*path).read_text())
    return content


@pytest.mark.parametrize("name", NAMES)
def test_a_webhook_sample_is_stored_as_it_is(function: Webhook, name: str) -> None:
    request = sample("webhook", f"{name}.json")
    function.rotate("sample-key")
    function.now = SENT
    assert (function.invoke(request).body, function.invoke(request).body) == (
        {"status": "stored"},
        {"status": "duplicate"},
    )
    (record,) = function.events()
    assert record.body == request["body"]


def test_the_stop_sample_opts_its_sender_out(function: Webhook) -> None:
    function.rotate("sample-key")
    function.now = SENT
    function.invoke(sample("webhook", "text-sms-stop.json"))
    (record,) = [it for it in function.records() if isinstance(it, OptOutRecord)]
    assert (record.number, record.status) == ("4587654321", "OUT")


def test_a_webhook_sample_of_long_ago_is_refused(function: Webhook) -> None:
    function.rotate("sample-key")
    assert function.invoke(sample("webhook", "status-sms.json")).status == 400


def test_the_sign_sample_gets_the_signature_of_its_body(function: Webhook) -> None:
    function.rotate("sample-key")
    signed = function.invoke(sample("sign.json"))
    stored = sample("webhook", "status-sms.json")
    assert (signed.status, signed.body) == (200, {"signature": stored["headers"]["Signature"]})


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider(Settings(token=TOKEN)) as running:
        yield running


@pytest.mark.usefixtures("table")
def test_the_sender_s_batch_is_sent_where_it_can_be(
    aws: Aws, queues: QueueUrls, secrets: SecretArns, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN_SECRET_ARN", secrets.token)
    monkeypatch.setenv("GATEWAYAPI_URL", provider.url)
    monkeypatch.setenv("QUEUE_URL", queues.main)
    monkeypatch.setenv("URGENT_QUEUE_URL", queues.urgent)
    monkeypatch.setenv("DEAD_LETTER_QUEUE_URL", queues.dead_letters)
    monkeypatch.setattr("gatewayapi.aws.client", lambda service: getattr(aws, service))
    importlib.reload(sender)

    answer = sender.handler(
        sample("sender", "batch.json"), SimpleNamespace(get_remaining_time_in_millis=lambda: 30_000)
    )

    first = "3e1f0f60-7a0e-4f3a-9c0d-000000000001"
    assert answer == {"batchItemFailures": []}
    assert provider.counts() == {first: 1, "order-1001": 1, "order-1000": 1}
    records = [from_item(item) for item in aws.dynamodb.scan(TableName=ENVIRONMENT["TABLE_NAME"])["Items"]]
    statuses = {record.reference: record.status for record in records if isinstance(record, MessageRecord)}
    assert statuses == {
        first: "ACCEPTED",
        "order-1000": "ACCEPTED",
        "order-1001": "ACCEPTED",
        "order-1002": "LAPSED",
        "order-1003": "INVALID",
        "3e1f0f60-7a0e-4f3a-9c0d-000000000006": "INVALID",
    }
    letters = aws.sqs.receive_message(
        QueueUrl=queues.dead_letters, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    )["Messages"]
    codes = [letter["MessageAttributes"]["ErrorCode"]["StringValue"] for letter in letters]
    assert sorted(codes) == ["INVALID_JSON", "INVALID_MESSAGE"]
