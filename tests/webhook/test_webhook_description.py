"""`docs/openapi.yaml` describes exactly the responses of the function."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from gatewayapi.webhook_body import MAX_BODY, MAX_NAME, read
from tests.aws_calls import Refusal
from tests.layer.stored_records import NOW, stored_events
from tests.webhook.webhook_function import READ_KEY, STORE, Answer, Fields, Webhook, envelope, function

__all__ = ["function"]

DESCRIPTION: Fields = yaml.safe_load((Path(__file__).parents[2] / "docs" / "openapi.yaml").read_text())
RESPONSES_OF_API_GATEWAY = {("/webhooks", 429), ("/sign", 429)}


def validate(instance: object, schema: Fields) -> None:
    # The schema gets the components, because it refers to them.
    Draft202012Validator(schema | {"components": DESCRIPTION["components"]}).validate(instance)


def not_stored(function: Webhook) -> Answer:
    function.calls.refuse(STORE, Refusal("InternalServerError", 500))
    return function.post(envelope())


def unreadable_key(function: Webhook) -> Answer:
    function.calls.refuse(READ_KEY, Refusal("InternalServiceError", 500))
    return function.sign(b"{}")


def too_old(function: Webhook) -> Answer:
    function.now += timedelta(days=8)
    return function.post(envelope())


def duplicate(function: Webhook) -> Answer:
    function.post(envelope())
    return function.post(envelope())


REQUESTS: list[tuple[str, int, Callable[[Webhook], Answer]]] = [
    ("/webhooks", 200, lambda function: function.post(envelope())),
    ("/webhooks", 200, duplicate),
    ("/webhooks", 200, lambda function: function.post(b"no event")),
    ("/webhooks", 400, too_old),
    ("/webhooks", 401, lambda function: function.post(envelope(), "v1=")),
    ("/webhooks", 413, lambda function: function.post(b"x" * (MAX_BODY + 1))),
    ("/webhooks", 503, not_stored),
    ("/sign", 200, lambda function: function.sign(b"{}")),
    ("/sign", 403, lambda function: function.sign(b"{}", None)),
    ("/sign", 413, lambda function: function.sign(b"x" * (MAX_BODY + 1))),
    ("/sign", 503, unreadable_key),
]


@pytest.mark.parametrize(("path", "status", "send"), REQUESTS)
def test_every_answer_is_described(
    function: Webhook, path: str, status: int, send: Callable[[Webhook], Answer]
) -> None:
    answer = send(function)
    assert answer.status == status
    content = DESCRIPTION["paths"][path]["post"]["responses"][str(status)]["content"]
    validate(answer.body, content["application/json"]["schema"])


def test_every_described_answer_is_tested() -> None:
    described = {
        (path, int(status)) for path, route in DESCRIPTION["paths"].items() for status in route["post"]["responses"]
    }
    assert described == {(path, status) for path, status, _ in REQUESTS} | RESPONSES_OF_API_GATEWAY


def test_the_described_limits_are_those_of_the_code() -> None:
    schemas = DESCRIPTION["components"]["schemas"]
    names = (schemas["Envelope"]["properties"][name] for name in ("event_id", "event_type"))
    assert {schema["maxLength"] for schema in (*names, schemas["StatusEvent"]["properties"]["status"])} == {MAX_NAME}
    assert f"{MAX_BODY:,} bytes" in DESCRIPTION["paths"]["/webhooks"]["post"]["requestBody"]["description"]


def test_the_described_example_is_an_event(function: Webhook) -> None:
    (example,) = DESCRIPTION["components"]["schemas"]["Envelope"]["examples"]
    validate(example, DESCRIPTION["components"]["schemas"]["Envelope"])
    assert function.post(example).body == {"status": "stored"}
    (stored,) = stored_events(function.aws)
    assert read(stored.body.encode(), stored.signature, received_at=NOW, expires_at=stored.expires_at) == replace(
        stored, by_phone_number=False
    )
