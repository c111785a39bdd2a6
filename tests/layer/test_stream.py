"""Reads a stream's Lambda event as typed records, without deletions by the table's TTL."""

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayapi.errors import RecordError
from gatewayapi.record import Record
from gatewayapi.stream import Change, changes, records
from tests.layer.records import records as any_record
from tests.layer.stored_records import NOW, message, quarantined

SENDING = message()
ACCEPTED = message(status="ACCEPTED", msg_id="m-1", accepted_at=NOW)
# The userIdentity of a deletion by the TTL.
TTL = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


def entry(number: int, new: Record | None, old: Record | None, **fields: object) -> dict[str, Any]:
    images = {"NewImage": new and new.to_item(), "OldImage": old and old.to_item()}
    name = "REMOVE" if new is None else "MODIFY" if old else "INSERT"
    return {
        "eventID": f"{number:032x}",
        "eventName": name,
        "eventSource": "aws:dynamodb",
        "dynamodb": {
            "SequenceNumber": str(number),
            "StreamViewType": "NEW_AND_OLD_IMAGES",
            **{key: image for key, image in images.items() if image},
        },
        **fields,
    }


def lambda_event(*entries: dict[str, Any]) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(json.dumps({"Records": entries}, default=lambda raw: b64encode(raw).decode()))
    return event


def test_new_and_changed_records_are_returned_in_the_order_of_the_stream() -> None:
    event = lambda_event(entry(1, SENDING, None), entry(2, ACCEPTED, SENDING))
    assert records(event) == [SENDING, ACCEPTED]


@given(st.lists(any_record, max_size=2))
def test_every_type_of_record_is_read_as_it_was_written(written: list[Record]) -> None:
    event = lambda_event(*(entry(number, record, None) for number, record in enumerate(written)))
    assert records(event) == written


def test_a_change_has_the_previous_record_and_the_sequence_number() -> None:
    event = lambda_event(entry(1, SENDING, None), entry(2, ACCEPTED, SENDING))
    assert list(changes(event)) == [Change("1", SENDING, None), Change("2", ACCEPTED, SENDING)]


def test_a_damaged_old_image_is_ignored() -> None:
    repaired, removed = entry(1, SENDING, None), entry(2, None, SENDING)
    repaired["dynamodb"]["OldImage"] = removed["dynamodb"]["OldImage"] = {"pk": {"S": "by hand"}}
    assert records(lambda_event(repaired, removed)) == [SENDING]


def test_a_deletion_by_the_ttl_is_left_out() -> None:
    event = lambda_event(entry(1, None, ACCEPTED, userIdentity=TTL), entry(2, SENDING, None))
    assert records(event) == [SENDING]
    assert [change.sequence_number for change in changes(event)] == ["2"]


def test_another_deletion_is_a_change_without_a_record() -> None:
    person = {"type": "AssumedRole", "principalId": "AROAEXAMPLE:somebody"}
    for fields in ({}, {"userIdentity": person}, {"userIdentity": None}):
        event = lambda_event(entry(1, None, ACCEPTED, **fields))
        assert list(changes(event)) == [Change("1", None, ACCEPTED)]
        assert records(event) == []


def test_bytes_are_decoded_from_base64() -> None:
    record = quarantined(b"\xff\xfe")
    assert records(lambda_event(entry(1, record, None))) == [record]


def test_the_changes_before_a_damaged_record_are_returned_first() -> None:
    bad = entry(2, SENDING, None)
    del bad["dynamodb"]["NewImage"]["status"]
    read = changes(lambda_event(entry(1, SENDING, None), bad))
    assert next(read).record == SENDING
    with pytest.raises(RecordError):
        next(read)


def test_an_item_of_another_table_is_a_record_error() -> None:
    event = {"Records": [{"dynamodb": {"SequenceNumber": "1", "NewImage": {"id": {"S": "1"}}}}]}
    with pytest.raises(RecordError):
        records(event)


def test_an_unknown_record_type_is_left_out() -> None:
    unknown = entry(1, SENDING, None)
    unknown["dynamodb"]["NewImage"]["record_type"] = {"S": "note"}
    event = lambda_event(unknown, entry(2, ACCEPTED, SENDING))
    assert records(event) == [ACCEPTED]
    assert [change.sequence_number for change in changes(event)] == ["2"]


def test_an_empty_event_has_no_records() -> None:
    assert records({"Records": []}) == []
