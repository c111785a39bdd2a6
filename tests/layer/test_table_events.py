"""An event is stored once, and moves its message's record forward only."""

import itertools
import random
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from gatewayapi import clock, state
from gatewayapi.errors import StorageError
from gatewayapi.record import EventRecord, MessageRecord, from_item
from gatewayapi.table import EVENT_TRIES, Table, Write
from tests.aws_calls import Refusal
from tests.conftest import ENVIRONMENT
from tests.layer.test_table import CANCELED, CONFLICT, NO_REASON, NOW, found, message
from tests.moto_aws import Aws

MSG_ID = "01JQRJWK259Y1YEECJZB50908V"
OTHER_SYSTEM: dict[str, Any] = {"msg_id": "01JQRJWK259Y1YEECJZB50909W", "recipient": 4587654321}
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


def stored_event_ids(aws: Aws) -> set[str]:
    items = aws.dynamodb.scan(TableName=ENVIRONMENT["TABLE_NAME"])["Items"]
    return {record.event_id for record in map(from_item, items) if isinstance(record, EventRecord)}


def in_doubt(**fields: Any) -> MessageRecord:  # noqa: ANN401 - any field
    """Return a record whose request can have been accepted when MSG_ID was made, on 1 April 2025."""
    at = clock.from_ulid(MSG_ID)
    given = {"status": state.UNCERTAIN, "in_doubt": True, "queued_at": at, "doubt_until": at}
    return message(**{**given, **fields})


def test_an_event_is_stored_and_moves_its_message_in_one_call(aws: Aws, table: Table) -> None:
    error = {"code": "UNCERTAIN", "details": "…"}
    table.put([Write(in_doubt(lease_until=NOW, error=error))])
    aws.calls.forget()
    delivered = event("DELIVERED")
    assert table.store(delivered)
    assert aws.calls.counts() == {"TransactWriteItems": 1}
    moved = found(aws)
    assert moved is not None
    assert (moved.status, moved.msg_id, moved.status_at) == ("DELIVERED", MSG_ID, delivered.status_at)
    assert (moved.updated_at, moved.expires_at) == (delivered.received_at, delivered.expires_at)
    assert (moved.lease_until, moved.error, moved.in_doubt, moved.doubt_until) == (None, None, False, None)


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (FINAL_ERROR, {"code": "0x1701", "details": "Handset not in reach"}),
        ({"rcs": [1]}, {"code": "PROVIDER", "details": {"rcs": [1]}}),
    ],
)
def test_the_providers_error_is_stored_in_the_message_record(
    aws: Aws, table: Table, error: dict[str, Any], kept: dict[str, Any]
) -> None:
    table.put([Write(message(status=state.ACCEPTED, msg_id=MSG_ID))])
    assert table.store(event("UNDELIVERABLE", error=error))
    moved = found(aws)
    assert moved is not None
    assert moved.error == kept


ACCEPTED_OR_FURTHER = [status for status in state.RANKS if state.is_settled(status)]
NEVER_ACCEPTED = [state.RETRYING, state.INVALID, state.LAPSED, state.SUPPRESSED, state.HELD]


@pytest.mark.parametrize("status", ACCEPTED_OR_FURTHER)
def test_an_event_moves_the_record_with_its_msg_id_forward(aws: Aws, table: Table, status: str) -> None:
    table.put([Write(message(status=status, status_at=NOW + timedelta(hours=1), msg_id=MSG_ID))])
    assert table.store(event("DELIVERED"))
    moved = found(aws)
    assert moved is not None
    lower = state.rank(status) < state.rank("DELIVERED")
    assert moved.status == ("DELIVERED" if lower else status)


@pytest.mark.parametrize("status", [state.SENDING, state.UNCERTAIN, state.RETRYING, state.HELD])
def test_an_event_moves_a_record_in_doubt_with_the_same_recipient(aws: Aws, table: Table, status: str) -> None:
    table.put([Write(in_doubt(status=status))])
    assert table.store(event("DELIVERED"))
    moved = found(aws)
    assert moved is not None
    assert (moved.status, moved.msg_id, moved.in_doubt) == ("DELIVERED", MSG_ID, False)


@pytest.mark.parametrize("status", NEVER_ACCEPTED)
def test_no_event_moves_a_message_that_was_not_accepted(aws: Aws, table: Table, status: str) -> None:
    before = in_doubt(status=status, in_doubt=False)
    table.put([Write(before)])
    assert table.store(event("DELIVERED"))
    assert found(aws) == before


@pytest.mark.parametrize(
    ("queued_s", "doubt_s", "lease_s", "moves"),
    [
        (60, 60, None, True),
        (61, 61, None, False),
        (-3600, -300, None, True),
        (-3600, -301, None, False),
        (-3600, None, -300, True),
        (-3600, -301, -301, False),
        (-3600, None, None, False),
    ],
)
def test_the_time_in_the_msg_id_must_be_possible_for_the_request(
    aws: Aws, table: Table, queued_s: int, doubt_s: int | None, lease_s: int | None, *, moves: bool
) -> None:
    accepted_at = clock.from_ulid(MSG_ID)
    assert accepted_at is not None

    def after(seconds: int | None) -> datetime | None:
        return None if seconds is None else accepted_at + timedelta(seconds=seconds)

    record = in_doubt(
        status=state.SENDING, queued_at=after(queued_s), doubt_until=after(doubt_s), lease_until=after(lease_s)
    )
    table.put([Write(record)])
    assert table.store(event("DELIVERED"))
    moved = found(aws)
    assert moved is not None
    assert (moved.status == "DELIVERED") is moves


def test_for_a_msg_id_without_a_time_only_the_recipient_is_compared(aws: Aws, table: Table) -> None:
    table.put([Write(in_doubt(queued_at=NOW, doubt_until=NOW))])
    assert table.store(event("DELIVERED", msg_id="not a ULID"))
    moved = found(aws)
    assert moved is not None
    assert (moved.status, moved.msg_id) == ("DELIVERED", "not a ULID")


def index_keys(aws: Aws) -> list[str | None]:
    """Return the phone number of each event in the index by_phone_number."""
    items = aws.dynamodb.scan(TableName=ENVIRONMENT["TABLE_NAME"])["Items"]
    return [item.get("phone_number", {}).get("S") for item in items if item["record_type"] == {"S": "event"}]


def test_an_event_without_a_message_record_is_in_the_index(aws: Aws, table: Table) -> None:
    table.put([Write(message(status="READ", msg_id=MSG_ID))])
    assert table.store(event("DELIVERED"))
    assert index_keys(aws) == [None]
    assert table.store(event("ENROUTE", msg_id="of another system"))
    assert table.store(event("ENROUTE", event_id="no record", key="order-9", reference="order-9"))
    assert sorted(filter(None, index_keys(aws))) == ["4512345678"] * 2


@pytest.mark.parametrize(("recipient", "key"), [("+45 12 34 56 78", "4512345678"), ("abc", None), (10**30, None)])
def test_an_event_with_a_recipient_of_any_form_is_stored(
    aws: Aws, table: Table, recipient: object, key: str | None
) -> None:
    assert table.store(event("DELIVERED", recipient=recipient))
    assert index_keys(aws) == [key]


def event_without_a_status(**fields: Any) -> EventRecord:  # noqa: ANN401 - any field
    """Return an event of a type that is unknown to this version."""
    return replace(event("none", event_type="message.seen", status_at=None, **fields), status=None)


@pytest.mark.parametrize("msg_id", [MSG_ID, None], ids=["record with a msg_id", "record without one"])
@pytest.mark.parametrize(
    "late",
    [
        event("DELIVERED"),
        event(state.HELD),
        event_without_a_status(),
        event_without_a_status(msg_id=None, sender=4512345678, content="Hello"),
    ],
    ids=["a status", "a status of this stack", "no status", "no status and no msg_id"],
)
def test_an_event_of_a_forgotten_message_is_stored_without_the_person_s_data(
    aws: Aws, table: Table, late: EventRecord, msg_id: str | None
) -> None:
    forgotten = message(status=state.HELD, recipient=None, msg_id=msg_id, forgotten_at=NOW)
    table.put([Write(forgotten)])
    assert table.store(late)
    assert found(aws) == forgotten
    items = aws.dynamodb.scan(TableName=ENVIRONMENT["TABLE_NAME"])["Items"]
    (stored,) = [item for item in items if item["record_type"] == {"S": "event"}]
    assert not stored.keys() & {"body", "signature", "recipient", "sender", "content", "phone_number", "recorded_at"}


def test_an_event_without_a_status_is_stored_whole_if_its_message_is_not_forgotten(table: Table) -> None:
    seen = event_without_a_status()
    table.put([Write(message())])
    assert table.store(seen)
    assert table.store(replace(seen, event_id="no record", key="order-9", reference="order-9"))
    assert table.events("order-1") == [replace(seen, by_phone_number=True)]


def test_an_event_of_another_system_keeps_its_data_if_our_message_is_forgotten(table: Table) -> None:
    table.put([Write(message(recipient=None, msg_id=MSG_ID, forgotten_at=NOW))])
    other = event_without_a_status(**OTHER_SYSTEM)
    assert table.store(other)
    assert table.events("order-1") == [replace(other, by_phone_number=True)]


@pytest.mark.parametrize("status", [state.SENDING, state.UNCERTAIN, state.RETRYING, state.HELD, state.ACCEPTED])
def test_an_event_of_another_system_with_our_reference_moves_no_record(aws: Aws, table: Table, status: str) -> None:
    ours = message(status=status, recipient=4512345678, msg_id=MSG_ID if status == state.ACCEPTED else None)
    table.put([Write(ours)])
    assert table.store(event("DELIVERED", **OTHER_SYSTEM))
    assert found(aws) == ours
    assert stored_event_ids(aws) == {"DELIVERED-10"}


@pytest.mark.parametrize("recipient", ["+45 12 34 56 78", "abc", "", None])
def test_an_event_whose_recipient_is_not_an_integer_moves_a_record_by_msg_id_only(
    aws: Aws, table: Table, recipient: str | None
) -> None:
    table.put([Write(in_doubt())])
    assert table.store(event("DELIVERED", recipient=recipient))
    call = aws.calls.parameters("TransactWriteItems")[1]
    update = call["TransactItems"][1]["Update"]
    assert ":recipient" not in update["ExpressionAttributeValues"]  # DynamoDB would refuse it as a number
    unmoved = found(aws)
    assert unmoved is not None
    assert unmoved.status == state.UNCERTAIN


@pytest.mark.parametrize("own", [state.HELD, state.RETRYING, state.INVALID, state.LAPSED, state.SENDING])
def test_an_event_with_a_status_of_this_stack_is_stored_and_moves_no_record(aws: Aws, table: Table, own: str) -> None:
    before = message(status=state.ACCEPTED)
    table.put([Write(before)])
    assert table.store(event(own))
    assert found(aws) == before
    assert len(stored_event_ids(aws)) == 1


def test_an_event_with_an_unknown_status_has_the_rank_of_enroute(aws: Aws, table: Table) -> None:
    table.put([Write(message(status=state.ACCEPTED, msg_id=MSG_ID))])
    for status, after_s, expected in (("QUEUED_AT_OPERATOR", 1, "QUEUED_AT_OPERATOR"), ("ENROUTE", 2, "ENROUTE")):
        assert table.store(event(status, after_s))
        moved = found(aws)
        assert moved is not None
        assert moved.status == expected


def test_an_event_that_is_stored_already_changes_nothing(aws: Aws, table: Table) -> None:
    table.put([Write(message(status=state.ACCEPTED))])
    assert table.store(event("ENROUTE", event_id="same"))
    before = found(aws)
    assert not table.store(event("DELIVERED", event_id="same"))
    assert found(aws) == before


def test_an_event_of_an_unknown_message_is_stored_alone(aws: Aws, table: Table) -> None:
    assert table.store(event("DELIVERED"))
    assert found(aws) is None
    assert table.store(event("DELIVERED", key=MSG_ID, reference=None, event_id="without a reference"))
    assert len(stored_event_ids(aws)) == 2


def test_any_order_of_events_with_repetitions_leads_to_the_same_final_state(aws: Aws, table: Table) -> None:
    history = [
        event("ENROUTE", 1),
        event("ENROUTE", 5),
        event("UNKNOWN", 5),
        event("UNDELIVERABLE", 6, error=FINAL_ERROR),
        event("DELIVERED", 6),
    ]
    ends = set()
    rng = random.Random(1)
    for number, order in enumerate(itertools.permutations(history)):
        if number % 12:  # ten of the 120 orders
            continue
        name = f"order-{number}"
        table.put([Write(message(name, state.ACCEPTED, msg_id=MSG_ID))])
        for original in [*order, *rng.sample(order, 2)]:
            fields = {"key": name, "reference": name, "event_id": original.event_id, "error": original.error}
            table.store(event(original.status or "", seconds_after(original), **fields))
        last = found(aws, name)
        assert last is not None
        ends.add((last.status, last.status_at, str(last.error)))
    # Both final statuses have the same time, so the last one in alphabetical order is kept.
    assert {status for status, _, _ in ends} == {"UNDELIVERABLE"}
    assert len(ends) == 1


def seconds_after(original: EventRecord) -> float:
    assert isinstance(original.status_at, datetime)
    return (original.status_at - NOW).total_seconds()


def test_an_event_in_conflict_is_stored_by_a_later_try(aws: Aws, table: Table) -> None:
    table.put([Write(message(status=state.ACCEPTED, msg_id=MSG_ID))])
    aws.calls.refuse("TransactWriteItems", Refusal(CANCELED, reasons=(NO_REASON, CONFLICT)), count=2)
    assert table.store(event("DELIVERED"))
    moved = found(aws)
    assert moved is not None
    assert moved.status == "DELIVERED"


def test_an_event_in_a_lasting_conflict_is_not_stored_and_raises_an_error(aws: Aws, table: Table) -> None:
    aws.calls.refuse("TransactWriteItems", Refusal(CANCELED, reasons=(NO_REASON, CONFLICT)), count=None)
    with pytest.raises(StorageError):
        table.store(event("DELIVERED"))
    assert aws.calls.counts() == {"TransactWriteItems": EVENT_TRIES}
    assert not stored_event_ids(aws)
