"""Nobody in: which signatures and which keys let a body pass, and what the others cost."""

import json
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256

import pytest
from botocore.exceptions import EndpointConnectionError

from gatewayapi.signature import sign
from tests.aws_calls import Refusal
from tests.moto_aws import KEY
from tests.webhook.webhook_function import (
    READ_KEY,
    STORE,
    Answer,
    Fields,
    Webhook,
    envelope,
    function,
    request,
)

__all__ = ["function"]

BODY = json.dumps(envelope()).encode()
GOOD = sign(BODY, KEY)
DIGITS = GOOD.removeprefix("v1=")
UNAUTHORIZED = {"error": {"code": "UNAUTHORIZED", "message": "the signature is missing or does not verify"}}
MALFORMED = {
    "empty": "",
    "version alone": "v1=",
    "no version": DIGITS,
    "another version": "v2=" + DIGITS,
    "version in capitals": "V1=" + DIGITS,
    "truncated": GOOD[:-1],
    "half": GOOD[:35],
    "longer": GOOD + "0",
    "twice": f"{GOOD},{GOOD}",
    "space before": " " + GOOD,
    "space inside": f"v1= {DIGITS}",
    "line after": GOOD + "\n",
    "no hexadecimal": "v1=" + "g" * 64,
    "other digits": "v1=" + "٣" * 64,
    "not ASCII": "v1=" + "é" * 64,
    "lone surrogate": "v1=\ud800",
    "null": GOOD[:-1] + "\0",
    "100 KB": "v1=" + "a" * 100_000,
    "100 KB of versions": "v1=" * 33_333,
    "SHA-256 without a key": "sha256=" + sha256(BODY).hexdigest(),
}


@pytest.fixture
def refused(function: Webhook) -> Callable[[Answer], None]:
    def check(answer: Answer) -> None:
        assert (answer.status, answer.body) == (401, UNAUTHORIZED)
        assert function.records() == []

    return check


@pytest.mark.parametrize("signature", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_signature_is_refused_and_costs_no_call(
    function: Webhook, refused: Callable[[Answer], None], signature: str
) -> None:
    answers: list[Answer] = []
    assert function.counted(lambda: answers.append(function.post(BODY, signature))) == {}
    refused(answers[0])


@pytest.mark.parametrize(
    "headers", [{}, None, {"Signature": None}, {"Signature": [GOOD]}, {"X-Signature": GOOD}, GOOD]
)
def test_a_missing_signature_is_refused(
    function: Webhook, refused: Callable[[Answer], None], headers: object
) -> None:
    refused(function.invoke(request(BODY, "") | {"headers": headers}))


def test_the_digits_of_a_signature_may_be_capitals(function: Webhook) -> None:
    assert function.post(BODY, "v1=" + DIGITS.upper()).status == 200


# HMAC pads a key with zeros, so that this first one is the empty key to it.
@pytest.mark.parametrize("key", ["\0", " ", KEY + " ", KEY.upper(), KEY[:-1]])
def test_a_key_that_is_only_like_ours_lets_nobody_in(
    function: Webhook, refused: Callable[[Answer], None], key: str
) -> None:
    refused(function.post(BODY, key=key))


def test_every_bit_of_a_signature_counts(function: Webhook) -> None:
    for bit in range(256):
        forged = f"v1={int(DIGITS, 16) ^ (1 << bit):064x}"
        assert function.post(BODY, forged).status == 401
    assert function.records() == []


def test_every_byte_of_a_body_counts(function: Webhook) -> None:
    for index in range(len(BODY)):
        assert function.post(BODY[:index] + bytes([BODY[index] ^ 1]) + BODY[index + 1 :], GOOD).status == 401
    assert function.records() == []


def test_a_secret_without_a_value_lets_nobody_in(function: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Fields] = [{"SecretString": ""}, {}, {"SecretBinary": KEY.encode()}]
    for given in answers:
        monkeypatch.setattr(function.aws.secretsmanager, "get_secret_value", lambda given=given, **_: given)
        for key in ("\0", KEY):
            assert function.post(BODY, key=key).status == 503
    assert function.records() == []


def test_a_secret_that_is_not_to_be_had_lets_nobody_in_and_is_tried_again(function: Webhook) -> None:
    def unreachable(_: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://secretsmanager.invalid")

    function.calls.refuse(READ_KEY, Refusal("ResourceNotFoundException"))
    function.calls.refuse(READ_KEY, Refusal("AccessDeniedException"))
    function.calls.before(READ_KEY, unreachable)
    # 503, and no 401: the provider did nothing wrong, and nothing of it may be lost.
    assert [function.post(BODY).status for _ in range(3)] == [503, 503, 503]
    assert function.records() == []
    assert function.post(BODY).body == {"status": "stored"}


def test_the_previous_key_lets_in_what_the_provider_signed_before_the_rotation(function: Webhook) -> None:
    function.rotate("the second key")
    assert function.post(envelope(event_id="a"), key="the second key").status == 200
    assert function.post(envelope(event_id="b"), key=KEY).status == 200
    assert function.post(envelope(event_id="c"), key="a third key").status == 401


def test_a_rotation_is_noticed_by_a_running_function(function: Webhook) -> None:
    function.post(envelope(event_id="a"))
    function.rotate("the second key")
    assert function.post(envelope(event_id="b"), key="the second key").status == 200
    assert function.post(envelope(event_id="c"), key=KEY).status == 200


def test_a_key_two_rotations_old_lets_nobody_in(function: Webhook) -> None:
    function.rotate("the second key")
    function.rotate("the third key")
    assert function.post(BODY, key=KEY).status == 401
    assert function.post(envelope(), key="the second key").status == 200


def test_the_log_counts_by_which_key_events_came(function: Webhook) -> None:
    assert '"KeyCurrent":[1.0]' in function.post(envelope(event_id="a")).log
    function.rotate("the second key")
    # What was read before the rotation is the current key until a signature does not fit it.
    assert '"KeyCurrent":[1.0]' in function.post(envelope(event_id="b"), key="the second key").log
    assert '"KeyPrevious":[1.0]' in function.post(envelope(event_id="c"), key=KEY).log


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
def test_a_flood_of_bad_signatures_costs_one_reading(function: Webhook, *, warm: bool) -> None:
    if warm:
        function.post(envelope())

    def flood() -> None:
        for number in range(1000):
            assert function.post(BODY, f"v1={number:064x}").status == 401

    # The current and the previous key once, and a cold function's first reading of the current one.
    assert function.counted(flood) == {READ_KEY: 2 if warm else 3}


def test_a_key_is_looked_for_at_most_once_a_minute(function: Webhook) -> None:
    function.post(envelope(event_id="a"))
    assert function.post(BODY, key="the second key").status == 401
    function.rotate("the second key")
    function.wall_clock_s += 59.9
    assert function.counted(lambda: function.post(BODY, key="the second key")) == {}
    function.wall_clock_s += 0.1
    calls = function.counted(lambda: function.post(envelope(event_id="b"), key="the second key"))
    assert calls == {READ_KEY: 2, STORE: 2}
    assert {it.event_id for it in function.events()} == {"a", "b"}


def test_a_reading_that_fails_midway_leaves_a_working_key(function: Webhook) -> None:
    function.post(envelope(event_id="a"))
    function.rotate("the second key")
    function.calls.refuse(READ_KEY, Refusal("InternalServiceError"), skip=1)
    assert function.post(envelope(event_id="b"), key="a forged key").status == 503
    assert function.post(envelope(event_id="c"), key="the second key").status == 200
    assert function.post(envelope(event_id="d"), key=KEY).status == 401  # until the next reading
    function.wall_clock_s += timedelta(minutes=1).total_seconds()
    assert function.post(envelope(event_id="d"), key=KEY).status == 200
