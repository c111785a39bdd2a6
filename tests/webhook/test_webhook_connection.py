"""The deployed client on a real connection: its requests, its errors and its retries."""

import json
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from gatewayapi import aws
from gatewayapi.errors import StorageError, UnstorableError
from gatewayapi.record import EventRecord
from gatewayapi.table import Table
from gatewayapi.webhook_body import quarantined, read
from tests.webhook.webhook_function import NOW, Fields, envelope

PROVIDER_WAITS_S = 5
# botocore waits up to a second before its second attempt.
MAX_BACKOFF_S = 1
# For a cold start and the network.
MARGIN_S = 1

DONE: tuple[int, Fields] = (200, {})
LOST = None
VERSION = "com.amazonaws.dynamodb.v20120810#"


@dataclass
class FakeDynamoDb:
    """A DynamoDB with prepared answers. It closes the connection for LOST, and records the requests."""

    answers: list[tuple[int, Fields] | None] = field(default_factory=list)
    requests: list[Fields] = field(default_factory=list)
    table: Table = field(init=False)


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDynamoDb]:
    dynamodb = FakeDynamoDb()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            dynamodb.requests.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            answer = dynamodb.answers.pop(0)
            if answer is LOST:
                self.close_connection = True
                return
            body = json.dumps(answer[1]).encode()
            self.send_response(answer[0])
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Do not log."""

    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True  # a thread can wait on an idle connection of the client's pool
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        aws.client.cache_clear()
        client = aws.client("dynamodb")
        dynamodb.table = Table(client, "a-table", retention_days=90)
        yield dynamodb
        client.close()
        aws.client.cache_clear()
        server.shutdown()
        thread.join()


def record() -> EventRecord:
    body = json.dumps(envelope()).encode()
    return read(body, "v1=0", received_at=NOW, expires_at=NOW + timedelta(days=90))


def cancelled(*codes: str) -> tuple[int, Fields]:
    reasons = [{"Code": code} for code in codes]
    return 400, {"__type": VERSION + "TransactionCanceledException", "CancellationReasons": reasons}


def refused(code: str, status: int = 400) -> tuple[int, Fields]:
    return status, {"__type": VERSION + code, "message": "on order"}


def test_an_event_is_one_transaction_of_one_request(dynamodb: FakeDynamoDb) -> None:
    dynamodb.answers = [DONE]
    assert dynamodb.table.store(record())
    (request,) = dynamodb.requests
    put, move = request["TransactItems"]
    assert put["Put"]["Item"] == record().to_item()
    assert move["Update"]["Key"] == {"pk": {"S": "order-1"}, "sk": {"S": "MESSAGE"}}


def test_after_a_lost_answer_the_same_transaction_is_sent_again(dynamodb: FakeDynamoDb) -> None:
    # DynamoDB recognises the second request by its token, and does not write twice.
    dynamodb.answers = [LOST, DONE]
    assert dynamodb.table.store(record())
    first, second = dynamodb.requests
    assert first["ClientRequestToken"]
    assert first == second


def test_the_next_transaction_has_another_token(dynamodb: FakeDynamoDb) -> None:
    dynamodb.answers = [cancelled("None", "ConditionalCheckFailed"), DONE]
    assert dynamodb.table.store(record())
    both, alone = dynamodb.requests
    assert both["ClientRequestToken"] != alone["ClientRequestToken"]
    both_event, alone_event = (request["TransactItems"][0]["Put"]["Item"] for request in (both, alone))
    # The event belongs to no message record, so it is in the index by_phone_number.
    assert alone_event == both_event | {
        "phone_number": {"S": "4512345678"},
        "recorded_at": both_event["received_at"],
    }


def test_bytes_are_sent_as_base64(dynamodb: FakeDynamoDb) -> None:
    dynamodb.answers = [DONE]
    body = bytes(range(256))
    assert dynamodb.table.quarantine(quarantined(body, "v1=0", "not UTF-8", received_at=NOW, expires_at=NOW))
    (request,) = dynamodb.requests
    assert b64decode(request["TransactItems"][0]["Put"]["Item"]["body"]["B"]) == body


def test_a_known_event_is_recognised_by_the_cancellation(dynamodb: FakeDynamoDb) -> None:
    dynamodb.answers = [cancelled("ConditionalCheckFailed", "None")]
    assert not dynamodb.table.store(record())


@pytest.mark.parametrize(
    ("answer", "requests", "error"),
    [
        (LOST, 2, StorageError),
        (refused("InternalServerError", 500), 2, StorageError),
        (refused("ServiceUnavailable", 503), 2, StorageError),
        (refused("ThrottlingException"), 2, StorageError),
        (refused("ProvisionedThroughputExceededException"), 2, StorageError),
        (cancelled("ThrottlingError", "None"), 4, StorageError),
        (refused("AccessDeniedException"), 1, StorageError),
        (refused("ResourceNotFoundException"), 1, StorageError),
        (cancelled("ValidationError", "None"), 1, UnstorableError),
        (refused("ValidationException"), 1, UnstorableError),
    ],
)
def test_temporary_errors_are_retried_and_permanent_ones_are_not(
    dynamodb: FakeDynamoDb, answer: tuple[int, Fields] | None, requests: int, error: type[Exception]
) -> None:
    dynamodb.answers = [answer] * requests
    with pytest.raises(error) as raised:
        dynamodb.table.store(record())
    assert raised.type is error
    assert len(dynamodb.requests) == requests


def test_a_call_to_dynamodb_fails_before_the_provider_stops_waiting() -> None:
    options: Any = aws.CONFIG  # botocore sets them by name
    assert options.retries["mode"] == "standard"
    attempts = options.retries["total_max_attempts"]
    wait_s = max(options.connect_timeout, options.read_timeout)
    assert attempts * wait_s + (attempts - 1) * MAX_BACKOFF_S <= PROVIDER_WAITS_S - MARGIN_S
