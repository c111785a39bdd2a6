"""The newest opt-out or opt-in of a person counts, in whatever order they are written."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from gatewayapi.errors import RecordError, StorageError
from gatewayapi.opt_out_record import OptOutRecord, from_values
from gatewayapi.opt_outs import opt_in, opt_out, opted_out
from gatewayapi.record import from_item
from tests.aws_calls import Refusal
from tests.conftest import ENVIRONMENT
from tests.moto_aws import Aws

pytestmark = pytest.mark.usefixtures("table")

TABLE = ENVIRONMENT["TABLE_NAME"]
NUMBER = "4587654321"
NOON = datetime(2025, 4, 1, 12, tzinfo=UTC)


def stored_values(aws: Aws) -> dict[str, Any]:
    (found,) = aws.dynamodb.scan(TableName=TABLE)["Items"]
    return {name: value["S"] for name, value in found.items()}


def test_an_opt_out_is_recorded_without_an_expiry(aws: Aws) -> None:
    assert opt_out(aws.dynamodb, TABLE, "+45 87 65 43 21", source="website", changed_at=NOON)
    assert stored_values(aws) == {
        "pk": "OPT_OUT#4587654321",
        "sk": "OPT_OUT",
        "record_type": "opt_out",
        "status": "OUT",
        "changed_at": "2025-04-01T12:00:00.000000+00:00",
        "source": "website",
    }


def test_a_record_is_read_back_from_its_item(aws: Aws) -> None:
    opt_in(aws.dynamodb, TABLE, NUMBER, source="crm", changed_at=NOON)
    assert from_values(stored_values(aws)) == OptOutRecord(NUMBER, "IN", NOON, "crm")


def test_without_a_time_the_change_is_now(aws: Aws) -> None:
    before = datetime.now(UTC)
    opt_out(aws.dynamodb, TABLE, NUMBER, source="website")
    assert before <= from_values(stored_values(aws)).changed_at <= datetime.now(UTC)


@pytest.mark.parametrize("order", list(permutations([(0, "OUT"), (1, "IN"), (2, "OUT"), (2, "IN")])))
def test_the_newest_change_counts_and_of_two_at_the_same_time_the_opt_out(
    aws: Aws, order: tuple[tuple[int, str], ...]
) -> None:
    for seconds, status in order:
        write = opt_out if status == "OUT" else opt_in
        write(aws.dynamodb, TABLE, NUMBER, source="test", changed_at=NOON + timedelta(seconds=seconds))
    assert (stored_values(aws)["status"], stored_values(aws)["changed_at"]) == (
        "OUT",
        "2025-04-01T12:00:02.000000+00:00",
    )


def test_recording_an_older_change_returns_false(aws: Aws) -> None:
    assert opt_in(aws.dynamodb, TABLE, NUMBER, source="crm", changed_at=NOON)
    assert not opt_out(aws.dynamodb, TABLE, NUMBER, source="import", changed_at=NOON - timedelta(days=1))
    assert stored_values(aws)["source"] == "crm"


@pytest.mark.parametrize("number", ["", "Shop", "004587654321", 45, True])
def test_an_invalid_phone_number_is_refused(aws: Aws, number: str | int) -> None:
    with pytest.raises(ValueError, match="must be"):
        opt_out(aws.dynamodb, TABLE, number, source="website")
    assert not aws.dynamodb.scan(TableName=TABLE)["Items"]


def test_only_the_numbers_that_opted_out_are_found(aws: Aws) -> None:
    opt_out(aws.dynamodb, TABLE, 4500000001, source="test")
    opt_in(aws.dynamodb, TABLE, 4500000002, source="test")
    aws.calls.forget()
    numbers = [4500000001, 4500000002, 4500000003, 4500000001]
    assert opted_out(aws.dynamodb, TABLE, numbers) == {"4500000001"}
    assert aws.calls.counts() == {"BatchGetItem": 1}


def test_without_numbers_no_call_is_made(aws: Aws) -> None:
    assert opted_out(aws.dynamodb, TABLE, []) == set()
    assert not aws.calls.made


@pytest.mark.parametrize("status", [{}, {"status": {"N": "1"}}, {"status": {"S": "in"}}])
def test_a_damaged_record_counts_as_an_opt_out(aws: Aws, status: dict[str, Any]) -> None:
    aws.dynamodb.put_item(TableName=TABLE, Item={"pk": {"S": "OPT_OUT#45"}, "sk": {"S": "OPT_OUT"}, **status})
    assert opted_out(aws.dynamodb, TABLE, ["45"]) == {"45"}


def leave_out_all_but_one(answer: dict[str, Any]) -> None:
    """Change an answer of BatchGetItem: all items but one become unprocessed keys."""
    items = answer["Responses"][TABLE]
    unprocessed = [{"pk": item["pk"], "sk": {"S": "OPT_OUT"}} for item in items[1:]]
    answer["Responses"] = {TABLE: items[:1]}
    answer["UnprocessedKeys"] = {TABLE: {"Keys": unprocessed}} if unprocessed else {}


@pytest.fixture
def three_numbers(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The numbers of three people who opted out. There are no pauses between reads."""
    monkeypatch.setattr("gatewayapi.opt_outs.READ_PAUSE_S", 0)
    numbers = ["4500000001", "4500000002", "4500000003"]
    for number in numbers:
        opt_out(aws.dynamodb, TABLE, number, source="test")
    aws.calls.forget()
    return numbers


def test_keys_that_were_not_read_are_read_again(aws: Aws, three_numbers: list[str]) -> None:
    aws.calls.after("BatchGetItem", leave_out_all_but_one, count=2)
    assert opted_out(aws.dynamodb, TABLE, three_numbers) == set(three_numbers)
    assert aws.calls.counts() == {"BatchGetItem": 3}
    key_counts = [len(call["RequestItems"][TABLE]["Keys"]) for call in aws.calls.parameters("BatchGetItem")]
    assert key_counts == [3, 2, 1]


def test_keys_that_stay_unread_are_an_error(aws: Aws, three_numbers: list[str]) -> None:
    unprocessed = {TABLE: {"Keys": [{"pk": {"S": "OPT_OUT#45"}, "sk": {"S": "OPT_OUT"}}]}}
    aws.calls.after("BatchGetItem", lambda answer: answer.update(UnprocessedKeys=unprocessed), count=None)
    with pytest.raises(StorageError, match="throttled"):
        opted_out(aws.dynamodb, TABLE, three_numbers)


def test_a_table_that_refuses_is_an_error(aws: Aws) -> None:
    aws.calls.refuse("BatchGetItem", Refusal("ProvisionedThroughputExceededException"))
    aws.calls.refuse("PutItem", Refusal("ProvisionedThroughputExceededException"))
    with pytest.raises(StorageError, match="could not be read"):
        opted_out(aws.dynamodb, TABLE, [4500000001])
    with pytest.raises(StorageError, match="not recorded"):
        opt_out(aws.dynamodb, TABLE, 4500000001, source="website")


def test_an_answer_that_is_lost_is_an_error_and_the_opt_out_can_be_recorded_again(aws: Aws) -> None:
    aws.calls.lose_answer("PutItem")
    with pytest.raises(StorageError, match="not recorded"):
        opt_out(aws.dynamodb, TABLE, NUMBER, source="website", changed_at=NOON)
    assert opt_out(aws.dynamodb, TABLE, NUMBER, source="website", changed_at=NOON)
    aws.calls.lose_answer("BatchGetItem")
    with pytest.raises(StorageError, match="could not be read"):
        opted_out(aws.dynamodb, TABLE, [NUMBER])


@pytest.mark.parametrize(
    "damage", [{"status": {"S": "MAYBE"}}, {"status": {"L": []}}, {"changed_at": {"S": "today"}}, {"pk": {"N": "45"}}]
)
def test_reading_a_damaged_record_raises_an_error(damage: dict[str, Any]) -> None:
    with pytest.raises(RecordError):
        from_item(OptOutRecord(NUMBER, "OUT", NOON, "crm").to_item() | damage)
