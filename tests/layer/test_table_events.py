"""A webhook's event in the table: filed once, and the message moved forward only."""

import itertools
import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from gatewayapi import state
from gatewayapi.errors import StorageError
from gatewayapi.record import EventRecord, from_item
from gatewayapi.table import EVENT_TRIES, Table, Write
from tests.aws_calls import Refusal
from tests.conftest import ENVIRONMENT
from tests.layer.test_table import CANCELED, CONFLICT, NO_REASON, NOW, found, message
from tests.moto_aws import Aws

MSG_ID = "01JQRJWK259Y1YEECJZB50908V"
FINAL_ERROR = {"hex_code": "0x1701", "details": "Handset not in reach"}


def event(status: str, after_s: float = 10, **fields: Any) -> EventRecord:  # noqa: ANN401 - any field
    at = NOW + timedelta(seconds=after_s)
    given = {
        "key": "order-1",
        "event_id": f"{status}-{after_s}",
        "event_type": "message.status.sms",
        "timestamp": at,
        "received_at": at + timedelta(seconds=1),
        "expires_at": (at + timedelta(days=90)).replace(microsecond=0),
        "body": "{}",
        "signature": "v1=00",
        "msg_id": MSG_ID,
        "reference": "order-1",
        "status": status,
        "status_at": at,
        "recipient": 4512345678,
    }
    return EventRecord(**{**given, **fields})


def events_filed(aws: Aws) -> set[str]:
    items = aws.dynamodb.scan(TableName=ENVIRONMENT["TABLE_NAME"])["Items"]
    return {each.event_id for each in map(from_item, items) if isinstance(each, EventRecord)}


def test_a_status_is_filed_and_moves_its_message_in_one_call(aws: Aws, table: Table) -> None:
    error = {"code": "UNCERTAIN", "details": "…"}
    table.put([Write(message(status=state.UNCERTAIN, lease_until=NOW, error=error))])
    aws.calls.forget()
    delivered = event("DELIVERED")
    assert table.store(delivered)
    assert aws.calls.counts() == {"TransactWriteItems": 1}
    moved = found(aws)
    assert moved is not None
    assert (moved.status, moved.msg_id, moved.status_at) == ("DELIVERED", MSG_ID, delivered.status_at)
    assert (moved.updated_at, moved.expires_at) == (delivered.received_at, delivered.expires_at)
    assert (moved.lease_until, moved.error) == (None, None)
    assert moved.queued_at == NOW


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (FINAL_ERROR, {"code": "0x1701", "details": "Handset not in reach"}),
        ({"rcs": [1]}, {"code": "PROVIDER", "details": {"rcs": [1]}}),
    ],
)
def test_the_providers_error_is_kept_with_the_message(
    aws: Aws, table: Table, error: dict[str, Any], kept: dict[str, Any]
) -> None:
    table.put([Write(message(status=state.ACCEPTED))])
    assert table.store(event("UNDELIVERABLE", error=error))
    moved = found(aws)
    assert moved is not None
    assert moved.error == kept


@pytest.mark.parametrize("status", list(state.RANKS))
def test_a_delivery_report_settles_a_message_in_any_lower_state(aws: Aws, table: Table, status: str) -> None:
    table.put([Write(message(status=status, status_at=NOW + timedelta(hours=1)))])
    assert table.store(event("DELIVERED"))
    moved = found(aws)
    assert moved is not None
    lower = state.rank(status) < state.rank("DELIVERED")
    assert moved.status == ("DELIVERED" if lower else status)


STRANGER: dict[str, Any] = {"msg_id": "01JQRJWK259Y1YEECJZB50909W", "recipient": 4587654321}


@pytest.mark.parametrize("status", [state.SENDING, state.UNCERTAIN, state.RETRYING, state.HELD, state.ACCEPTED])
def test_another_senders_event_under_our_reference_is_filed_and_moves_nothing(
    aws: Aws, table: Table, status: str
) -> None:
    ours = message(status=status, recipient=4512345678, msg_id=MSG_ID if status == state.ACCEPTED else None)
    table.put([Write(ours)])
    assert table.store(event("DELIVERED", **STRANGER))
    assert found(aws) == ours
    assert events_filed(aws) == {"DELIVERED-10"}


@pytest.mark.parametrize("recipient", ["+45 12 34 56 78", "abc", "", None])
def test_an_event_whose_recipient_is_no_number_moves_its_message(
    aws: Aws, table: Table, recipient: str | None
) -> None:
    table.put([Write(message(status=state.UNCERTAIN))])
    assert table.store(event("DELIVERED", recipient=recipient))
    (call,) = aws.calls.parameters("TransactWriteItems")[1:]
    update = call["TransactItems"][1]["Update"]
    assert ":recipient" not in update["ExpressionAttributeValues"]  # DynamoDB would refuse what is no number
    moved = found(aws)
    assert moved is not None
    assert moved.status == "DELIVERED"


@pytest.mark.parametrize("known", [{"msg_id": MSG_ID}, {"recipient": 4512345678}], ids=["id", "number"])
def test_the_id_or_the_number_is_enough_to_know_a_message(aws: Aws, table: Table, known: dict[str, Any]) -> None:
    table.put([Write(message(status=state.UNCERTAIN, **{"recipient": None, **known}))])
    assert table.store(event("DELIVERED"))
    moved = found(aws)
    assert moved is not None
    assert moved.status == "DELIVERED"


@pytest.mark.parametrize("own", [state.HELD, state.RETRYING, state.INVALID, state.LAPSED, state.SENDING])
def test_a_status_named_like_one_of_ours_is_filed_and_moves_nothing(aws: Aws, table: Table, own: str) -> None:
    before = message(status=state.ACCEPTED)
    table.put([Write(before)])
    assert table.store(event(own))
    assert found(aws) == before
    assert len(events_filed(aws)) == 1


def test_a_status_that_is_new_to_us_ranks_with_enroute(aws: Aws, table: Table) -> None:
    table.put([Write(message(status=state.ACCEPTED))])
    for status, after_s, expected in (("QUEUED_AT_OPERATOR", 1, "QUEUED_AT_OPERATOR"), ("ENROUTE", 2, "ENROUTE")):
        assert table.store(event(status, after_s))
        moved = found(aws)
        assert moved is not None
        assert moved.status == expected


def test_a_known_event_is_known_and_changes_nothing(aws: Aws, table: Table) -> None:
    table.put([Write(message(status=state.ACCEPTED))])
    assert table.store(event("ENROUTE", event_id="same"))
    before = found(aws)
    assert not table.store(event("DELIVERED", event_id="same"))
    assert found(aws) == before


def test_an_event_of_a_message_that_is_not_ours_is_filed_alone(aws: Aws, table: Table) -> None:
    assert table.store(event("DELIVERED"))
    assert found(aws) is None
    assert table.store(event("DELIVERED", key=MSG_ID, reference=None, event_id="without a reference"))
    assert len(events_filed(aws)) == 2


def test_any_order_of_events_with_repetitions_ends_in_the_same_state(aws: Aws, table: Table) -> None:
    history = [
        event("ENROUTE", 1),
        event("ENROUTE", 5),
        event("UNKNOWN", 5),
        event("UNDELIVERABLE", 6, error=FINAL_ERROR),
        event("DELIVERED", 6),
    ]
    ends = set()
    chance = random.Random(1)
    for number, order in enumerate(itertools.permutations(history)):
        if number % 12:  # ten of the 120 orders
            continue
        name = f"order-{number}"
        table.put([Write(message(name, state.ACCEPTED))])
        for each in [*order, *chance.sample(order, 2)]:
            fields = {"key": name, "reference": name, "event_id": each.event_id, "error": each.error}
            table.store(event(each.status or "", seconds_after(each), **fields))
        last = found(aws, name)
        assert last is not None
        ends.add((last.status, last.status_at, str(last.error)))
    # Both final statuses are of one moment: the greater name wins, whichever came first.
    assert {status for status, _, _ in ends} == {"UNDELIVERABLE"}
    assert len(ends) == 1


def seconds_after(each: EventRecord) -> float:
    assert isinstance(each.status_at, datetime)
    return (each.status_at - NOW).total_seconds()


def test_an_event_in_conflict_is_stored_by_a_later_try(aws: Aws, table: Table) -> None:
    table.put([Write(message(status=state.ACCEPTED))])
    aws.calls.refuse("TransactWriteItems", Refusal(CANCELED, reasons=(NO_REASON, CONFLICT)), count=2)
    assert table.store(event("DELIVERED"))
    moved = found(aws)
    assert moved is not None
    assert moved.status == "DELIVERED"


def test_an_event_in_a_lasting_conflict_is_not_stored_and_says_so(aws: Aws, table: Table) -> None:
    aws.calls.refuse("TransactWriteItems", Refusal(CANCELED, reasons=(NO_REASON, CONFLICT)), count=None)
    with pytest.raises(StorageError):
        table.store(event("DELIVERED"))
    assert aws.calls.counts() == {"TransactWriteItems": EVENT_TRIES}
    assert not events_filed(aws)
