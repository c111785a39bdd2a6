"""Every signed body is stored: as an event if it can be one, else in quarantine with the reason."""

import json
from hashlib import sha256

import pytest

from gatewayapi.signature import sign
from gatewayapi.webhook_body import MAX_BODY, MAX_PARSED_BODY, read
from tests.moto_aws import KEY
from tests.webhook.webhook_function import (
    MSG_ID,
    NOW,
    NUMBER,
    TABLE,
    Fields,
    Webhook,
    envelope,
    function,
    message,
)

__all__ = ["function"]

MAX_ITEM = 400 * 1024
NESTED = b'{"a":' * 100_000 + b"1" + b"}" * 100_000


def raw(**changes: str) -> bytes:
    """Return the envelope with fields replaced by JSON text that Python's json would not write."""
    text = json.dumps(envelope(dict.fromkeys(changes, "@"))).encode()
    for name, value in changes.items():
        text = text.replace(f'"{name}": "@"'.encode(), f'"{name}": {value}'.encode())
    return text


def deep(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


UNUSABLE: dict[str, tuple[bytes | Fields, str]] = {
    "nothing": (b"", "not JSON"),
    "no JSON": (b"hello", "not JSON"),
    "half a JSON": (json.dumps(envelope()).encode()[:-1], "not JSON"),
    "two JSONs": (b"{}{}", "not JSON"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "not JSON"),
    "NaN": (b'{"a": NaN}', "not JSON"),
    "an infinity": (b'{"a": -Infinity}', "not JSON"),
    "a number out of Decimal's range": (b'{"a": 1e99999999999999999999}', "not JSON"),
    "a number out of int's range": (b'{"a": ' + b"9" * 5000 + b"}", "not JSON"),
    "no UTF-8": (b'{"a": "\xff"}', "not UTF-8"),
    "Latin-1": ('{"a": "é"}'.encode("latin-1"), "not UTF-8"),
    "UTF-16": ('{"a": "é"}'.encode("utf-16"), "not UTF-8"),
    "encoded surrogates": (b'{"a": "\xed\xa0\x80"}', "not UTF-8"),
    "nested out of Python's reach": (NESTED[: MAX_BODY // 2], "nested too deeply"),
    "a list": (b"[]", "not a JSON object"),
    "a string": (b'"a"', "not a JSON object"),
    "null": (b"null", "not a JSON object"),
    "an empty object": (b"{}", "event: must be an object"),
    "no event": (envelope() | {"event": None}, "event: must be an object"),
    "a list of events": (envelope() | {"event": [envelope()["event"]]}, "event: must be an object"),
    "no event_id": (envelope(event_id=None), "event_id: must be a string"),
    "an empty event_id": (envelope(event_id=""), "event_id: must not be empty"),
    "a numeric event_id": (envelope(event_id=1), "event_id: must be a string"),
    "a long event_id": (envelope(event_id="x" * 1001), "event_id: longer than a name may be"),
    "a long event_id in bytes": (envelope(event_id="é" * 501), "event_id: longer than a name may be"),
    "a surrogate in event_id": (envelope(event_id="\ud800"), "a string is not valid Unicode"),
    "no event_type": (envelope(event_type=None), "event_type: must be a string"),
    "an empty event_type": (envelope(event_type=""), "event_type: must not be empty"),
    "a surrogate in event_type": (envelope(event_type="\udfff"), "a string is not valid Unicode"),
    "a long event_type": (
        envelope(event_type="message.status." + "x" * 200_000),
        "event_type: longer than a name may be",
    ),
    "no timestamp": (envelope(timestamp=None), "timestamp: must be a string"),
    "a numeric timestamp": (envelope(timestamp=1772366400), "timestamp: must be a string"),
    "a local timestamp": (envelope(timestamp="2026-03-01T12:00:00"), "timestamp: must be an RFC 3339 time"),
    "a date": (envelope(timestamp="2026-03-01"), "timestamp: must be an RFC 3339 time"),
    "no such day": (envelope(timestamp="2026-02-30T12:00:00Z"), "timestamp: must be an RFC 3339 time"),
    "before time": (envelope(timestamp="0001-01-01T00:00:00+23:59"), "timestamp: must be an RFC 3339 time"),
    "no key at all": (envelope({"msg_id": None, "reference": None}), "event: neither a reference nor a msg_id"),
    "empty keys": (envelope({"msg_id": "", "reference": ""}), "event: neither a reference nor a msg_id"),
    "a numeric reference": (envelope({"reference": 7}), "reference: must be a string"),
    "a long reference": (envelope({"reference": "x" * 2049}), "reference: longer than a key may be"),
    "a surrogate in reference": (envelope({"reference": "\ud800x"}), "a string is not valid Unicode"),
    "a long msg_id": (envelope({"msg_id": "x" * 2049}), "msg_id: longer than a key may be"),
    "a status without msg_id": (envelope({"msg_id": None}), "msg_id: is required"),
    "no status": (envelope({"status": None}), "status: must be a string"),
    "an empty status": (envelope({"status": ""}), "status: must not be empty"),
    "a long status": (envelope({"status": "x" * 200_000}), "status: longer than a name may be"),
    "a surrogate in status": (envelope({"status": "\ud800"}), "a string is not valid Unicode"),
    "no status_at": (envelope({"status_at": None}), "status_at: must be a string"),
    "a status_at that is no time": (envelope({"status_at": "today"}), "status_at: must be an RFC 3339 time"),
    "an object for a recipient": (envelope({"recipient": {}}), "recipient: must be a phone number"),
    "a truth for a recipient": (envelope({"recipient": True}), "recipient: must be a phone number"),
    "a fraction for a recipient": (raw(recipient="45.5"), "recipient: must be a phone number"),
    "a text for a recipient": (
        envelope({"recipient": "4" * 200_000}),
        "recipient: longer than a phone number may be",
    ),
    "a long recipient": (raw(recipient="1" * 39), "a number is larger or finer than the table can hold"),
    "a text for an error": (envelope({"error": "absent"}), "error: must be an object"),
    "a list for an error": (envelope({"error": []}), "error: must be an object"),
    "a number of 39 digits": (
        raw(error='{"a":' + "1" * 39 + "}"),
        "a number is larger or finer than the table can hold",
    ),
    "a number too large": (raw(error='{"a":1e126}'), "a number is larger or finer than the table can hold"),
    "a number too small": (raw(error='{"a":-1e-131}'), "a number is larger or finer than the table can hold"),
    "a surrogate in an error": (raw(error=r'{"a":"\ud800"}'), "a string is not valid Unicode"),
    "a surrogate in a name": (raw(error=r'{"\udc00":1}'), "a string is not valid Unicode"),
    "a name that is empty": (raw(error='{"":1}'), "a name is empty or longer than the table can hold"),
    "a name that is too long": (
        envelope({"error": {"x" * 65_536: 1}}),
        "a name is empty or longer than the table can hold",
    ),
    "nested out of DynamoDB's reach": (raw(error=deep(40)), "nested too deeply"),
}


@pytest.mark.parametrize(("body", "reason"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_an_unusable_body_is_quarantined_once_with_the_reason(
    function: Webhook, body: bytes | Fields, reason: str
) -> None:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    function.put(message())
    first = function.post(sent)
    assert (first.status, first.body) == (200, {"status": "quarantined"})
    assert f'"reason":"{reason}"' in first.log
    (kept,) = function.quarantined()
    assert (kept.reason, kept.body_sha256, kept.signature) == (reason, sha256(sent).hexdigest(), sign(sent, KEY))
    assert sent == (kept.body if isinstance(kept.body, bytes) else kept.body.encode())
    records = function.records()
    again = function.post(sent)
    assert (again.status, again.body) == (200, {"status": "duplicate"})
    assert function.records() == records
    assert function.message() == message()


@pytest.mark.parametrize("levels", range(20, 34))
def test_an_error_of_any_depth_is_stored_or_quarantined(function: Webhook, levels: int) -> None:
    function.put(message())
    answer = function.post(raw(error=deep(levels)))
    assert answer.status == 200
    stored = answer.body == {"status": "stored"}
    assert (len(function.events()), len(function.quarantined())) == (stored, not stored)
    found = function.message()
    assert found is not None
    assert (found.status == "DELIVERED") == stored
    assert found.to_item()  # the sender can write it again


@pytest.mark.parametrize("code", ["ValidationException", "TransactionCanceledException"])
def test_an_event_that_dynamodb_refuses_is_quarantined(function: Webhook, code: str) -> None:
    function.put(message())
    reasons = ("ValidationError", "None") if code == "TransactionCanceledException" else ()
    function.fail(code, *reasons)
    answer = function.post(envelope())
    assert (answer.status, answer.body) == (200, {"status": "quarantined"})
    assert [record.reason for record in function.quarantined()] == ["DynamoDB does not accept the item"]


@pytest.mark.parametrize(
    "changes",
    [
        {"event_type": "message.status.pigeon"},
        {"event_type": "message.price.sms"},
        {"event_type": "user-message.dance.rcs"},
        {"event_type": "x"},
        {"new": {"field": [1, None, "two", 1e300]}},
    ],
)
def test_unknown_types_and_fields_are_stored_unchanged(function: Webhook, changes: Fields) -> None:
    body = json.dumps(envelope({"another": {"": [0.1, 12e-200]}}, **changes))
    assert function.post(body.encode()).body == {"status": "stored"}
    (kept,) = function.events()
    assert kept.body == body
    assert kept.event_type == changes.get("event_type", "message.status.sms")


def test_an_unknown_status_is_stored_with_the_rank_of_enroute(function: Webhook) -> None:
    function.put(message())
    assert function.post(envelope({"status": "På vej"}, event_id="a")).body == {"status": "stored"}
    found = function.message()
    assert found is not None
    assert found.status == "På vej"
    assert function.post(envelope({"status": "REJECTED"}, event_id="b")).body == {"status": "stored"}
    assert function.post(envelope({"status": "Another"}, event_id="c")).body == {"status": "stored"}
    found = function.message()
    assert found is not None
    assert found.status == "REJECTED"
    assert {event.status for event in function.events()} == {"På vej", "REJECTED", "Another"}


def test_an_event_of_an_unknown_type_needs_no_status_fields(function: Webhook) -> None:
    body = envelope(event_type="conversation.opened") | {"event": {"reference": "order-1", "status": 7, "error": "?"}}
    assert function.post(body).body == {"status": "stored"}
    (kept,) = function.events()
    assert (kept.key, kept.msg_id, kept.status, kept.error) == ("order-1", None, None, None)


def test_the_partition_key_of_an_inbound_message_is_its_msg_id(function: Webhook) -> None:
    content = {"message": "Ja tak 🙂", "encoding": "UCS2", "header": None}
    event = {"msg_id": MSG_ID, "sender": NUMBER, "sent_at": "2026-03-01T11:59:59Z", "content": content}
    assert function.post(envelope(event_type="user-message.text.sms") | {"event": event}).body == {"status": "stored"}
    (kept,) = function.events()
    assert (kept.key, kept.sender, kept.content, kept.recipient) == (MSG_ID, NUMBER, content, None)


def test_an_event_of_an_unknown_message_is_stored_without_a_message_record(function: Webhook) -> None:
    assert function.post(envelope()).body == {"status": "stored"}
    assert function.message() is None
    (kept,) = function.events()
    assert (kept.key, kept.status_at) == ("order-1", NOW)


PADDING = {
    "spaces": lambda room: envelope(padding=" " * room),
    "letters": lambda room: envelope({"error": {"a": "x" * room}}),
    "three-byte letters": lambda room: envelope({"error": {"a": "€" * (room // 3)}}),
    "numbers": lambda room: envelope({"error": {"a": [0] * (room // 2)}}),
    "negative numbers": lambda room: envelope({"error": {"a": [-1] * (room // 3)}}),
    "lists": lambda room: envelope({"error": {"a": [[]] * (room // 3)}}),
    "objects": lambda room: envelope({"error": {"a": [{"b": 0}] * (room // 8)}}),
    "names": lambda room: envelope({"error": {f"{number:x}": 0 for number in range(room // 10)}}),
    "content": lambda room: envelope({"content": [0] * (room // 2)}, event_type="user-message.x"),
}


@pytest.mark.parametrize("kind", PADDING)
@pytest.mark.parametrize("length", [MAX_PARSED_BODY, MAX_PARSED_BODY + 1, MAX_BODY])
def test_every_body_up_to_the_limit_fits_in_an_item(kind: str, length: int) -> None:
    # This test does not use the table, because moto takes half a minute for a list of 50,000.
    body = json.dumps(PADDING[kind](length - 1000), separators=(",", ":"), ensure_ascii=False).encode().ljust(length)
    assert len(body) == length
    event = read(body, sign(body, KEY), received_at=NOW, expires_at=NOW)
    assert size({"M": event.to_item()}) < MAX_ITEM


def test_a_body_of_256_kib_is_stored_whole(function: Webhook) -> None:
    body = json.dumps(envelope({"error": {"a": "x" * (MAX_BODY - 1000)}})).encode().ljust(MAX_BODY)
    function.put(message())
    assert function.post(body).body == {"status": "stored"}
    assert [event.body.encode() for event in function.events()] == [body]
    for other in (b"\xff" * MAX_BODY, b"x" * MAX_BODY, "é".encode() * (MAX_BODY // 2)):
        assert function.post(other).body == {"status": "quarantined"}
    assert all(size({"M": item}) < MAX_ITEM for item in function.aws.dynamodb.scan(TableName=TABLE)["Items"])


def size(attribute: Fields) -> int:
    """Return the size of an attribute in an item, by the rules of the DynamoDB developer guide."""
    ((kind, value),) = attribute.items()
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + size(item) for name, item in value.items())
    if kind == "L":
        return 3 + sum(1 + size(item) for item in value)
    if kind == "N":
        return (len(value) + 1) // 2 + 2
    return len(value.encode()) if kind == "S" else len(value) if kind == "B" else 1
