"""An event is stored once, and moves its message's record forward only."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from gatewayapi import clock, state
from gatewayapi.errors import StorageError
from gatewayapi.event_move import MAX_ACCEPTANCE_DELAY, MAX_CLOCK_DIFFERENCE
from gatewayapi.event_table import TRIES, EventTable
from gatewayapi.record import EventRecord, MessageRecord
from tests.aws_calls import cancelled
from tests.layer.stored_records import (
    MSG_ID,
    NOW,
    event,
    message,
    message_in_doubt,
    put_item,
    quarantined,
    stored_events,
    stored_items,
    stored_message,
    stored_messages,
    stored_records,
)
from tests.moto_aws import Aws

ACCEPTED = message(status=state.ACCEPTED, msg_id=MSG_ID)
ACCEPTED_OR_FURTHER = [status for status in state.RANKS if state.is_accepted(status)]
# The statuses that a record can have while it is not in doubt and not accepted, and those that it can have in doubt.
STATUSES_IF_NOT_ACCEPTED = [state.RETRYING, state.INVALID, state.LAPSED, state.SUPPRESSED, state.HELD]
STATUSES_IN_DOUBT = [state.SENDING, state.UNCERTAIN, state.RETRYING, state.HELD]
# In seconds from the time in the msg_id: the latest possible enqueue time, and the earliest possible `doubt_until` or
# `lease_until`.
LATEST_QUEUED_S = MAX_CLOCK_DIFFERENCE.total_seconds()
EARLIEST_END_S = -MAX_ACCEPTANCE_DELAY.total_seconds()
LONG_BEFORE_S = -3600.0


def test_an_event_is_stored_and_moves_its_message_in_one_call(aws: Aws, event_table: EventTable) -> None:
    before = message_in_doubt(lease_until=NOW, error={"code": "UNCERTAIN", "details": "…"})
    put_item(aws, before)
    aws.calls.forget()
    delivered = event("DELIVERED")
    assert event_table.store(delivered)
    assert aws.calls.counts() == {"TransactWriteItems": 1}
    assert stored_events(aws) == [delivered]
    assert stored_message(aws) == before._replace(
        status="DELIVERED",
        msg_id=MSG_ID,
        status_at=delivered.status_at,
        updated_at=delivered.received_at,
        expires_at=delivered.expires_at,
        lease_until=None,
        error=None,
        in_doubt=False,
        doubt_until=None,
    )


@pytest.mark.parametrize(
    ("error", "stored"),
    [
        (
            {"hex_code": "0x1701", "details": "Handset not in reach"},
            {"code": "0x1701", "details": "Handset not in reach"},
        ),
        ({"rcs": [1]}, {"code": "PROVIDER", "details": {"rcs": [1]}}),
    ],
)
def test_the_providers_error_is_stored_in_the_message_record(
    aws: Aws, event_table: EventTable, error: dict[str, Any], stored: dict[str, Any]
) -> None:
    put_item(aws, ACCEPTED)
    assert event_table.store(event("UNDELIVERABLE", error=error))
    assert stored_message(aws).error == stored


@pytest.mark.parametrize("status", ACCEPTED_OR_FURTHER)
def test_an_event_moves_the_record_with_its_msg_id_forward(aws: Aws, event_table: EventTable, status: str) -> None:
    put_item(aws, ACCEPTED._replace(status=status, status_at=NOW + timedelta(hours=1)))
    assert event_table.store(event("DELIVERED"))
    lower = state.rank(status) < state.rank("DELIVERED")
    assert stored_message(aws).status == ("DELIVERED" if lower else status)


@pytest.mark.parametrize("status", STATUSES_IN_DOUBT)
def test_an_event_moves_a_record_in_doubt_with_the_same_recipient(
    aws: Aws, event_table: EventTable, status: str
) -> None:
    put_item(aws, message_in_doubt(status=status))
    assert event_table.store(event("DELIVERED"))
    moved = stored_message(aws)
    assert (moved.status, moved.msg_id, moved.in_doubt) == ("DELIVERED", MSG_ID, False)


@pytest.mark.parametrize("status", STATUSES_IF_NOT_ACCEPTED)
def test_no_event_moves_a_message_that_was_not_accepted(aws: Aws, event_table: EventTable, status: str) -> None:
    before = message(status=status)
    put_item(aws, before)
    assert event_table.store(event("DELIVERED"))
    assert stored_message(aws) == before


@pytest.mark.parametrize(
    # Seconds relative to the time in the msg_id. None: the attribute is absent.
    ("queued_s", "doubt_s", "lease_s", "moves"),
    [
        (LATEST_QUEUED_S, LATEST_QUEUED_S, None, True),
        (LATEST_QUEUED_S + 1, LATEST_QUEUED_S + 1, None, False),
        (LONG_BEFORE_S, EARLIEST_END_S, None, True),
        (LONG_BEFORE_S, EARLIEST_END_S - 1, None, False),
        (LONG_BEFORE_S, None, EARLIEST_END_S, True),
        (LONG_BEFORE_S, EARLIEST_END_S - 1, EARLIEST_END_S - 1, False),
        (LONG_BEFORE_S, None, None, False),
    ],
)
def test_the_time_in_the_msg_id_must_be_possible_for_the_request(
    aws: Aws, event_table: EventTable, queued_s: float, doubt_s: float | None, lease_s: float | None, *, moves: bool
) -> None:
    accepted_at = clock.from_ulid(MSG_ID)
    assert accepted_at is not None

    def after(seconds: float | None) -> datetime | None:
        return None if seconds is None else accepted_at + timedelta(seconds=seconds)

    put_item(
        aws,
        message_in_doubt(
            status=state.SENDING, queued_at=after(queued_s), doubt_until=after(doubt_s), lease_until=after(lease_s)
        ),
    )
    assert event_table.store(event("DELIVERED"))
    assert (stored_message(aws).status == "DELIVERED") is moves


def test_for_a_msg_id_without_a_time_only_the_recipient_is_compared(aws: Aws, event_table: EventTable) -> None:
    put_item(aws, message_in_doubt(doubt_until=NOW - timedelta(days=1)))
    assert event_table.store(event("DELIVERED", msg_id="not a ULID"))
    assert (stored_message(aws).status, stored_message(aws).msg_id) == ("DELIVERED", "not a ULID")


def phone_numbers_in_the_index(aws: Aws) -> list[str]:
    """Return the phone numbers of the events in the index by_phone_number."""
    events = [item for item in stored_items(aws) if item["record_type"] == {"S": "event"}]
    return [item["phone_number"]["S"] for item in events if "phone_number" in item]


def test_an_event_that_belongs_to_no_message_record_is_in_the_index(aws: Aws, event_table: EventTable) -> None:
    put_item(aws, message(status="READ", msg_id=MSG_ID))
    assert event_table.store(event("DELIVERED"))
    assert phone_numbers_in_the_index(aws) == []
    assert event_table.store(event("ENROUTE", msg_id="of another system"))
    assert event_table.store(event("ENROUTE", reference="order-9"))
    assert phone_numbers_in_the_index(aws) == ["4512345678"] * 2
    assert stored_messages(aws).keys() == {"order-1"}


@pytest.mark.parametrize(("recipient", "in_index"), [("+45 12 34 56 78", ["4512345678"]), ("abc", []), (10**30, [])])
def test_an_event_with_a_recipient_of_any_form_is_stored(
    aws: Aws, event_table: EventTable, recipient: object, in_index: list[str]
) -> None:
    assert event_table.store(event("DELIVERED", recipient=recipient))
    assert phone_numbers_in_the_index(aws) == in_index


def event_without_a_status(**fields: Any) -> EventRecord:  # noqa: ANN401 - the record's
    """Return an event of a type that is unknown to this version."""
    return event(None, **{"event_type": "message.seen", "status_at": None, **fields})


@pytest.mark.parametrize("msg_id", [MSG_ID, None], ids=["record with a msg_id", "record without one"])
@pytest.mark.parametrize(
    "late",
    [
        event("DELIVERED"),
        event(state.HELD),
        event_without_a_status(),
        event_without_a_status(msg_id=None, sender=4512345678, content="Hello"),
    ],
    ids=["a status", "a status that only the sender sets", "no status", "no status and no msg_id"],
)
def test_an_event_of_a_forgotten_message_is_stored_without_the_persons_data(
    aws: Aws, event_table: EventTable, late: EventRecord, msg_id: str | None
) -> None:
    forgotten = message(status=state.HELD, recipient=None, msg_id=msg_id, forgotten_at=NOW)
    put_item(aws, forgotten)
    assert event_table.store(late)
    assert stored_message(aws) == forgotten
    (stored,) = [item for item in stored_items(aws) if item["record_type"] == {"S": "event"}]
    assert not stored.keys() & {"body", "signature", "recipient", "sender", "content", "phone_number", "recorded_at"}


@pytest.mark.parametrize(
    ("record", "fields"),
    [
        (message(), {}),
        (message(recipient=None, msg_id=MSG_ID, forgotten_at=NOW), {"msg_id": "of another system"}),
    ],
    ids=["message not forgotten", "another system's event"],
)
def test_an_event_without_a_status_is_stored_whole_unless_its_message_is_forgotten(
    aws: Aws, event_table: EventTable, record: MessageRecord, fields: dict[str, Any]
) -> None:
    put_item(aws, record)
    unknown = event_without_a_status(**fields)
    assert event_table.store(unknown)
    assert stored_events(aws) == [replace(unknown, by_phone_number=True)]


def test_an_event_that_is_stored_while_its_message_is_forgotten_has_no_personal_data(
    aws: Aws, event_table: EventTable
) -> None:
    put_item(aws, message(status=state.ACCEPTED, msg_id="of another request"))
    forgotten = message(status=state.ACCEPTED, recipient=None, msg_id=MSG_ID, forgotten_at=NOW)
    # The first transaction does not move the record, so the event is stored by a second one.
    aws.calls.before("TransactWriteItems", lambda _: put_item(aws, forgotten), skip=1)
    assert event_table.store(event("DELIVERED"))
    (stored,) = stored_events(aws)
    assert (stored.body, stored.recipient) == ("", None)


@pytest.mark.parametrize("status", [*STATUSES_IN_DOUBT, state.ACCEPTED])
def test_an_event_of_another_system_with_our_reference_moves_no_record(
    aws: Aws, event_table: EventTable, status: str
) -> None:
    before = message(status=status, msg_id=MSG_ID if status == state.ACCEPTED else None)
    put_item(aws, before)
    assert event_table.store(event("DELIVERED", msg_id="01KJMM956GY1YEECJZB50909W1", recipient=4587654321))
    assert stored_message(aws) == before
    assert len(stored_events(aws)) == 1


@pytest.mark.parametrize("recipient", ["+45 12 34 56 78", "abc", "", None])
def test_an_event_whose_recipient_is_not_an_integer_moves_a_record_by_msg_id_only(
    aws: Aws, event_table: EventTable, recipient: str | None
) -> None:
    put_item(aws, message_in_doubt())
    assert event_table.store(event("DELIVERED", recipient=recipient))
    update = aws.calls.parameters("TransactWriteItems")[0]["TransactItems"][1]["Update"]
    assert ":recipient" not in update["ExpressionAttributeValues"]  # DynamoDB would refuse it as a number
    assert stored_message(aws).status == state.UNCERTAIN


@pytest.mark.parametrize("status", [status for status in state.RANKS if not state.is_accepted(status)])
def test_an_event_with_a_status_that_only_the_sender_sets_is_stored_and_moves_no_record(
    aws: Aws, event_table: EventTable, status: str
) -> None:
    before = message(status=state.ACCEPTED)
    put_item(aws, before)
    assert event_table.store(event(status))
    assert stored_message(aws) == before
    assert len(stored_events(aws)) == 1


def test_an_event_with_an_unknown_status_has_the_rank_of_enroute(aws: Aws, event_table: EventTable) -> None:
    put_item(aws, ACCEPTED)
    # Both statuses have the same rank, so the later event wins.
    for after_s, status in enumerate(("QUEUED_AT_OPERATOR", "ENROUTE")):
        assert event_table.store(event(status, after_s))
        assert stored_message(aws).status == status


def test_an_event_with_the_status_accepted_sets_the_status_time(aws: Aws, event_table: EventTable) -> None:
    # The sender writes ACCEPTED without a status_at, so any event of that rank is later.
    put_item(aws, ACCEPTED._replace(accepted_at=NOW))
    accepted = event("ACCEPTED")
    assert event_table.store(accepted)
    moved = stored_message(aws)
    assert (moved.status, moved.status_at, moved.accepted_at) == (state.ACCEPTED, accepted.status_at, NOW)


def test_an_event_that_is_stored_already_changes_nothing(aws: Aws, event_table: EventTable) -> None:
    put_item(aws, ACCEPTED)
    assert event_table.store(event("ENROUTE", event_id="same"))
    before = stored_message(aws)
    assert not event_table.store(event("DELIVERED", event_id="same"))
    assert stored_message(aws) == before


def test_an_event_without_a_reference_is_stored_under_its_msg_id(aws: Aws, event_table: EventTable) -> None:
    without_reference = replace(event("DELIVERED"), key=MSG_ID, reference=None, by_phone_number=True)
    assert event_table.store(without_reference)
    assert stored_events(aws) == [without_reference]


@pytest.mark.parametrize("codes", [("None", "TransactionConflict"), ("TransactionConflict", "None")])
def test_an_event_in_conflict_is_stored_by_a_later_try(
    aws: Aws, event_table: EventTable, codes: tuple[str, str]
) -> None:
    put_item(aws, ACCEPTED)
    aws.calls.refuse("TransactWriteItems", cancelled(*codes), count=TRIES - 1)
    assert event_table.store(event("DELIVERED"))
    assert stored_message(aws).status == "DELIVERED"


def test_an_event_in_conflict_with_its_own_duplicate_is_a_duplicate(aws: Aws, event_table: EventTable) -> None:
    event_table.store(event("DELIVERED"))
    aws.calls.refuse("TransactWriteItems", cancelled("TransactionConflict", "None"))
    assert not event_table.store(event("DELIVERED"))


def test_an_event_in_a_lasting_conflict_is_not_stored_and_raises_an_error(aws: Aws, event_table: EventTable) -> None:
    aws.calls.refuse("TransactWriteItems", cancelled("None", "TransactionConflict"), count=None)
    with pytest.raises(StorageError):
        event_table.store(event("DELIVERED"))
    assert aws.calls.counts() == {"TransactWriteItems": TRIES}
    assert stored_events(aws) == []


@pytest.mark.parametrize("body", ["text", b"\xff\x00"])
def test_a_quarantined_body_is_stored_once_and_unchanged(
    aws: Aws, event_table: EventTable, body: str | bytes
) -> None:
    record = quarantined(body)
    assert [event_table.quarantine(record), event_table.quarantine(record)] == [True, False]
    assert stored_records(aws) == [record]


def test_a_quarantined_body_is_tried_a_few_times_after_conflicts(aws: Aws, event_table: EventTable) -> None:
    aws.calls.refuse("TransactWriteItems", cancelled("TransactionConflict"))
    assert event_table.quarantine(quarantined())
    aws.calls.forget()
    aws.calls.refuse("TransactWriteItems", cancelled("TransactionConflict"), count=None)
    with pytest.raises(StorageError):
        event_table.quarantine(quarantined())
    assert aws.calls.counts() == {"TransactWriteItems": TRIES}
