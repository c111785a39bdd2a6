"""A queue message keeps every rule, or is refused with the path of the field and the reason, never with its value."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from gatewayapi.errors import MessageError
from gatewayapi.message import (
    INVALID_JSON,
    INVALID_MESSAGE,
    Message,
    from_body,
    from_fields,
    reference,
)

ENQUEUED = datetime(2025, 4, 1, 12, tzinfo=UTC)


def fields(**given: object) -> dict[str, object]:
    return {"message": "Hello", "recipient": 4512345678, "sender": "Shop", **given}


@pytest.mark.parametrize(
    "body",
    [
        "",
        "Hello",
        "{",
        "{'message': 'Hello'}",
        '{"message": "Hello",}',
        '{"recipient": NaN}',
        '{"recipient": -Infinity}',
        '{"recipient": ' + "9" * 5000 + "}",
        "\ufeff{}",
        "[" * 100_000,
    ],
)
def test_a_body_that_is_no_json_is_refused(body: str) -> None:
    with pytest.raises(MessageError) as caught:
        from_body(body)
    assert (caught.value.code, caught.value.path, caught.value.reason) == (INVALID_JSON, "$", "must be JSON")


@pytest.mark.parametrize("body", ["null", "[]", '"Hello"', "7", "true"])
def test_a_body_that_is_no_object_is_refused(body: str) -> None:
    with pytest.raises(MessageError) as caught:
        from_body(body)
    assert (caught.value.code, caught.value.reason) == (INVALID_JSON, "must be a JSON object")


def test_the_fields_of_a_body_are_not_checked_yet() -> None:
    assert from_body('{"reference": "order-1", "recipient": null}') == {"reference": "order-1", "recipient": None}


def test_the_least_message_leaves_the_rest_open() -> None:
    assert from_fields({"message": "Hello", "recipient": 4512345678}, default_sender="Shop") == Message(
        "Hello", 4512345678
    )


def test_a_full_message_has_every_field() -> None:
    given = fields(reference="order-1", expiration="PT1H", priority="urgent", label="Promotion")
    assert from_fields(given) == Message("Hello", 4512345678, "Shop", "order-1", "PT1H", "urgent", "Promotion")


@pytest.mark.parametrize(
    ("given", "path", "reason"),
    [
        ({"message": ""}, "$.message", "must have 1 to 39015 characters"),
        ({"message": "x" * 39_016}, "$.message", "must have 1 to 39015 characters"),
        ({"message": None}, "$.message", "must be a string"),
        ({"message": 7}, "$.message", "must be a string"),
        ({"message": "\ud800"}, "$.message", "must be valid Unicode"),
        ({"sender": "ab"}, "$.sender", "must have 3 to 15 characters"),
        ({"sender": "1" * 16}, "$.sender", "must have 3 to 15 characters"),
        ({"sender": "ThisIsTooLon"}, "$.sender", "must be 3 to 11 characters, or 3 to 15 digits"),
        ({"sender": "+45123456789"}, "$.sender", "must be 3 to 11 characters, or 3 to 15 digits"),
        ({"sender": "\u0661" * 12}, "$.sender", "must be 3 to 11 characters, or 3 to 15 digits"),
        ({"sender": "123456789012\n"}, "$.sender", "must be 3 to 11 characters, or 3 to 15 digits"),
        ({"sender": None}, "$.sender", "must be a string"),
        ({"sender": "abc\udfff"}, "$.sender", "must be valid Unicode"),
        ({"reference": ""}, "$.reference", "must have 1 to 255 characters"),
        ({"reference": "r" * 256}, "$.reference", "must have 1 to 255 characters"),
        ({"reference": 7}, "$.reference", "must be a string"),
        ({"reference": "a\tb"}, "$.reference", "must not contain control characters"),
        ({"reference": "a\x00"}, "$.reference", "must not contain control characters"),
        ({"reference": "a\x7f"}, "$.reference", "must not contain control characters"),
        ({"reference": "a\uffff"}, "$.reference", "must not contain control characters"),
        ({"reference": "\udc00"}, "$.reference", "must be valid Unicode"),
        ({"priority": "high"}, "$.priority", "must be normal or urgent"),
        ({"priority": "URGENT"}, "$.priority", "must be normal or urgent"),
        ({"priority": ""}, "$.priority", "must have 1 to 16 characters"),
        ({"priority": None}, "$.priority", "must be a string"),
        ({"label": "x" * 129}, "$.label", "must have 0 to 128 characters"),
        ({"label": ["a"]}, "$.label", "must be a string"),
        ({"label": "\ud83c"}, "$.label", "must be valid Unicode"),
        ({"expiration": None}, "$.expiration", "must be a string or a number"),
        ({"expiration": True}, "$.expiration", "must be a string or a number"),
        ({"expiration": ["P1D"]}, "$.expiration", "must be a string or a number"),
        ({"expiration": float("inf")}, "$.expiration", "must be a string or a number"),
        ({"expiration": 0}, "$.expiration", "must be later than the message's enqueuing"),
        ({"expiration": "P6D"}, "$.expiration", "must be at most 5 days after the message was enqueued"),
        ({"text": "Hello"}, "$.text", "is not a known field"),
        ({"b": 1, "a": 2}, "$.a", "is not a known field"),
        ({"": 1}, "$.", "is not a known field"),
        ({"ø" * 100: 1}, "$." + "\\xf8" * 64, "is not a known field"),
        ({"\ud800": 1}, "$.\\ud800", "is not a known field"),
    ],
)
def test_a_broken_rule_is_named_with_its_field(given: dict[str, object], path: str, reason: str) -> None:
    with pytest.raises(MessageError) as caught:
        from_fields(fields(**given))
    assert (caught.value.code, caught.value.path, caught.value.reason) == (INVALID_MESSAGE, path, reason)
    assert str(caught.value) == f"{path}: {reason}"


def test_an_expiration_in_no_form_names_the_four() -> None:
    with pytest.raises(MessageError, match=r"^\$\.expiration: must be an ISO 8601 duration, a date-time"):
        from_fields(fields(expiration="tomorrow"))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("message", "is required"),
        ("recipient", "is required"),
        ("sender", "is required: the stack has no DefaultSender"),
    ],
)
def test_a_missing_field_is_named(name: str, reason: str) -> None:
    given = fields()
    del given[name]
    with pytest.raises(MessageError) as caught:
        from_fields(given)
    assert (caught.value.path, caught.value.reason) == (f"$.{name}", reason)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("message", "x"),
        ("message", "🍓" * 39_015),
        ("message", " \n"),
        ("sender", "abc"),
        ("sender", "Blåbærgrød!"),
        ("sender", "a\nb"),
        ("sender", "123"),
        ("sender", "123456789012345"),
        ("reference", "r"),
        ("reference", "🍓" * 255),
        ("reference", " "),
        ("reference", None),
        ("label", ""),
        ("label", "🍓" * 128),
        ("label", "\x00"),
        ("label", None),
        ("priority", "normal"),
        ("expiration", 1.5),
        ("expiration", "2025-04-01T12:00:00Z"),
    ],
)
def test_a_value_at_the_edge_of_its_rule_is_taken(name: str, value: object) -> None:
    assert getattr(from_fields(fields(**{name: value})), name) == value


def test_the_reference_of_a_broken_message_is_still_known() -> None:
    assert reference({"reference": "order-1", "recipient": "nobody"}) == "order-1"
    assert reference({"recipient": "nobody"}) is None


def test_a_deadline_counts_from_enqueuing() -> None:
    assert from_fields(fields(expiration="PT1H")).deadline(ENQUEUED) == ENQUEUED + timedelta(hours=1)
    assert from_fields(fields()).deadline(ENQUEUED) is None


def test_a_deadline_more_than_five_days_away_is_a_broken_rule_of_its_field() -> None:
    message = from_fields(fields(expiration="2025-04-07T12:00:00Z"))
    with pytest.raises(MessageError, match=r"^\$\.expiration: must be at most 5 days") as caught:
        message.deadline(ENQUEUED)
    assert caught.value.code == INVALID_MESSAGE


def test_no_error_repeats_a_value() -> None:
    secret = "4587654321 my secret"
    for name in ("recipient", "sender", "reference", "priority", "expiration"):
        with pytest.raises(MessageError) as caught:
            from_fields(fields(**{name: secret + "\n" * 250}))
        assert secret not in str(caught.value)
    with pytest.raises(MessageError) as caught:
        from_body(json.dumps(secret))
    assert secret not in str(caught.value)
