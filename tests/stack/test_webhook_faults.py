"""The deployed webhook without its table or its key: it answers 503 in time, and a repeated event is stored once.

tests/webhook/test_webhook_storage.py has all errors of DynamoDB. These tests have one of each kind: an error, a lost
connection, no response, and a cancelled transaction.
"""

from collections.abc import Iterator
from typing import Any, Literal

import pytest

from gatewayapi.signature import sign
from local.stack import Stack
from tests.stack.aws_proxy import AwsProxy, InjectedFault, Refusal, event_of, key_reading
from tests.stack.webhook_sender import configured, deliver, event, items, post, put_message, restart, status

STORED, DUPLICATE, QUARANTINED = [(200, {"status": it}) for it in ("stored", "duplicate", "quarantined")]
NOT_STORED = (503, {"error": {"code": "NOT_STORED", "message": "the event could not be stored, try again"}})
# The function must answer within the 5 s that the provider waits. If it took longer, the local AWS would end it, with
# another answer. 3 s more are for a busy machine.
TIMEOUT_S = 5 + 3


@pytest.fixture(scope="module")
def aws_proxy(stack: Stack) -> Iterator[AwsProxy]:
    """Put a proxy between the function and AWS, and deliver an event, so that later ones meet a running process."""
    with (
        AwsProxy(stack.endpoint) as aws_proxy,
        configured(stack, timeout_s=TIMEOUT_S, AWS_ENDPOINT_URL=aws_proxy.url),
    ):
        assert deliver(stack, event("faults-none")) == STORED
        yield aws_proxy


def cancelled(*reasons: str) -> dict[str, Any]:
    return {"fault": "refuse", "refusal": Refusal("TransactionCanceledException", reasons=reasons)}


# The faults apply to every attempt of the function.
FAULTS: dict[str, dict[str, Any]] = {
    "error": {"fault": "refuse", "refusal": Refusal("InternalServerError", status=500)},
    "lost connection": {"fault": "cut"},
    "no response": {"fault": "hold"},
    "cancelled": cancelled("None", "TransactionConflict"),
}


def events(stack: Stack, reference: str) -> list[bytes]:
    """Return the bodies of the events that are stored under a reference."""
    return [item["body"]["S"].encode() for item in items(stack, reference) if item["sk"]["S"].startswith("EVENT#")]


def was_retried(injected: InjectedFault) -> bool:
    """Return whether the function tried again after the fault."""
    return injected.hits > 1


@pytest.mark.parametrize(("name", "fault"), FAULTS.items(), ids=FAULTS)
def test_an_event_that_cannot_be_stored_gets_503_and_is_stored_at_the_next_attempt(
    stack: Stack, aws_proxy: AwsProxy, name: str, fault: dict[str, Any]
) -> None:
    reference = f"faults-{name}"
    put_message(stack, reference)
    body = event(reference)
    injected = aws_proxy.inject_fault(event_of(reference), **fault)
    assert deliver(stack, body) == NOT_STORED
    assert was_retried(injected)
    injected.release()
    assert (events(stack, reference), status(stack, reference)) == ([], "SENDING")
    assert deliver(stack, body) == STORED
    assert deliver(stack, body) == DUPLICATE
    assert (events(stack, reference), status(stack, reference)) == ([body], "DELIVERED")


def test_an_event_whose_write_got_no_response_is_a_duplicate_at_the_next_attempt(
    stack: Stack, aws_proxy: AwsProxy
) -> None:
    reference = "faults-written"
    put_message(stack, reference)
    body = event(reference)
    injected = aws_proxy.inject_fault(event_of(reference), "hold", "after")
    assert deliver(stack, body) == NOT_STORED
    assert was_retried(injected)
    injected.release()
    assert deliver(stack, body) == DUPLICATE
    assert (events(stack, reference), status(stack, reference)) == ([body], "DELIVERED")


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_connection_that_is_lost_once_is_retried_within_the_invocation(
    stack: Stack, aws_proxy: AwsProxy, moment: Literal["before", "after"]
) -> None:
    reference = f"faults-once-{moment}"
    put_message(stack, reference)
    body = event(reference)
    injected = aws_proxy.inject_fault(event_of(reference), "cut", moment, count=1)
    assert deliver(stack, body) == STORED
    assert injected.hits == 1
    assert deliver(stack, body) == DUPLICATE
    assert (events(stack, reference), status(stack, reference)) == ([body], "DELIVERED")


def test_a_body_that_is_not_an_event_is_quarantined_once(stack: Stack, aws_proxy: AwsProxy) -> None:
    body = b"no event, and no table"

    def kept() -> int:
        return [item["body"].get("S") for item in items(stack, "QUARANTINE")].count(body.decode())

    injected = aws_proxy.inject_fault(event_of("QUARANTINE"), "refuse")
    assert deliver(stack, body) == NOT_STORED
    assert was_retried(injected)
    injected.release()
    assert kept() == 0
    assert deliver(stack, body) == QUARANTINED
    assert deliver(stack, body) == DUPLICATE
    assert kept() == 1


def test_requests_get_503_while_the_key_cannot_be_read(stack: Stack, aws_proxy: AwsProxy) -> None:
    restart(stack)
    body = event("faults-key")
    injected = aws_proxy.inject_fault(key_reading, "refuse", refusal=Refusal("InternalServiceError", status=500))
    assert deliver(stack, body) == NOT_STORED
    assert post(stack, body, sign(body, "another key")) == NOT_STORED
    injected.release()
    assert items(stack, "faults-key") == []
    assert deliver(stack, body) == STORED
    assert events(stack, "faults-key") == [body]
