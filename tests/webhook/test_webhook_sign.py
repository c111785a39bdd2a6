"""POST /sign returns a signature only to callers that API Gateway has authenticated."""

import json

import pytest

from gatewayapi.signature import sign, verify
from gatewayapi.webhook_body import MAX_BODY
from tests.aws_calls import Refusal
from tests.layer.stored_records import stored_records
from tests.moto_aws import KEY
from tests.webhook.webhook_function import IAM_CALLER, READ_KEY, Webhook, envelope, function, raw, request

__all__ = ["function"]

CALLER = IAM_CALLER["identity"]["userArn"]
FORBIDDEN = {"error": {"code": "FORBIDDEN", "message": "only IAM principals may have a body signed"}}
BODY = raw(envelope())


@pytest.mark.parametrize("body", [BODY, b"", b"{}", "ægte 🙂".encode(), bytes(range(256)), b"x" * MAX_BODY])
def test_an_iam_principal_gets_a_signature_that_verifies(function: Webhook, body: bytes) -> None:
    answer = function.sign(body)
    assert (answer.status, set(answer.body)) == (200, {"signature"})
    verify(body, answer.body["signature"], [KEY])


def test_a_body_with_a_signature_from_sign_is_accepted(function: Webhook) -> None:
    assert function.post(BODY, function.sign(BODY).body["signature"]).body == {"status": "stored"}


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
    answer = function.sign(BODY, context)
    assert (answer.status, answer.body, answer.calls) == (403, FORBIDDEN, {})


def test_a_principal_in_the_body_the_headers_or_the_query_is_ignored(function: Webhook) -> None:
    event = request({"userArn": CALLER, "requestContext": IAM_CALLER, **IAM_CALLER}, "") | {
        "resource": "/sign",
        "headers": {"userArn": CALLER, "requestContext": json.dumps(IAM_CALLER)},
        "queryStringParameters": {"requestContext": json.dumps(IAM_CALLER)},
    }
    assert function.invoke(event).status == 403


def test_a_principal_needs_a_signature_for_a_webhook(function: Webhook) -> None:
    event = request(BODY, sign(BODY, "another key")) | {"requestContext": IAM_CALLER}
    assert function.invoke(event).status == 401


def test_a_body_that_is_too_large_is_not_signed(function: Webhook) -> None:
    answer = function.sign(b"x" * (MAX_BODY + 1))
    assert (answer.status, answer.body["error"]["code"]) == (413, "TOO_LARGE")


def test_without_a_key_nothing_is_signed(function: Webhook) -> None:
    function.calls.refuse(READ_KEY, Refusal("ResourceNotFoundException"))
    answer = function.sign(BODY)
    assert answer.status == 503
    assert answer.body == {"error": {"code": "NOT_SIGNED", "message": "the key could not be read, try again"}}
    assert function.sign(BODY).status == 200


def test_signing_stores_nothing_and_reads_the_key_once(function: Webhook) -> None:
    assert [function.sign(BODY).calls for _ in range(3)] == [{READ_KEY: 1}, {}, {}]
    assert stored_records(function.aws) == []


def test_the_log_has_the_caller_and_not_the_body(function: Webhook) -> None:
    answer = function.sign(BODY)
    assert CALLER in answer.log
    assert answer.metrics() == {"Signed": [1.0]}
    assert "order-1" not in answer.log
    assert sign(BODY, KEY) not in answer.log
