"""Whatever DynamoDB does, an event is stored once, or the response makes the provider try again."""

from collections.abc import Callable

import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError, SSLError

from tests.webhook.webhook_function import NOW, STORE, Webhook, envelope, function, message

__all__ = ["function"]

CANCELLED = "TransactionCanceledException"

Fault = Callable[[Webhook], None]


def refused(code: str, status: int = 400) -> Fault:
    return lambda function: function.fail(code, status=status)


def cancelled(*reasons: str, count: int = 1) -> Fault:
    return lambda function: function.fail(CANCELLED, *reasons, count=count)


def raises(error: Exception) -> Fault:
    def order(function: Webhook) -> None:
        def act(_: object) -> None:
            raise error

        function.calls.before(STORE, act)

    return order


def lose_answer(function: Webhook) -> None:
    function.calls.lose_answer(STORE)


URL = "https://dynamodb.invalid"
FAULTS = {
    "throttled": refused("ThrottlingException"),
    "throughput exceeded": refused("ProvisionedThroughputExceededException"),
    "request limit": refused("RequestLimitExceeded"),
    "internal error": refused("InternalServerError", 500),
    "unavailable": refused("ServiceUnavailable", 503),
    "no such table": refused("ResourceNotFoundException"),
    "access denied": refused("AccessDeniedException"),
    "key of the table disabled": refused("KMSDisabledException"),
    "the same transaction under way": refused("TransactionInProgressException"),
    "event throttled": cancelled("ThrottlingError", "None", count=4),
    "message throttled": cancelled("None", "ThrottlingError", count=4),
    "throughput of the event's partition": cancelled("ProvisionedThroughputExceeded", "None", count=4),
    "unknown reason": cancelled("None", "SomethingNew"),
    "too few reasons": cancelled("ConditionalCheckFailed"),
    "cancelled without reasons": refused(CANCELLED),
    "connection refused": raises(EndpointConnectionError(endpoint_url=URL)),
    "connect time-out": raises(ConnectTimeoutError(endpoint_url=URL)),
    "read time-out": raises(ReadTimeoutError(endpoint_url=URL)),
    "TLS": raises(SSLError(endpoint_url=URL, error=ValueError("certificate"))),
    "answer lost": lose_answer,
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_whatever_dynamodb_does_an_event_is_stored_once(function: Webhook, fault: Fault) -> None:
    function.put(message())
    fault(function)
    assert function.post(envelope()).status == 503
    written = bool(function.events())
    assert written == (fault is lose_answer)
    again = function.post(envelope())
    assert (again.status, again.body) == (200, {"status": "duplicate" if written else "stored"})
    assert len(function.events()) == 1
    found = function.message()
    assert found is not None
    assert (found.status, found.status_at) == ("DELIVERED", NOW)


@pytest.mark.parametrize(
    "fault", [refused("InternalServerError", 500), cancelled("ThrottlingError", count=4), lose_answer]
)
def test_whatever_dynamodb_does_a_quarantined_body_is_stored_once(function: Webhook, fault: Fault) -> None:
    fault(function)
    assert function.post(b"no event").status == 503
    assert function.post(b"no event").body == {"status": "duplicate" if fault is lose_answer else "quarantined"}
    assert len(function.quarantined()) == 1


@pytest.mark.parametrize(
    "reasons",
    [
        ("None", "TransactionConflict"),
        ("TransactionConflict", "None"),
        ("TransactionConflict", "TransactionConflict"),
    ],
)
def test_a_conflict_is_retried_and_then_answered_with_503(function: Webhook, reasons: tuple[str, str]) -> None:
    function.put(message())
    function.fail(CANCELLED, *reasons)
    assert function.post(envelope(event_id="a")).body == {"status": "stored"}
    function.clear()
    function.put(message())
    function.fail(CANCELLED, *reasons, count=4)
    calls = function.counted(lambda: function.post(envelope(event_id="b")))
    assert calls == {STORE: 4}
    assert function.records() == [message()]
    assert function.post(envelope(event_id="b")).body == {"status": "stored"}


def test_an_event_in_conflict_with_its_own_duplicate_is_a_duplicate(function: Webhook) -> None:
    function.put(message())
    function.post(envelope())
    function.fail(CANCELLED, "TransactionConflict", "None")
    assert function.post(envelope()).body == {"status": "duplicate"}
    assert len(function.events()) == 1


def test_a_quarantined_body_is_written_after_a_conflict(function: Webhook) -> None:
    function.fail(CANCELLED, "TransactionConflict")
    assert function.post(b"no event").body == {"status": "quarantined"}
    function.fail(CANCELLED, "TransactionConflict", count=4)
    assert function.post(b"another").status == 503


def test_an_event_that_does_not_move_its_message_is_stored(function: Webhook) -> None:
    read = message("READ", status_at=NOW)
    function.put(read)
    assert function.counted(lambda: function.post(envelope())) == {"GetSecretValue": 1, STORE: 2}
    assert function.message() == read
    assert len(function.events()) == 1


def test_a_failure_is_logged_with_its_code_and_counted(function: Webhook) -> None:
    function.fail("ProvisionedThroughputExceededException")
    log = function.post(envelope()).log
    assert '"level":"ERROR"' in log
    assert "ProvisionedThroughputExceededException" in log
    assert '"NotStored":[1.0]' in log
