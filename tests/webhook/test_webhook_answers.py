"""Every response of /webhooks except 503, and the forms in which a request can arrive."""

import json
from base64 import b64encode
from datetime import timedelta
from hashlib import sha256

import pytest

from gatewayapi.clock import to_text
from gatewayapi.record import QuarantineRecord
from gatewayapi.signature import sign
from gatewayapi.webhook_body import MAX_BODY
from tests.aws_calls import Refusal, cancelled
from tests.conftest import ENVIRONMENT
from tests.layer.stored_records import (
    MSG_ID,
    NOW,
    message,
    put_item,
    stored_events,
    stored_message,
    stored_records,
)
from tests.moto_aws import KEY
from tests.webhook.webhook_function import READ_KEY, STORE, Fields, Webhook, envelope, function, raw, request

__all__ = ["function"]

MAX_AGE = timedelta(seconds=int(ENVIRONMENT["MAX_EVENT_AGE_S"]))
MAX_AHEAD = timedelta(minutes=5)
INSTANT = timedelta(microseconds=1)
ACCEPTED = message(status="ACCEPTED", msg_id=MSG_ID)


def error(code: str, text: str) -> Fields:
    return {"error": {"code": code, "message": text}}


def test_a_new_event_is_stored_and_moves_its_message(function: Webhook) -> None:
    put_item(function.aws, ACCEPTED)
    answer = function.post(envelope())
    assert (answer.status, answer.body) == (200, {"status": "stored"})
    assert [event.status for event in stored_events(function.aws)] == ["DELIVERED"]
    moved = stored_message(function.aws)
    assert (moved.status, moved.status_at, moved.expires_at) == ("DELIVERED", NOW, NOW + timedelta(days=90))


def test_a_known_event_is_a_duplicate(function: Webhook) -> None:
    function.post(envelope())
    before = stored_records(function.aws)
    answer = function.post(envelope())
    assert (answer.status, answer.body) == (200, {"status": "duplicate"})
    assert stored_records(function.aws) == before


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"hello", "not JSON"),
        (b'{"text": "\xff"}', "not UTF-8"),
        (raw(envelope(event_id=None)), "event_id: must be a string"),
    ],
)
def test_a_signed_body_that_is_not_an_event_is_quarantined_once_with_the_reason(
    function: Webhook, body: bytes, reason: str
) -> None:
    put_item(function.aws, ACCEPTED)
    answer = function.post(body)
    assert (answer.status, answer.body) == (200, {"status": "quarantined"})
    assert answer.log_line()["reason"] == reason
    (stored,) = [record for record in stored_records(function.aws) if isinstance(record, QuarantineRecord)]
    assert (stored.reason, stored.signature) == (reason, sign(body, KEY))
    assert stored.body_sha256 == sha256(body).hexdigest()
    assert body == (stored.body if isinstance(stored.body, bytes) else stored.body.encode())
    again = function.post(body)
    assert (again.status, again.body) == (200, {"status": "duplicate"})
    assert len(stored_records(function.aws)) == 2
    assert stored_message(function.aws) == ACCEPTED


@pytest.mark.parametrize("refusal", [Refusal("ValidationException"), cancelled("ValidationError", "None")])
def test_an_event_that_dynamodb_refuses_is_quarantined(function: Webhook, refusal: Refusal) -> None:
    function.calls.refuse(STORE, refusal)
    answer = function.post(envelope())
    assert (answer.status, answer.body) == (200, {"status": "quarantined"})
    assert answer.log_line()["reason"] == "DynamoDB does not accept the item"
    assert [type(record) for record in stored_records(function.aws)] == [QuarantineRecord]


def test_a_body_of_256_kib_is_stored_whole(function: Webhook) -> None:
    body = raw(envelope({"error": {"a": "x" * (MAX_BODY - 1000)}})).ljust(MAX_BODY)
    assert function.post(body).body == {"status": "stored"}
    assert [event.body.encode() for event in stored_events(function.aws)] == [body]


def test_a_body_over_256_kib_is_refused_whatever_its_signature(function: Webhook) -> None:
    body = b"x" * (MAX_BODY + 1)
    for signature in (sign(body, KEY), "none"):
        answer = function.post(body, signature)
        assert (answer.status, answer.body) == (413, error("TOO_LARGE", f"a body has at most {256 * 1024} bytes"))
    assert stored_records(function.aws) == []


def test_a_wrong_signature_is_refused_and_the_answer_does_not_tell_why(function: Webhook) -> None:
    answer = function.post(envelope(), key="another key")
    assert answer.status == 401
    assert answer.body == error("UNAUTHORIZED", "the signature is missing or does not verify")
    assert stored_records(function.aws) == []


@pytest.mark.parametrize(
    ("age", "reason"),
    [(MAX_AGE + INSTANT, "the event is too old"), (-MAX_AHEAD - INSTANT, "the event is too far in the future")],
)
def test_an_event_of_the_wrong_age_is_refused_with_the_reason(function: Webhook, age: timedelta, reason: str) -> None:
    put_item(function.aws, ACCEPTED)
    answer = function.post(envelope(timestamp=to_text(NOW - age)))
    assert (answer.status, answer.body) == (400, error("EVENT_AGE", reason))
    assert stored_records(function.aws) == [ACCEPTED]


def test_a_replay_is_a_duplicate_and_later_too_old(function: Webhook) -> None:
    assert function.post(envelope()).body == {"status": "stored"}
    (stored,) = stored_events(function.aws)
    function.now = NOW + MAX_AGE
    assert function.post(envelope()).body == {"status": "duplicate"}
    # The record outlives the time in which a replay is accepted.
    assert stored.expires_at > function.now
    function.now += INSTANT
    assert function.post(envelope()).status == 400


@pytest.mark.parametrize("resource", ["/", "/webhooks/", "/WEBHOOKS", "", None, 7])
def test_other_routes_do_not_exist(function: Webhook, resource: object) -> None:
    answer = function.invoke(request(b"", "") | {"resource": resource})
    assert (answer.status, answer.body) == (404, error("NOT_FOUND", "there is no such route"))


@pytest.mark.parametrize("name", ["Signature", "signature", "SIGNATURE", "sIgNaTuRe"])
def test_the_header_is_found_in_any_case(function: Webhook, name: str) -> None:
    signature = sign(raw(envelope()), KEY)
    answer = function.invoke(request(envelope(), "") | {"headers": {"Host": "x", name: signature}})
    assert answer.body == {"status": "stored"}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(envelope({"label": "smørrebrød 🥪 中文"}), ensure_ascii=False),
        json.dumps(envelope({"label": "smørrebrød 🥪 中文"})),
        " \r\n\t" + json.dumps(envelope(), indent=7, separators=(" , ", " :\t")) + "\n\n",
    ],
    ids=["UTF-8", "escaped", "odd spacing"],
)
@pytest.mark.parametrize("is_base64", [True, False], ids=["base64", "plain"])
def test_the_signature_is_verified_over_the_bytes_as_received(
    function: Webhook, text: str, *, is_base64: bool
) -> None:
    event = request(text.encode(), sign(text.encode(), KEY))
    if not is_base64:
        event |= {"body": text, "isBase64Encoded": False}
    assert function.invoke(event).body == {"status": "stored"}
    assert [event.body for event in stored_events(function.aws)] == [text]


@pytest.mark.parametrize("body", ["!", "=", "AA", "é", "\ud800", b64encode(b"{}").decode() + "\n"])
def test_a_body_that_is_flagged_as_base64_but_is_not_is_refused(function: Webhook, body: str) -> None:
    for signed in (body.encode("utf-8", "surrogatepass"), b"{}"):
        assert function.invoke(request(b"", sign(signed, KEY)) | {"body": body}).status == 401


def test_a_webhook_makes_one_call_after_the_key_was_read(function: Webhook) -> None:
    put_item(function.aws, ACCEPTED)
    assert function.post(envelope(event_id="first")).calls == {READ_KEY: 1, STORE: 1}
    function.now += timedelta(seconds=1)
    second = envelope({"status_at": to_text(function.now)}, event_id="second")
    for body in (second, second, b"no event"):
        assert function.post(body).calls == {STORE: 1}


def test_an_event_that_does_not_move_its_message_is_stored_with_a_second_call(function: Webhook) -> None:
    read = message(status="READ", msg_id=MSG_ID, status_at=NOW)
    put_item(function.aws, read)
    assert function.post(envelope()).calls == {READ_KEY: 1, STORE: 2}
    assert stored_message(function.aws) == read
    assert len(stored_events(function.aws)) == 1
