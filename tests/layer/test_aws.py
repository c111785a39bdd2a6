"""The AWS clients skip some of botocore's work, and send the same requests."""

import json
import ssl
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError
from botocore.session import get_session

from gatewayapi import aws
from tests.layer.certificates import self_signed
from tests.layer.raw_server import Connection, RawServer, Request, answer

ITEM = {
    "pk": {"S": "æ€😀"},
    "count": {"N": "1"},
    "raw": {"B": b"\x00\xff"},
    "deep": {"M": {"list": {"L": [{"NULL": True}]}}},
}
PUT = {"Put": {"TableName": "a-table", "Item": ITEM, "ConditionExpression": "attribute_not_exists(pk)"}}
TRANSACTION: dict[str, Any] = {"TransactItems": [PUT, PUT], "ClientRequestToken": "a-token"}


pytestmark = pytest.mark.usefixtures("new_connections")


class Requests:
    """A server that records the requests it received, and responds to them with an empty object."""

    def __init__(self) -> None:
        self.received: list[Request] = []

    def __call__(self, connection: Connection) -> None:
        while request := connection.request():
            self.received.append(request)
            connection.send(answer(200, b"{}", Content_Type="application/x-amz-json-1.0"))


def write_transaction(url: str, monkeypatch: pytest.MonkeyPatch, *, times: int = 1) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    for _ in range(times):
        aws.client("dynamodb").transact_write_items(**TRANSACTION)


def same_in_all_requests(request: Request) -> list[str]:
    """Return the lines of a request that do not contain a time or a signature."""
    names = ("post ", "content-type:", "x-amz-target:", "x-amz-security-token:")
    return [line for line in request.head.lower().split("\r\n") if line.startswith(names)]


def test_a_transaction_is_the_same_request_as_one_of_an_unchanged_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(requests := Requests()) as server:
        write_transaction(server.url, monkeypatch)
        unchanged: Any = get_session().create_client("dynamodb", endpoint_url=server.url)
        unchanged.transact_write_items(**TRANSACTION)
        unchanged.close()
    by_this_layer, by_botocore = requests.received
    assert json.loads(by_this_layer.body) == json.loads(by_botocore.body)
    assert same_in_all_requests(by_this_layer) == same_in_all_requests(by_botocore)


@pytest.mark.parametrize("service", ["dynamodb", "secretsmanager", "sqs"])
def test_a_client_is_created_for_its_service(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert aws.client(service).meta.service_model.service_name == service


def test_the_authorities_are_read_once_for_all_services_and_connections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, context = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with RawServer(requests := Requests(), context) as server:
        write_transaction(server.url, monkeypatch)
        monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", None)
        monkeypatch.setattr(ssl, "create_default_context", None)
        aws.connections("https").clear()
        write_transaction(server.url, monkeypatch, times=2)
        aws.client("secretsmanager").get_secret_value(SecretId="a-secret")
    assert len(requests.received) == 4
    assert server.connections == 2


def test_nothing_is_sent_to_a_server_with_an_untrusted_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, context = self_signed(tmp_path)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    with RawServer(requests := Requests(), context) as server:
        with pytest.raises(BotoCoreError, match="CERTIFICATE_VERIFY_FAILED"):
            write_transaction(server.url, monkeypatch)
        assert server.connections == 2
    assert requests.received == []


def test_a_connection_that_broke_while_idle_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = []

    def serve(connection: Connection) -> None:
        answered.append(connection.request())
        connection.send(answer(200, b"{}"))
        connection.head()  # of a second request, which gets no response
        connection.reset()

    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    with RawServer(serve) as server:
        write_transaction(server.url, monkeypatch, times=3)
        assert server.connections == 3
    assert len(answered) == 3


def test_an_incomplete_response_is_requested_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{", answer(200, b"{}")]

    def serve(connection: Connection) -> None:
        connection.request()
        connection.send(answers.pop(0))

    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    with RawServer(serve) as server:
        write_transaction(server.url, monkeypatch)
    assert answers == []
