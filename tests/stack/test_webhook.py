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


@pytest.mark.parametrize(
    "forge",
    [
        lambda _: None,
        lambda right: right[:-1] + ("0" if right[-1] != "0" else "1"),
        lambda _: "v1=" + "æ" * 64,
        lambda _: "v1=" + "0" * 8000,
    ],
    ids=["missing", "wrong", "not ASCII", "8000 digits"],
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


# tests/webhook/test_webhook_bodies.py has all kinds of them.
UNUSABLE = {
    "no JSON": (b"no JSON", "not JSON"),
    "no UTF-8": (b"\xff\xfe", "not UTF-8"),
    "nested too deeply for Python": (b'{"a":' * 40_000 + b"1" + b"}" * 40_000, "nested too deeply"),
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


def raw(attribute: dict[str, Any]) -> bytes:
    """Return the bytes of a stored body, which is text if it is UTF-8 and otherwise binary."""
    return attribute["S"].encode() if "S" in attribute else bytes(attribute["B"])


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
    """Post an event again until the response is 200, as the provider does. Concurrent events can cause 503."""
    for _ in itertools.repeat(None, 20):
        code, answer = deliver(stack, body)
        if code == 200:
            return str(answer["status"])
        assert code == 503, answer
    raise AssertionError("never stored")


@pytest.fixture
def rotate(stack: Stack) -> Iterator[Callable[[], str]]:
    """Restart the function, and return a function that makes a new key the current one.

    Afterwards the first key is the current one again, and the function is restarted.
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


def post_signed_with(stack: Stack, key: str) -> tuple[int, dict[str, Any]]:
    body = event("webhook-rotated")
    return post(stack, body, sign(body, key))


def test_a_running_function_accepts_the_new_key_and_the_previous_one_after_a_rotation(
    stack: Stack, rotate: Callable[[], str]
) -> None:
    assert post_signed_with(stack, stack.webhook_key) == STORED
    fresh = rotate()
    # The function reads its keys again at most once a minute.
    wait_for(lambda: post_signed_with(stack, fresh) == STORED, "the new key to be known", within_s=90)
    assert post_signed_with(stack, stack.webhook_key) == STORED


def test_a_new_function_accepts_the_previous_key(stack: Stack, rotate: Callable[[], str]) -> None:
    fresh = rotate()
    restart(stack)
    assert post_signed_with(stack, stack.webhook_key) == STORED
    assert post_signed_with(stack, fresh) == STORED


def test_the_key_before_the_previous_one_is_refused(stack: Stack, rotate: Callable[[], str]) -> None:
    second, third = rotate(), rotate()
    restart(stack)
    assert post_signed_with(stack, stack.webhook_key) == UNAUTHORIZED
    assert [post_signed_with(stack, key) for key in (second, third)] == [STORED, STORED]
