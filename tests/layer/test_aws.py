"""The AWS clients do less than botocore's own, and what goes over the wire is the same."""

import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError
from botocore.session import get_session

from gatewayapi import aws, tls
from tests.layer.certificates import self_signed
from tests.layer.raw_server import RawServer, Request, Wire, answer

ITEM = {
    "pk": {"S": "æ€😀"},
    "count": {"N": "1"},
    "raw": {"B": b"\x00\xff"},
    "deep": {"M": {"list": {"L": [{"NULL": True}]}}},
}
PUT = {"Put": {"TableName": "a-table", "Item": ITEM, "ConditionExpression": "attribute_not_exists(pk)"}}
TRANSACTION: dict[str, Any] = {"TransactItems": [PUT, PUT], "ClientRequestToken": "a-token"}


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Make everything anew that a process makes once."""
    made = (aws.client, aws.session, aws.connections, tls.context)
    for each in made:
        each.cache_clear()
    yield
    for scheme in ("http", "https"):
        aws.connections(scheme).clear()
    for each in made:
        each.cache_clear()


class Asked:
    """Answers every request with an empty object, and keeps it."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def __call__(self, wire: Wire) -> None:
        while request := wire.request():
            self.requests.append(request)
            wire.send(answer(200, b"{}", Content_Type="application/x-amz-json-1.0"))


def put(url: str, monkeypatch: pytest.MonkeyPatch, *, times: int = 1) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    for _ in range(times):
        aws.client("dynamodb").transact_write_items(**TRANSACTION)


def test_a_transaction_goes_out_as_botocore_itself_would_send_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(asked := Asked()) as server:
        put(server.url, monkeypatch)
        with_all_of_botocore: Any = get_session().create_client("dynamodb", endpoint_url=server.url)
        with_all_of_botocore.transact_write_items(**TRANSACTION)
        with_all_of_botocore.close()
    ours, theirs = asked.requests
    assert json.loads(ours.body) == json.loads(theirs.body)
    kept = ("post ", "content-type:", "x-amz-target:", "x-amz-security-token:")
    assert [line for line in ours.head.lower().split("\r\n") if line.startswith(kept)] == [
        line for line in theirs.head.lower().split("\r\n") if line.startswith(kept)
    ]


@pytest.mark.parametrize("service", ["dynamodb", "secretsmanager", "sqs"])
def test_a_service_is_found_by_its_name(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert aws.client(service).meta.service_model.service_name == service


def test_all_services_and_calls_share_what_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, context = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with RawServer(asked := Asked(), context) as server:
        put(server.url, monkeypatch)
        monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", None)
        monkeypatch.setattr(ssl, "create_default_context", None)
        aws.connections("https").clear()
        put(server.url, monkeypatch, times=2)
        aws.client("secretsmanager").get_secret_value(SecretId="a-secret")
    assert len(asked.requests) == 4
    assert server.connections == 2


def test_an_aws_that_nobody_vouches_for_is_told_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, context = self_signed(tmp_path)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    with RawServer(asked := Asked(), context) as server:
        with pytest.raises(BotoCoreError, match="CERTIFICATE_VERIFY_FAILED"):
            put(server.url, monkeypatch)
        assert server.connections == 2
    assert asked.requests == []


def test_a_connection_that_broke_while_idle_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = []

    def serve(wire: Wire) -> None:
        answered.append(wire.request())
        wire.send(answer(200, b"{}"))
        wire.head()  # of a second request, which nobody hears
        wire.reset()

    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    with RawServer(serve) as server:
        put(server.url, monkeypatch, times=3)
        assert server.connections == 3
    assert len(answered) == 3


def test_an_answer_that_breaks_off_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{", answer(200, b"{}")]

    def serve(wire: Wire) -> None:
        wire.request()
        wire.send(answers.pop(0))

    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    with RawServer(serve) as server:
        put(server.url, monkeypatch)
    assert answers == []
