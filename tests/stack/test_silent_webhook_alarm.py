"""The expression of WebhookSilentAlarm, evaluated by the rules of metric math that AWS documents.

Source: "Using metric math" in the Amazon CloudWatch user guide. A missing value counts as 0 in arithmetic where
another operand has a value, a comparison gives 0 or 1, and FILL with REPEAT repeats the last value. The local AWS has
no metric math.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.stack.template import properties

NONE = None
REPEAT = "REPEAT"


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """A value for each period of 15 minutes; None where there is none."""

    values: tuple[float | None, ...]

    def __add__(self, other: Series) -> Series:
        pairs = zip(self.values, other.values, strict=True)
        return Series(tuple(None if a is None and b is None else (a or 0) + (b or 0) for a, b in pairs))

    def __rmul__(self, factor: float) -> Series:
        return Series(tuple(None if value is None else factor * value for value in self.values))

    def __eq__(self, other: object) -> Series:  # type: ignore[override] # metric math compares value by value
        return Series(tuple(None if value is None else float(value == other) for value in self.values))

    __hash__ = None  # type: ignore[assignment] # no series is a key


def fill(series: Series, filler: str) -> Series:
    assert filler == REPEAT
    filled: list[float | None] = []
    for value in series.values:
        filled.append(filled[-1] if value is None and filled else value)
    return Series(tuple(filled))


def in_alarm(accepted: list[int | None], stored: list[int | None], duplicate: list[int | None]) -> list[bool]:
    """Return whether the alarm is in the state ALARM at the end of each period."""
    alarm = properties("WebhookSilentAlarm")
    (expression,) = (it["Expression"] for it in alarm["Metrics"] if "Expression" in it)
    names = {"accepted": accepted, "stored": stored, "duplicate": duplicate}
    series = {name: Series(tuple(values)) for name, values in names.items()}
    # The template's own expression, whose syntax is Python's too.
    result = eval(expression, {"FILL": fill, "REPEAT": REPEAT, **series})  # noqa: S307
    breaching = [value is not None and value > alarm["Threshold"] for value in result.values]
    needed = alarm["DatapointsToAlarm"]
    assert alarm["TreatMissingData"] == "notBreaching"
    return [index + 1 >= needed and all(breaching[index + 1 - needed : index + 1]) for index in range(len(breaching))]


@pytest.mark.parametrize(
    ("accepted", "stored", "duplicate", "expected"),
    [
        ([NONE, NONE, NONE], [NONE, NONE, NONE], [NONE, NONE, NONE], [False, False, False]),
        ([5, 7, 6], [9, 14, 12], [NONE, NONE, NONE], [False, False, False]),
        ([5, 7, 6], [NONE, NONE, NONE], [NONE, NONE, NONE], [False, True, True]),
        ([NONE, NONE, 1], [NONE, NONE, NONE], [NONE, NONE, NONE], [False, False, False]),
        ([1, NONE, NONE], [NONE, NONE, NONE], [NONE, NONE, NONE], [False, True, True]),
        ([1, NONE, NONE], [NONE, 2, NONE], [NONE, NONE, NONE], [False, False, False]),
        ([1, NONE, NONE], [NONE, NONE, 2], [NONE, NONE, NONE], [False, True, False]),
        ([4, 4, 4], [NONE, NONE, NONE], [3, 3, 3], [False, False, False]),
        ([1, NONE, 1], [2, NONE, NONE], [NONE, NONE, NONE], [False, False, False]),
    ],
    ids=[
        "no messages",
        "messages and events",
        "messages without any event",
        "a message that was accepted a moment ago",
        "one message without an event, and nothing after it",
        "an event in the next period",
        "an event after two periods",
        "events that were stored before",
        "a message after an hour of silence",
    ],
)
def test_the_alarm_is_on_only_while_accepted_messages_have_no_event_for_two_periods(
    accepted: list[int | None], stored: list[int | None], duplicate: list[int | None], expected: list[bool]
) -> None:
    assert in_alarm(accepted, stored, duplicate) == expected
