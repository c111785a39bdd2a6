"""Random requests to the deployed API, made from its OpenAPI description.

schemathesis makes the requests from `docs/openapi.yaml`, and compares the responses with it. There are three callers:
anyone, the provider, and an IAM principal of the account.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest
import requests
import schemathesis
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gatewayapi.signature import sign
from local.emulator import ACCESS_KEY, REGION, SECRET_KEY
from local.stack import Stack

DESCRIPTION = schemathesis.openapi.from_path(Path(__file__).parents[2] / "docs" / "openapi.yaml")
# Another method is a route that does not exist. API Gateway answers it, in a form that the description does not have.
DESCRIPTION.config.phases.coverage.unexpected_methods = set()
WEBHOOKS, SIGN = DESCRIPTION.include(path="/webhooks"), DESCRIPTION.include(path="/sign")

Case = schemathesis.Case[Any]

# The check that a body of another form is refused is not among them, because a signed one is stored.
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
IDS = ("msg_id", "reference", "status")
# The length from which a text in the log cannot be a coincidence. A log line contains any three digits by chance.
PRIVATE_LENGTH = 8
# Few, because tests/webhook/test_webhook_fuzz.py tries many bodies without API Gateway. schemathesis adds requests at
# the limits of the description.
fuzzed = settings(max_examples=10, suppress_health_check=list(HealthCheck))


class Provider(requests.auth.AuthBase):
    """Signs a request's body with the webhook key, and remembers it."""

    sent: ClassVar[list[bytes]] = []

    def __init__(self, stack: Stack) -> None:
        self.key = stack.webhook_key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        self.sent.append(body(request))
        request.headers["Signature"] = sign(body(request), self.key)
        return request


class Today(Provider):
    """Signs an event with today's date, a known type and another text, so that the function reads all its fields."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        envelope = loaded(body(request))
        event = envelope.get("event")
        if isinstance(event, dict):
            kind = "message.status.sms" if "status" in event else "user-message.text.sms"
            envelope |= {"timestamp": datetime.now(UTC).isoformat(), "event_type": kind}
            if "content" in event:
                event["content"] = [event["content"], "æbler og pærer"]
            request.prepare_body(json.dumps(envelope).encode(), None)
        return super().__call__(request)


class Principal(requests.auth.AuthBase):
    """Signs a request as a principal of the account does."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        signed = AWSRequest("POST", request.url, data=body(request), headers={"Host": "127.0.0.1"})
        SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "execute-api", REGION).add_auth(signed)
        request.headers.update(signed.headers.items())
        return request


def body(request: requests.PreparedRequest) -> bytes:
    """Return the bytes that a request is about to send."""
    raw = request.body or b""
    if isinstance(raw, str):
        return raw.encode()
    assert isinstance(raw, bytes)
    return raw


@pytest.fixture
def url(stack: Stack) -> str:
    return stack.webhook_url.removesuffix("/webhooks")


@pytest.fixture(autouse=True, scope="module")
def unthrottled(stack: Stack) -> Iterator[None]:
    """Raise the throttling limit of /sign while these tests send requests."""
    address = urlsplit(stack.outputs["SignUrl"])
    api, stage = address.netloc.split(".")[0], address.path.split("/")[1]
    client = stack.client("apigateway")
    set_limits = client.get_stage(restApiId=api, stageName=stage)["methodSettings"]["/sign/POST"]
    names = {"rateLimit": "throttlingRateLimit", "burstLimit": "throttlingBurstLimit"}

    def limit(**values: object) -> None:
        path = "/~1sign/POST/throttling/"
        operations = [{"op": "replace", "path": path + name, "value": str(value)} for name, value in values.items()]
        client.update_stage(restApiId=api, stageName=stage, patchOperations=operations)

    limit(rateLimit=1000, burstLimit=1000)
    yield
    limit(**{name: set_limits[setting] for name, setting in names.items()})


@pytest.fixture(autouse=True, scope="module")
def quiet(stack: Stack) -> Iterator[None]:
    """Check that the log of these tests has no key, no text, no number, no error and no traceback."""
    earlier = len(stack.logs("webhook"))
    yield
    lines = stack.logs("webhook")[earlier:]
    assert any('"outcome":"stored"' in line for line in lines)
    never = {stack.webhook_key, "Traceback", "[ERROR]", '"level":"ERROR"', *private(Provider.sent)}
    assert not [line for line in lines if any(part in line for part in never)]


def private(bodies: Iterable[bytes]) -> set[str]:
    """Return the texts and numbers in events, in the form that they would have in a log line.

    Some are left out, because a log line can contain them for another reason: short ones, those that are part of an
    id, and words in ASCII, because hypothesis takes some from this project's own code.
    """
    texts: set[str] = set()
    ids: set[str] = set()
    for raw in bodies:
        envelope = loaded(raw)
        event = envelope.get("event")
        if isinstance(event, dict):
            texts.update(leaves([value for name, value in event.items() if name not in IDS]))
            ids.update(leaves([envelope.get("event_id"), envelope.get("event_type"), *map(event.get, IDS)]))
    long = {text for text in texts if len(text) >= PRIVATE_LENGTH and (text.isdecimal() or not text.isascii())}
    assert long
    return {text for text in long if not any(text in known for known in ids)}


def loaded(raw: bytes) -> dict[str, Any]:
    """Return the JSON object of a body, or an empty one if the body is something else."""
    with suppress(ValueError, RecursionError):
        found = json.loads(raw)
        return found if isinstance(found, dict) else {}
    return {}


def leaves(value: object) -> Iterator[str]:
    """Return all strings and numbers in a JSON value, as JSON without its quotes."""
    if isinstance(value, dict):
        yield from leaves([*value.keys(), *value.values()])
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    elif value is not None:
        yield json.dumps(value, ensure_ascii=False).strip('"')


@WEBHOOKS.parametrize()
@fuzzed
def test_requests_without_a_valid_signature_are_refused(case: Case, url: str) -> None:
    response = case.call_and_validate(base_url=url, checks=CHECKS)
    assert response.status_code in {401, 413}


@WEBHOOKS.parametrize()
@fuzzed
def test_every_signed_request_gets_a_documented_answer(case: Case, url: str, stack: Stack) -> None:
    response = case.call_and_validate(base_url=url, checks=CHECKS, auth=Provider(stack))
    assert response.status_code in {200, 400, 413}


@WEBHOOKS.parametrize()
@fuzzed
def test_every_signed_event_of_today_is_stored(case: Case, url: str, stack: Stack) -> None:
    response = case.call_and_validate(base_url=url, checks=CHECKS, auth=Today(stack))
    assert response.status_code in {200, 413}


@SIGN.parametrize()
@fuzzed
def test_sign_refuses_requests_without_an_aws_signature(case: Case, url: str) -> None:
    # API Gateway's response has the form of the template and of the description. The local AWS has its own.
    checks = [check for check in CHECKS if check is not response_schema_conformance]
    response = case.call_and_validate(base_url=url, checks=checks)
    assert response.status_code == 403
    assert b"v1=" not in response.content


@SIGN.parametrize()
@fuzzed
def test_sign_gives_a_principal_a_valid_signature(case: Case, url: str, stack: Stack) -> None:
    sent: list[bytes] = []

    def keep(response: requests.Response, **_: object) -> None:
        sent.append(body(response.request))

    response = case.call_and_validate(base_url=url, checks=CHECKS, auth=Principal(), hooks={"response": keep})
    assert response.status_code == 200
    assert response.json() == {"signature": sign(sent[0], stack.webhook_key)}
