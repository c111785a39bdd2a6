"""The deployed webhook: signatures, stored events, quarantine, status and key rotation."""

import itertools
import json
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from gatewayapi.signature import sign
from local.stack import Stack
from local.waiting import wait_for
from tests.stack.webhook_sender import deliver, envelope, event, items, post, put_message, restart, status

MAX_BODY = 256 * 1024
UNAUTHORIZED = 401, {"error": {"code": "UNAUTHORIZED", "message": "the signature is missing or does not verify"}}
STORED, DUPLICATE, QUARANTINED = [(200, {"status": it}) for it in ("stored", "duplicate", "quarantined")]


def test_a_signed_event_is_stored_unchanged_and_its_repetition_is_a_duplicate(stack: Stack) -> None:
    body = event("webhook-stored", text="Ærø ☕")
    assert deliver(stack, body) == STORED
    assert deliver(stack, body) == DUPLICATE
    (item,) = items(stack, "webhook-stored")
    assert (item["body"]["S"].encode(), item["signature"]["S"]) == (body, sign(body, stack.webhook_key))


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/json; charset=utf-16"])
def test_the_content_type_does_not_matter(stack: Stack, content_type: str | None) -> None:
    reference = f"webhook-type-{content_type}"
    body = event(reference, text="Ærø ☕")
    assert post(stack, body, sign(body, stack.webhook_key), content_type=content_type) == STORED
    assert [item["body"]["S"].encode() for item in items(stack, reference)] == [body]


def test_the_formatting_of_the_json_is_kept(stack: Stack) -> None:
    spaced = json.dumps(envelope("webhook-spaced", note="é/"), indent="\t", separators=(" ,", " :\r\n"))
    body = f" \r\n\t{spaced}\n ".replace("DELIVERED", "D\\u0045LIVERED").encode()
    assert deliver(stack, body) == STORED
    (item,) = items(stack, "webhook-spaced")
    assert (item["body"]["S"].encode(), item["status"]["S"]) == (body, "DELIVERED")


def test_unknown_statuses_event_types_and_fields_are_kept(stack: Stack) -> None:
    put_message(stack, "webhook-unknown")
    told = envelope("webhook-unknown", status="PONDERED", mood={"of": ["a", "handset"]})
    other = envelope("webhook-unknown") | {"event_type": "weather.storm.sms", "colour": "green"}
    bodies = [json.dumps(document).encode() for document in (told, other)]
    assert [deliver(stack, body) for body in bodies] == [STORED, STORED]
    found = {item["event_type"]["S"]: item for item in items(stack, "webhook-unknown") if "event_type" in item}
    assert found.keys() == {"message.status.sms", "weather.storm.sms"}
    assert found["message.status.sms"]["status"]["S"] == "PONDERED"
    assert "status" not in found["weather.storm.sms"]
    assert [item["body"]["S"].encode() for item in (found[it["event_type"]] for it in (told, other))] == bodies
    # It ranks above being sent; the weather moves no message.
    assert status(stack, "webhook-unknown") == "PONDERED"


@pytest.mark.parametrize(
    "forge",
    [
        lambda _: None,
        lambda _: "",
        lambda _: "v1=",
        lambda right: right[:-2],
        lambda right: right + "0",
        lambda right: right.removeprefix("v1="),
        lambda right: right[:-1] + ("0" if right[-1] != "0" else "1"),
        lambda _: "v1=" + "æ" * 64,
        lambda _: "v1=" + "0" * 8000,
    ],
    ids=["missing", "empty", "no tag", "truncated", "too long", "no version", "wrong", "not ASCII", "huge"],
)
def test_every_wrong_signature_gets_the_same_answer(stack: Stack, forge: Callable[[str], str | None]) -> None:
    body = event("webhook-refused")
    forged = forge(sign(body, stack.webhook_key))
    assert post(stack, body, forged and forged.encode().decode("latin-1")) == UNAUTHORIZED
    assert items(stack, "webhook-refused") == []


@pytest.mark.parametrize("age", [timedelta(days=8), timedelta(minutes=-6)], ids=["too old", "ahead"])
def test_an_event_that_is_too_old_or_in_the_future_is_refused(stack: Stack, age: timedelta) -> None:
    body = event("webhook-age", age=age)
    code, answer = deliver(stack, body)
    assert (code, answer["error"]["code"]) == (400, "EVENT_AGE")
    assert items(stack, "webhook-age") == []


@pytest.mark.parametrize(("longer", "code"), [(0, 200), (1, 413)], ids=["256 KiB", "one byte more"])
def test_a_body_is_stored_up_to_256_kib(stack: Stack, longer: int, code: int) -> None:
    reference = f"webhook-size-{longer}"
    room = MAX_BODY + longer - len(event(reference))
    body = event(reference, text="x" * room)
    assert deliver(stack, body)[0] == code
    assert len(items(stack, reference)) == (1 if code == 200 else 0)


def inside(**told: str) -> bytes:
    """Return a whole event with this JSON in the place of fields' values, which Python may not write itself."""
    whole = envelope("webhook-unusable")
    whole["event"] |= dict.fromkeys(told, "@")
    text = json.dumps(whole)
    for name, value in told.items():
        text = text.replace(f'"{name}": "@"', f'"{name}": {value}')
    return text.encode()


def deep(levels: int) -> str:
    """Return the JSON of an object in objects."""
    return '{"a":' * levels + "1" + "}" * levels


INVALID, TOO_DEEP = "a string is not valid Unicode", "nested too deeply"
NO_NUMBER = "a number is larger or finer than the table can hold"
NO_NAME = "a name is empty or longer than the table can hold"
UNUSABLE = {
    "no JSON": (b"no JSON", "not JSON"),
    "no UTF-8": (b"\xff\xfe", "not UTF-8"),
    "no object": (b"[]", "not a JSON object"),
    "no envelope": (b'{"event_id": 1}', "event: must be an object"),
    "no number of JSON": (inside(error='{"a":NaN}'), "not JSON"),
    "neither key": (inside(reference="null", msg_id="null"), "event: neither a reference nor a msg_id"),
    "status of a wrong type": (inside(status="1"), "status: must be a string"),
    "time of a wrong form": (inside(status_at='"today"'), "status_at: must be an RFC 3339 time"),
    "recipient of a wrong type": (inside(recipient="[]"), "recipient: must be a phone number"),
    "lone surrogate": (inside(error=r'{"a":"\ud800"}'), INVALID),
    "lone surrogate in a name": (inside(error=r'{"\udfff":1}'), INVALID),
    "lone surrogate in a key": (inside(reference=r'"\ud800"'), INVALID),
    "deeper than DynamoDB goes": (inside(error=deep(40)), TOO_DEEP),
    "deeper than Python goes": (inside(error=deep(15_000)), TOO_DEEP),
    "too long a name": (inside(error=f'{{"{"x" * 65_536}":1}}'), NO_NAME),
    "too long a partition key": (inside(reference=f'"{"x" * 2049}"'), "reference: longer than a key may be"),
    "too long a sort key": (
        json.dumps(envelope("webhook-unusable") | {"event_id": "x" * 1001}).encode(),
        "event_id: longer than a name may be",
    ),
    "too large a number": (inside(error='{"a":1e126}'), NO_NUMBER),
    "too small a number": (inside(error='{"a":-1e-131}'), NO_NUMBER),
    "too exact a number": (inside(error=f'{{"a":0.{"1" * 39}}}'), NO_NUMBER),
    "too long a recipient": (inside(recipient="1" * 39), NO_NUMBER),
}


@pytest.mark.parametrize(("body", "reason"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_signed_body_that_is_not_an_event_is_quarantined_with_its_reason(
    stack: Stack, body: bytes, reason: str
) -> None:
    assert deliver(stack, body) == QUARANTINED
    assert deliver(stack, body) == DUPLICATE
    signature = sign(body, stack.webhook_key)
    kept = [item for item in items(stack, "QUARANTINE") if item["signature"]["S"] == signature]
    assert [(item["reason"]["S"], raw(item["body"])) for item in kept] == [(reason, body)]
    assert items(stack, "webhook-unusable") == []


def raw(attribute: dict[str, Any]) -> bytes:
    """Return the bytes that are kept as text where they are UTF-8, and else as they are."""
    return attribute["S"].encode() if "S" in attribute else bytes(attribute["B"])


def test_unstorable_values_in_unknown_fields_are_kept_in_the_body(stack: Stack) -> None:
    body = inside(unknown=rf'["\ud800",1e400,{deep(40)},{{"{"x" * 65_536}":null}}]').replace(
        b"webhook-unusable", b"webhook-usable"
    )
    assert deliver(stack, body) == STORED
    assert [item["body"]["S"].encode() for item in items(stack, "webhook-usable")] == [body]


def test_events_of_another_system_create_no_message(stack: Stack) -> None:
    body = event("webhook-foreign")
    assert deliver(stack, body) == STORED
    assert [item["sk"]["S"][:6] for item in items(stack, "webhook-foreign")] == ["EVENT#"]


def test_a_final_status_stays_when_all_events_arrive_at_once(stack: Stack) -> None:
    put_message(stack, "webhook-race")
    statuses = ["ACCEPTED", "ENROUTE", "UNKNOWN", "SOMETHING_NEW", "ENROUTE", "DELIVERED", "ACCEPTED", "ENROUTE"]
    bodies = [event("webhook-race", status) for status in statuses]
    with ThreadPoolExecutor(max_workers=4) as beside:
        answers = list(beside.map(lambda body: retried(stack, body), bodies + bodies[:4]))
    assert all(answer in ("stored", "duplicate") for answer in answers)
    found = items(stack, "webhook-race")
    assert len(found) == 1 + len(bodies)
    assert status(stack, "webhook-race") == "DELIVERED"


def retried(stack: Stack, body: bytes) -> str:
    """Post as the provider does, until it is answered 2xx; 503 asks for that where two events met."""
    for _ in itertools.repeat(None, 20):
        code, answer = deliver(stack, body)
        if code == 200:
            return str(answer["status"])
        assert code == 503, answer
    raise AssertionError("never stored")


@pytest.fixture
def rotate(stack: Stack) -> Iterator[Callable[[], str]]:
    """Begin with a function that has read no key yet, and return what makes another key the current one.

    In the end the key of before is the current one again, and no process knows of the others.
    """
    secrets, arn = stack.client("secretsmanager"), stack.outputs["WebhookKeySecretArn"]

    def put() -> str:
        key = uuid.uuid4().hex
        secrets.put_secret_value(SecretId=arn, SecretString=key)
        return key

    restart(stack)
    yield put
    secrets.put_secret_value(SecretId=arn, SecretString=stack.webhook_key)
    restart(stack)


def answered(stack: Stack, key: str) -> tuple[int, dict[str, Any]]:
    body = event("webhook-rotated")
    return post(stack, body, sign(body, key))


def test_a_running_function_accepts_the_new_key_and_the_previous_one_after_a_rotation(
    stack: Stack, rotate: Callable[[], str]
) -> None:
    assert answered(stack, stack.webhook_key) == STORED
    fresh = rotate()
    # It reads its keys again at most once a minute.
    wait_for(lambda: answered(stack, fresh) == STORED, "the new key to be known", within_s=90)
    assert answered(stack, stack.webhook_key) == STORED


def test_a_new_function_accepts_the_previous_key(stack: Stack, rotate: Callable[[], str]) -> None:
    fresh = rotate()
    restart(stack)
    assert answered(stack, stack.webhook_key) == STORED
    assert answered(stack, fresh) == STORED


def test_the_key_before_the_previous_one_is_refused(stack: Stack, rotate: Callable[[], str]) -> None:
    second, third = rotate(), rotate()
    restart(stack)
    assert answered(stack, stack.webhook_key) == UNAUTHORIZED
    assert [answered(stack, key) for key in (second, third)] == [STORED, STORED]
