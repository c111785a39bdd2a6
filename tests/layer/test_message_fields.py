"""A field that breaks its rule is refused with a reason that does not contain its value."""

import pytest

from gatewayapi.errors import MessageError, Problem
from gatewayapi.message import INVALID_MESSAGE, from_fields
from tests.layer.field_values import (
    ACCEPTED,
    LONGEST_RECIPIENT,
    LONGEST_RECIPIENTS,
    RECIPIENTS,
    REFUSED,
    SHORTEST_RECIPIENTS,
)
from tests.layer.messages import message_fields


def refusal(fields: dict[str, object]) -> MessageError:
    """Return the error for these fields."""
    with pytest.raises(MessageError) as caught:
        from_fields(fields)
    return caught.value


@pytest.mark.parametrize(("name", "reason"), [(name, reason) for name in REFUSED for reason in REFUSED[name]])
def test_a_value_that_breaks_a_rule_is_refused_with_the_reason(name: str, reason: str) -> None:
    for value in REFUSED[name][reason]:
        error = refusal(message_fields(**{name: value}))
        assert (error.code, error.problems) == (INVALID_MESSAGE, (Problem(f"$.{name}", reason),)), value
        assert str(error) == f"$.{name}: {reason}"


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_value_at_the_limit_of_its_rule_is_accepted(name: str) -> None:
    for value in ACCEPTED[name]:
        assert getattr(from_fields(message_fields(**{name: value})), name) == value


@pytest.mark.parametrize(
    ("recipient", "values"),
    [(4512345678, RECIPIENTS), (1001, SHORTEST_RECIPIENTS), (LONGEST_RECIPIENT, LONGEST_RECIPIENTS)],
)
def test_a_recipient_is_a_number_or_a_string_of_its_digits(recipient: int, values: list[object]) -> None:
    assert {from_fields(message_fields(recipient=value)).recipient for value in values} == {recipient}


@pytest.mark.parametrize("name", ["message", "recipient"])
def test_a_missing_field_is_reported(name: str) -> None:
    fields = message_fields()
    del fields[name]
    assert refusal(fields).problems == (Problem(f"$.{name}", "is required"),)


@pytest.mark.parametrize(
    ("name", "path"),
    [("colour", "$.colour"), ("", "$."), ("ø" * 100, "$." + "\\xf8" * 16), ("\ud800", "$.\\ud800")],
)
def test_an_unknown_field_is_refused(name: str, path: str) -> None:
    assert refusal(message_fields(**{name: 1})).problems == (Problem(path, "is not a known field"),)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("to", "recipient"), ("text", "message"), ("from", "sender"), ("recipeint", "recipient"), ("Label", "label")],
)
def test_an_unknown_field_is_refused_with_the_field_that_was_probably_meant(name: str, meant: str) -> None:
    error = refusal(message_fields(**{name: "x"}))
    assert str(error) == f"$.{name}: is not a known field; did you mean {meant}?"


def test_at_most_ten_unknown_fields_are_reported() -> None:
    assert len(refusal(message_fields(**{f"x{number}": 1 for number in range(1000)})).problems) == 10


def test_every_mistake_of_a_message_is_reported() -> None:
    error = refusal({"to": 4512345678, "sender": "x", "expiration": "tomorrow", "reference": 7})
    paths = [problem.path for problem in error.problems]
    assert paths == ["$.to", "$.message", "$.recipient", "$.sender", "$.reference", "$.expiration"]
    assert str(error).startswith("$.to: is not a known field; did you mean recipient?; $.message: is required; ")


def test_errors_do_not_contain_values() -> None:
    secret = "4587654321 my secret"
    names = ("recipient", "sender", "reference", "priority", "expiration", "message_type", "context")
    error = refusal(message_fields(**dict.fromkeys(names, secret + "\n" * 250)))
    assert len(error.problems) == len(names)
    assert secret not in str(error)
