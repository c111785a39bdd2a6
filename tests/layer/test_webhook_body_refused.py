"""Every signed body becomes a record that DynamoDB can store, or raises an EventError with the reason."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gatewayapi.errors import EventError
from gatewayapi.webhook_body import MAX_NAME, MAX_PARTITION_KEY, quarantined
from tests.layer.item_size import MAX_ITEM, item_size
from tests.layer.webhook_bodies import (
    ABSENT,
    EXPIRES,
    FILE_RCS,
    RCS,
    RECEIVED,
    SIGNATURE,
    SMS,
    TEXT_SMS,
    body,
    envelope,
    inbound,
    read,
    status,
    status_body,
)

NOT_AN_ENVELOPE = {
    "not JSON": (b"status=DELIVERED", "not JSON"),
    "empty": (b"", "not JSON"),
    "an envelope that is cut off": (status_body()[:-1], "not JSON"),
    "two documents": (b"{} {}", "not JSON"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "not JSON"),
    "not a number": (b'{"event": NaN}', "not JSON"),
    "infinity": (b'{"event": -Infinity}', "not JSON"),
    "a huge exponent": (b'{"event": 1e9999999999999999999}', "not JSON"),
    "5000 digits": (b'{"event": ' + b"9" * 5000 + b"}", "not JSON"),
    "not UTF-8": (b'{"event": "\xff"}', "not UTF-8"),
    "UTF-16": ('{"event": 1}'.encode("utf-16"), "not UTF-8"),
    "a surrogate in UTF-8": (b'{"event": "\xed\xa0\x80"}', "not UTF-8"),
    "100,000 levels": (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
    "an array": (b"[]", "not a JSON object"),
    "a string": (b'"event"', "not a JSON object"),
    "null": (b"null", "not a JSON object"),
    "an empty object": (b"{}", "event: must be an object"),
}


@pytest.mark.parametrize(("raw", "reason"), NOT_AN_ENVELOPE.values(), ids=NOT_AN_ENVELOPE.keys())
def test_a_body_that_is_not_an_envelope_is_refused_with_the_reason(raw: bytes, reason: str) -> None:
    with pytest.raises(EventError, match=rf"^{reason}$"):
        read(raw)


@pytest.mark.parametrize("value", [ABSENT, None, 7, True, [], {}, ""])
@pytest.mark.parametrize("field", ["event_id", "event_type", "timestamp"])
def test_the_fields_of_an_envelope_must_be_text(field: str, value: object) -> None:
    with pytest.raises(EventError, match=rf"^{field}: must "):
        read(body(envelope(SMS, status(), **{field: value})))


@pytest.mark.parametrize("value", [ABSENT, None, 7, "text", []])
def test_an_envelope_needs_an_event(value: object) -> None:
    with pytest.raises(EventError, match=r"^event: must be an object$"):
        read(body(envelope(SMS, value)))


@pytest.mark.parametrize("value", ["yesterday", "2025-04-01T11:49:12"])
def test_a_time_must_be_an_rfc_3339_time(value: str) -> None:
    with pytest.raises(EventError, match=r"^timestamp: must be an RFC 3339 time$"):
        read(body(envelope(SMS, status(), timestamp=value)))
    with pytest.raises(EventError, match=r"^status_at: must be an RFC 3339 time$"):
        read(status_body(status_at=value))


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("msg_id", (7, True, [], {})),
        ("reference", (7, True, [], {})),
        ("status", (ABSENT, None, 7, [], "")),
        ("status_at", (ABSENT, None, 7, "")),
        ("recipient", (True, 1.5, [], {})),
        ("error", (7, "error", True, [])),
    ],
)
def test_a_status_with_a_field_of_another_type_is_refused(field: str, values: tuple[object, ...]) -> None:
    for value in values:
        with pytest.raises(EventError, match=rf"^{field}: must "):
            read(status_body(**{field: value}))


@pytest.mark.parametrize("msg_id", [ABSENT, None, ""])
def test_a_status_needs_a_msg_id(msg_id: object) -> None:
    with pytest.raises(EventError, match=r"^msg_id: is required$"):
        read(status_body(msg_id=msg_id))


@pytest.mark.parametrize("kind", [SMS, TEXT_SMS, "message.new"])
@pytest.mark.parametrize("value", [None, ""])
def test_an_event_without_reference_and_msg_id_is_refused(kind: str, value: object) -> None:
    with pytest.raises(EventError, match="neither a reference nor a msg_id"):
        read(status_body(kind, msg_id=value, reference=value))


@pytest.mark.parametrize("sender", [True, 1.5, [], {}])
def test_the_sender_of_an_inbound_message_must_be_a_phone_number(sender: object) -> None:
    with pytest.raises(EventError, match=r"^sender: must be a phone number$"):
        read(body(envelope(TEXT_SMS, inbound("Hello", sender=sender))))


@pytest.mark.parametrize(
    ("fields", "inner"),
    [
        ({"event_id": "\ud800"}, {}),
        ({"event_type": "\ud800"}, {}),
        ({}, {"reference": "\udfff"}),
        ({}, {"msg_id": "\udfff"}),
        ({}, {"status": "\udfff"}),
        ({}, {"recipient": "\udfff"}),
        ({}, {"error": {"details": "\udfff"}}),
        ({}, {"error": {"\udfff": 1}}),
    ],
)
def test_a_lone_surrogate_in_a_stored_field_is_refused(fields: dict[str, Any], inner: dict[str, Any]) -> None:
    raw = json.dumps(envelope(RCS, status(**inner), **fields)).encode()
    with pytest.raises(EventError, match="not valid Unicode"):
        read(raw)


def test_a_lone_surrogate_in_an_unknown_field_is_kept_escaped() -> None:
    raw = json.dumps(envelope(SMS, status(note="\ud800"))).encode()
    assert read(raw).body == raw.decode()


@pytest.mark.parametrize("character", ["k", "æ"])
@pytest.mark.parametrize("field", ["reference", "msg_id"])
def test_a_key_longer_than_dynamodb_allows_is_refused(field: str, character: str) -> None:
    longest = character * (MAX_PARTITION_KEY // len(character.encode()))
    assert getattr(read(status_body(**{field: longest})), field) == longest
    with pytest.raises(EventError, match=rf"^{field}: longer than a key may be$"):
        read(status_body(**{field: longest + "k"}))


@pytest.mark.parametrize("character", ["k", "æ"])
def test_an_event_id_longer_than_the_sort_key_allows_is_refused(character: str) -> None:
    longest = character * (MAX_NAME // len(character.encode()))
    assert len(read(body(envelope(SMS, status(), event_id=longest))).to_item()["sk"]["S"].encode()) <= 1024
    with pytest.raises(EventError, match=r"^event_id: longer than "):
        read(body(envelope(SMS, status(), event_id=longest + "k")))


@pytest.mark.parametrize("number", ["1e126", "-1e126", "1e-131", "0." + "1" * 39, "9" * 39])
def test_a_number_that_dynamodb_cannot_store_is_refused(number: str) -> None:
    for fields in ({"error": {"code": "NUMBER"}}, {"recipient": "NUMBER"}):
        raw = status_body(RCS, **fields).replace(b'"NUMBER"', number.encode())
        with pytest.raises(EventError):
            read(raw)


def test_a_number_keeps_all_its_digits() -> None:
    exact = "0." + "1" * 38
    raw = status_body(RCS, error={"code": "NUMBER"}).replace(b'"NUMBER"', exact.encode())
    assert read(raw).error == {"code": Decimal(exact)}


json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.text(),
        st.integers(),
        st.floats(),
        st.sampled_from(["\ud800", 10**200, 10**40 + 1, 1e-200, "x" * 3000, 4512345678, "2025-04-01T11:49:12Z"]),
    ),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.one_of(st.text(), st.just("\udfff")), inner)),
    max_leaves=10,
)
some_fields = dict.fromkeys(
    ("msg_id", "reference", "status", "status_at", "recipient", "sender", "error", "content"), json_values
)
envelopes = st.builds(
    lambda kind, usual, inner, fields: envelope(kind, usual | inner if isinstance(inner, dict) else inner, **fields),
    st.one_of(st.sampled_from([SMS, RCS, TEXT_SMS, FILE_RCS, "message.status.", "user-message."]), json_values),
    st.sampled_from([{}, status(), inbound("Hello")]),
    st.one_of(st.fixed_dictionaries({}, optional=some_fields), json_values),
    st.fixed_dictionaries({}, optional=dict.fromkeys(("event_id", "timestamp", "unknown"), json_values)),
)


@given(
    st.one_of(
        st.binary(),
        json_values.map(lambda value: json.dumps(value).encode()),
        envelopes.map(lambda value: json.dumps(value).encode()),
        envelopes.map(body),
    )
)
@example(b"[" * 990 + b"]" * 990)
@example(b'{"event":' * 300 + b"1" + b"}" * 300)
def test_every_body_is_a_storable_record_or_an_event_error(raw: bytes) -> None:
    try:
        record = read(raw)
    except EventError as error:
        record_of_body = quarantined(raw, SIGNATURE, str(error), received_at=RECEIVED, expires_at=EXPIRES)
        assert item_size(record_of_body.to_item()) < MAX_ITEM
        return
    item = record.to_item()
    assert item_size(item) < MAX_ITEM
    assert record.body.encode() == raw
    assert 0 < len(item["pk"]["S"].encode()) <= 2048
    assert 0 < len(item["sk"]["S"].encode()) <= 1024
    json.dumps(item).encode()  # botocore can send it
