"""A record is the same after it was written and read, and an older layer can read a newer record."""

import json
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from inspect import get_annotations
from pathlib import Path
from typing import Any, cast

import pytest
from boto3.dynamodb.types import TypeDeserializer
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from gatewayapi.dynamodb_values import to_attribute
from gatewayapi.errors import EventError, RecordError
from gatewayapi.message_record import epoch
from gatewayapi.record import EventRecord, MessageRecord, Record, from_item
from tests.layer import records
from tests.layer.stored_records import EXPIRES, message, quarantined

SCHEMA = json.loads((Path(__file__).parents[2] / "events" / "schemas" / "record.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
NOW = datetime(2025, 4, 1, 12, 0, 0, 123_456, tzinfo=UTC)
MESSAGE = message(queued_at=NOW, recipient=None)
QUARANTINE = quarantined("not JSON")
EVENT = EventRecord("order-1", "event-1", "message.status.sms", NOW, NOW, EXPIRES, "{}", QUARANTINE.signature, "m-1")


@given(records.records)
def test_a_record_is_read_back_as_it_was_written(record: Record) -> None:
    assert from_item(record.to_item()) == record


@given(records.records)
def test_a_record_is_the_same_after_a_lambda_events_json(record: Record) -> None:
    item = json.loads(json.dumps(record.to_item(), default=lambda raw: b64encode(raw).decode()))
    assert from_item(item) == record


@given(records.records)
def test_a_record_is_valid_under_its_json_schema(record: Record) -> None:
    document = plain(record)
    assert VALIDATOR.is_valid(document), [error.message for error in VALIDATOR.iter_errors(document)]


def plain(record: Record) -> dict[str, Any]:
    """Return a record as plain JSON, without DynamoDB's types, for a consumer in another language."""
    deserialize = TypeDeserializer().deserialize
    values = {name: deserialize(cast("Any", attribute)) for name, attribute in record.to_item().items()}
    document: dict[str, Any] = json.loads(json.dumps(values, default=written))
    return document


def written(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return b64encode(bytes(value)).decode()  # type: ignore[call-overload]


def test_the_schema_is_valid_and_describes_every_attribute() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    for record in (MESSAGE, EVENT, QUARANTINE):
        known = SCHEMA["$defs"][record.record_type]["properties"].keys() | SCHEMA["properties"].keys()
        own = {"key": "pk", "body_sha256": "sk", "by_phone_number": "phone_number"}
        if isinstance(record, MessageRecord):
            own["reference"] = "pk"
        assert {own.get(name, name) for name in get_annotations(type(record))} <= known


@pytest.mark.parametrize("record", [MESSAGE, EVENT, QUARANTINE], ids=lambda record: record.record_type)
def test_the_schema_requires_the_attributes_that_every_record_has(record: Record) -> None:
    document = plain(record)
    for name in document:
        without = {key: value for key, value in document.items() if key != name}
        assert not VALIDATOR.is_valid(without), name


def test_the_schema_allows_an_event_of_a_forgotten_message() -> None:
    assert VALIDATOR.is_valid(plain(replace(EVENT, body="", signature="")))


@pytest.mark.parametrize(
    ("record", "name", "value"),
    [
        (MESSAGE, "sk", "EVENT#1"),
        (MESSAGE, "record_type", "note"),
        (MESSAGE, "record_type", "event"),
        (MESSAGE, "queued_at", "2025-04-01T12:00:00Z"),
        (MESSAGE, "queued_at", "2025-04-01T12:00:00.123456+00:00\n"),
        (MESSAGE, "expires_at", "1780142400"),
        (MESSAGE, "expires_at", 1780142400.5),
        (MESSAGE, "attempts", -1),
        (MESSAGE, "recipient", "4512345678"),
        (MESSAGE, "error", "REJECTED"),
        (EVENT, "sk", "MESSAGE"),
        (EVENT, "sk", "EVENT#"),
        (EVENT, "event_id", ""),
        (EVENT, "error", "REJECTED"),
        (QUARANTINE, "pk", "order-1"),
        (QUARANTINE, "sk", "EVENT#1"),
    ],
)
def test_the_schema_refuses_values_that_no_record_has(record: Record, name: str, value: object) -> None:
    assert not VALIDATOR.is_valid({**plain(record), name: value})


@given(records.records, st.dictionaries(st.sampled_from(["x_new", "y"]), records.json_values))
def test_an_older_layer_reads_a_record_with_new_attributes(record: Record, new: dict[str, Any]) -> None:
    item = record.to_item() | {name: to_attribute(value) for name, value in new.items()}
    item["x_set"] = {"SS": ["a", "b"]}
    assert from_item(item) == record


def test_a_message_record_without_the_later_attributes_is_read() -> None:
    first = {
        name: MESSAGE.to_item()[name] for name in ("pk", "sk", "record_type", "status", "queued_at", "updated_at")
    }
    record = from_item({**first, "expires_at": {"N": epoch(EXPIRES)}})
    assert record == MESSAGE._replace(message_id="")


def test_absent_values_are_not_stored() -> None:
    assert MESSAGE.to_item().keys() == {
        *("pk", "sk", "record_type", "status", "queued_at", "updated_at", "expires_at", "message_id", "attempts")
    }
    assert EVENT.to_item().keys() == {
        *("pk", "sk", "record_type", "event_id", "event_type", "timestamp", "received_at", "expires_at"),
        *("body", "signature", "msg_id"),
    }


def test_keys_and_times_are_those_of_the_table() -> None:
    assert (MESSAGE.to_item()["pk"], MESSAGE.to_item()["sk"]) == ({"S": "order-1"}, {"S": "MESSAGE"})
    assert (EVENT.to_item()["pk"], EVENT.to_item()["sk"]) == ({"S": "order-1"}, {"S": "EVENT#event-1"})
    assert (QUARANTINE.to_item()["pk"], QUARANTINE.to_item()["sk"]) == (
        {"S": "QUARANTINE"},
        {"S": "EVENT#" + "0" * 64},
    )
    assert MESSAGE.to_item()["queued_at"] == {"S": "2025-04-01T12:00:00.123456+00:00"}
    assert MESSAGE.to_item()["expires_at"] == {"N": "1780142400"}


def test_an_event_that_dynamodb_cannot_hold_is_an_event_error() -> None:
    record = EventRecord("order-1", "e", "t", NOW, NOW, EXPIRES, "{}", "v1=", content="\ud800")
    with pytest.raises(EventError):
        record.to_item()


@pytest.mark.parametrize(
    "broken",
    [
        {"record_type": None},
        {"record_type": {"L": []}},
        {"pk": None},
        {"status": None},
        {"queued_at": None},
        {"queued_at": {"S": "yesterday"}},
        {"queued_at": {"N": "5"}},
        {"status_at": {"S": ""}},
        {"expires_at": None},
        {"expires_at": {"S": "soon"}},
        {"expires_at": {"N": "1E+30"}},
        {"expires_at": {"N": "1E+13"}},
        {"attempts": {}},
        {"attempts": {"N": "many"}},
        {"attempts": {"N": "1", "S": "1"}},
    ],
)
def test_an_item_that_is_not_a_record_is_a_record_error(broken: dict[str, Any]) -> None:
    item = {name: value for name, value in (MESSAGE.to_item() | broken).items() if value is not None}
    with pytest.raises(RecordError):
        from_item(item)


def test_an_unknown_record_type_is_left_out() -> None:
    assert from_item({**MESSAGE.to_item(), "record_type": {"S": "note"}}) is None


def test_an_item_of_another_table_is_a_record_error() -> None:
    with pytest.raises(RecordError):
        from_item({"id": {"S": "1"}})
