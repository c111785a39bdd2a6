"""The deployed API, asked everything that its own description allows and much that it does not.

`docs/openapi.yaml` says what may be sent and which answers there are; schemathesis makes the requests from it and
holds the answers against it. Three kinds of callers ask: anyone, the provider, and a principal of the account.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
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
# Other methods are other routes: API Gateway knows none, and answers in words of its own.
DESCRIPTION.config.phases.coverage.unexpected_methods = set()
WEBHOOKS, SIGN = DESCRIPTION.include(path="/webhooks"), DESCRIPTION.include(path="/sign")

Case = schemathesis.Case[Any]

# Not among them: that a body of another form is refused. Signed, it is kept.
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
fuzzed = settings(max_examples=40, suppress_health_check=list(HealthCheck))


class Provider(requests.auth.AuthBase):
    """Signs a request's body with the webhook key."""

    def __init__(self, stack: Stack) -> None:
        self.key = stack.webhook_key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Signature"] = sign(body(request), self.key)
        return request


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
    """The limit of /sign is for people; it is set aside while this module asks."""
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
    """Whatever was sent, the log has no key in it and no trace."""
    yield
    lines = stack.logs("webhook")
    assert lines
    assert not [line for line in lines if stack.webhook_key in line or "Traceback" in line or "[ERROR]" in line]


@WEBHOOKS.parametrize()
@fuzzed
def test_anyone_is_turned_away(case: Case, url: str) -> None:
    response = case.call_and_validate(base_url=url, checks=CHECKS)
    assert response.status_code in {401, 413}


@WEBHOOKS.parametrize()
@fuzzed
def test_the_provider_is_heard_whatever_it_says(case: Case, url: str, stack: Stack) -> None:
    response = case.call_and_validate(base_url=url, checks=CHECKS, auth=Provider(stack))
    assert response.status_code in {200, 400, 413}


@SIGN.parametrize()
@fuzzed
def test_who_is_no_principal_gets_no_signature(case: Case, url: str) -> None:
    # The local AWS says so in words of its own; API Gateway takes the template's, as the description has them.
    checks = [check for check in CHECKS if check is not response_schema_conformance]
    response = case.call_and_validate(base_url=url, checks=checks)
    assert response.status_code == 403
    assert b"v1=" not in response.content


@SIGN.parametrize()
@fuzzed
def test_a_principal_gets_a_signature_that_fits(case: Case, url: str, stack: Stack) -> None:
    sent: list[bytes] = []

    def keep(response: requests.Response, **_: object) -> None:
        sent.append(body(response.request))

    response = case.call_and_validate(base_url=url, checks=CHECKS, auth=Principal(), hooks={"response": keep})
    assert response.status_code == 200
    assert response.json() == {"signature": sign(sent[0], stack.webhook_key)}
