"""Accepted and refused values of each field of a queue message, at the limits of its rules."""

import math

LONGEST_RECIPIENT = 999_999_999_999_999
CONTROL_CHARACTERS = "\x00\x08\x0b\x0c\x0e\x1b\x1f\x7f\x80\x85\x9f"
WHITE_SPACE_AND_INVISIBLE_CHARACTERS = "\t\n\r\xa0\u200b\ufeff\uffff"

WITH_CONTROL_CHARACTER: list[object] = [f"ab{character}c" for character in CONTROL_CHARACTERS]
WITHOUT_CONTROL_CHARACTER: list[object] = [f"ab{character}c" for character in WHITE_SPACE_AND_INVISIBLE_CHARACTERS]

ACCEPTED: dict[str, list[object]] = {
    "message": ["x", " \n", "x" * 39_015, "🍓" * 39_015, *WITHOUT_CONTROL_CHARACTER],
    "sender": ["abc", "123", "Blåbærgrød!", "🍓" * 11, "+4512345678", "7" * 15, *WITHOUT_CONTROL_CHARACTER],
    "reference": ["r", " ", "a~b", "a\x80b", "a\x9fb", "a\ufffdb", "🍓" * 255, None],
    "priority": ["normal", "urgent"],
    "label": ["", "🍓" * 128, *WITHOUT_CONTROL_CHARACTER, None],
    "message_type": ["transactional", "promotional", None],
    "context": ["", "🍓" * 256, *WITHOUT_CONTROL_CHARACTER, None],
    "expiration": [1.5, 1e-6, 99_999_999_999, "9" * 11, "0.000001", "PT0.000001S", "P0W1D"],
}

# Ways to write 4512345678.
RECIPIENTS: list[object] = [
    4512345678,
    4512345678.0,
    "4512345678",
    "+4512345678",
    "+45 12 34 56 78",
    "45-12-34-56-78",
    "+45 1234-5678",
    "4 5 1 2 3 4 5 6 7 8",
]
SHORTEST_RECIPIENTS: list[object] = [1001, 1001.0, "1001", "+1001", "1-0-0-1"]
LONGEST_RECIPIENTS: list[object] = [LONGEST_RECIPIENT, "9" * 15, "+999 999 999 999 999", "9" + " 9" * 14]

EXPIRATIONS_THAT_ARE_NOT_POSITIVE: list[str | float] = [
    *(0, 0.0, -1, -0.5, -(10**9), 1e-9, 4e-7),
    *("0", "0.0", "PT0S", "P0D", "P0DT0H0M0.000S"),
]
# None of the four forms: a duration, a date and time, a unix time, or a number of seconds.
EXPIRATIONS_OF_ANOTHER_FORM: list[str | float] = [
    *("", " ", "\n", "tomorrow"),
    *("P", "PT", "P1DT", "p1d", "P1Y", "P1M", "-P1D", "P-1D", "P1.5D", "PT1.5M", "PT1,5S", "P1D ", "P1D\n", "1D"),
    *("PT1M1H", "PT1S1M", "PT1.1234567S", "P٣D"),
    *("-5", "+5", "5.", ".5", "1e3", "5 ", "٣٦٠٠", "0.0000001", "100000000000"),
    *("2025-04-01", "2025-04-01T12:01", "2025-04-01T12:01Z", "2025-W14-2T12:01:00Z", "10000-01-01T00:00:00Z"),
    *("2025-04-01T12:01:00z", "2025-04-01t12:01:00Z", "2025-04-01T12:01:00Z\n", "2025-04-01T12:01:00 +02:00"),
    *("2025-04-01T12:01:00,5Z", "2025-04-01T12:01:00.Z", "2025-04-01T12:01:00.1234567Z"),
    *("2025-04-01T12:01:00+02", "2025-04-01T12:01:00+2:00", "2025-04-01T12:01:00+24:00", "2025-04-01T12:01:00+02:60"),
    *("2025-04-01T24:00:00Z", "2025-04-01T12:60:00Z", "2025-04-01T12:00:60Z"),
    *("2025-02-29T12:01:00Z", "2025-02-30T12:01:00Z", "2025-04-31T12:01:00Z", "2025-01-32T12:01:00Z"),
    *("2025-01-00T12:01:00Z", "2025-00-01T12:01:00Z", "2025-13-01T12:01:00Z", "0000-01-01T12:01:00Z"),
    *(1_743_508_800_000, 253_402_300_800, 10**400, 1e300),  # the first is a unix time in milliseconds
]

# Of each field: the reason, and the values that are refused for it.
REFUSED: dict[str, dict[str, list[object]]] = {
    "message": {
        "must have 1 to 39015 characters": ["", "x" * 39_016, "🍓" * 39_016],
        "must be a string": [None, 7],
        "must be valid Unicode": ["\ud800"],
        "must not contain control characters other than tab, line feed and carriage return": WITH_CONTROL_CHARACTER,
    },
    "recipient": {
        "must be a phone number with its country code, at most 15 digits": [
            *(0, -1, 1000, -4512345678, LONGEST_RECIPIENT + 1, 1e15, 10**400),
            *("1", "100", "999", "1000", "+1000", "1 0 0 0", "9" * 16, "4" + " 5" * 15, "9" * 5000),
        ],
        "must be an integer, or a string of digits that starts with the country code": [
            *(1000.5, 4512345678.5, math.inf, math.nan, True, ["4512345678"], {"number": 4512345678}),
            *("", " ", "+", "-", "0", "+ 45", "++4512345678", "004512345678", "04512345678", "0045 12345678"),
            *(" 4512345678", "4512345678 ", "4512345678\n", "4512345678x", "-4512345678", "٤٥١٢٣٤٥٦٧٨"),
            *("45  12345678", "45--12345678", "45- 12", "45 -12", "45\t12345678", "45.12.34.56.78"),
            *("+45 (0) 12345678", "45(0)12"),
        ],
    },
    "sender": {
        "must have 3 to 15 characters": ["ab", "7" * 2, "7" * 16, "🍓" * 16],
        "must be 3 to 11 characters, or 3 to 15 digits": [
            *("x" * 12, "🍓" * 15, "+45123456789", "\u0661" * 12, "123456789012\n"),
        ],
        "must be a string": [None],
        "must be valid Unicode": ["abc\udfff"],
        "must not contain control characters other than tab, line feed and carriage return": WITH_CONTROL_CHARACTER,
    },
    "reference": {
        "must have 1 to 255 characters": ["", "r" * 256, "🍓" * 256],
        "must be a string": [7],
        "must be valid Unicode": ["\udc00"],
        "must not contain control characters": [f"a{character}" for character in "\x00\x08\t\n\x1f\x7f\ufffe\uffff"],
    },
    "priority": {
        "must be normal or urgent": ["high", "Normal", "URGENT", "urgent ", "urgent\n"],
        "must have 1 to 16 characters": [""],
        "must be a string": [None],
    },
    "label": {
        "must have 0 to 128 characters": ["x" * 129, "🍓" * 129],
        "must be a string": [["a"]],
        "must be valid Unicode": ["\ud83c"],
        "must not contain control characters other than tab, line feed and carriage return": WITH_CONTROL_CHARACTER,
    },
    "message_type": {
        "must be transactional or promotional": ["marketing", "Promotional", "promotional ", "promotional\n"],
        "must have 1 to 16 characters": [""],
        "must be a string": [["promotional"]],
    },
    "context": {
        "must have 0 to 256 characters": ["x" * 257, "🍓" * 257],
        "must be a string": [{"tenant": 7}],
        "must be valid Unicode": ["\ud83c"],
        "must not contain control characters other than tab, line feed and carriage return": WITH_CONTROL_CHARACTER,
    },
    "expiration": {
        "must be a string or a number": [None, True, ["P1D"], math.inf, -math.inf, math.nan],
        "must be later than the time of enqueuing": [*EXPIRATIONS_THAT_ARE_NOT_POSITIVE],
        "must be at most 5 days after the message was enqueued": [
            *("P5DT1S", "P1W", "P9999D", "9000-01-07T00:00:00Z", 253_402_300_799),
        ],
        "must be an ISO 8601 duration, a date-time, a unix time, or a number of seconds up to 432000": [
            *EXPIRATIONS_OF_ANOTHER_FORM,
        ],
    },
}
