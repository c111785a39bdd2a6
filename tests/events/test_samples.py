"""Every sample under `events/` is a valid example of its kind: messages, signed webhooks, a batch of the stream."""

import json
from pathlib import Path
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer
from jsonschema import Draft202012Validator

from gatewayapi import message, stream, webhook_body
from gatewayapi.errors import MessageError
from gatewayapi.message_fields import NAMES
from gatewayapi.record import EventRecord, MessageRecord, OptOutRecord, QuarantineRecord
from gatewayapi.signature import verify
from tests.layer.webhook_bodies import EXPIRES, RECEIVED

EVENTS = Path(__file__).parents[2] / "events"
VALID = sorted((EVENTS / "messages" / "valid").iterdir())
WEBHOOKS = sorted((EVENTS / "webhook").iterdir())
# The ErrorCode of each invalid message, and the paths that its ErrorMessage names.
INVALID = {
    "array.json": ("INVALID_JSON", "$"),
    "context-too-long.json": ("INVALID_MESSAGE", "$.context"),
    "control-character.json": ("INVALID_MESSAGE", "$.message"),
    "empty-message.json": ("INVALID_MESSAGE", "$.message"),
    "expires-too-late.json": ("INVALID_MESSAGE", "$.expiration"),
    "label-too-long.json": ("INVALID_MESSAGE", "$.label"),
    "local-number.json": ("INVALID_MESSAGE", "$.recipient"),
    "missing-recipient.json": ("INVALID_MESSAGE", "$.recipient"),
    "missing-sender.json": ("INVALID_MESSAGE", "$.sender"),
    "not-json.txt": ("INVALID_JSON", "$"),
    "reference-with-line-break.json": ("INVALID_MESSAGE", "$.reference"),
    "sender-too-long.json": ("INVALID_MESSAGE", "$.sender"),
    "several-mistakes.json": (
        "INVALID_MESSAGE",
        "$.text $.to $.message $.recipient $.sender $.expiration",
    ),
    "unknown-field.json": ("INVALID_MESSAGE", "$.text"),
    "unknown-message-type.json": ("INVALID_MESSAGE", "$.message_type"),
    "unknown-priority.json": ("INVALID_MESSAGE", "$.priority"),
}
# Some fields of the record of each webhook.
RECORD_FIELDS: dict[str, dict[str, object]] = {
    "file-rcs": {"event_type": "user-message.file.rcs", "sender": 4587654321},
    "location-rcs": {"event_type": "user-message.location.rcs", "sender": 4587654321},
    "status-rcs": {"event_type": "message.status.rcs", "status": "READ", "reference": "order-1001"},
    "status-sms": {"event_type": "message.status.sms", "status": "DELIVERED", "reference": "order-1001"},
    "status-sms-rejected": {"event_type": "message.status.sms", "status": "REJECTED", "reference": None},
    "text-rcs": {"event_type": "user-message.text.rcs", "content": "Ja tak"},
    "text-sms-stop": {"event_type": "user-message.text.sms", "sender": 4587654321},
    "text-sms": {"event_type": "user-message.text.sms", "sender": 4587654321},
}


def document(*path: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(EVENTS.joinpath(*path).read_text())
    return content


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_valid_message_is_accepted_by_the_code_and_the_schema(path: Path) -> None:
    fields = message.from_body(path.read_text())
    assert message.from_fields(fields).recipient == 4512345678
    Draft202012Validator(document("schemas", "message.schema.json")).validate(fields)


def test_the_valid_messages_have_every_field() -> None:
    assert {name for path in VALID for name in json.loads(path.read_text())} == set(NAMES)


@pytest.mark.parametrize("path", sorted((EVENTS / "messages" / "invalid").iterdir()), ids=lambda path: path.stem)
def test_an_invalid_message_is_refused_with_its_error_code_and_paths(path: Path) -> None:
    with pytest.raises(MessageError) as caught:
        message.check(message.from_fields(message.from_body(path.read_text())), message.StackRules())
    paths = " ".join(problem.path for problem in caught.value.problems)
    assert (caught.value.code, paths) == INVALID[path.name]


@pytest.mark.parametrize("path", WEBHOOKS, ids=lambda path: path.stem)
def test_a_webhook_is_an_event_that_the_sample_key_signed(path: Path) -> None:
    request = document("webhook", path.name)
    signature = request["headers"]["Signature"]
    raw = request["body"].encode()
    verify(raw, signature, ["sample-key"])
    record = webhook_body.read(raw, signature, received_at=RECEIVED, expires_at=EXPIRES)
    assert {name: getattr(record, name) for name in RECORD_FIELDS[path.stem]} == RECORD_FIELDS[path.stem]
    assert (request["resource"], request["isBase64Encoded"]) == ("/webhooks", False)


def test_there_is_a_webhook_of_every_event_type() -> None:
    assert {fields["event_type"] for fields in RECORD_FIELDS.values()} == {
        "message.status.sms",
        "message.status.rcs",
        "user-message.text.sms",
        "user-message.text.rcs",
        "user-message.location.rcs",
        "user-message.file.rcs",
    }


def test_the_streams_batch_has_every_kind_of_record_and_one_that_the_ttl_deleted() -> None:
    batch = document("stream", "batch.json")
    deleted = [entry for entry in batch["Records"] if "userIdentity" in entry]
    assert [entry["eventName"] for entry in deleted] == ["REMOVE"]
    assert len(list(stream.changes(batch))) == len(batch["Records"]) - 1
    kinds = [type(record) for record in stream.records(batch)]
    assert kinds == [MessageRecord, MessageRecord, EventRecord, MessageRecord, QuarantineRecord, OptOutRecord]


def test_the_streams_records_fit_their_schema() -> None:
    validator = Draft202012Validator(document("schemas", "record.schema.json"))
    for entry in document("stream", "batch.json")["Records"]:
        for image in ("NewImage", "OldImage"):
            item = entry["dynamodb"].get(image)
            if item is not None:
                validator.validate(plain(item))


def plain(item: dict[str, Any]) -> object:
    """Return an item as plain JSON, without DynamoDB's types. Bytes are base64 in a Lambda event, and stay so."""
    deserialize = TypeDeserializer().deserialize
    values = {
        name: attribute["B"] if "B" in attribute else deserialize(attribute) for name, attribute in item.items()
    }
    return json.loads(json.dumps(values, default=int))


def test_the_event_in_the_streams_batch_is_that_of_a_webhook_sample() -> None:
    records = stream.records(document("stream", "batch.json"))
    (stored,) = [record for record in records if isinstance(record, EventRecord)]
    request = document("webhook", "status-sms.json")
    assert (stored.body, stored.signature) == (request["body"], request["headers"]["Signature"])
