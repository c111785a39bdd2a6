"""The JSON Schema for producers and the code accept and refuse the same messages."""

import json
import math
import re
from collections.abc import Mapping
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from gatewayapi import message
from gatewayapi.errors import MessageError
from gatewayapi.message_fields import NAMES
from tests.layer import messages
from tests.layer.field_values import (
    ACCEPTED,
    LONGEST_RECIPIENTS,
    RECIPIENTS,
    REFUSED,
    SHORTEST_RECIPIENTS,
)

SCHEMA = json.loads((Path(__file__).parents[2] / "events" / "schemas" / "message.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
DATE_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]", re.ASCII)


def refusal(fields: Mapping[str, object]) -> MessageError | None:
    """Return the code's error for the fields, after they were read from a body."""
    try:
        message.from_fields(message.from_body(json.dumps(fields)))
    except MessageError as error:
        return error
    return None


def is_only_described(error: MessageError, fields: Mapping[str, Any]) -> bool:
    """Return whether the schema only describes the broken rules, because it cannot express them."""
    no_such_day = DATE_TIME.match(str(fields.get("expiration"))) is not None and not has_an_existing_day(fields)
    return all(
        problem.reason in {"must be valid Unicode", "must be at most 5 days after the message was enqueued"}
        or (problem.path == "$.expiration" and no_such_day)
        for problem in error.problems
    )


def has_an_existing_day(fields: Mapping[str, Any]) -> bool:
    try:
        return bool(date.fromisoformat(fields["expiration"][:10]))
    except ValueError:
        return False


def test_the_schema_is_valid() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == Draft202012Validator.META_SCHEMA["$id"]


def test_the_schema_has_and_describes_every_field_of_the_code() -> None:
    properties = SCHEMA["properties"]
    assert properties.keys() == set(NAMES)
    assert all(properties[name]["description"] for name in properties)


@pytest.mark.parametrize("fields", SCHEMA["examples"])
def test_the_examples_of_the_schema_are_messages(fields: dict[str, Any]) -> None:
    VALIDATOR.validate(fields)
    assert refusal(fields) is None


@given(messages.fields)
def test_schema_and_code_accept_every_valid_message(fields: dict[str, Any]) -> None:
    assert refusal(fields) is None
    VALIDATOR.validate(fields)


@given(messages.messages)
def test_the_schema_accepts_messages_that_the_code_builds(built: message.Message) -> None:
    VALIDATOR.validate(json.loads(built.body()))


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


@pytest.mark.parametrize("name", NAMES)
def test_schema_and_code_agree_at_the_limits_of_every_field(name: str) -> None:
    accepted = RECIPIENTS + SHORTEST_RECIPIENTS + LONGEST_RECIPIENTS if name == "recipient" else ACCEPTED[name]
    for value in (*accepted, *chain(*REFUSED[name].values()), None, True, [], {}):
        if not isinstance(value, float) or math.isfinite(value):  # JSON has no other numbers
            agree(messages.message_fields(**{name: value}))


PATTERNS = {
    "number": ("recipient", SCHEMA["properties"]["recipient"]["oneOf"][1]["pattern"]),
    "duration": ("expiration", SCHEMA["$defs"]["duration"]["pattern"]),
    "dateTime": ("expiration", SCHEMA["$defs"]["dateTime"]["pattern"]),
    "numberInString": ("expiration", SCHEMA["$defs"]["numberInString"]["pattern"]),
}


@pytest.mark.parametrize(("name", "pattern"), PATTERNS.values(), ids=PATTERNS.keys())
@given(st.data())
def test_schema_and_code_agree_on_texts_that_match_a_pattern_of_the_schema(
    name: str, pattern: str, data: st.DataObject
) -> None:
    agree(messages.message_fields(**{name: data.draw(st.from_regex(pattern))}))


@given(messages.fields, st.dictionaries(st.sampled_from(NAMES), anything, max_size=2))
@example({}, {})
@example({"message": "Hello"}, {})
@example({"recipient": 4512345678}, {})
def test_schema_and_code_agree_on_every_value_of_a_field(fields: dict[str, Any], other: dict[str, Any]) -> None:
    agree(fields | other)


@given(messages.fields, st.text(), anything)
@example({"message": "Hello", "recipient": 4512345678}, "Message", "Hello")
def test_schema_and_code_refuse_an_unknown_field(fields: dict[str, Any], name: str, value: object) -> None:
    assume(name not in NAMES)
    agree({**fields, name: value})
    assert refusal({**fields, name: value}) is not None


@given(st.one_of(st.none(), st.integers(), st.text(), st.lists(st.integers())))
def test_schema_and_code_refuse_documents_that_are_not_objects(document: object) -> None:
    assert not VALIDATOR.is_valid(document)
    with pytest.raises(MessageError):
        message.from_body(json.dumps(document))


def agree(fields: Mapping[str, object]) -> None:
    error = refusal(fields)
    if error is None:
        VALIDATOR.validate(fields)
    elif not is_only_described(error, fields):
        assert not VALIDATOR.is_valid(fields), error
