"""The JSON Schema for producers and the code's own rules take and refuse the same messages."""

import json
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import example as case
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from gatewayapi import message
from gatewayapi.errors import MessageError
from tests.unit import messages

SCHEMA = json.loads((Path(__file__).parents[2] / "events" / "schemas" / "message.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]", re.ASCII)


def refusal(fields: Mapping[str, object]) -> MessageError | None:
    """The code's finding, for the fields as they come out of a queue message's body."""
    try:
        message.from_fields(message.from_body(json.dumps(fields)), default_sender="Shop")
    except MessageError as error:
        return error
    return None


def only_described(error: MessageError, fields: Mapping[str, Any]) -> bool:
    """Whether the rule that is broken is one that no schema can say, and a description does."""
    if error.reason in {"must be valid Unicode", "must be at most 5 days after the message was enqueued"}:
        return True
    return (
        error.path == "$.expiration" and DAY.match(str(fields["expiration"])) is not None and not on_calendar(fields)
    )


def on_calendar(fields: Mapping[str, Any]) -> bool:
    try:
        return bool(date.fromisoformat(fields["expiration"][:10]))
    except ValueError:
        return False


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == Draft202012Validator.META_SCHEMA["$id"]


def test_the_schema_knows_the_code_s_fields_and_describes_each() -> None:
    properties = SCHEMA["properties"]
    assert properties.keys() == message.FIELDS
    assert all(properties[name]["description"] for name in properties)


@pytest.mark.parametrize("example", SCHEMA["examples"])
def test_the_schema_s_examples_are_messages(example: dict[str, Any]) -> None:
    VALIDATOR.validate(example)
    assert refusal(example) is None


@given(messages.fields)
def test_both_take_every_valid_message(fields: dict[str, Any]) -> None:
    assert refusal(fields) is None
    VALIDATOR.validate(fields)


@given(messages.messages)
def test_what_the_code_builds_the_schema_takes(built: message.Message) -> None:
    VALIDATOR.validate(json.loads(built.body()))


def sized(*lengths: int) -> list[str]:
    return [character * length for length in lengths for character in ("x", "7", "🍓", "\n", " ")]


# On either side of every edge that either of the two has.
EDGES: dict[str, list[Any]] = {
    "message": sized(0, 1, 39_015, 39_016),
    "sender": [*sized(2, 3, 11, 12, 15, 16), "123456789012\n", "\u0661" * 12, "+4512345678", "4512345678 ", "a\x00b"],
    "reference": [
        *sized(0, 1, 255, 256),
        *(f"a{character}b" for character in "\x00\x08\t\n\x1f \x7e\x7f\x80\x9f\ufffd\ufffe\uffff"),
        "a\n",
        "\n",
    ],
    "label": [*sized(0, 1, 128, 129), "\x00"],
    "priority": ["", "normal", "urgent", "Normal", "urgent ", "urgent\n", "high"],
    "recipient": [
        *(0, -1, 1000, 1001, 1001.0, 1000.5, 4512345678.0, 4512345678.5, 999_999_999_999_999, 10**15, 1e15, 10**400),
        *("1000", "1001", "1 0 0 0", "1-0-0-1", "+1000", "+1001", "100", "10000", "999", "9" * 15, "9" * 16),
        *(
            "+45 12 34 56 78",
            "45-12",
            "4512345678\n",
            " 4512345678",
            "4512345678 ",
            "45  12",
            "45- 12",
            "45 -12",
            "+ 45",
        ),
        *(
            "++4512345678",
            "004512345678",
            "0",
            "",
            "+",
            "-",
            " ",
            "4" + " 5" * 14,
            "4" + " 5" * 15,
            "٤٥١٢٣٤٥٦",
            "45(0)12",
        ),
    ],
    "expiration": [
        *(
            0,
            0.0,
            -1,
            -0.5,
            1e-9,
            4e-7,
            6e-7,
            0.5,
            432_000,
            432_000.5,
            432_001,
            99_999_999_999,
            10**15,
            1e300,
            10**400,
        ),
        *(
            "0",
            "1",
            "0.0",
            "0.000001",
            "0.0000001",
            "432000",
            "432001",
            "9" * 11,
            "9" * 12,
            "1.",
            ".5",
            "-1",
            "+1",
            "1e3",
        ),
        *(
            "P",
            "PT",
            "P1DT",
            "P1D",
            "P0D",
            "PT0S",
            "PT0.000001S",
            "PT0.0000001S",
            "P5D",
            "P5DT1S",
            "P1W",
            "P0W1D",
            "P9999D",
        ),
        *(
            "PT1H1M1S",
            "PT1S1M",
            "P1Y",
            "P1M",
            "-P1D",
            "P1.5D",
            "PT1.5M",
            "PT1,5S",
            "p1d",
            "P1D\n",
            "P1D ",
            "PT",
            "P٣D",
        ),
        *("2025-04-01T12:00:00Z", "2025-04-01 12:00:00", "2025-04-01T12:00:00.5+02:00", "2025-04-01T12:00:00-0530"),
        *(
            "2025-04-01T12:00:00z",
            "2025-04-01t12:00:00Z",
            "2025-04-01T12:00Z",
            "2025-04-01",
            "2025-04-01T12:00:00Z\n",
        ),
        *("2025-04-31T12:00:00Z", "2025-13-01T12:00:00Z", "2025-00-01T12:00:00Z", "2025-01-32T12:00:00Z"),
        *("2025-01-00T12:00:00Z", "2024-02-29T12:00:00Z", "2025-02-29T12:00:00Z", "0000-01-01T12:00:00Z"),
        *("2025-04-01T24:00:00Z", "2025-04-01T12:60:00Z", "2025-04-01T12:00:60Z", "2025-04-01T12:00:00+24:00"),
        *(
            "2025-04-01T12:00:00+02:60",
            "2025-04-01T12:00:00+2:00",
            "2025-04-01T12:00:00.Z",
            "2025-04-01T12:00:00.1234567Z",
        ),
        *("9000-01-05T00:00:00Z", "9000-01-07T00:00:00Z", "tomorrow", "", " ", "\n", "10000-01-01T00:00:00Z"),
    ],
}
anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.text("0123456789+- \n"),
    st.text("0123456789PYWDTHMS.:Z+- \n"),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(), st.integers(), max_size=2),
    st.just("lone \ud800"),
)


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in EDGES for value in (*EDGES[name], None, True, [], {})]
)
def test_both_draw_every_edge_in_the_same_place(name: str, value: object) -> None:
    agree({"message": "Hello", "recipient": 4512345678, "sender": "Shop", name: value})


@given(messages.fields, st.dictionaries(st.sampled_from(sorted(message.FIELDS)), anything, max_size=2))
@case({}, {})
@case({"message": "Hello"}, {})
@case({"recipient": 4512345678}, {})
def test_both_agree_whatever_stands_in_a_field(fields: dict[str, Any], other: dict[str, Any]) -> None:
    agree(fields | other)


@given(messages.fields, st.text(), anything)
@case({"message": "Hello", "recipient": 4512345678}, "Message", "Hello")
def test_both_refuse_an_unknown_field(fields: dict[str, Any], name: str, value: object) -> None:
    assume(name not in message.FIELDS)
    agree({**fields, name: value})
    assert refusal({**fields, name: value}) is not None


@given(st.one_of(st.none(), st.integers(), st.text(), st.lists(st.integers())))
def test_both_refuse_what_is_no_object(document: object) -> None:
    assert not VALIDATOR.is_valid(document)
    with pytest.raises(MessageError):
        message.from_body(json.dumps(document))


def agree(fields: Mapping[str, object]) -> None:
    error = refusal(fields)
    if error is None:
        VALIDATOR.validate(fields)
    elif not only_described(error, fields):
        assert not VALIDATOR.is_valid(fields), error
