"""The table's writes against a DynamoDB: each condition, and each way in which it does not answer."""

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
CONFLICT: dict[str, Any] = {"Code": "TransactionConflict", "Message": "another transaction is at it"}
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
    """The record as it stands, read past the code under test."""
    key = {"pk": {"S": reference}, "sk": {"S": "MESSAGE"}}
    item = aws.dynamodb.get_item(TableName=ENVIRONMENT["TABLE_NAME"], Key=key).get("Item")
    record = from_item(item) if item else None
    assert record is None or isinstance(record, MessageRecord)
    return record


def test_a_record_is_put_where_there_is_none_and_comes_back_as_it_was(aws: Aws, table: Table) -> None:
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


def test_a_record_in_the_way_comes_back_and_stays(aws: Aws, table: Table) -> None:
    there = message(status=state.RETRYING, attempts=2)
    table.put([Write(there)])
    assert table.put([Write(message())]) == {"order-1": there}
    assert found(aws) == there


def test_a_record_is_put_over_the_one_that_was_seen(aws: Aws, table: Table) -> None:
    seen, later = message(), message(status=state.ACCEPTED, updated_at=NOW + timedelta(microseconds=1))
    table.put([Write(seen)])
    assert table.put([Write(later, seen)]) == {}
    assert found(aws) == later


@pytest.mark.parametrize(
    "changed",
    [{"status": state.ACCEPTED}, {"updated_at": NOW + timedelta(microseconds=1)}],
    ids=["another status", "another time"],
)
def test_a_record_that_changed_since_it_was_seen_is_in_the_way(
    aws: Aws, table: Table, changed: dict[str, Any]
) -> None:
    seen = message()
    now_there = replace(seen, **changed)
    table.put([Write(now_there)])
    assert table.put([Write(message(status=state.UNCERTAIN), seen)]) == {"order-1": now_there}
    assert found(aws) == now_there


def test_a_record_deleted_since_it_was_seen_is_not_made_anew(aws: Aws, table: Table) -> None:
    assert table.put([Write(message(status=state.HELD), message())]) == {"order-1": Unwritten.UNREADABLE}
    assert found(aws) is None


def test_one_record_in_the_way_costs_the_others_one_more_call(aws: Aws, table: Table) -> None:
    there = message("order-2", state.ACCEPTED)
    table.put([Write(there)])
    aws.calls.forget()
    wanted = [message(f"order-{number}") for number in (1, 2, 3)]
    assert table.put([Write(each) for each in wanted]) == {"order-2": there}
    assert [found(aws, each.reference) for each in wanted] == [wanted[0], there, wanted[2]]
    assert aws.calls.counts()["TransactWriteItems"] == 2


def test_a_hundred_records_take_one_call(aws: Aws, table: Table) -> None:
    assert table.put([Write(message(f"order-{number}")) for number in range(100)]) == {}
    assert aws.calls.counts() == {"TransactWriteItems": 1}
    assert aws.dynamodb.scan(TableName=ENVIRONMENT["TABLE_NAME"], Select="COUNT")["Count"] == 100


def test_no_records_take_no_call(aws: Aws, table: Table) -> None:
    assert table.put([]) == {}
    assert not aws.calls.counts()


def test_a_transaction_conflict_is_tried_again(aws: Aws, table: Table) -> None:
    aws.calls.refuse("TransactWriteItems", Refusal(CANCELED, reasons=(CONFLICT, NO_REASON)))
    assert table.put([Write(message("order-1")), Write(message("order-2"))], patience_s=1) == {}
    assert [len(call["TransactItems"]) for call in aws.calls.parameters("TransactWriteItems")] == [2, 1, 1]
    assert found(aws, "order-1")
    assert found(aws, "order-2")


def test_a_contended_record_does_not_keep_back_the_others(aws: Aws, table: Table) -> None:
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


def test_a_conflict_beside_an_obstacle_is_tried_again_without_it(aws: Aws, table: Table) -> None:
    there = message("order-1", state.HELD)
    reasons = ({"Code": "ConditionalCheckFailed", "Item": there.to_item()}, CONFLICT)
    aws.calls.refuse("TransactWriteItems", Refusal(CANCELED, reasons=reasons))
    assert table.put([Write(message("order-1")), Write(message("order-2"))], patience_s=1) == {"order-1": there}
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
    ids=lambda refusal: f"{refusal.code} {[each['Code'] for each in refusal.reasons or ()]}",
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


def test_a_write_whose_answer_was_lost_is_found_by_the_next_try(aws: Aws, table: Table) -> None:
    aws.calls.lose_answer("TransactWriteItems")
    assert table.put([Write(message())], patience_s=1) == {}
    assert found(aws) == message()


def test_a_forgotten_record_is_not_written_over(aws: Aws, table: Table) -> None:
    existing = message(status=state.INVALID)
    table.put([Write(replace(existing, forgotten_at=NOW))])
    assert "order-1" in table.put([Write(message(), existing)])
    assert found(aws) == replace(existing, forgotten_at=NOW)


def test_an_unreadable_record_is_in_the_way_of_its_own_message_only(aws: Aws, table: Table) -> None:
    broken = {"pk": {"S": "order-1"}, "sk": {"S": "MESSAGE"}, "record_type": {"S": "written by hand"}}
    aws.dynamodb.put_item(TableName=ENVIRONMENT["TABLE_NAME"], Item=broken)
    assert table.put([Write(message("order-1")), Write(message("order-2"))]) == {"order-1": Unwritten.UNREADABLE}
    assert found(aws, "order-2")


def quarantined(body: bytes = b"signed rubbish") -> QuarantineRecord:
    return QuarantineRecord("a" * 64, body, "v1=00", "not JSON", NOW, NOW.replace(microsecond=0))


@pytest.mark.parametrize("body", ["text", b"\xff\x00"])
def test_a_quarantined_body_is_filed_once_and_whole(aws: Aws, table: Table, body: str | bytes) -> None:
    record = replace(quarantined(), body=body)
    assert [table.quarantine(record), table.quarantine(record)] == [True, False]
    (item,) = aws.dynamodb.scan(TableName=ENVIRONMENT["TABLE_NAME"])["Items"]
    assert from_item(item) == record


def test_a_quarantine_in_conflict_is_tried_again_a_few_times(aws: Aws, table: Table) -> None:
    aws.calls.refuse("TransactWriteItems", Refusal(CANCELED, reasons=(CONFLICT,)))
    assert table.quarantine(quarantined())
    aws.calls.forget()
    aws.calls.refuse("TransactWriteItems", Refusal(CANCELED, reasons=(CONFLICT,)), count=None)
    with pytest.raises(StorageError):
        table.quarantine(quarantined())
    assert aws.calls.counts() == {"TransactWriteItems": EVENT_TRIES}
