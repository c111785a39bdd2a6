"""Requests are refused exactly where the provider's description forbids them, with the location of every problem."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.expiration import MAX_EXPIRATION_S, expires_in_s
from simulator.provider import Provider
from simulator.submission import Message, read
from tests.simulator.simulator_client import HEADERS, Client, message

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
FIELDS = ("sender", "recipient", "message", "reference", "expiration", "priority", "label")


def is_refusal(answer: dict[str, Any]) -> bool:
    """Return whether a body has the form of the description's HTTPValidationError."""
    return set(answer) == {"detail"} and all(
        {"loc", "msg", "type"} <= set(detail) <= {"loc", "msg", "type", "input", "ctx"}
        and all(type(step) in (str, int) for step in detail["loc"])
        and isinstance(detail["msg"], str)
        and isinstance(detail["type"], str)
        and isinstance(detail.get("ctx", {}), dict)
        for detail in answer["detail"]
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sender", None),
        ("sender", "ab"),
        ("sender", "a" * 19),
        ("sender", 12345),
        ("recipient", "4512345678"),
        ("recipient", 1000),
        ("recipient", 10**15),
        ("recipient", 4512345678.5),
        ("recipient", True),
        ("recipient", None),
        ("message", None),
        ("message", "a" * 39016),
        ("message", "half a pair: \ud83d"),
        ("reference", 5),
        ("expiration", None),
        ("expiration", "tomorrow"),
        ("expiration", "P5DT1S"),
        ("expiration", "P"),
        ("expiration", "P1DT"),
        ("expiration", 0),
        ("expiration", 432_001),
        ("expiration", True),
        ("expiration", "2020-01-01T00:00:00Z"),
        ("expiration", "2026-13-01T00:00:00Z"),
        ("expiration", "9999-12-31T23:59:59-23:59"),
        ("expiration", 10**400),
        ("priority", None),
        ("priority", "high"),
        ("priority", ["normal"]),
        ("label", "a" * 129),
        ("label", 1),
    ],
)
def test_an_invalid_field_is_refused_with_its_location(client: Client, field: str, value: object) -> None:
    answer = client.multi(message(), message(**{field: value}))
    assert answer.status == 422
    assert is_refusal(answer.json())
    assert [detail["loc"] for detail in answer.json()["detail"]] == [["body", "messages", 1, field]]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sender", "abc"),
        ("sender", "a" * 18),
        ("recipient", 1001),
        ("recipient", 10**15 - 1),
        ("recipient", 4512345678.0),
        ("message", ""),
        ("message", "😀" * 39015),
        ("reference", None),
        ("reference", "a" * 1000),
        ("expiration", 1),
        ("expiration", 432_000),
        ("expiration", "3600"),
        ("expiration", "P5D"),
        ("expiration", "PT1H30M0.5S"),
        ("priority", "urgent"),
        ("label", None),
        ("label", "a" * 128),
        ("unknown", {"to": "the provider"}),
    ],
)
def test_a_value_at_its_limit_is_accepted(client: Client, field: str, value: object) -> None:
    assert client.single(**{field: value}).status == 202


def test_every_problem_is_listed_and_no_message_is_accepted(client: Client, provider: Provider) -> None:
    answer = client.multi(message("good"), {"sender": "x", "priority": "high"}, "no message")
    assert [detail["loc"][2:] for detail in answer.json()["detail"]] == [
        [1, "sender"],
        [1, "recipient"],
        [1, "message"],
        [1, "priority"],
        [2],
    ]
    assert not provider.messages()


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"", ["body"]),
        (b"[]", ["body"]),
        (b'{"messages"', ["body", 11]),
        (b'{"messages": NaN}', ["body", 0]),
        (b'{"messages": 1e999}', ["body", 0]),
        (b"1" * 5000, ["body", 0]),
        (b"[" * 100_000, ["body", 0]),
        (b"\xff", ["body", 0]),
        (b"{}", ["body", "messages"]),
        (b'{"messages": {}}', ["body", "messages"]),
        (b'{"messages": []}', ["body", "messages"]),
        (json.dumps({"messages": [message()] * 1001}).encode(), ["body", "messages"]),
    ],
)
def test_a_body_without_messages_is_422(client: Client, body: bytes, place: list[Any]) -> None:
    answer = client.ask("POST", "/mobile/multi", body)
    assert answer.status == 422
    assert is_refusal(answer.json())
    assert [detail["loc"] for detail in answer.json()["detail"]] == [place]


def test_a_deeply_nested_value_is_refused(client: Client) -> None:
    for depth in range(900, 1000):  # about where reading ends, and repeating ends a little before it
        body = b'{"sender":' + b"[" * depth + b"]" * depth + b"}"
        assert client.ask("POST", "/mobile/single", body).status == 422


def test_a_body_without_a_json_content_type_is_422(client: Client) -> None:
    headers = HEADERS | {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.ask("POST", "/mobile/single", json.dumps(message()).encode(), headers=headers).status == 422


@given(
    entry=st.dictionaries(st.sampled_from(FIELDS), ANY_JSON),
    valid=st.sets(st.sampled_from(FIELDS)),
    many=st.booleans(),
)
def test_any_message_is_accepted_or_refused_with_the_invalid_fields(
    entry: dict[str, Any], valid: set[str], *, many: bool
) -> None:
    good = message("ref", expiration=60, priority="urgent", label=None)
    merged = {**entry, **{name: good[name] for name in valid}}
    body = json.dumps({"messages": [merged]} if many else merged).encode()
    submission = read(body, "application/json", many=many, now=NOW)
    assert bool(submission.messages) != bool(submission.problems)
    assert is_refusal({"detail": submission.problems})
    depth = 2 if many else 0
    named = {detail["loc"][depth + 1] for detail in submission.problems}
    assert named <= set(FIELDS) - valid
    if valid == set(FIELDS):
        assert submission.messages == (Message(**good),)


@given(body=st.binary())
def test_any_bytes_are_refused_with_a_reason(body: bytes) -> None:
    assert read(body, "application/json", many=True, now=NOW).problems


@given(seconds=st.integers(1, MAX_EXPIRATION_S), form=st.sampled_from(["number", "duration", "instant", "unix"]))
def test_the_four_forms_of_an_expiration_mean_the_same(seconds: int, form: str) -> None:
    at = NOW + timedelta(seconds=seconds)
    forms: dict[str, object] = {
        "number": seconds,
        "duration": f"P{seconds // 86400}DT{seconds % 86400 // 3600}H{seconds % 3600}S",
        "instant": at.astimezone().isoformat(),
        "unix": at.timestamp(),
    }
    if form == "duration":
        seconds = seconds // 86400 * 86400 + seconds % 86400 // 3600 * 3600 + seconds % 3600
    assert expires_in_s(forms[form], NOW) == seconds


@given(value=st.text() | st.from_regex(r"P[0-9TDHMSWY.,]{0,12}", fullmatch=True) | st.floats() | st.integers())
def test_any_expiration_is_read_or_refused(value: object) -> None:
    left_s = expires_in_s(value, NOW)
    assert left_s is None or isinstance(left_s, float | int)
