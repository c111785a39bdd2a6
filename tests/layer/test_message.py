"""A queue message is read from its body, and checked against the rules of the stack that is to send it."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from gatewayapi.errors import MessageError, Problem
from gatewayapi.message import (
    INVALID_JSON,
    INVALID_MESSAGE,
    RECIPIENT_NOT_ALLOWED,
    TOO_LONG,
    Message,
    StackRules,
    check,
    from_body,
    from_fields,
    reference_of,
)
from tests.layer.messages import message_fields

ENQUEUED = datetime(2025, 4, 1, 12, tzinfo=UTC)
NUMBER = "must be JSON, without NaN, Infinity or a number of thousands of digits"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "must be JSON: see line 1, column 1"),
        ("Hello", "must be JSON: see line 1, column 1"),
        ('{"message": "Hello"\n "recipient": 1}', "must be JSON: see line 2, column 2"),
        ("{'message': 'Hello'}", "must be JSON: see line 1, column 2"),
        ("\ufeff{}", "must be JSON: see line 1, column 1"),
        ('{"recipient": NaN}', NUMBER),
        ('{"recipient": -Infinity}', NUMBER),
        ('{"recipient": ' + "9" * 5000 + "}", NUMBER),
        ("[" * 100_000, "must be JSON that is nested less deeply"),
        ("null", "must be a JSON object"),
        ("[]", "must be a JSON object"),
        ('"Hello"', "must be a JSON object"),
        ("7", "must be a JSON object"),
    ],
    ids=lambda value: value[:20],
)
def test_a_body_that_is_not_a_json_object_is_refused_with_the_position(body: str, reason: str) -> None:
    with pytest.raises(MessageError) as caught:
        from_body(body)
    assert (caught.value.code, caught.value.problems) == (INVALID_JSON, (Problem("$", reason),))


def test_from_body_does_not_check_the_fields() -> None:
    assert from_body('{"reference": "order-1", "recipient": null}') == {"reference": "order-1", "recipient": None}


def test_the_error_of_a_body_does_not_repeat_it() -> None:
    with pytest.raises(MessageError) as caught:
        from_body(json.dumps("my secret"))
    assert "secret" not in str(caught.value)


def test_the_optional_fields_of_a_message_are_none() -> None:
    assert from_fields({"message": "Hello", "recipient": 4512345678}) == Message("Hello", 4512345678)


def test_a_full_message_has_every_field() -> None:
    given = message_fields(
        reference="order-1",
        expiration="PT1H",
        priority="urgent",
        label="Promotion",
        message_type="promotional",
        context="tenant-7",
    )
    assert from_fields(given) == Message(
        "Hello", 4512345678, "Shop", "order-1", "PT1H", "urgent", "Promotion", "promotional", "tenant-7"
    )


def test_the_reference_of_an_invalid_message_can_be_read() -> None:
    assert reference_of({"reference": "order-1", "recipient": "nobody"}) == "order-1"
    assert reference_of({"recipient": "nobody"}) is None


def test_a_deadline_counts_from_enqueuing() -> None:
    assert from_fields(message_fields(expiration="PT1H")).deadline(ENQUEUED) == ENQUEUED + timedelta(hours=1)
    assert from_fields(message_fields()).deadline(ENQUEUED) is None


def test_a_deadline_more_than_five_days_away_is_an_error_of_the_expiration() -> None:
    message = from_fields(message_fields(expiration="2025-04-07T12:00:00Z"))
    with pytest.raises(MessageError, match=r"^\$\.expiration: must be at most 5 days") as caught:
        message.deadline(ENQUEUED)
    assert caught.value.code == INVALID_MESSAGE


@pytest.mark.parametrize(
    ("message", "stack"),
    [
        (Message("Hello", 4512345678, "Shop"), StackRules()),
        (Message("Hello", 4512345678), StackRules(default_sender="Shop")),
        (Message("Hello", 4512345678, "Shop"), StackRules(allowed_prefixes=("46", "45"))),
        (Message("x" * 160, 4512345678, "Shop"), StackRules(max_segments=1)),
        (Message("x" * 39_015, 4512345678, "Shop"), StackRules()),
        (Message("Hi", 4512345678, "Shop", message_type="transactional"), StackRules(require_message_type=True)),
    ],
)
def test_a_message_within_the_stacks_rules_may_be_sent(message: Message, stack: StackRules) -> None:
    check(message, stack)
    assert message.recipient == 4512345678


def test_fields_that_the_stack_requires_are_reported_with_the_other_mistakes() -> None:
    stack = StackRules(require_message_type=True)
    with pytest.raises(MessageError) as caught:
        from_fields({"to": 4512345678, "message": "Hello"}, stack)
    paths = [problem.path for problem in caught.value.problems]
    assert paths == ["$.to", "$.recipient", "$.sender", "$.message_type"]
    assert from_fields({"message": "Hello", "recipient": 4512345678}, stack).sender is None


@pytest.mark.parametrize(
    ("message", "stack", "code", "text"),
    [
        (
            Message("Hello", 4512345678),
            StackRules(),
            INVALID_MESSAGE,
            "$.sender: is required: the stack has no DefaultSender",
        ),
        (
            Message("Hello", 4512345678),
            StackRules(require_message_type=True),
            INVALID_MESSAGE,
            (
                "$.sender: is required: the stack has no DefaultSender; "
                "$.message_type: is required: the stack enforces opt-outs"
            ),
        ),
        (
            Message("Hello", 4512345678, "Shop"),
            StackRules(allowed_prefixes=("46", "5")),
            RECIPIENT_NOT_ALLOWED,
            "$.recipient: does not begin with one of the stack's AllowedPrefixes",
        ),
        (
            Message("x" * 161, 4512345678, "Shop"),
            StackRules(max_segments=1),
            TOO_LONG,
            "$.message: takes 2 SMS segments in GSM-7, and MaxSegments is 1",
        ),
        (
            Message("x" * 70 + "\u2013🍓", 4512345678, "Shop"),
            StackRules(max_segments=1),
            TOO_LONG,
            (
                "$.message: takes 2 SMS segments in UCS-2, and MaxSegments is 1; "
                "the first character that GSM-7 does not have is U+2013"
            ),
        ),
        (
            Message("🍓" * 39_015, 4512345678, "Shop"),
            StackRules(),
            TOO_LONG,
            (
                "$.message: takes 1183 SMS segments in UCS-2, and MaxSegments is 255; "
                "the first character that GSM-7 does not have is U+1F353"
            ),
        ),
    ],
    ids=["sender", "sender and message_type", "recipient", "GSM-7", "UCS-2", "longest"],
)
def test_a_message_against_the_stacks_rules_is_refused(
    message: Message, stack: StackRules, code: str, text: str
) -> None:
    with pytest.raises(MessageError) as caught:
        check(message, stack)
    assert (caught.value.code, str(caught.value)) == (code, text)
