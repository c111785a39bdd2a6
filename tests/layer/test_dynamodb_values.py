"""Converts JSON values like boto3's serializer, and raises our error for values that DynamoDB cannot store."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, cast

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from hypothesis import example, given
from hypothesis import strategies as st

from gatewayapi.dynamodb_values import MAX_DEPTH, from_attribute, number, text, to_attribute
from gatewayapi.errors import EventError

# DynamoDB stores 38 digits, from 1E-130 to 9.99…E+125, of either sign.
SMALLEST, LARGEST = Decimal("1E-130"), Decimal("9." + "9" * 37 + "E+125")

numbers = st.builds(
    lambda sign, digits, exponent: Decimal((sign, tuple(map(int, str(digits))), exponent)),
    st.integers(0, 1),
    st.integers(0, 10**38 - 1),
    st.integers(-130, 88),
)
scalars = st.one_of(st.none(), st.booleans(), st.text(), st.integers(-(10**38) + 1, 10**38 - 1), numbers)
values = st.recursive(
    scalars, lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(min_size=1), inner)), max_leaves=20
)


def read_by_boto3(attribute: Mapping[str, Any]) -> object:
    value: object = TypeDeserializer().deserialize(cast("Any", attribute))
    return value


@given(values)
@example([True, 1, False, 0, "", [], {}])
@example(SMALLEST)
@example(LARGEST.copy_negate())
def test_a_value_is_read_back_as_it_was_written(value: object) -> None:
    read = from_attribute(to_attribute(value))
    assert read == value
    # True == 1 and 1 == Decimal(1), so the types are compared as well.
    assert json.dumps(read, default=float) == json.dumps(value, default=plain)


@given(values)
def test_values_are_written_and_read_as_by_boto3(value: object) -> None:
    written = TypeSerializer().serialize(value)
    assert read_by_boto3(to_attribute(value)) == read_by_boto3(written) == value
    assert from_attribute(written) == value


@given(st.one_of(st.decimals(), st.integers(), numbers.map(lambda value: value.scaleb(5)), numbers))
@example(Decimal("1E+125"))
@example(Decimal("1E+126"))
@example(Decimal("1E-130"))
@example(Decimal("1E-131"))
@example(LARGEST.copy_negate())
@example(Decimal("0E+9999"))
@example(Decimal("-0.0"))
@example(10**125)
@example(10**126)
@example(10**40 + 1)
@example(Decimal("Infinity"))
@example(Decimal("sNaN"))
def test_a_number_is_written_exactly_or_refused(value: int | Decimal) -> None:
    if fits(Decimal(value)):
        assert Decimal(number(value)) == value
    else:
        with pytest.raises(EventError, match="a number"):
            number(value)


def fits(value: Decimal) -> bool:
    if not value.is_finite():
        return False
    digits = "".join(map(str, value.as_tuple().digits)).strip("0")
    return not digits or (SMALLEST <= value.copy_abs() <= LARGEST and len(digits) <= 38)


@pytest.mark.parametrize("digits", ["1" * 38, "1" * 38 + "000", "0." + "0" * 20 + "1" * 38])
def test_zeroes_at_the_ends_do_not_count_as_digits(digits: str) -> None:
    assert from_attribute({"N": number(Decimal(digits))}) == Decimal(digits)


@pytest.mark.parametrize("zero", ["0E+9999", "-0.0", "0.000"])
def test_a_zero_is_written_without_an_exponent_that_dynamodb_would_refuse(zero: str) -> None:
    assert number(Decimal(zero)) == "0"


def test_39_digits_are_one_too_many() -> None:
    with pytest.raises(EventError, match="38 digits"):
        number(Decimal("1" * 39))


@pytest.mark.parametrize(("stored", "value"), [("4512345678", 4512345678), ("1E+3", 1000), ("1.50", Decimal("1.5"))])
def test_whole_numbers_are_read_as_int_and_others_as_decimal(stored: str, value: object) -> None:
    read = from_attribute({"N": stored})
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize("container", [lambda inner: [inner], lambda inner: {"a": inner}])
def test_the_allowed_nesting_is_less_than_dynamodbs(container: Callable[[object], object]) -> None:
    nested: object = "innermost"
    for _ in range(MAX_DEPTH):
        nested = container(nested)
    assert from_attribute(to_attribute(nested)) == nested
    with pytest.raises(EventError, match="nested too deeply"):
        to_attribute(container(nested))


def test_a_thousand_levels_raise_no_recursion_error() -> None:
    nested: object = []
    for _ in range(900):
        nested = [nested]
    with pytest.raises(EventError, match="nested too deeply"):
        to_attribute(nested)


@pytest.mark.parametrize("value", ["\ud800", ["a\udfff"], {"a": {"b": "\udc00"}}, {"\ud800": 1}])
def test_a_lone_surrogate_is_refused(value: object) -> None:
    with pytest.raises(EventError, match="not valid Unicode"):
        to_attribute(value)


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert text(json.loads('"\\ud83c\\udf53"')) == "🍓"


@pytest.mark.parametrize("name", ["", "x" * 65_536, "å" * 32_768])
def test_a_name_has_1_to_65535_bytes(name: str) -> None:
    with pytest.raises(EventError, match="name"):
        to_attribute([{name: 1}])
    fitting = name[:-1] or "x"
    assert from_attribute(to_attribute([{fitting: 1}])) == [{fitting: 1}]


@pytest.mark.parametrize("value", [1.5, b"bytes", {1}, (1,), object()])
def test_values_that_are_not_json_are_refused(value: object) -> None:
    with pytest.raises(EventError, match=f"{type(value).__name__} is not a JSON value"):
        to_attribute(value)


def test_bytes_are_read_from_the_table_and_as_base64_from_a_lambda_event() -> None:
    assert from_attribute({"B": b"\xff\x00"}) == b"\xff\x00"
    assert from_attribute({"B": "/wA="}) == b"\xff\x00"


@pytest.mark.parametrize("attribute", [{"SS": ["a"]}, {"NS": ["1"]}, {"S": ""}])
def test_other_attribute_types_are_read_unchanged(attribute: dict[str, Any]) -> None:
    assert from_attribute(attribute) == next(iter(attribute.values()))


def plain(value: Decimal) -> int | float:
    return int(value) if value == int(value) else float(value)
