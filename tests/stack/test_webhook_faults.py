"""The deployed webhook without its table or its key: it answers 503 in time, and a repeated event is stored once."""

from collections.abc import Iterator
from typing import Any, Literal

import pytest

from gatewayapi.signature import sign
from local.stack import Stack
from tests.stack.aws_proxy import AwsProxy, Order, Refusal, event_of, key_reading
from tests.stack.webhook_sender import configured, deliver, event, items, post, put_message, restart, status

STORED, DUPLICATE, QUARANTINED = [(200, {"status": it}) for it in ("stored", "duplicate", "quarantined")]
NOT_STORED = (503, {"error": {"code": "NOT_STORED", "message": "the event could not be stored, try again"}})
# When the local AWS ends the function, whose answer is another then: the 5 s that the provider waits, and what a busy
# machine takes longer.
ENDS_S = 5 + 3


@pytest.fixture(scope="module")
def aws_proxy(stack: Stack) -> Iterator[AwsProxy]:
    """Stand before the function's calls to AWS; the first event has no fault, and all of the cold start."""
    with AwsProxy(stack.endpoint) as aws_proxy, configured(stack, timeout_s=ENDS_S, AWS_ENDPOINT_URL=aws_proxy.url):
        assert deliver(stack, event("faults-none")) == STORED
        yield aws_proxy


def cancelled(*reasons: str) -> dict[str, Any]:
    return {"fault": "refuse", "refusal": Refusal("TransactionCanceledException", reasons=reasons)}


# Each strikes whenever the function asks, however often it does.
FAULTS: dict[str, dict[str, Any]] = {
    "throttled": {"fault": "refuse", "refusal": Refusal("ThrottlingException")},
    "over the throughput": {"fault": "refuse", "refusal": Refusal("ProvisionedThroughputExceededException")},
    "unavailable": {"fault": "refuse", "refusal": Refusal("ServiceUnavailable", status=503)},
    "broken": {"fault": "refuse", "refusal": Refusal("InternalServerError", status=500)},
    "cut": {"fault": "cut"},
    "silent": {"fault": "hold"},
    "event throttled": cancelled("ThrottlingError", "None"),
    "message throttled": cancelled("None", "ThrottlingError"),
    "conflict over the event": cancelled("TransactionConflict", "None"),
    "conflict over the message": cancelled("None", "TransactionConflict"),
}


def events(stack: Stack, reference: str) -> list[bytes]:
    """Return the bodies of the events that are filed under a reference."""
    return [item["body"]["S"].encode() for item in items(stack, reference) if item["sk"]["S"].startswith("EVENT#")]


def met(order: Order) -> bool:
    """Return whether the function came upon the fault, and tried again before it gave up."""
    return order.hits > 1


@pytest.mark.parametrize(("name", "fault"), FAULTS.items(), ids=FAULTS)
def test_an_event_that_cannot_be_stored_gets_503_and_is_stored_at_the_next_attempt(
    stack: Stack, aws_proxy: AwsProxy, name: str, fault: dict[str, Any]
) -> None:
    reference = f"faults-{name}"
    put_message(stack, reference)
    body = event(reference)
    order = aws_proxy.order(event_of(reference), **fault)
    assert deliver(stack, body) == NOT_STORED
    assert met(order)
    order.release()
    assert (events(stack, reference), status(stack, reference)) == ([], "SENDING")
    assert deliver(stack, body) == STORED
    assert deliver(stack, body) == DUPLICATE
    assert (events(stack, reference), status(stack, reference)) == ([body], "DELIVERED")


@pytest.mark.parametrize("fault", ["cut", "hold"])
def test_an_event_whose_write_got_no_response_is_a_duplicate_at_the_next_attempt(
    stack: Stack, aws_proxy: AwsProxy, fault: Literal["cut", "hold"]
) -> None:
    reference = f"faults-unheard-{fault}"
    put_message(stack, reference)
    body = event(reference)
    order = aws_proxy.order(event_of(reference), fault, "after")
    assert deliver(stack, body) == NOT_STORED
    assert met(order)
    order.release()
    assert deliver(stack, body) == DUPLICATE
    assert (events(stack, reference), status(stack, reference)) == ([body], "DELIVERED")


PASSING: dict[str, dict[str, Any]] = {
    "throttled": {"fault": "refuse"},
    "cut": {"fault": "cut"},
    "took it and was cut": {"fault": "cut", "moment": "after"},
    "conflict": cancelled("None", "TransactionConflict"),
}


@pytest.mark.parametrize(("name", "fault"), PASSING.items(), ids=PASSING)
def test_a_short_fault_is_retried_within_the_invocation(
    stack: Stack, aws_proxy: AwsProxy, name: str, fault: dict[str, Any]
) -> None:
    reference = f"faults-passing-{name}"
    put_message(stack, reference)
    body = event(reference)
    order = aws_proxy.order(event_of(reference), count=1, **fault)
    assert deliver(stack, body) == STORED
    assert order.hits == 1
    assert deliver(stack, body) == DUPLICATE
    assert (events(stack, reference), status(stack, reference)) == ([body], "DELIVERED")


def test_a_body_that_is_not_an_event_is_quarantined_once(stack: Stack, aws_proxy: AwsProxy) -> None:
    body = b"no event, and no table"

    def kept() -> int:
        return [item["body"].get("S") for item in items(stack, "QUARANTINE")].count(body.decode())

    order = aws_proxy.order(event_of("QUARANTINE"), "refuse")
    assert deliver(stack, body) == NOT_STORED
    assert met(order)
    order.release()
    assert kept() == 0
    assert deliver(stack, body) == QUARANTINED
    assert deliver(stack, body) == DUPLICATE
    assert kept() == 1


def test_requests_get_503_while_the_key_cannot_be_read(stack: Stack, aws_proxy: AwsProxy) -> None:
    restart(stack)
    body = event("faults-key")
    order = aws_proxy.order(key_reading, "refuse", refusal=Refusal("InternalServiceError", status=500))
    assert deliver(stack, body) == NOT_STORED
    assert post(stack, body, sign(body, "no key of ours")) == NOT_STORED
    order.release()
    assert items(stack, "faults-key") == []
    assert deliver(stack, body) == STORED
    assert events(stack, "faults-key") == [body]
