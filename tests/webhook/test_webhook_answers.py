"""Every response of /webhooks, and the forms in which a request can arrive."""

import json
from base64 import b64encode
from datetime import timedelta

import pytest

from gatewayapi.clock import to_text
from gatewayapi.signature import sign
from tests.conftest import ENVIRONMENT
from tests.moto_aws import KEY
from tests.webhook.webhook_function import (
    NOW,
    READ_KEY,
    STORE,
    Fields,
    Webhook,
    envelope,
    function,
    message,
    request,
)

__all__ = ["function"]

MAX_AGE = timedelta(seconds=int(ENVIRONMENT["MAX_EVENT_AGE_S"]))
AHEAD = timedelta(minutes=5)
INSTANT = timedelta(microseconds=1)


def error(code: str, text: str) -> Fields:
    return {"error": {"code": code, "message": text}}


def test_a_new_event_is_stored_and_moves_its_message(function: Webhook) -> None:
    function.put(message())
    answer = function.post(envelope())
    assert (answer.status, answer.body) == (200, {"status": "stored"})
    assert [event.status for event in function.events()] == ["DELIVERED"]
    found = function.message()
    assert found is not None
    assert (found.status, found.status_at) == ("DELIVERED", NOW)


def test_a_known_event_is_a_duplicate(function: Webhook) -> None:
    function.post(envelope())
    before = function.records()
    answer = function.post(envelope())
    assert (answer.status, answer.body) == (200, {"status": "duplicate"})
    assert function.records() == before


def test_a_signed_body_that_is_not_an_event_is_quarantined(function: Webhook) -> None:
    answer = function.post(b"hello")
    assert (answer.status, answer.body) == (200, {"status": "quarantined"})


def test_a_wrong_signature_is_refused_without_a_reason(function: Webhook) -> None:
    answer = function.post(envelope(), key="another key")
    assert answer.status == 401
    assert answer.body == error("UNAUTHORIZED", "the signature is missing or does not verify")
    assert function.records() == []


@pytest.mark.parametrize(
    ("age", "status"), [(MAX_AGE, 200), (MAX_AGE + INSTANT, 400), (-AHEAD, 200), (-AHEAD - INSTANT, 400)]
)
def test_the_limits_of_an_events_age_are_exact(function: Webhook, age: timedelta, status: int) -> None:
    function.put(message())
    answer = function.post(envelope(timestamp=to_text(NOW - age)))
    assert answer.status == status
    assert len(function.events()) == (status == 200)


def test_an_event_of_the_wrong_age_is_refused_with_a_reason_and_moves_no_record(function: Webhook) -> None:
    function.put(message())
    old = function.post(envelope(timestamp=to_text(NOW - MAX_AGE - INSTANT)))
    ahead = function.post(envelope(timestamp=to_text(NOW + AHEAD + INSTANT)))
    assert old.body == error("EVENT_AGE", "the event is too old")
    assert ahead.body == error("EVENT_AGE", "the event is too far in the future")
    assert function.records() == [message()]


def test_a_replay_is_a_duplicate_and_later_too_old(function: Webhook) -> None:
    assert function.post(envelope()).body == {"status": "stored"}
    (stored,) = function.events()
    function.now = NOW + MAX_AGE
    assert function.post(envelope()).body == {"status": "duplicate"}
    # The record exists for as long as a replay is not too old.
    assert stored.expires_at > function.now
    function.now += INSTANT
    assert function.post(envelope()).status == 400


def test_a_body_over_256_kib_is_refused_whatever_its_signature(function: Webhook) -> None:
    too_large = error("TOO_LARGE", f"a body has at most {256 * 1024} bytes")
    body = b"x" * (256 * 1024 + 1)
    for signature in (sign(body, KEY), "none"):
        answer = function.post(body, signature)
        assert (answer.status, answer.body) == (413, too_large)
    assert function.records() == []


def test_an_event_that_cannot_be_stored_is_answered_with_503(function: Webhook) -> None:
    function.fail("InternalServerError", status=500)
    answer = function.post(envelope())
    assert answer.status == 503
    assert answer.body == error("NOT_STORED", "the event could not be stored, try again")


@pytest.mark.parametrize("resource", ["/", "/webhooks/", "/WEBHOOKS", "", None, 7])
def test_other_routes_do_not_exist(function: Webhook, resource: object) -> None:
    answer = function.invoke(request(b"", "") | {"resource": resource})
    assert (answer.status, answer.body) == (404, error("NOT_FOUND", "there is no such route"))


@pytest.mark.parametrize("name", ["Signature", "signature", "SIGNATURE", "sIgNaTuRe"])
def test_the_header_is_found_in_any_case(function: Webhook, name: str) -> None:
    body = json.dumps(envelope()).encode()
    answer = function.invoke(request(body, "") | {"headers": {"Host": "x", name: sign(body, KEY)}})
    assert answer.body == {"status": "stored"}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(envelope({"label": "smørrebrød 🥪 中文"}), ensure_ascii=False),
        json.dumps(envelope({"label": "smørrebrød 🥪 中文"})),
        json.dumps(envelope(), separators=(",", ":")),
        json.dumps(envelope(), indent=7) + "\n\n",
        " \r\n\t" + json.dumps(envelope(), separators=(" , ", " :\t")),
        json.dumps(dict(reversed(envelope().items()))),
    ],
    ids=["utf-8", "escaped", "compact", "indented", "odd spacing", "another order"],
)
@pytest.mark.parametrize("encoded", [True, False], ids=["base64", "plain"])
def test_the_signature_is_verified_over_the_bytes_as_received(function: Webhook, text: str, encoded: bool) -> None:  # noqa: FBT001 - a parameter
    body = text.encode()
    event = request(body, sign(body, KEY))
    if not encoded:
        event |= {"body": text, "isBase64Encoded": False}
    assert function.invoke(event).body == {"status": "stored"}
    assert [event.body for event in function.events()] == [text]


def test_the_same_json_in_other_bytes_is_refused(function: Webhook) -> None:
    signed = json.dumps(envelope()).encode()
    assert function.post(json.dumps(envelope(), indent=1).encode(), sign(signed, KEY)).status == 401


@pytest.mark.parametrize("body", ["!", "=", "AA", "é", "\ud800", b64encode(b"{}").decode() + "\n"])
def test_a_body_that_is_flagged_as_base64_but_is_not_is_refused(function: Webhook, body: str) -> None:
    for signed in (body.encode("utf-8", "surrogatepass"), b"{}"):
        assert function.invoke(request(b"", sign(signed, KEY)) | {"body": body}).status == 401


def test_a_webhook_without_faults_makes_one_call(function: Webhook) -> None:
    function.put(message())
    cold = function.counted(lambda: function.post(envelope(event_id="first")))
    assert cold == {READ_KEY: 1, STORE: 1}
    function.now += timedelta(seconds=1)
    warm = function.counted(lambda: function.post(envelope({"status_at": to_text(function.now)}, event_id="second")))
    assert warm == {STORE: 1}
    assert function.counted(lambda: function.post(envelope(event_id="second"))) == {STORE: 1}
    assert function.counted(lambda: function.post(b"no event")) == {STORE: 1}
