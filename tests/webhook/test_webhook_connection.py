"""The client that is deployed, on a real connection: what it sends, makes of the answers, and when it gives up."""

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
# What is left for a cold start and the way there and back.
MARGIN_S = 1

DONE: tuple[int, Fields] = (200, {})
LOST = None
VERSION = "com.amazonaws.dynamodb.v20120810#"


@dataclass
class Wire:
    """A DynamoDB that answers as ordered, or hangs up, and remembers what it was asked."""

    answers: list[tuple[int, Fields] | None] = field(default_factory=list)
    asked: list[Fields] = field(default_factory=list)
    table: Table = field(init=False)


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    wire = Wire()

    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            wire.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            given = wire.answers.pop(0)
            if given is LOST:
                self.close_connection = True
                return
            body = json.dumps(given[1]).encode()
            self.send_response(given[0])
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        server.daemon_threads = True  # one may hold an idle connection of the client's pool
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        aws.client.cache_clear()
        client = aws.client("dynamodb")
        wire.table = Table(client, "a-table", retention_days=90)
        yield wire
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


def test_an_event_is_one_transaction_of_one_request(wire: Wire) -> None:
    wire.answers = [DONE]
    assert wire.table.store(record())
    (asked,) = wire.asked
    put, move = asked["TransactItems"]
    assert put["Put"]["Item"] == record().to_item()
    assert move["Update"]["Key"] == {"pk": {"S": "order-1"}, "sk": {"S": "MESSAGE"}}


def test_an_answer_that_is_lost_is_asked_for_again_as_the_same_transaction(wire: Wire) -> None:
    # DynamoDB knows the second request by its token, and does not write twice.
    wire.answers = [LOST, DONE]
    assert wire.table.store(record())
    first, second = wire.asked
    assert first["ClientRequestToken"]
    assert first == second


def test_the_next_transaction_is_another(wire: Wire) -> None:
    wire.answers = [cancelled("None", "ConditionalCheckFailed"), DONE]
    assert wire.table.store(record())
    both, alone = wire.asked
    assert both["ClientRequestToken"] != alone["ClientRequestToken"]
    both_event, alone_event = (asked["TransactItems"][0]["Put"]["Item"] for asked in (both, alone))
    # No record leads to the event, so it is listed by phone number.
    assert alone_event == both_event | {
        "phone_number": {"S": "4512345678"},
        "recorded_at": both_event["received_at"],
    }


def test_bytes_go_over_the_wire_as_base64(wire: Wire) -> None:
    wire.answers = [DONE]
    body = bytes(range(256))
    assert wire.table.quarantine(quarantined(body, "v1=0", "not UTF-8", received_at=NOW, expires_at=NOW))
    (asked,) = wire.asked
    assert b64decode(asked["TransactItems"][0]["Put"]["Item"]["body"]["B"]) == body


def test_a_known_event_is_known_by_the_cancellation(wire: Wire) -> None:
    wire.answers = [cancelled("ConditionalCheckFailed", "None")]
    assert not wire.table.store(record())


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
def test_what_passes_is_tried_twice_and_what_stays_once(
    wire: Wire, answer: tuple[int, Fields] | None, requests: int, error: type[Exception]
) -> None:
    wire.answers = [answer] * requests
    with pytest.raises(error) as raised:
        wire.table.store(record())
    assert raised.type is error
    assert len(wire.asked) == requests


def test_a_dead_dynamodb_is_given_up_while_the_provider_still_listens() -> None:
    options: Any = aws.CONFIG  # botocore sets them by name
    assert options.retries["mode"] == "standard"
    attempts = options.retries["total_max_attempts"]
    wait_s = max(options.connect_timeout, options.read_timeout)
    assert attempts * wait_s + (attempts - 1) * MAX_BACKOFF_S <= PROVIDER_WAITS_S - MARGIN_S
