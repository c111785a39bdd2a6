"""Message records are put under their conditions, and contended ones do not delay the others."""

from datetime import timedelta
from typing import Any

import pytest

from gatewayapi import state
from gatewayapi.message_table import MessageTable, PutFailure, Write
from tests.aws_calls import Refusal, cancelled
from tests.layer.stored_records import (
    NOW,
    TABLE,
    message,
    put_item,
    stored_message,
    stored_messages,
    stored_records,
)
from tests.moto_aws import Aws

URL = "https://dynamodb.invalid"
NEW = [Write(message("order-1")), Write(message("order-2"))]


def items_of_transactions(aws: Aws) -> list[int]:
    """Return the number of items of each transaction."""
    return [len(call["TransactItems"]) for call in aws.calls.parameters("TransactWriteItems")]


def test_a_new_record_is_put_and_read_back_unchanged(aws: Aws, table: MessageTable) -> None:
    full = message(
        "refération 🚀",
        attempts=3,
        fingerprint="f" * 64,
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
    assert stored_message(aws, full.reference) == full


def test_an_existing_record_is_returned_and_not_changed(aws: Aws, table: MessageTable) -> None:
    existing = message(status=state.RETRYING, attempts=2)
    put_item(aws, existing)
    assert table.put([Write(message())]) == {"order-1": existing}
    assert stored_message(aws) == existing


def test_a_record_replaces_the_expected_one(aws: Aws, table: MessageTable) -> None:
    existing, later = message(), message(status=state.ACCEPTED, updated_at=NOW + timedelta(microseconds=1))
    put_item(aws, existing)
    assert table.put([Write(later, existing)]) == {}
    assert stored_message(aws) == later


@pytest.mark.parametrize(
    "changed",
    [{"status": state.ACCEPTED}, {"updated_at": NOW + timedelta(microseconds=1)}, {"forgotten_at": NOW}],
    ids=["another status", "another time", "forgotten"],
)
def test_a_record_that_has_changed_is_not_replaced(aws: Aws, table: MessageTable, changed: dict[str, Any]) -> None:
    expected = message()
    stored = expected._replace(**changed)
    put_item(aws, stored)
    assert table.put([Write(message(status=state.UNCERTAIN), expected)]) == {"order-1": stored}
    assert stored_message(aws) == stored


def test_a_record_that_was_deleted_is_not_written_again(aws: Aws, table: MessageTable) -> None:
    assert table.put([Write(message(status=state.HELD), message())]) == {"order-1": PutFailure.UNUSABLE}
    assert stored_records(aws) == []


def test_an_unreadable_record_affects_only_its_own_message(aws: Aws, table: MessageTable) -> None:
    damaged = {"pk": {"S": "order-1"}, "sk": {"S": "MESSAGE"}, "record_type": {"S": "written by hand"}}
    aws.dynamodb.put_item(TableName=TABLE, Item=damaged)
    assert table.put(NEW) == {"order-1": PutFailure.UNUSABLE}
    assert stored_messages(aws).keys() == {"order-2"}


def test_if_one_record_exists_the_others_are_put_with_one_more_call(aws: Aws, table: MessageTable) -> None:
    existing = message("order-2", state.ACCEPTED)
    put_item(aws, existing)
    first, third = message("order-1"), message("order-3")
    assert table.put([Write(first), Write(message("order-2")), Write(third)]) == {"order-2": existing}
    assert stored_messages(aws) == {"order-1": first, "order-2": existing, "order-3": third}
    assert items_of_transactions(aws) == [3, 2]


def test_a_hundred_records_take_one_call(aws: Aws, table: MessageTable) -> None:
    assert table.put([Write(message(f"order-{number}")) for number in range(100)]) == {}
    assert aws.calls.counts() == {"TransactWriteItems": 1}
    assert len(stored_messages(aws)) == 100


def test_without_records_no_call_is_made(aws: Aws, table: MessageTable) -> None:
    assert table.put([]) == {}
    assert not aws.calls.counts()


def test_records_are_put_one_by_one_after_a_conflict_of_one_of_them(aws: Aws, table: MessageTable) -> None:
    aws.calls.refuse("TransactWriteItems", cancelled("TransactionConflict", "None"))
    assert table.put(NEW, patience_s=1) == {}
    assert items_of_transactions(aws) == [2, 1, 1]
    assert stored_messages(aws).keys() == {"order-1", "order-2"}


def test_a_record_that_is_always_in_conflict_does_not_delay_the_others(aws: Aws, table: MessageTable) -> None:
    def conflict(parameters: dict[str, Any]) -> Any:  # noqa: ANN401 - botocore's answer
        references = [item["Put"]["Item"]["pk"]["S"] for item in parameters["TransactItems"]]
        codes = ["TransactionConflict" if reference == "order-1" else "None" for reference in references]
        return cancelled(*codes).response() if "order-1" in references else None

    aws.calls.before("TransactWriteItems", conflict, count=None)
    assert table.put([*NEW, Write(message("order-3"))], patience_s=1) == {"order-1": PutFailure.CONTENDED}
    assert stored_messages(aws).keys() == {"order-2", "order-3"}


def test_after_a_conflict_a_record_that_exists_is_not_tried_again(aws: Aws, table: MessageTable) -> None:
    existing = message("order-1", state.HELD)
    exists = {"Code": "ConditionalCheckFailed", "Item": existing.to_item()}
    conflict = {"Code": "TransactionConflict"}
    refusal = Refusal("TransactionCanceledException", reasons=(exists, conflict))
    aws.calls.refuse("TransactWriteItems", refusal)
    assert table.put(NEW, patience_s=1) == {"order-1": existing}
    assert items_of_transactions(aws) == [2, 1]
    assert stored_messages(aws).keys() == {"order-2"}


def test_a_throttled_transaction_is_tried_again(aws: Aws, table: MessageTable) -> None:
    aws.calls.refuse("TransactWriteItems", cancelled("None", "ThrottlingError"), count=8)
    assert table.put(NEW, patience_s=8) == {}
    assert stored_messages(aws).keys() == {"order-1", "order-2"}


def test_a_write_whose_answer_was_lost_is_recognised_by_the_next_try(aws: Aws, table: MessageTable) -> None:
    aws.calls.lose_answer("TransactWriteItems")
    assert table.put([Write(message())], patience_s=1) == {}
    assert stored_message(aws) == message()
