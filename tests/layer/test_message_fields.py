"""A field that breaks its rule is refused with a reason that does not contain its value."""

import pytest

from gatewayapi.errors import MessageError, Problem
from gatewayapi.message import INVALID_MESSAGE, from_fields

CONTROL = "must not contain control characters other than tab, line feed and carriage return"


def fields(**given: object) -> dict[str, object]:
    return {"message": "Hello", "recipient": 4512345678, "sender": "Shop", **given}


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
        ({"expiration": 0}, "$.expiration", "must be later than the time of enqueuing"),
        ({"expiration": "P6D"}, "$.expiration", "must be at most 5 days after the message was enqueued"),
        ({"message_type": "marketing"}, "$.message_type", "must be transactional or promotional"),
        ({"message_type": "Promotional"}, "$.message_type", "must be transactional or promotional"),
        ({"message_type": ["promotional"]}, "$.message_type", "must be a string"),
        ({"context": "x" * 257}, "$.context", "must have 0 to 256 characters"),
        ({"context": {"tenant": 7}}, "$.context", "must be a string"),
        ({"context": "\ud83c"}, "$.context", "must be valid Unicode"),
        ({"colour": "Hello"}, "$.colour", "is not a known field"),
        ({"zzz": 1}, "$.zzz", "is not a known field"),
        ({"": 1}, "$.", "is not a known field"),
        ({"ø" * 100: 1}, "$." + "\\xf8" * 16, "is not a known field"),
        ({"\ud800": 1}, "$.\\ud800", "is not a known field"),
    ],
)
def test_a_broken_rule_is_reported_with_its_field(given: dict[str, object], path: str, reason: str) -> None:
    with pytest.raises(MessageError) as caught:
        from_fields(fields(**given))
    assert (caught.value.code, caught.value.problems) == (INVALID_MESSAGE, (Problem(path, reason),))
    assert str(caught.value) == f"{path}: {reason}"


def test_an_invalid_expiration_is_reported_with_the_four_valid_forms() -> None:
    with pytest.raises(MessageError, match=r"^\$\.expiration: must be an ISO 8601 duration, a date-time"):
        from_fields(fields(expiration="tomorrow"))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("message", "is required"),
        ("recipient", "is required"),
    ],
)
def test_a_missing_field_is_reported(name: str, reason: str) -> None:
    given = fields()
    del given[name]
    with pytest.raises(MessageError) as caught:
        from_fields(given)
    assert caught.value.problems == (Problem(f"$.{name}", reason),)


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
        ("message_type", "transactional"),
        ("message_type", "promotional"),
        ("message_type", None),
        ("context", ""),
        ("context", "🍓" * 256),
        ("context", "a\tb\r\n"),
        ("context", None),
        ("label", None),
        ("priority", "normal"),
        ("expiration", 1.5),
        ("expiration", "2025-04-01T12:00:00Z"),
    ],
)
def test_a_value_at_the_limit_of_its_rule_is_accepted(name: str, value: object) -> None:
    assert getattr(from_fields(fields(**{name: value})), name) == value


@pytest.mark.parametrize("name", ["message", "sender", "label", "context"])
@pytest.mark.parametrize(
    "character", ["\x00", "\x08", "\x0b", "\x0c", "\x1b", "\x1f", "\x7f", "\x80", "\x85", "\x9f"]
)
def test_a_text_has_no_control_character(name: str, character: str) -> None:
    with pytest.raises(MessageError) as caught:
        from_fields(fields(**{name: f"ab{character}c"}))
    assert caught.value.problems == (Problem(f"$.{name}", CONTROL),)


@pytest.mark.parametrize("name", ["message", "sender", "label", "context"])
@pytest.mark.parametrize("character", ["\t", "\n", "\r", "\xa0", "\u200b", "\ufeff", "\uffff"])
def test_a_text_may_have_white_space_and_characters_without_a_glyph(name: str, character: str) -> None:
    value = f"ab{character}c"
    assert getattr(from_fields(fields(**{name: value})), name) == value


@pytest.mark.parametrize(
    ("name", "meant"),
    [("to", "recipient"), ("text", "message"), ("from", "sender"), ("recipeint", "recipient"), ("Label", "label")],
)
def test_an_unknown_field_is_refused_with_the_field_that_was_probably_meant(name: str, meant: str) -> None:
    with pytest.raises(MessageError) as caught:
        from_fields(fields(**{name: "x"}))
    assert str(caught.value) == f"$.{name}: is not a known field; did you mean {meant}?"


def test_at_most_ten_unknown_fields_are_reported() -> None:
    with pytest.raises(MessageError) as caught:
        from_fields(fields(**{f"x{number}": 1 for number in range(1000)}))
    assert len(caught.value.problems) == 10


def test_every_mistake_of_a_message_is_reported() -> None:
    with pytest.raises(MessageError) as caught:
        from_fields({"to": 4512345678, "sender": "x", "expiration": "tomorrow", "reference": 7})
    assert [problem.path for problem in caught.value.problems] == [
        "$.to",
        "$.message",
        "$.recipient",
        "$.sender",
        "$.reference",
        "$.expiration",
    ]
    assert str(caught.value).startswith(
        "$.to: is not a known field; did you mean recipient?; $.message: is required; "
    )


def test_errors_do_not_contain_values() -> None:
    secret = "4587654321 my secret"
    names = ("recipient", "sender", "reference", "priority", "expiration", "message_type", "context")
    with pytest.raises(MessageError) as caught:
        from_fields(fields(**dict.fromkeys(names, secret + "\n" * 250)))
    assert len(caught.value.problems) == len(names)
    assert secret not in str(caught.value)
