"""Which signatures and keys are accepted, and how many calls the others cause."""

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
def test_a_malformed_signature_is_refused_without_a_call(
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


def test_a_signature_may_have_upper_case_digits(function: Webhook) -> None:
    assert function.post(BODY, "v1=" + DIGITS.upper()).status == 200


# HMAC pads keys with zeros, so the first key is equal to the empty key.
@pytest.mark.parametrize("key", ["\0", " ", KEY + " ", KEY.upper(), KEY[:-1]])
def test_a_signature_with_a_similar_key_is_refused(
    function: Webhook, refused: Callable[[Answer], None], key: str
) -> None:
    refused(function.post(BODY, key=key))


def test_a_signature_with_one_wrong_bit_is_refused(function: Webhook) -> None:
    for bit in range(256):
        forged = f"v1={int(DIGITS, 16) ^ (1 << bit):064x}"
        assert function.post(BODY, forged).status == 401
    assert function.records() == []


def test_a_body_with_one_changed_byte_is_refused(function: Webhook) -> None:
    for index in range(len(BODY)):
        assert function.post(BODY[:index] + bytes([BODY[index] ^ 1]) + BODY[index + 1 :], GOOD).status == 401
    assert function.records() == []


def test_without_a_value_in_the_secret_every_body_is_refused(
    function: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[Fields] = [{"SecretString": ""}, {}, {"SecretBinary": KEY.encode()}]
    for given in answers:
        monkeypatch.setattr(function.aws.secretsmanager, "get_secret_value", lambda given=given, **_: given)
        for key in ("\0", KEY):
            assert function.post(BODY, key=key).status == 503
    assert function.records() == []


def test_an_unreadable_secret_is_answered_with_503_and_read_again(function: Webhook) -> None:
    def unreachable(_: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://secretsmanager.invalid")

    function.calls.refuse(READ_KEY, Refusal("ResourceNotFoundException"))
    function.calls.refuse(READ_KEY, Refusal("AccessDeniedException"))
    function.calls.before(READ_KEY, unreachable)
    # 503 and not 401, because the provider then sends the webhook again.
    assert [function.post(BODY).status for _ in range(3)] == [503, 503, 503]
    assert function.records() == []
    assert function.post(BODY).body == {"status": "stored"}


def test_after_a_rotation_signatures_with_the_previous_key_are_accepted(function: Webhook) -> None:
    function.rotate("the second key")
    assert function.post(envelope(event_id="a"), key="the second key").status == 200
    assert function.post(envelope(event_id="b"), key=KEY).status == 200
    assert function.post(envelope(event_id="c"), key="a third key").status == 401


def test_a_running_function_reads_a_rotated_key(function: Webhook) -> None:
    function.post(envelope(event_id="a"))
    function.rotate("the second key")
    assert function.post(envelope(event_id="b"), key="the second key").status == 200
    assert function.post(envelope(event_id="c"), key=KEY).status == 200


def test_a_key_from_two_rotations_ago_is_refused(function: Webhook) -> None:
    function.rotate("the second key")
    function.rotate("the third key")
    assert function.post(BODY, key=KEY).status == 401
    assert function.post(envelope(), key="the second key").status == 200


def test_the_log_counts_which_key_signed_an_event(function: Webhook) -> None:
    assert '"KeyCurrent":[1.0]' in function.post(envelope(event_id="a")).log
    function.rotate("the second key")
    # The key that was read before the rotation counts as current until a signature does not verify.
    assert '"KeyCurrent":[1.0]' in function.post(envelope(event_id="b"), key="the second key").log
    assert '"KeyPrevious":[1.0]' in function.post(envelope(event_id="c"), key=KEY).log


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
def test_many_bad_signatures_cause_one_refresh_of_the_keys(function: Webhook, *, warm: bool) -> None:
    if warm:
        function.post(envelope())

    def post_bad_signatures() -> None:
        for number in range(1000):
            assert function.post(BODY, f"v1={number:064x}").status == 401

    # Both keys are read once. After a cold start, the current key is read once more.
    assert function.counted(post_bad_signatures) == {READ_KEY: 2 if warm else 3}


def test_the_keys_are_refreshed_at_most_once_a_minute(function: Webhook) -> None:
    function.post(envelope(event_id="a"))
    assert function.post(BODY, key="the second key").status == 401
    function.rotate("the second key")
    function.wall_clock_s += 59.9
    assert function.counted(lambda: function.post(BODY, key="the second key")) == {}
    function.wall_clock_s += 0.1
    calls = function.counted(lambda: function.post(envelope(event_id="b"), key="the second key"))
    assert calls == {READ_KEY: 2, STORE: 2}
    assert {event.event_id for event in function.events()} == {"a", "b"}


def test_the_current_key_works_after_a_refresh_that_failed_midway(function: Webhook) -> None:
    function.post(envelope(event_id="a"))
    function.rotate("the second key")
    function.calls.refuse(READ_KEY, Refusal("InternalServiceError"), skip=1)
    assert function.post(envelope(event_id="b"), key="a forged key").status == 503
    assert function.post(envelope(event_id="c"), key="the second key").status == 200
    assert function.post(envelope(event_id="d"), key=KEY).status == 401  # until the next reading
    function.wall_clock_s += timedelta(minutes=1).total_seconds()
    assert function.post(envelope(event_id="d"), key=KEY).status == 200
