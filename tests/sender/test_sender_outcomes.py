"""The outcome of a message for every kind of answer of the provider."""

from datetime import timedelta
from typing import Any

import pytest

from gatewayapi import state
from tests.layer.stored_records import event
from tests.sender.sender_function import Sender, function
from tests.sender.sqs_records import NUMBER, message, messages

__all__ = ["function"]

RECONCILE_S = 900


def test_an_accepted_message_is_recorded_and_acknowledged(function: Sender) -> None:
    (queued,) = function.put(message(label="spring", priority="urgent"))
    run = function.deliver([queued])
    (accepted,) = function.provider.messages()
    record = function.record("order-1")
    assert run.failed == []
    assert run.outcomes() == {"accepted": 1}
    assert function.waiting() == 0
    assert (record.status, record.msg_id, record.attempts) == ("ACCEPTED", accepted.msg_id, 1)
    assert (record.recipient, record.sender, record.label, record.priority) == (NUMBER, "Shop", "spring", "urgent")
    assert record.message_id == queued["messageId"]
    assert record.accepted_at is not None
    assert record.queued_at <= record.accepted_at <= function.now()
    assert record.expires_at == (record.accepted_at + timedelta(days=90)).replace(microsecond=0)
    assert (record.lease_until, record.error) == (None, None)
    sent = accepted.message
    assert (sent.recipient, sent.sender, sent.label, sent.priority) == (NUMBER, "Shop", "spring", "urgent")


def test_answers_in_another_order_are_matched_to_their_messages(function: Sender) -> None:
    function.provider.inject_fault(kind="reorder")
    assert function.send(*messages(5)).failed == []
    for accepted in function.provider.messages():
        assert function.record(str(accepted.message.reference)).msg_id == accepted.msg_id


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "500"},
        {"kind": "reset"},
        {"kind": "hang", "seconds": 5},
        {"kind": "rubbish"},
        {"kind": "rubbish", "body": '{"msg_id": "01", "recipient": 4512345678, "reference": "another"}'},
    ],
    ids=str,
)
def test_a_message_whose_acceptance_was_lost_is_uncertain_until_a_webhook_settles_it(
    function: Sender, fault: dict[str, Any]
) -> None:
    function.provider.inject_fault(**fault)
    function.remaining_s = 9.2  # leaves 1.2 for the request
    queued = function.put(message())
    run = function.deliver(queued)
    assert run.outcomes() == {"uncertain": 1}
    assert run.failed == [queued[0]["messageId"]]
    assert RECONCILE_S <= run.visibility_timeouts_s[0] <= RECONCILE_S + 2
    record = function.record("order-1")
    assert (record.status, record.lease_until, record.msg_id) == ("UNCERTAIN", None, None)
    assert record.error is not None
    assert record.error["code"] == "UNCERTAIN"

    early = function.deliver(queued)
    assert (early.outcomes(), early.failed) == ({"waiting": 1}, run.failed)

    (accepted,) = function.provider.messages()
    function.webhook(event("DELIVERED", msg_id=accepted.msg_id))
    settled = function.deliver(queued)
    assert (settled.outcomes(), settled.failed) == ({"settled": 1}, [])
    assert function.record("order-1").msg_id == accepted.msg_id
    assert function.provider.counts() == {"order-1": 1}
    assert function.waiting() == 0


def test_a_message_that_is_missing_in_the_answer_is_uncertain_and_the_others_are_accepted(
    function: Sender,
) -> None:
    function.provider.inject_fault(kind="omit", reference="order-2")
    run = function.send(*messages(3))
    assert function.statuses() == {"order-1": "ACCEPTED", "order-2": "UNCERTAIN", "order-3": "ACCEPTED"}
    assert run.outcomes() == {"accepted": 2, "uncertain": 1}
    assert len(run.failed) == 1
    assert set(function.provider.counts().values()) == {1}


def test_all_messages_of_a_request_without_an_answer_are_uncertain_and_it_is_not_repeated(function: Sender) -> None:
    function.provider.inject_fault(kind="reset")
    run = function.send(*messages(10))
    assert run.outcomes() == {"uncertain": 10}
    assert len(run.failed) == 10
    assert len(function.provider.requests()) == 1


def test_a_message_is_sent_after_the_provider_was_unreachable(function: Sender) -> None:
    function.provider.refuse_connections()
    queued = function.put(*messages(2))
    run = function.deliver(queued)
    assert run.outcomes() == {"unreachable": 2}
    assert run.failed == [record["messageId"] for record in queued]
    assert set(function.statuses().values()) == {"RETRYING"}
    function.provider.accept_connections()
    assert function.deliver(queued).failed == []
    assert function.provider.counts() == {"order-1": 1, "order-2": 1}
    assert function.record("order-1").attempts == 2


@pytest.mark.parametrize("kind", ["429", "503"])
def test_a_throttled_message_is_sent_later(function: Sender, kind: str) -> None:
    function.provider.inject_fault(kind=kind)
    queued = function.put(message())
    run = function.deliver(queued)
    record = function.record("order-1")
    assert run.outcomes() == {"throttled": 1}
    assert run.failed == [queued[0]["messageId"]]
    assert (record.status, record.lease_until) == ("RETRYING", None)
    assert record.error is not None
    assert record.error["code"] == "TRY_LATER"
    assert record.error["details"].startswith(f"not sent yet: the provider answered {kind}; trying again at ")
    assert function.deliver(queued).failed == []
    assert function.record("order-1").error is None
    assert function.provider.counts() == {"order-1": 1}


def test_an_unexpected_4xx_does_not_make_a_message_invalid(function: Sender) -> None:
    function.provider.inject_fault(kind="status", status=404)
    assert function.send(message()).outcomes() == {"throttled": 1}
    assert function.statuses() == {"order-1": state.RETRYING}


def test_no_request_is_made_if_the_time_is_too_short(function: Sender) -> None:
    function.remaining_s = 8.5
    run = function.send(*messages(2))
    assert run.outcomes() == {"unreachable": 2}
    assert function.provider.requests() == []
    assert set(function.statuses().values()) == {"RETRYING"}
