"""Sends webhooks to the deployed stack as the provider does, and reads what the table has stored.

The timeout of a request is long enough for a small machine that starts several processes at once.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import urllib3

from gatewayapi.signature import sign
from local.stack import Stack
from local.waiting import wait_for
from simulator.webhook_events import status_event
from tests.stack import function_processes
from tests.stack.deployed_function import name_of, processes_of, update

Fields = dict[str, Any]

FUNCTION = "WebhookFunction"
TIMEOUT_S = 60
JSON = "application/json"
MSG_ID = "a-msg-id-without-a-time"  # a ULID would need the time of the record's request
NUMBER = 4512345678


def envelope(reference: str, /, *, age: timedelta = timedelta(0), **fields: object) -> Fields:
    """Return a status event that is this old; `fields` replace those of the event."""
    at = datetime.now(UTC) - age
    made: Fields = json.loads(
        status_event("DELIVERED", msg_id=MSG_ID, recipient=NUMBER, reference=reference, at=at).body
    )
    made["event"] |= fields
    return made


def event(reference: str, status: str = "DELIVERED", *, age: timedelta = timedelta(0), text: str = "") -> bytes:
    """Return the body of a status event, with `text` in an unknown field."""
    return json.dumps(envelope(reference, age=age, status=status, unknown=text), ensure_ascii=False).encode()


def post(
    stack: Stack, body: bytes, signature: str | None, *, content_type: str | None = JSON
) -> tuple[int, dict[str, Any]]:
    """Post a body, and return the status and the JSON of the response."""
    named = {"Content-Type": content_type, "Signature": signature}
    headers = {name: value for name, value in named.items() if value is not None}
    answer = urllib3.request("POST", stack.webhook_url, body=body, headers=headers, timeout=TIMEOUT_S, retries=False)
    return answer.status, answer.json()


def deliver(stack: Stack, body: bytes) -> tuple[int, dict[str, Any]]:
    """Post a body, signed with the stack's key."""
    return post(stack, body, sign(body, stack.webhook_key))


def items(stack: Stack, key: str) -> list[dict[str, Any]]:
    """Return the items of a partition key."""
    found: list[dict[str, Any]] = stack.client("dynamodb").query(
        TableName=stack.outputs["TableName"],
        KeyConditionExpression="pk = :key",
        ExpressionAttributeValues={":key": {"S": key}},
        ConsistentRead=True,
    )["Items"]
    return found


def status(stack: Stack, reference: str) -> str:
    """Return the status of a message's record."""
    (found,) = [item["status"]["S"] for item in items(stack, reference) if item["sk"]["S"] == "MESSAGE"]
    return str(found)


def put_message(stack: Stack, reference: str) -> None:
    """Write the record of a message that is being sent."""
    now = {"S": datetime.now(UTC).isoformat(timespec="microseconds")}
    record = {"pk": {"S": reference}, "sk": {"S": "MESSAGE"}, "record_type": {"S": "message"}}
    record |= {"queued_at": now, "updated_at": now, "expires_at": {"N": "9999999999"}, "attempts": {"N": "1"}}
    record |= {"status": {"S": "SENDING"}, "recipient": {"N": str(NUMBER)}}
    stack.client("dynamodb").put_item(TableName=stack.outputs["TableName"], Item=record)


def restart(stack: Stack) -> None:
    """End all processes of the function, so that the next one reads the secrets again."""
    with configured(stack):
        pass
    processes = processes_of(stack, name_of(stack, FUNCTION))
    wait_for(lambda: not function_processes.processes(processes), "the function's processes to end")


@contextmanager
def configured(stack: Stack, *, timeout_s: int | None = None, **variables: str) -> Iterator[None]:
    """Change the function's timeout and variables within the block. Its processes restart before and after."""
    name = name_of(stack, FUNCTION)
    found = stack.client("lambda").get_function_configuration(FunctionName=name)
    known = found["Environment"]["Variables"]
    update(stack, name, Timeout=timeout_s or found["Timeout"], Environment={"Variables": {**known, **variables}})
    try:
        yield
    finally:
        update(stack, name, Timeout=found["Timeout"], Environment={"Variables": known})
