"""The body, the provider's request and the fingerprint of a message."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gatewayapi.message import Message, from_body, from_fields
from simulator import submission
from tests.layer.messages import messages

LATER = datetime(2025, 4, 1, 14, tzinfo=timezone(timedelta(hours=2)))
PLAIN = Message("Hello", 4512345678)
FULL = Message("Hello", 4512345678, "Shop", "order-1", "PT1H", "urgent", "Promotion", "promotional", "tenant-7")
NOW = datetime(2025, 4, 1, 11, tzinfo=UTC)


@given(messages)
def test_a_body_is_read_back_as_the_same_message(message: Message) -> None:
    assert from_fields(from_body(message.body())) == message


def test_a_body_has_no_unneeded_characters() -> None:
    assert Message("🍓", 4512345678).body() == '{"message":"🍓","recipient":4512345678}'


def test_a_body_leaves_out_absent_fields() -> None:
    assert json.loads(PLAIN.body()) == {"message": "Hello", "recipient": 4512345678}


def test_a_request_has_the_defaults_of_absent_fields() -> None:
    assert PLAIN.request("id-1", "Default", LATER, NOW) == {
        "message": "Hello",
        "recipient": 4512345678,
        "sender": "Default",
        "reference": "id-1",
        "expiration": "2025-04-01T12:00:00.000000+00:00",
    }


def test_a_request_has_the_messages_values_without_the_fields_of_this_project() -> None:
    assert FULL.request("order-1", "Default", LATER, NOW) == {
        "message": "Hello",
        "recipient": 4512345678,
        "sender": "Shop",
        "reference": "order-1",
        "expiration": "2025-04-01T12:00:00.000000+00:00",
        "priority": "urgent",
        "label": "Promotion",
    }


def test_a_request_of_a_message_without_an_expiration_has_none() -> None:
    assert "expiration" not in PLAIN.request("id-1", "Default", None, NOW)


def test_a_deadline_is_less_than_five_days_away_on_a_clock_that_is_a_minute_behind() -> None:
    deadline = replace(PLAIN, expiration="P5D").deadline(NOW)
    request = PLAIN.request("id-1", "Default", deadline, NOW)
    read = submission.read(
        json.dumps(request).encode(), "application/json", many=False, now=NOW - timedelta(seconds=59)
    )
    assert not read.problems
    assert request["expiration"] == "2025-04-06T10:59:00.000000+00:00"


@given(messages)
def test_the_provider_accepts_every_valid_message(message: Message) -> None:
    now = datetime.now(UTC)
    request = message.request("id-1", "Shop", now + timedelta(hours=1), now)
    read = submission.read(json.dumps(request).encode(), "application/json", many=False, now=now)
    assert not read.problems


@pytest.mark.parametrize(
    "other",
    [
        {"message": "Hello!"},
        {"recipient": 4512345679},
        {"sender": "Shops"},
        {"sender": None},
        {"priority": "normal"},
        {"priority": None},
        {"label": "promotion"},
        {"label": ""},
        {"label": None},
    ],
)
def test_another_content_has_another_fingerprint(other: dict[str, Any]) -> None:
    assert replace(FULL, **other).fingerprint("order-1") != FULL.fingerprint("order-1")


@given(messages, messages)
def test_two_fingerprints_are_equal_exactly_if_the_contents_are(first: Message, second: Message) -> None:
    def content(message: Message) -> Message:
        bare = replace(message, expiration=None, reference=None, message_type=None, context=None)
        return replace(bare, priority=message.priority or "normal")

    same = content(first) == content(second)
    assert (first.fingerprint("order-1") == second.fingerprint("order-1")) == same


@pytest.mark.parametrize(
    "other", [{"expiration": "PT2H"}, {"message_type": "transactional"}, {"message_type": None}, {"context": "other"}]
)
def test_another_deadline_message_type_or_context_is_the_same_content(other: dict[str, Any]) -> None:
    assert replace(FULL, **other).fingerprint("order-1") == FULL.fingerprint("order-1")


def test_the_default_priority_is_the_same_content_as_none() -> None:
    assert replace(PLAIN, priority="normal").fingerprint("id-1") == PLAIN.fingerprint("id-1")


@given(st.text(min_size=1), st.text(min_size=1))
def test_equal_texts_with_different_references_have_different_fingerprints(first: str, second: str) -> None:
    assume(first != second)
    assert PLAIN.fingerprint(first) != PLAIN.fingerprint(second)


def test_a_fingerprint_does_not_change_between_releases() -> None:
    # Records are kept across deployments. With a changed fingerprint, their redelivered messages would be refused.
    assert PLAIN.fingerprint("id-1") == "de1681e61c07547e4e2dda4b43f881faf97a757730c5f032fc3493b5cfa6b8c0"
