"""The table on a real connection: the requests of its client, and how often they are repeated."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gatewayapi import aws
from gatewayapi.errors import StorageError, UnstorableError
from gatewayapi.event_table import EventTable
from tests.layer.raw_server import Connection, RawServer, answer
from tests.layer.stored_records import event

PROVIDER_WAITS_S = 5
# botocore waits up to a second before its second attempt.
MAX_BACKOFF_S = 1
# For a cold start and the network.
MARGIN_S = 1

EVENT = event("DELIVERED")


def dynamodb_answer(status: int, **fields: object) -> bytes:
    return answer(status, json.dumps(fields).encode(), Content_Type="application/x-amz-json-1.0")


def refused(code: str, status: int = 400, **fields: object) -> bytes:
    return dynamodb_answer(status, __type=f"com.amazonaws.dynamodb.v20120810#{code}", **fields)


def cancelled(*codes: str) -> bytes:
    return refused("TransactionCanceledException", CancellationReasons=[{"Code": code} for code in codes])


DONE = dynamodb_answer(200)
LOST = b""


class FakeDynamoDb:
    """Sends prepared answers, and records the requests. For LOST it closes the connection."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []
        self.requests: list[dict[str, Any]] = []

    def serve(self, connection: Connection) -> None:
        while request := connection.request():
            self.requests.append(json.loads(request.body))
            next_answer = self.answers.pop(0)
            if next_answer == LOST:
                return
            connection.send(next_answer)


@pytest.fixture
def dynamodb() -> FakeDynamoDb:
    return FakeDynamoDb()


@pytest.fixture
def table(new_connections: None, dynamodb: FakeDynamoDb, monkeypatch: pytest.MonkeyPatch) -> Iterator[EventTable]:  # noqa: ARG001 - a fixture without a value
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    with RawServer(dynamodb.serve) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", server.url)
        yield EventTable(aws.client("dynamodb"), "a-table", retention_days=90)


def test_after_a_lost_answer_the_same_transaction_is_sent_again(table: EventTable, dynamodb: FakeDynamoDb) -> None:
    # DynamoDB recognises the second request by its token, and does not write twice.
    dynamodb.answers = [LOST, DONE]
    assert table.store(EVENT)
    first, second = dynamodb.requests
    assert first["ClientRequestToken"]
    assert first == second


def test_the_next_transaction_has_another_token(table: EventTable, dynamodb: FakeDynamoDb) -> None:
    dynamodb.answers = [cancelled("None", "ConditionalCheckFailed"), DONE]
    assert table.store(EVENT)
    first, second = dynamodb.requests
    assert [[*item] for request in (first, second) for item in request["TransactItems"]] == [
        ["Put"],
        ["Update"],
        ["Put"],
        ["ConditionCheck"],
    ]
    assert first["ClientRequestToken"] != second["ClientRequestToken"]


@pytest.mark.parametrize(
    ("sent", "requests", "error"),
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
    table: EventTable, dynamodb: FakeDynamoDb, sent: bytes, requests: int, error: type[Exception]
) -> None:
    dynamodb.answers = [sent] * requests
    with pytest.raises(error):
        table.store(EVENT)
    assert len(dynamodb.requests) == requests


def test_a_call_to_dynamodb_fails_before_the_provider_stops_waiting() -> None:
    options: Any = aws.CONFIG  # botocore sets them by name
    assert options.retries["mode"] == "standard"
    attempts = options.retries["total_max_attempts"]
    wait_s = max(options.connect_timeout, options.read_timeout)
    assert attempts * wait_s + (attempts - 1) * MAX_BACKOFF_S <= PROVIDER_WAITS_S - MARGIN_S
