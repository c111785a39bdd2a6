"""A stream's Lambda event becomes typed records, and the table's own housekeeping is no news."""

import json
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayapi.errors import RecordError
from gatewayapi.record import MessageRecord, QuarantineRecord, Record
from gatewayapi.stream import Change, changes, records
from tests.layer.records import records as any_record

NOW = datetime(2025, 4, 1, 12, tzinfo=UTC)
LATER = datetime(2025, 6, 30, 12, tzinfo=UTC)
SENDING = MessageRecord("order-1", "SENDING", NOW, NOW, LATER, "sqs-1")
ACCEPTED = replace(SENDING, status="ACCEPTED", msg_id="m-1", accepted_at=NOW)
# What AWS puts beside a record that the TTL deleted.
TTL = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


def entry(number: int, new: Record | None, old: Record | None, **beside: object) -> dict[str, Any]:
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
        **beside,
    }


def as_lambda_gets_it(*entries: dict[str, Any]) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(json.dumps({"Records": entries}, default=lambda raw: b64encode(raw).decode()))
    return event


def test_new_and_changed_records_come_in_the_stream_s_order() -> None:
    event = as_lambda_gets_it(entry(1, SENDING, None), entry(2, ACCEPTED, SENDING))
    assert records(event) == [SENDING, ACCEPTED]


@given(st.lists(any_record, max_size=2))
def test_every_kind_of_record_comes_as_it_was_written(written: list[Record]) -> None:
    event = as_lambda_gets_it(*(entry(number, record, None) for number, record in enumerate(written)))
    assert records(event) == written


def test_a_change_tells_what_was_there_before_and_what_to_report_of_it() -> None:
    event = as_lambda_gets_it(entry(1, SENDING, None), entry(2, ACCEPTED, SENDING))
    assert list(changes(event)) == [Change("1", SENDING, None), Change("2", ACCEPTED, SENDING)]


def test_who_mends_a_bad_record_is_not_in_its_place() -> None:
    mended, removed = entry(1, SENDING, None), entry(2, None, SENDING)
    mended["dynamodb"]["OldImage"] = removed["dynamodb"]["OldImage"] = {"pk": {"S": "by hand"}}
    assert records(as_lambda_gets_it(mended, removed)) == [SENDING]


def test_what_the_ttl_deletes_is_no_change() -> None:
    event = as_lambda_gets_it(entry(1, None, ACCEPTED, userIdentity=TTL), entry(2, SENDING, None))
    assert records(event) == [SENDING]
    assert [change.sequence_number for change in changes(event)] == ["2"]


def test_what_somebody_deletes_is_a_change_without_a_record() -> None:
    person = {"type": "AssumedRole", "principalId": "AROAEXAMPLE:somebody"}
    for beside in ({}, {"userIdentity": person}, {"userIdentity": None}):
        event = as_lambda_gets_it(entry(1, None, ACCEPTED, **beside))
        assert list(changes(event)) == [Change("1", None, ACCEPTED)]
        assert records(event) == []


def test_bytes_come_out_of_their_base64() -> None:
    record = QuarantineRecord("0" * 64, b"\xff\xfe", "v1=", "not UTF-8", NOW, LATER)
    assert records(as_lambda_gets_it(entry(1, record, None))) == [record]


def test_the_records_before_a_bad_one_are_handled_first() -> None:
    bad = entry(2, SENDING, None)
    del bad["dynamodb"]["NewImage"]["status"]
    read = changes(as_lambda_gets_it(entry(1, SENDING, None), bad))
    assert next(read).record == SENDING
    with pytest.raises(RecordError):
        next(read)


def test_an_item_of_another_table_is_a_record_error() -> None:
    event = {"Records": [{"dynamodb": {"SequenceNumber": "1", "NewImage": {"id": {"S": "1"}}}}]}
    with pytest.raises(RecordError):
        records(event)


def test_a_record_type_that_a_later_version_adds_is_passed_over() -> None:
    unknown = entry(1, SENDING, None)
    unknown["dynamodb"]["NewImage"]["record_type"] = {"S": "note"}
    event = as_lambda_gets_it(unknown, entry(2, ACCEPTED, SENDING))
    assert records(event) == [ACCEPTED]
    assert [change.sequence_number for change in changes(event)] == ["2"]


def test_an_empty_event_has_no_records() -> None:
    assert records({"Records": []}) == []
