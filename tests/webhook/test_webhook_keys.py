"""Which signatures and keys are accepted, and how many calls to Secrets Manager a refused one causes."""

from collections import Counter
from datetime import timedelta

import pytest
from botocore.exceptions import EndpointConnectionError

from gatewayapi.signature import sign
from tests.aws_calls import Refusal
from tests.layer.stored_records import stored_events, stored_records
from tests.moto_aws import KEY
from tests.webhook.webhook_function import READ_KEY, Fields, Webhook, envelope, function, raw, request

__all__ = ["function"]

BODY = raw(envelope())
SIGNATURE = sign(BODY, KEY)


@pytest.mark.parametrize("signature", ["", SIGNATURE[:-1], SIGNATURE.removeprefix("v1="), "v1=" * 33_333])
def test_a_malformed_signature_is_refused_without_a_call(function: Webhook, signature: str) -> None:
    answer = function.post(BODY, signature)
    assert (answer.status, answer.calls) == (401, {})


@pytest.mark.parametrize(
    "headers",
    [{}, None, {"Signature": None}, {"Signature": [SIGNATURE]}, {"X-Signature": SIGNATURE}, SIGNATURE],
)
def test_a_missing_signature_is_refused_without_a_call(function: Webhook, headers: object) -> None:
    answer = function.invoke(request(BODY, "") | {"headers": headers})
    assert (answer.status, answer.calls) == (401, {})


def test_without_a_value_in_the_secret_every_body_is_refused(
    function: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[Fields] = [{"SecretString": ""}, {}, {"SecretBinary": KEY.encode()}]
    for given in answers:
        monkeypatch.setattr(function.aws.secretsmanager, "get_secret_value", lambda given=given, **_: given)
        for key in ("\0", KEY):  # HMAC pads keys with zeros, so "\0" is equal to the empty key
            assert function.post(BODY, key=key).status == 503
    assert stored_records(function.aws) == []


def test_an_unreadable_secret_is_answered_with_503_and_read_again(function: Webhook) -> None:
    def unreachable(_: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://secretsmanager.invalid")

    function.calls.refuse(READ_KEY, Refusal("ResourceNotFoundException"))
    function.calls.refuse(READ_KEY, Refusal("AccessDeniedException"))
    function.calls.before(READ_KEY, unreachable)
    # 503 and not 401, because the provider then sends the webhook again.
    assert [function.post(BODY).status for _ in range(3)] == [503, 503, 503]
    assert stored_records(function.aws) == []
    assert function.post(BODY).body == {"status": "stored"}


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
def test_after_a_rotation_the_current_and_the_previous_key_are_accepted(function: Webhook, *, warm: bool) -> None:
    if warm:
        function.post(envelope())
    function.rotate("the second key")
    assert function.post(envelope(event_id="a"), key="the second key").status == 200
    assert function.post(envelope(event_id="b"), key=KEY).status == 200
    assert function.post(envelope(event_id="c"), key="a third key").status == 401


def test_a_key_from_two_rotations_ago_is_refused(function: Webhook) -> None:
    function.rotate("the second key")
    function.rotate("the third key")
    assert function.post(BODY, key=KEY).status == 401
    assert function.post(BODY, key="the second key").status == 200


def test_the_events_of_each_key_are_counted(function: Webhook) -> None:
    assert "KeyCurrent" in function.post(envelope(event_id="a")).metrics()
    function.rotate("the second key")
    # The function still has the old key as its current key, until a signature does not match and it reads the keys.
    assert "KeyCurrent" in function.post(envelope(event_id="b"), key=KEY).metrics()
    assert "KeyCurrent" in function.post(envelope(event_id="c"), key="the second key").metrics()
    assert "KeyPrevious" in function.post(envelope(event_id="d"), key=KEY).metrics()


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
def test_many_wrong_signatures_cause_one_refresh_of_the_keys(function: Webhook, *, warm: bool) -> None:
    if warm:
        function.post(envelope())
    calls: Counter[str] = Counter()
    for number in range(100):
        answer = function.post(BODY, f"v1={number:064x}")
        assert answer.status == 401
        calls.update(answer.calls)
    # The refresh reads both keys. A cold function has read the current key before that, to verify the signature.
    assert calls == {READ_KEY: 2 if warm else 3}


def test_the_keys_are_refreshed_at_most_once_a_minute(function: Webhook) -> None:
    function.post(envelope(event_id="a"))
    assert function.post(BODY, key="the second key").status == 401
    function.rotate("the second key")
    function.wall_clock_s += 59.9
    early = function.post(BODY, key="the second key")
    assert (early.status, early.calls) == (401, {})
    function.wall_clock_s += 0.1
    later = function.post(envelope(event_id="b"), key="the second key")
    assert (later.status, later.calls[READ_KEY]) == (200, 2)
    assert {event.event_id for event in stored_events(function.aws)} == {"a", "b"}


def test_the_current_key_is_accepted_after_a_refresh_that_failed_midway(function: Webhook) -> None:
    function.post(envelope(event_id="a"))
    function.rotate("the second key")
    function.calls.refuse(READ_KEY, Refusal("InternalServiceError"), skip=1)
    assert function.post(envelope(event_id="b"), key="a forged key").status == 503
    assert function.post(envelope(event_id="c"), key="the second key").status == 200
    assert function.post(envelope(event_id="d"), key=KEY).status == 401  # the previous key was not read
    function.wall_clock_s += timedelta(minutes=1).total_seconds()
    assert function.post(envelope(event_id="d"), key=KEY).status == 200
