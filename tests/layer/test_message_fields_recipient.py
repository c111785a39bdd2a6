"""A recipient can be written in several forms. Forms that could be another person's number are refused."""

import pytest

from gatewayapi.errors import MessageError
from gatewayapi.message import from_fields


def fields(recipient: object) -> dict[str, object]:
    return {"message": "Hello", "recipient": recipient, "sender": "Shop"}


@pytest.mark.parametrize(
    "recipient",
    [
        4512345678,
        4512345678.0,
        "4512345678",
        "+4512345678",
        "+45 12 34 56 78",
        "45-12-34-56-78",
        "+45 1234-5678",
        "4 5 1 2 3 4 5 6 7 8",
    ],
)
def test_a_recipient_is_a_number_or_a_string_of_its_digits(recipient: object) -> None:
    assert from_fields(fields(recipient)).recipient == 4512345678


@pytest.mark.parametrize("recipient", [1001, "1001", "1-0-0-1", 999_999_999_999_999, "+999 999 999 999 999"])
def test_the_smallest_and_the_largest_recipient_are_accepted(recipient: object) -> None:
    assert from_fields(fields(recipient)).recipient in {1001, 999_999_999_999_999}


@pytest.mark.parametrize("recipient", [1000, 0, -4512345678, "1000", "1", 10**15, "1" * 16, "9" * 5000, 1e15])
def test_a_number_of_another_size_is_refused(recipient: object) -> None:
    with pytest.raises(MessageError, match=r"^\$\.recipient: must be a phone number with its country code"):
        from_fields(fields(recipient))


@pytest.mark.parametrize(
    "recipient",
    [
        "",
        "+",
        "0045 12345678",
        "04512345678",
        "++4512345678",
        "+45 (0) 12345678",
        "45  12345678",
        "45--12345678",
        " 4512345678",
        "4512345678 ",
        "4512345678\n",
        "45\t12345678",
        "45.12.34.56.78",
        "٤٥١٢٣٤٥٦٧٨",
        "4512345678x",
        "-4512345678",
        4512345678.5,
        True,
        ["4512345678"],
        {"number": 4512345678},
        float("inf"),
        float("nan"),
    ],
)
def test_a_text_that_can_be_read_as_another_number_is_refused(recipient: object) -> None:
    with pytest.raises(MessageError, match=r"^\$\.recipient: must be an integer, or a string of digits"):
        from_fields(fields(recipient))
