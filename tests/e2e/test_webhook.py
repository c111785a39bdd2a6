"""The deployed webhook: who gets in, what is stored before it is answered, and which state it leaves."""

import itertools
import json
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import urllib3

from gatewayapi.signature import sign
from local.stack import Stack
from local.waiting import wait_for

TIMEOUT_S = 60  # a small machine that starts a process for each request at once
MAX_BODY = 256 * 1024


def event(reference: str, status: str = "DELIVERED", *, age: timedelta = timedelta(0), text: str = "") -> bytes:
    """Return the body of a status event that is this old; `text` is kept in a field that nobody knows."""
    at = (datetime.now(UTC) - age).isoformat()
    told = {"msg_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "recipient": 4512345678, "reference": reference}
    told |= {"status": status, "status_at": at, "error": None, "unknown": text}
    envelope = {"event_id": str(uuid.uuid4()), "timestamp": at, "event_type": "message.status.sms", "event": told}
    return json.dumps(envelope, ensure_ascii=False).encode()


def post(stack: Stack, body: bytes, signature: str | None) -> tuple[int, dict[str, Any]]:
    """Post a body, and return the status and the answer's JSON."""
    headers = {"Content-Type": "application/json"} | ({} if signature is None else {"Signature": signature})
    answer = urllib3.request("POST", stack.webhook_url, body=body, headers=headers, timeout=TIMEOUT_S, retries=False)
    return answer.status, answer.json()


def items(stack: Stack, key: str) -> list[dict[str, Any]]:
    """Return what the table has under a partition key."""
    found: list[dict[str, Any]] = stack.client("dynamodb").query(
        TableName=stack.outputs["TableName"],
        KeyConditionExpression="pk = :key",
        ExpressionAttributeValues={":key": {"S": key}},
        ConsistentRead=True,
    )["Items"]
    return found


def test_a_signed_event_is_stored_as_it_came_and_a_second_time_it_is_known(stack: Stack) -> None:
    body = event("webhook-stored", text="Ærø ☕")
    signature = sign(body, stack.webhook_key)
    assert post(stack, body, signature) == (200, {"status": "stored"})
    assert post(stack, body, signature) == (200, {"status": "duplicate"})
    (item,) = items(stack, "webhook-stored")
    assert (item["body"]["S"].encode(), item["signature"]["S"]) == (body, signature)


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
def test_whatever_is_not_signed_by_our_key_is_refused_with_the_same_words(
    stack: Stack, forge: Callable[[str], str | None]
) -> None:
    body = event("webhook-refused")
    forged = forge(sign(body, stack.webhook_key))
    status, answer = post(stack, body, forged and forged.encode().decode("latin-1"))
    assert (status, answer["error"]["code"]) == (401, "UNAUTHORIZED")
    assert answer["error"]["message"] == "the signature is missing or does not verify"
    assert items(stack, "webhook-refused") == []


@pytest.mark.parametrize("age", [timedelta(days=8), timedelta(minutes=-6)], ids=["too old", "ahead"])
def test_an_event_of_an_age_that_none_has_is_refused(stack: Stack, age: timedelta) -> None:
    body = event("webhook-age", age=age)
    status, answer = post(stack, body, sign(body, stack.webhook_key))
    assert (status, answer["error"]["code"]) == (400, "EVENT_AGE")
    assert items(stack, "webhook-age") == []


@pytest.mark.parametrize(("longer", "status"), [(0, 200), (1, 413)], ids=["256 KiB", "one byte more"])
def test_a_body_is_stored_up_to_256_kib(stack: Stack, longer: int, status: int) -> None:
    reference = f"webhook-size-{longer}"
    room = MAX_BODY + longer - len(event(reference))
    body = event(reference, text="x" * room)
    assert post(stack, body, sign(body, stack.webhook_key))[0] == status
    assert len(items(stack, reference)) == (1 if status == 200 else 0)


@pytest.mark.parametrize(
    "body",
    [b"no JSON", b"[]", b'{"event_id": 1}', b'{"a": "\\ud800"}', b"[" * 5000, b"\xff\xfe"],
    ids=["no JSON", "no object", "no envelope", "lone surrogate", "deep", "no UTF-8"],
)
def test_what_is_signed_and_no_event_is_quarantined_with_its_reason(stack: Stack, body: bytes) -> None:
    signature = sign(body, stack.webhook_key)
    assert post(stack, body, signature) == (200, {"status": "quarantined"})
    assert post(stack, body, signature) == (200, {"status": "duplicate"})
    kept = [item for item in items(stack, "QUARANTINE") if item["signature"]["S"] == signature]
    assert [bool(item["reason"]["S"]) for item in kept] == [True]


def test_events_of_a_message_that_we_did_not_send_make_no_message(stack: Stack) -> None:
    body = event("webhook-foreign")
    post(stack, body, sign(body, stack.webhook_key))
    assert [item["sk"]["S"][:6] for item in items(stack, "webhook-foreign")] == ["EVENT#"]


def test_a_final_state_survives_all_events_at_once(stack: Stack) -> None:
    table, key = stack.outputs["TableName"], {"pk": {"S": "webhook-race"}, "sk": {"S": "MESSAGE"}}
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    record = {name: {"S": now} for name in ("queued_at", "updated_at")} | {"record_type": {"S": "message"}}
    record |= {"status": {"S": "SENDING"}, "attempts": {"N": "1"}, "expires_at": {"N": "9999999999"}}
    stack.client("dynamodb").put_item(TableName=table, Item=key | record)
    statuses = ["ACCEPTED", "ENROUTE", "UNKNOWN", "SOMETHING_NEW", "ENROUTE", "DELIVERED", "ACCEPTED", "ENROUTE"]
    bodies = [event("webhook-race", status) for status in statuses]
    with ThreadPoolExecutor(max_workers=4) as beside:
        answers = list(beside.map(lambda body: retried(stack, body), bodies + bodies[:4]))
    assert all(answer in ("stored", "duplicate") for answer in answers)
    found = items(stack, "webhook-race")
    assert len(found) == 1 + len(bodies)
    assert next(item["status"]["S"] for item in found if item["sk"]["S"] == "MESSAGE") == "DELIVERED"


def retried(stack: Stack, body: bytes) -> str:
    """Post as the provider does, until it is answered 2xx; 503 asks for that where two events met."""
    for _ in itertools.repeat(None, 20):
        status, answer = post(stack, body, sign(body, stack.webhook_key))
        if status == 200:
            return str(answer["status"])
        assert status == 503, answer
    raise AssertionError("never stored")


@pytest.fixture
def rotated(stack: Stack) -> Iterator[str]:
    """Make another key the current one for a while; the keys of before come back in order."""
    secrets, arn = stack.client("secretsmanager"), stack.outputs["WebhookKeySecretArn"]
    fresh = uuid.uuid4().hex
    secrets.put_secret_value(SecretId=arn, SecretString=fresh)
    yield fresh
    secrets.put_secret_value(SecretId=arn, SecretString=stack.webhook_key)


def test_after_a_rotation_both_keys_get_in_without_a_deploy(stack: Stack, rotated: str) -> None:
    def stored(key: str) -> bool:
        body = event("webhook-rotated")
        return post(stack, body, sign(body, key))[0] == 200

    # A running function reads its keys again at most once a minute.
    wait_for(lambda: stored(rotated), "the new key to be known", within_s=90)
    assert stored(stack.webhook_key)
