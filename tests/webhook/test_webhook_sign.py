"""POST /sign returns a signature only to callers that API Gateway has authenticated."""

import json

import pytest

from gatewayapi.signature import sign, verify
from gatewayapi.webhook_body import MAX_BODY
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

CALLER = "arn:aws:sts::123456789012:assumed-role/deployer/someone"
FORBIDDEN = {"error": {"code": "FORBIDDEN", "message": "only IAM principals may have a body signed"}}
AUTHENTICATED = {"identity": {"userArn": CALLER}}
BODY = json.dumps(envelope()).encode()


def ask(function: Webhook, body: bytes, context: object = AUTHENTICATED) -> Answer:
    return function.invoke(request(body, "") | {"resource": "/sign", "headers": None, "requestContext": context})


@pytest.mark.parametrize("body", [BODY, b"", b"{}", "ægte 🙂".encode(), bytes(range(256)), b"x" * MAX_BODY])
def test_a_principal_gets_a_signature_that_verifies(function: Webhook, body: bytes) -> None:
    answer = ask(function, body)
    assert (answer.status, set(answer.body)) == (200, {"signature"})
    verify(body, answer.body["signature"], [KEY])


def test_a_body_with_a_signature_of_sign_is_accepted(function: Webhook) -> None:
    assert function.post(BODY, ask(function, BODY).body["signature"]).body == {"status": "stored"}


@pytest.mark.parametrize(
    "context",
    [
        None,
        {},
        "identity",
        {"identity": None},
        {"identity": {}},
        {"identity": {"userArn": None}},
        {"identity": {"userArn": ""}},
        {"identity": {"userArn": True}},
        {"identity": {"userArn": [CALLER]}},
        {"identity": {"caller": CALLER, "user": CALLER, "accountId": "123456789012"}},
        {"authorizer": {"principalId": CALLER}, "identity": {}},
    ],
)
def test_a_caller_that_is_not_authenticated_gets_no_signature(function: Webhook, context: object) -> None:
    answers: list[Answer] = []
    assert function.counted(lambda: answers.append(ask(function, BODY, context))) == {}
    assert [(answer.status, answer.body) for answer in answers] == [(403, FORBIDDEN)]


def test_a_caller_cannot_forge_a_principal(function: Webhook) -> None:
    forged: Fields = {"userArn": CALLER, "requestContext": AUTHENTICATED, "identity": AUTHENTICATED["identity"]}
    event = request(json.dumps(forged).encode(), "") | {
        "resource": "/sign",
        "headers": {"userArn": CALLER, "requestContext": json.dumps(AUTHENTICATED)},
        "queryStringParameters": {"requestContext": json.dumps(AUTHENTICATED)},
    }
    assert function.invoke(event).status == 403


def test_a_principal_needs_a_signature_for_a_webhook(function: Webhook) -> None:
    event = request(BODY, sign(BODY, "another key")) | {"requestContext": AUTHENTICATED}
    assert function.invoke(event).status == 401


def test_a_body_that_is_too_large_is_not_signed(function: Webhook) -> None:
    answer = ask(function, b"x" * (MAX_BODY + 1))
    assert (answer.status, answer.body["error"]["code"]) == (413, "TOO_LARGE")


def test_without_a_key_nothing_is_signed(function: Webhook) -> None:
    function.calls.refuse(READ_KEY, Refusal("ResourceNotFoundException"))
    answer = ask(function, BODY)
    assert answer.status == 503
    assert answer.body == {"error": {"code": "NOT_SIGNED", "message": "the key could not be read, try again"}}
    assert ask(function, BODY).status == 200


def test_signing_stores_nothing_and_reads_the_key_once(function: Webhook) -> None:
    assert function.counted(lambda: [ask(function, BODY) for _ in range(3)]) == {READ_KEY: 1}
    assert function.records() == []


def test_the_log_has_the_caller_and_not_the_body(function: Webhook) -> None:
    log = ask(function, BODY).log
    assert CALLER in log
    assert '"Signed":[1.0]' in log
    assert "order-1" not in log
    assert sign(BODY, KEY) not in log
    assert STORE not in log
