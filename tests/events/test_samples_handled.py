"""The functions handle the samples under `events/` as `events/README.md` describes."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gatewayapi.record import EventRecord, OptOutRecord
from tests.layer.stored_records import stored_events, stored_records
from tests.sender.sender_function import Sender
from tests.sender.sender_function import function as sender
from tests.webhook.webhook_function import Webhook
from tests.webhook.webhook_function import function as webhook

__all__ = ["sender", "webhook"]

EVENTS = Path(__file__).parents[2] / "events"
WEBHOOKS = sorted(path.stem for path in (EVENTS / "webhook").iterdir())
AFTER_THE_WEBHOOKS = datetime(2025, 12, 1, 12, 0, 6, tzinfo=UTC)


def sample(path: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((EVENTS / path).read_text())
    return content


@pytest.fixture
def webhook_with_sample_key(webhook: Webhook) -> Webhook:
    """A webhook function with the key and at the time of the samples."""
    webhook.rotate("sample-key")
    webhook.now = AFTER_THE_WEBHOOKS
    return webhook


@pytest.mark.parametrize("name", WEBHOOKS)
def test_a_webhook_sample_is_stored_unchanged(webhook_with_sample_key: Webhook, name: str) -> None:
    request = sample(f"webhook/{name}.json")
    answers = [webhook_with_sample_key.invoke(request).body for _ in range(2)]
    assert answers == [{"status": "stored"}, {"status": "duplicate"}]
    assert [event.body for event in stored_events(webhook_with_sample_key.aws)] == [request["body"]]


def test_the_stop_sample_opts_its_sender_out(webhook_with_sample_key: Webhook) -> None:
    webhook_with_sample_key.invoke(sample("webhook/text-sms-stop.json"))
    event, opt_out = sorted(stored_records(webhook_with_sample_key.aws), key=lambda record: record.record_type)
    assert isinstance(event, EventRecord)
    assert isinstance(opt_out, OptOutRecord)
    assert (opt_out.number, opt_out.status) == ("4587654321", "OUT")


def test_a_webhook_sample_is_too_old_for_a_running_stack(webhook_with_sample_key: Webhook) -> None:
    webhook_with_sample_key.now = datetime(2026, 3, 1, tzinfo=UTC)
    assert webhook_with_sample_key.invoke(sample("webhook/status-sms.json")).status == 400


def test_the_sign_sample_gets_the_signature_of_its_body(webhook_with_sample_key: Webhook) -> None:
    signed = webhook_with_sample_key.invoke(sample("sign.json"))
    stored = sample("webhook/status-sms.json")
    assert (signed.status, signed.body) == (200, {"signature": stored["headers"]["Signature"]})


def test_three_messages_of_the_senders_batch_are_sent(sender: Sender) -> None:
    run = sender.deliver(sample("sender/batch.json")["Records"])
    without_reference = "3e1f0f60-7a0e-4f3a-9c0d-000000000001"
    assert run.failed == []
    assert sender.provider.counts() == {without_reference: 1, "order-1001": 1, "order-1000": 1}
    assert sender.statuses() == {
        without_reference: "ACCEPTED",
        "order-1000": "ACCEPTED",
        "order-1001": "ACCEPTED",
        "order-1002": "LAPSED",
        "order-1003": "INVALID",
        "3e1f0f60-7a0e-4f3a-9c0d-000000000006": "INVALID",
    }
    assert sorted(dead_letter.code for dead_letter in sender.dead_letters()) == ["INVALID_JSON", "INVALID_MESSAGE"]
