"""An event is stored once, and moves its message's record forward only."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from gatewayapi import clock, state
from gatewayapi.errors import StorageError
from gatewayapi.table import EVENT_TRIES, Table
from tests.aws_calls import cancelled
from tests.layer.stored_records import (
    MSG_ID,
    NOW,
    event,
    message,
    message_in_doubt,
    put_item,
    stored_events,
    stored_items,
    stored_message,
    stored_messages,
)
from tests.moto_aws import Aws

__all__ = ["event"]

ACCEPTED = message(status=state.ACCEPTED, msg_id=MSG_ID)
ACCEPTED_OR_FURTHER = [status for status in state.RANKS if state.is_settled(status)]
NEVER_ACCEPTED = [state.RETRYING, state.INVALID, state.LAPSED, state.SUPPRESSED, state.HELD]
IN_DOUBT = [state.SENDING, state.UNCERTAIN, state.RETRYING, state.HELD]


def test_an_event_is_stored_and_moves_its_message_in_one_call(aws: Aws, table: Table) -> None:
    before = message_in_doubt(lease_until=NOW, error={"code": "UNCERTAIN", "details": "…"})
    put_item(aws, before)
    aws.calls.forget()
    delivered = event("DELIVERED")
    assert table.store(delivered)
    assert aws.calls.counts() == {"TransactWriteItems": 1}
    assert stored_events(aws) == [delivered]
    assert stored_message(aws) == replace(
        before,
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
    aws: Aws, table: Table, error: dict[str, Any], stored: dict[str, Any]
) -> None:
    put_item(aws, ACCEPTED)
    assert table.store(event("UNDELIVERABLE", error=error))
    assert stored_message(aws).error == stored


@pytest.mark.parametrize("status", ACCEPTED_OR_FURTHER)
def test_an_event_moves_the_record_with_its_msg_id_forward(aws: Aws, table: Table, status: str) -> None:
    put_item(aws, replace(ACCEPTED, status=status, status_at=NOW + timedelta(hours=1)))
    assert table.store(event("DELIVERED"))
    lower = state.rank(status) < state.rank("DELIVERED")
    assert stored_message(aws).status == ("DELIVERED" if lower else status)


@pytest.mark.parametrize("status", IN_DOUBT)
def test_an_event_moves_a_record_in_doubt_with_the_same_recipient(aws: Aws, table: Table, status: str) -> None:
    put_item(aws, message_in_doubt(status=status))
    assert table.store(event("DELIVERED"))
    moved = stored_message(aws)
    assert (moved.status, moved.msg_id, moved.in_doubt) == ("DELIVERED", MSG_ID, False)


@pytest.mark.parametrize("status", NEVER_ACCEPTED)
def test_no_event_moves_a_message_that_was_not_accepted(aws: Aws, table: Table, status: str) -> None:
    before = message(status=status)
    put_item(aws, before)
    assert table.store(event("DELIVERED"))
    assert stored_message(aws) == before


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

    put_item(
        aws,
        message_in_doubt(
            status=state.SENDING, queued_at=after(queued_s), doubt_until=after(doubt_s), lease_until=after(lease_s)
        ),
    )
    assert table.store(event("DELIVERED"))
    assert (stored_message(aws).status == "DELIVERED") is moves


def test_for_a_msg_id_without_a_time_only_the_recipient_is_compared(aws: Aws, table: Table) -> None:
    put_item(aws, message_in_doubt(doubt_until=NOW - timedelta(days=1)))
    assert table.store(event("DELIVERED", msg_id="not a ULID"))
    assert (stored_message(aws).status, stored_message(aws).msg_id) == ("DELIVERED", "not a ULID")


def phone_numbers_in_the_index(aws: Aws) -> list[str]:
    """Return the phone numbers of the events in the index by_phone_number."""
    events = [item for item in stored_items(aws) if item["record_type"] == {"S": "event"}]
    return [item["phone_number"]["S"] for item in events if "phone_number" in item]


def test_an_event_without_a_message_record_is_in_the_index(aws: Aws, table: Table) -> None:
    put_item(aws, message(status="READ", msg_id=MSG_ID))
    assert table.store(event("DELIVERED"))
    assert phone_numbers_in_the_index(aws) == []
    assert table.store(event("ENROUTE", msg_id="of another system"))
    assert table.store(event("ENROUTE", reference="order-9"))
    assert phone_numbers_in_the_index(aws) == ["4512345678"] * 2
    assert stored_messages(aws).keys() == {"order-1"}


@pytest.mark.parametrize(("recipient", "in_index"), [("+45 12 34 56 78", ["4512345678"]), ("abc", []), (10**30, [])])
def test_an_event_with_a_recipient_of_any_form_is_stored(
    aws: Aws, table: Table, recipient: object, in_index: list[str]
) -> None:
    assert table.store(event("DELIVERED", recipient=recipient))
    assert phone_numbers_in_the_index(aws) == in_index


@pytest.mark.parametrize("msg_id", [MSG_ID, None], ids=["with a msg_id", "without one"])
def test_an_event_of_a_forgotten_message_is_stored_without_the_persons_data(
    aws: Aws, table: Table, msg_id: str | None
) -> None:
    forgotten = message(status=state.HELD, recipient=None, msg_id=msg_id, forgotten_at=NOW)
    put_item(aws, forgotten)
    assert table.store(event("DELIVERED"))
    assert stored_message(aws) == forgotten
    (stored,) = [item for item in stored_items(aws) if item["record_type"] == {"S": "event"}]
    assert not stored.keys() & {"body", "signature", "recipient", "content", "phone_number", "recorded_at"}


@pytest.mark.parametrize("status", [*IN_DOUBT, state.ACCEPTED])
def test_an_event_of_another_system_with_our_reference_moves_no_record(aws: Aws, table: Table, status: str) -> None:
    before = message(status=status, msg_id=MSG_ID if status == state.ACCEPTED else None)
    put_item(aws, before)
    assert table.store(event("DELIVERED", msg_id="01KJMM956GY1YEECJZB50909W1", recipient=4587654321))
    assert stored_message(aws) == before
    assert len(stored_events(aws)) == 1


@pytest.mark.parametrize("recipient", ["+45 12 34 56 78", "abc", "", None])
def test_an_event_whose_recipient_is_not_an_integer_moves_a_record_by_msg_id_only(
    aws: Aws, table: Table, recipient: str | None
) -> None:
    put_item(aws, message_in_doubt())
    assert table.store(event("DELIVERED", recipient=recipient))
    update = aws.calls.parameters("TransactWriteItems")[0]["TransactItems"][1]["Update"]
    assert ":recipient" not in update["ExpressionAttributeValues"]  # DynamoDB would refuse it as a number
    assert stored_message(aws).status == state.UNCERTAIN


@pytest.mark.parametrize("status", [status for status in state.RANKS if not state.is_settled(status)])
def test_an_event_with_a_status_of_this_stack_is_stored_and_moves_no_record(
    aws: Aws, table: Table, status: str
) -> None:
    before = message(status=state.ACCEPTED)
    put_item(aws, before)
    assert table.store(event(status))
    assert stored_message(aws) == before
    assert len(stored_events(aws)) == 1


def test_an_event_with_an_unknown_status_has_the_rank_of_enroute(aws: Aws, table: Table) -> None:
    put_item(aws, ACCEPTED)
    for after_s, status in enumerate(("QUEUED_AT_OPERATOR", "ENROUTE")):
        assert table.store(event(status, after_s))
        assert stored_message(aws).status == status


def test_an_accepted_event_sets_the_status_time_of_an_accepted_record(aws: Aws, table: Table) -> None:
    # The sender writes ACCEPTED without a status_at, so any event of that rank is later.
    put_item(aws, replace(ACCEPTED, accepted_at=NOW))
    accepted = event("ACCEPTED")
    assert table.store(accepted)
    moved = stored_message(aws)
    assert (moved.status, moved.status_at, moved.accepted_at) == (state.ACCEPTED, accepted.status_at, NOW)


def test_an_event_that_is_stored_already_changes_nothing(aws: Aws, table: Table) -> None:
    put_item(aws, ACCEPTED)
    assert table.store(event("ENROUTE", event_id="same"))
    before = stored_message(aws)
    assert not table.store(event("DELIVERED", event_id="same"))
    assert stored_message(aws) == before


def test_an_event_without_a_reference_is_stored_under_its_msg_id(aws: Aws, table: Table) -> None:
    inbound = replace(event("DELIVERED"), key=MSG_ID, reference=None, by_phone_number=True)
    assert table.store(inbound)
    assert stored_events(aws) == [inbound]


@pytest.mark.parametrize("codes", [("None", "TransactionConflict"), ("TransactionConflict", "None")])
def test_an_event_in_conflict_is_stored_by_a_later_try(aws: Aws, table: Table, codes: tuple[str, str]) -> None:
    put_item(aws, ACCEPTED)
    aws.calls.refuse("TransactWriteItems", cancelled(*codes), count=EVENT_TRIES - 1)
    assert table.store(event("DELIVERED"))
    assert stored_message(aws).status == "DELIVERED"


def test_an_event_in_conflict_with_its_own_duplicate_is_a_duplicate(aws: Aws, table: Table) -> None:
    table.store(event("DELIVERED"))
    aws.calls.refuse("TransactWriteItems", cancelled("TransactionConflict", "None"))
    assert not table.store(event("DELIVERED"))


def test_an_event_in_a_lasting_conflict_is_not_stored_and_raises_an_error(aws: Aws, table: Table) -> None:
    aws.calls.refuse("TransactWriteItems", cancelled("None", "TransactionConflict"), count=None)
    with pytest.raises(StorageError):
        table.store(event("DELIVERED"))
    assert aws.calls.counts() == {"TransactWriteItems": EVENT_TRIES}
    assert stored_events(aws) == []
