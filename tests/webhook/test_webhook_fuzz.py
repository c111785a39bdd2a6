"""For any event of API Gateway and any signed body, the response is valid and the log has no private data."""

import json
from base64 import b64decode
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

import webhook
from gatewayapi.clock import to_text
from gatewayapi.errors import SignatureError
from gatewayapi.signature import sign, verify
from tests.aws_calls import Refusal, cancelled
from tests.layer.stored_records import NOW, delete_items
from tests.moto_aws import KEY
from tests.webhook.webhook_function import STORE, Answer, Fields, Webhook, envelope, function, request

__all__ = ["function"]

TEXT = "Meet me at the old pier"
NUMBERS = (4587654321, "+45 87 65 43 21", "4587654321")
FORMS_OF_NUMBER = ("4587654321", "87654321", "87 65 43 21")
SECRETS = (KEY, TEXT, *FORMS_OF_NUMBER)

REFUSALS = {400, 401, 403, 404, 413}
fuzzed = settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

words = st.text(max_size=8)
# Every kind of JSON value that Python reads, with lone surrogates.
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.sampled_from([10**39, 1e-200, "\ud800", "", "x" * 3000])
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4), max_leaves=12
)
private = st.sampled_from([TEXT, *NUMBERS])


@st.composite
def changed(draw: st.DrawFn, whole: Fields) -> Fields:
    """Return a dict with one or more fields replaced, dropped or added, at any depth."""
    result = dict(whole)
    name = draw(st.sampled_from([*whole, "another"]))
    match draw(st.sampled_from(["descend", "replace", "drop"])):
        case "descend" if isinstance(whole.get(name), dict):
            result[name] = draw(changed(whole[name]))
        case "drop":
            result.pop(name, None)
        case _:
            result[name] = draw(values)
    return draw(changed(result)) if result and draw(st.integers(0, 3)) == 0 else result


around_now = st.timedeltas(timedelta(days=-8), timedelta(minutes=6)).map(lambda age: to_text(NOW + age))
statuses = st.sampled_from(["ACCEPTED", "DELIVERED", "READ", "HELD"]) | words
kinds = (
    st.sampled_from(["message.status.sms", "message.status.rcs", "user-message.text.sms", "user-message.x"]) | words
)
numbers = st.integers() | st.text(max_size=15) | st.none()


@st.composite
def envelopes(draw: st.DrawFn) -> Fields:
    """Return a webhook body that the provider could send, now or in a later version."""
    fields = {
        "reference": draw(words | st.none()),
        "status": draw(statuses),
        "recipient": draw(numbers),
        "sender": draw(numbers),
        "error": draw(st.none() | st.dictionaries(words, values, max_size=2)),
        "content": draw(values),
        "another": draw(values),
    }
    return envelope(
        fields,
        event_id=str(draw(st.uuids())),
        event_type=draw(kinds),
        timestamp=draw(around_now),
        another=draw(values),
    )


bodies = st.one_of(
    st.binary(max_size=200),
    values.map(lambda value: json.dumps(value).encode()),
    envelopes().map(lambda body: json.dumps(body).encode()),
    envelopes().flatmap(changed).map(lambda body: json.dumps(body).encode()),
    st.builds(lambda body, cut: json.dumps(body).encode()[:cut], envelopes(), st.integers(0, 300)),
)
signatures = st.one_of(
    st.just("valid"),
    st.text(max_size=80),
    st.from_regex(r"v1=[0-9a-f]{64}", fullmatch=True),
    st.from_regex(r"v1=[0-9a-f]{0,63}", fullmatch=True),
)


@st.composite
def gateway_events(draw: st.DrawFn) -> Any:  # noqa: ANN401 - any JSON value
    """Return a valid event of API Gateway, a changed one, or any JSON value."""
    if draw(st.integers(0, 9)) == 0:
        return draw(values)
    body, signature = draw(bodies), draw(signatures)
    whole = request(body, sign(body, KEY) if signature == "valid" else signature)
    if draw(st.booleans()):
        whole |= {"resource": "/sign", "requestContext": {"identity": {"userArn": draw(words)}}}
    if draw(st.booleans()):
        whole |= {"body": body.decode(errors="surrogateescape"), "isBase64Encoded": False}
    return draw(changed(whole)) if draw(st.booleans()) else whole


@fuzzed
@given(given_event=gateway_events())
def test_every_event_of_api_gateway_gets_a_valid_answer(function: Webhook, given_event: object) -> None:
    delete_items(function.aws)
    answer = function.invoke(given_event)
    event(f"{answer.status}")
    if answer.status != 200:
        assert answer.status in REFUSALS
        assert {type(value) for value in answer.body["error"].values()} == {str}
        assert set(answer.body) == {"error"}
        assert set(answer.body["error"]) == {"code", "message"}
    elif answer.body.get("status"):
        assert is_signed(given_event)
    else:
        assert set(answer.body) == {"signature"}
        assert given_event["requestContext"]["identity"]["userArn"]  # type: ignore[index] # only a dict is signed


@fuzzed
@given(body=bodies)
def test_every_signed_body_is_stored_or_has_the_wrong_age(function: Webhook, body: bytes) -> None:
    delete_items(function.aws)
    answer = function.post(body)
    event(f"{answer.status} {answer.body.get('status')}")
    if answer.status == 400:
        assert answer.body["error"]["code"] == "EVENT_AGE"
        return
    assert answer.status == 200
    assert answer.body["status"] in {"stored", "duplicate", "quarantined"}
    again = function.post(body)
    assert (again.status, again.body) == (200, {"status": "duplicate"})


@st.composite
def private_bodies(draw: st.DrawFn) -> bytes:
    """Return a body with private data in every field that is not logged. It can be invalid."""
    names = ["recipient", "sender", "content", "error", "label", "sent_at"]
    fields = draw(st.dictionaries(st.sampled_from(names), private | st.dictionaries(private, private)))
    kind = draw(st.sampled_from(["message.status.sms", "user-message.text.sms", "conversation.opened"]))
    body = envelope(fields, event_type=kind, event_id=str(draw(st.uuids())), unknown=draw(private))
    if draw(st.booleans()):
        del body["event"][draw(st.sampled_from(sorted(body["event"])))]
    raw = json.dumps(body).encode()
    return raw[: draw(st.integers(0, len(raw)))] if draw(st.booleans()) else raw


@fuzzed
@given(body=private_bodies(), key=st.sampled_from([KEY, KEY, "another key"]))
def test_texts_phone_numbers_and_keys_are_not_logged(function: Webhook, body: bytes, key: str) -> None:
    delete_items(function.aws)
    answer = function.post(body, key=key)
    event(f"{answer.status} {answer.body.get('status')}")
    assert_private(answer)
    assert sign(body, KEY) not in answer.log


def assert_private(answer: Answer) -> None:
    assert answer.log
    for line in answer.log.splitlines():
        assert not [secret for secret in SECRETS if secret in line]
        assert json.loads(line)  # so there is no warning, trace or print


@pytest.mark.parametrize(
    "failure",
    [
        lambda function: function.calls.refuse(STORE, Refusal("InternalServerError", 500)),
        lambda function: function.calls.refuse(STORE, Refusal("ValidationException")),
        lambda function: function.calls.refuse(STORE, cancelled("ThrottlingError", "None")),
        lambda function: function.calls.lose_answer("TransactWriteItems"),
        lambda function: delete_items(function.aws),
    ],
)
@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
def test_a_failure_logs_no_private_data(function: Webhook, failure: Callable[[Webhook], None], level: str) -> None:
    webhook.logger.setLevel(level)
    try:
        failure(function)
        assert_private(function.post(envelope({"recipient": NUMBERS[0], "error": {"details": TEXT}})))
    finally:
        webhook.logger.setLevel("INFO")


def test_only_the_last_three_digits_of_a_number_are_logged(function: Webhook) -> None:
    assert '"number":"…321"' in function.post(envelope({"recipient": NUMBERS[0]})).log


def is_signed(given_event: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Return whether an event has a body with a valid signature. This is independent of the function's code."""
    body = given_event["body"] or ""
    raw = b64decode(body) if given_event.get("isBase64Encoded") else body.encode()
    for name, value in given_event["headers"].items():
        if name.lower() == "signature":
            try:
                verify(raw, value, [KEY])
            except SignatureError:
                continue
            return True
    return False
