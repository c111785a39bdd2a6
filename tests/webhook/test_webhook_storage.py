"""Stored before answered: whatever DynamoDB does, an event is stored once or the provider is told to try again."""

from collections.abc import Callable

import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError, SSLError

from tests.webhook.webhook_function import NOW, STORE, World, envelope, message, world

__all__ = ["world"]

CANCELLED = "TransactionCanceledException"

Fault = Callable[[World], None]


def refused(code: str, status: int = 400) -> Fault:
    return lambda world: world.fail(code, status=status)


def cancelled(*reasons: str, count: int = 1) -> Fault:
    return lambda world: world.fail(CANCELLED, *reasons, count=count)


def broken(error: Exception) -> Fault:
    def order(world: World) -> None:
        def act(_: object) -> None:
            raise error

        world.calls.before(STORE, act)

    return order


def lost(world: World) -> None:
    world.calls.lose_answer(STORE)


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
    "connection refused": broken(EndpointConnectionError(endpoint_url=URL)),
    "connect time-out": broken(ConnectTimeoutError(endpoint_url=URL)),
    "read time-out": broken(ReadTimeoutError(endpoint_url=URL)),
    "TLS": broken(SSLError(endpoint_url=URL, error=ValueError("certificate"))),
    "answer lost": lost,
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_whatever_dynamodb_does_an_event_is_stored_once(world: World, fault: Fault) -> None:
    world.put(message())
    fault(world)
    assert world.post(envelope()).status == 503
    written = bool(world.events())
    assert written == (fault is lost)
    again = world.post(envelope())
    assert (again.status, again.body) == (200, {"status": "duplicate" if written else "stored"})
    assert len(world.events()) == 1
    found = world.message()
    assert found is not None
    assert (found.status, found.status_at) == ("DELIVERED", NOW)


@pytest.mark.parametrize("fault", [refused("InternalServerError", 500), cancelled("ThrottlingError", count=4), lost])
def test_whatever_dynamodb_does_a_quarantined_body_is_stored_once(world: World, fault: Fault) -> None:
    fault(world)
    assert world.post(b"no event").status == 503
    assert world.post(b"no event").body == {"status": "duplicate" if fault is lost else "quarantined"}
    assert len(world.quarantined()) == 1


@pytest.mark.parametrize(
    "reasons",
    [
        ("None", "TransactionConflict"),
        ("TransactionConflict", "None"),
        ("TransactionConflict", "TransactionConflict"),
    ],
)
def test_a_conflict_is_tried_again_and_then_left_to_the_provider(world: World, reasons: tuple[str, str]) -> None:
    world.put(message())
    world.fail(CANCELLED, *reasons)
    assert world.post(envelope(event_id="a")).body == {"status": "stored"}
    world.clear()
    world.put(message())
    world.fail(CANCELLED, *reasons, count=4)
    calls = world.counted(lambda: world.post(envelope(event_id="b")))
    assert calls == {STORE: 4}
    assert world.records() == [message()]
    assert world.post(envelope(event_id="b")).body == {"status": "stored"}


def test_a_conflict_with_its_own_duplicate_ends_as_a_duplicate(world: World) -> None:
    world.put(message())
    world.post(envelope())
    world.fail(CANCELLED, "TransactionConflict", "None")
    assert world.post(envelope()).body == {"status": "duplicate"}
    assert len(world.events()) == 1


def test_quarantine_outlasts_a_conflict(world: World) -> None:
    world.fail(CANCELLED, "TransactionConflict")
    assert world.post(b"no event").body == {"status": "quarantined"}
    world.fail(CANCELLED, "TransactionConflict", count=4)
    assert world.post(b"another").status == 503


def test_a_message_further_on_has_the_event_filed_alone(world: World) -> None:
    read = message("READ", status_at=NOW)
    world.put(read)
    assert world.counted(lambda: world.post(envelope())) == {"GetSecretValue": 1, STORE: 2}
    assert world.message() == read
    assert len(world.events()) == 1


def test_a_failure_is_logged_with_its_kind_and_counted(world: World) -> None:
    world.fail("ProvisionedThroughputExceededException")
    log = world.post(envelope()).log
    assert '"level":"ERROR"' in log
    assert "ProvisionedThroughputExceededException" in log
    assert '"NotStored":[1.0]' in log
