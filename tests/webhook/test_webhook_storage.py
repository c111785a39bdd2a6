"""Whatever DynamoDB does, an event is stored once, or the response makes the provider try again."""

from collections.abc import Callable

import pytest
from botocore.exceptions import EndpointConnectionError

from tests.aws_calls import Refusal, cancelled
from tests.layer.stored_records import MSG_ID, message, put_item, stored_events, stored_message, stored_records
from tests.webhook.webhook_function import STORE, Webhook, envelope, function

__all__ = ["function"]

ACCEPTED = message(status="ACCEPTED", msg_id=MSG_ID)
NOT_STORED = {"error": {"code": "NOT_STORED", "message": "the event could not be stored, try again"}}


def unavailable(function: Webhook) -> None:
    function.calls.refuse(STORE, Refusal("InternalServerError", 500))


def unreachable(function: Webhook) -> None:
    def fail(_: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://dynamodb.invalid")

    function.calls.before(STORE, fail)


def answer_lost(function: Webhook) -> None:
    function.calls.lose_answer(STORE)


@pytest.mark.parametrize("fault", [unavailable, unreachable, answer_lost])
def test_after_a_fault_an_event_that_is_sent_again_is_stored_once(
    function: Webhook, fault: Callable[[Webhook], None]
) -> None:
    put_item(function.aws, ACCEPTED)
    fault(function)
    answer = function.post(envelope())
    assert (answer.status, answer.body) == (503, NOT_STORED)
    assert len(stored_events(function.aws)) == (fault is answer_lost)
    again = function.post(envelope())
    assert (again.status, again.body) == (200, {"status": "duplicate" if fault is answer_lost else "stored"})
    assert len(stored_events(function.aws)) == 1
    assert stored_message(function.aws).status == "DELIVERED"


@pytest.mark.parametrize("fault", [unavailable, unreachable, answer_lost])
def test_after_a_fault_a_quarantined_body_that_is_sent_again_is_stored_once(
    function: Webhook, fault: Callable[[Webhook], None]
) -> None:
    fault(function)
    assert function.post(b"no event").status == 503
    assert function.post(b"no event").body == {"status": "duplicate" if fault is answer_lost else "quarantined"}
    assert len(stored_records(function.aws)) == 1


def test_a_conflict_is_tried_again_and_then_answered_with_503(function: Webhook) -> None:
    put_item(function.aws, ACCEPTED)
    function.calls.refuse(STORE, cancelled("None", "TransactionConflict"), count=4)
    answer = function.post(envelope())
    assert (answer.status, answer.calls[STORE]) == (503, 4)
    assert stored_records(function.aws) == [ACCEPTED]
    function.calls.refuse(STORE, cancelled("None", "TransactionConflict"))
    assert function.post(envelope()).body == {"status": "stored"}
    assert len(stored_events(function.aws)) == 1


def test_a_failure_is_logged_with_its_code_and_counted(function: Webhook) -> None:
    function.calls.refuse(STORE, Refusal("ProvisionedThroughputExceededException"))
    answer = function.post(envelope())
    assert '"level":"ERROR"' in answer.log
    assert "ProvisionedThroughputExceededException" in answer.log
    assert answer.metrics() == {"NotStored": [1.0]}
