"""The writes of the table: every condition, and every error of DynamoDB."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from gatewayapi import state
from gatewayapi.errors import StorageError, UnstorableError
from gatewayapi.record import MessageRecord, QuarantineRecord, from_item
from gatewayapi.table import EVENT_TRIES, Table, Unwritten, Write
from tests.aws_calls import Refusal
from tests.conftest import ENVIRONMENT
from tests.moto_aws import Aws

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, UTC)
CANCELED = "TransactionCanceledException"
CONFLICT: dict[str, Any] = {"Code": "TransactionConflict", "Message": "another transaction is under way"}
NO_REASON: dict[str, Any] = {"Code": "None"}


def message(reference: str = "order-1", status: str = state.SENDING, **fields: Any) -> MessageRecord:  # noqa: ANN401
    given = {
        "queued_at": NOW,
        "updated_at": NOW,
        "expires_at": NOW.replace(microsecond=0) + timedelta(days=90),
        "message_id": f"queue-{reference}",
        "recipient": 4512345678,
    }
    return MessageRecord(reference=reference, status=status, **{**given, **fields})


def found(aws: Aws, reference: str = "order-1") -> MessageRecord | None:
    """Return the stored record, read without the code under test."""
    key = {"pk": {"S": reference}, "sk": {"S": "MESSAGE"}}
    item = aws.dynamodb.get_item(TableName=ENVIRONMENT["TABLE_NAME"], Key=key).get("Item")
    record = from_item(item) if item else None
    assert record is None or isinstance(record, MessageRecord)
    return record


def test_a_new_record_is_put_and_read_back_unchanged(aws: Aws, table: Table) -> None:
    full = message(
        "refération 🚀",
        attempts=3,
        fingerprint="f" * 64,
        recipient=4512345678,
        sender="Shop",
        label="",
        priority="urgent",
        msg_id="01JQRJWK259Y1YEECJZB50908V",
        accepted_at=NOW,
        status_at=NOW,
        lease_until=NOW + timedelta(seconds=30),
        resent=True,
        error={"code": "X", "details": {"any": ["thing", 1, None]}},
    )
    assert table.put([Write(full)]) == {}
    assert found(aws, "refération 🚀") == full


def test_an_existing_record_is_returned_and_not_changed(aws: Aws, table: Table) -> None:
    existing = message(status=state.RETRYING, attempts=2)
    table.put([Write(existing)])
    assert table.put([Write(message())]) == {"order-1": existing}
    assert found(aws) == existing


def test_a_record_replaces_the_expected_one(aws: Aws, table: Table) -> None:
    existing, later = message(), message(status=state.ACCEPTED, updated_at=NOW + timedelta(microseconds=1))
    table.put([Write(existing)])
    assert table.put([Write(later, existing)]) == {}
    assert found(aws) == later


@pytest.mark.parametrize(
    "changed",
    [{"status": state.ACCEPTED}, {"updated_at": NOW + timedelta(microseconds=1)}],
    ids=["another status", "another time"],
)
def test_a_record_that_has_changed_is_not_replaced(aws: Aws, table: Table, changed: dict[str, Any]) -> None:
    existing = message()
    stored = replace(existing, **changed)
    table.put([Write(stored)])
    assert table.put([Write(message(status=state.UNCERTAIN), existing)]) == {"order-1": stored}
    assert found(aws) == stored


def test_a_record_that_was_deleted_is_not_written_again(aws: Aws, table: Table) -> None:
    assert table.put([Write(message(status=state.HELD), message())]) == {"order-1": Unwritten.UNREADABLE}
    assert found(aws) is None


def test_if_one_record_exists_the_others_are_put_with_one_more_call(aws: Aws, table: Table) -> None:
    existing = message("order-2", state.ACCEPTED)
    table.put([Write(existing)])
    aws.calls.forget()
    new = [message(f"order-{number}") for number in (1, 2, 3)]
    assert table.put([Write(record) for record in new]) == {"order-2": existing}
    assert [found(aws, record.reference) for record in new] == [new[0], existing, new[2]]
    assert aws.calls.counts()["TransactWriteItems"] == 2


def test_a_hundred_records_take_one_call(aws: Aws, table: Table) -> None:
    assert table.put([Write(message(f"order-{number}")) for number in range(100)]) == {}
    assert aws.calls.counts() == {"TransactWriteItems": 1}
    assert aws.dynamodb.scan(TableName=ENVIRONMENT["TABLE_NAME"], Select="COUNT")["Count"] == 100


def test_without_records_no_call_is_made(aws: Aws, table: Table) -> None:
    assert table.put([]) == {}
    assert not aws.calls.counts()


def test_a_transaction_conflict_is_tried_again(aws: Aws, table: Table) -> None:
    aws.calls.refuse("TransactWriteItems", Refusal(CANCELED, reasons=(CONFLICT, NO_REASON)))
    assert table.put([Write(message("order-1")), Write(message("order-2"))], patience_s=1) == {}
    assert [len(call["TransactItems"]) for call in aws.calls.parameters("TransactWriteItems")] == [2, 1, 1]
    assert found(aws, "order-1")
    assert found(aws, "order-2")


def test_a_contended_record_does_not_delay_the_others(aws: Aws, table: Table) -> None:
    def conflict(parameters: dict[str, Any]) -> Any:  # noqa: ANN401 - botocore's answer
        keys = [item["Put"]["Item"]["pk"]["S"] for item in parameters["TransactItems"]]
        reasons = tuple(CONFLICT if key == "order-1" else NO_REASON for key in keys)
        return Refusal(CANCELED, reasons=reasons).response() if "order-1" in keys else None

    aws.calls.before("TransactWriteItems", conflict, count=None)
    writes = [Write(message(f"order-{number}")) for number in (1, 2, 3)]
    assert table.put(writes, patience_s=1) == {"order-1": Unwritten.CONTENDED}
    assert found(aws, "order-2")
    assert found(aws, "order-3")


def test_a_throttled_transaction_is_tried_again(aws: Aws, table: Table) -> None:
    reasons = ({"Code": "None"}, {"Code": "ThrottlingError"})
    aws.calls.refuse("TransactWriteItems", Refusal(CANCELED, reasons=reasons), count=8)
    assert table.put([Write(message("order-1")), Write(message("order-2"))], patience_s=8) == {}
    assert found(aws, "order-1")
    assert found(aws, "order-2")


def test_after_a_conflict_only_the_contended_record_is_tried_again(aws: Aws, table: Table) -> None:
    existing = message("order-1", state.HELD)
    reasons = ({"Code": "ConditionalCheckFailed", "Item": existing.to_item()}, CONFLICT)
    aws.calls.refuse("TransactWriteItems", Refusal(CANCELED, reasons=reasons))
    assert table.put([Write(message("order-1")), Write(message("order-2"))], patience_s=1) == {"order-1": existing}
    assert [len(call["TransactItems"]) for call in aws.calls.parameters("TransactWriteItems")] == [2, 1]
    assert found(aws, "order-2")


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal("ThrottlingException"),
        Refusal("ProvisionedThroughputExceededException"),
        Refusal("RequestLimitExceeded"),
        Refusal("TransactionInProgressException"),
        Refusal("InternalServerError", 500),
        Refusal("ResourceNotFoundException"),
        Refusal("AccessDeniedException"),
        Refusal(CANCELED, reasons=({"Code": "ThrottlingError"},)),
        Refusal(CANCELED, reasons=({"Code": "ProvisionedThroughputExceeded"},)),
        Refusal(CANCELED, reasons=({"Code": "ItemCollectionSizeLimitExceeded"},)),
        Refusal(CANCELED, reasons=({"Code": "ValidationError"},)),
        Refusal(CANCELED, reasons=()),
    ],
    ids=lambda refusal: f"{refusal.code} {[reason['Code'] for reason in refusal.reasons or ()]}",
)
def test_an_error_of_dynamodb_leaves_records_unwritten(aws: Aws, table: Table, refusal: Refusal) -> None:
    aws.calls.refuse("TransactWriteItems", refusal, count=None)
    assert table.put([Write(message())], patience_s=1) == {"order-1": Unwritten.UNAVAILABLE}
    with pytest.raises((StorageError, UnstorableError)):
        table.quarantine(quarantined())


def test_an_unreachable_dynamodb_leaves_records_unwritten(aws: Aws, table: Table) -> None:
    def cut(_: dict[str, Any]) -> None:
        raise EndpointConnectionError(endpoint_url="https://dynamodb.invalid")

    aws.calls.before("TransactWriteItems", cut)
    assert table.put([Write(message())]) == {"order-1": Unwritten.UNAVAILABLE}


def test_a_write_whose_answer_was_lost_is_recognised_by_the_next_try(aws: Aws, table: Table) -> None:
    aws.calls.lose_answer("TransactWriteItems")
    assert table.put([Write(message())], patience_s=1) == {}
    assert found(aws) == message()


def test_a_forgotten_record_is_not_written_over(aws: Aws, table: Table) -> None:
    existing = message(status=state.INVALID)
    table.put([Write(replace(existing, forgotten_at=NOW))])
    assert "order-1" in table.put([Write(message(), existing)])
    assert found(aws) == replace(existing, forgotten_at=NOW)


def test_an_unreadable_record_affects_only_its_own_message(aws: Aws, table: Table) -> None:
    broken = {"pk": {"S": "order-1"}, "sk": {"S": "MESSAGE"}, "record_type": {"S": "written by hand"}}
    aws.dynamodb.put_item(TableName=ENVIRONMENT["TABLE_NAME"], Item=broken)
    assert table.put([Write(message("order-1")), Write(message("order-2"))]) == {"order-1": Unwritten.UNREADABLE}
    assert found(aws, "order-2")


def quarantined(body: bytes = b"signed rubbish") -> QuarantineRecord:
    return QuarantineRecord("a" * 64, body, "v1=00", "not JSON", NOW, NOW.replace(microsecond=0))


@pytest.mark.parametrize("body", ["text", b"\xff\x00"])
def test_a_quarantined_body_is_stored_once_and_unchanged(aws: Aws, table: Table, body: str | bytes) -> None:
    record = replace(quarantined(), body=body)
    assert [table.quarantine(record), table.quarantine(record)] == [True, False]
    (item,) = aws.dynamodb.scan(TableName=ENVIRONMENT["TABLE_NAME"])["Items"]
    assert from_item(item) == record


def test_a_quarantined_body_is_tried_a_few_times_after_conflicts(aws: Aws, table: Table) -> None:
    aws.calls.refuse("TransactWriteItems", Refusal(CANCELED, reasons=(CONFLICT,)))
    assert table.quarantine(quarantined())
    aws.calls.forget()
    aws.calls.refuse("TransactWriteItems", Refusal(CANCELED, reasons=(CONFLICT,)), count=None)
    with pytest.raises(StorageError):
        table.quarantine(quarantined())
    assert aws.calls.counts() == {"TransactWriteItems": EVENT_TRIES}
