"""A transaction that DynamoDB refuses or does not answer writes nothing, and its error tells what to do."""

from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError, SSLError

from gatewayapi.errors import StorageError, UnstorableError
from gatewayapi.event_table import EventTable
from gatewayapi.message_table import MessageTable, PutFailure, Write
from tests.aws_calls import Refusal, cancelled
from tests.layer.stored_records import event, message, quarantined, stored_records
from tests.moto_aws import Aws

URL = "https://dynamodb.invalid"


def assert_nothing_is_written(aws: Aws, table: MessageTable, event_table: EventTable, error: type[Exception]) -> None:
    assert table.put([Write(message())], patience_s=1) == {"order-1": PutFailure.UNAVAILABLE}
    with pytest.raises(error):
        event_table.store(event("DELIVERED"))
    with pytest.raises(error):
        event_table.quarantine(quarantined())
    assert stored_records(aws) == []


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal("ThrottlingException"),
        Refusal("ProvisionedThroughputExceededException"),
        Refusal("RequestLimitExceeded"),
        Refusal("TransactionInProgressException"),
        Refusal("InternalServerError", 500),
        Refusal("ServiceUnavailable", 503),
        Refusal("ResourceNotFoundException"),
        Refusal("AccessDeniedException"),
        Refusal("KMSDisabledException"),
    ],
    ids=lambda refusal: refusal.code,
)
def test_a_request_that_dynamodb_refuses_writes_nothing(
    aws: Aws, table: MessageTable, event_table: EventTable, refusal: Refusal
) -> None:
    aws.calls.refuse("TransactWriteItems", refusal, count=None)
    assert_nothing_is_written(aws, table, event_table, StorageError)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ThrottlingError", StorageError),
        ("ProvisionedThroughputExceeded", StorageError),
        ("ItemCollectionSizeLimitExceeded", StorageError),
        ("ACodeOfTheFuture", StorageError),
        ("ValidationError", UnstorableError),
    ],
)
def test_a_cancelled_transaction_writes_nothing(
    aws: Aws, table: MessageTable, event_table: EventTable, code: str, error: type[Exception]
) -> None:
    def cancel(parameters: dict[str, Any]) -> Any:  # noqa: ANN401 - botocore's answer
        return cancelled(code, *["None"] * (len(parameters["TransactItems"]) - 1)).response()

    aws.calls.before("TransactWriteItems", cancel, count=None)
    assert_nothing_is_written(aws, table, event_table, error)


def test_a_cancellation_without_a_reason_for_each_item_writes_nothing(
    aws: Aws, table: MessageTable, event_table: EventTable
) -> None:
    aws.calls.refuse("TransactWriteItems", cancelled(), count=None)
    assert_nothing_is_written(aws, table, event_table, StorageError)


def test_a_request_that_is_not_valid_writes_nothing(aws: Aws, table: MessageTable, event_table: EventTable) -> None:
    aws.calls.refuse("TransactWriteItems", Refusal("ValidationException"), count=None)
    assert_nothing_is_written(aws, table, event_table, UnstorableError)


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url=URL),
        ConnectTimeoutError(endpoint_url=URL),
        ReadTimeoutError(endpoint_url=URL),
        SSLError(endpoint_url=URL, error=ValueError("certificate")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_unreachable_dynamodb_writes_nothing(
    aws: Aws, table: MessageTable, event_table: EventTable, error: Exception
) -> None:
    def fail(_: dict[str, Any]) -> None:
        raise error

    aws.calls.before("TransactWriteItems", fail, count=None)
    assert_nothing_is_written(aws, table, event_table, StorageError)
