"""How a result is recorded if the table fails, the invocation ends early, or a webhook arrives first."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, NoReturn

import pytest

from tests.aws_calls import Refusal
from tests.layer.stored_records import event
from tests.sender.sender_function import SEND_DEAD_LETTER, SET_VISIBILITY, WRITE, Sender, function
from tests.sender.sqs_records import Record, message, messages

__all__ = ["function"]

PAST_RECONCILE_AFTER = timedelta(seconds=905)  # longer than ReconcileAfter, which is 900 seconds
LEASE_OVER = timedelta(seconds=40)  # longer than the lease of a claim


class KilledError(BaseException):
    """Ends the invocation as if its process was killed. No code under test catches it."""


def kill(_: Any) -> NoReturn:  # noqa: ANN401 - a call's parameters, or its answer
    raise KilledError


def test_without_the_table_nothing_is_sent_and_all_messages_are_retried(function: Sender) -> None:
    function.calls.refuse(WRITE, Refusal("ThrottlingException"), count=None)
    queued = function.put(*messages(3))
    run = function.deliver(queued)
    assert run.outcomes() == {"table_unavailable": 3}
    assert run.failed == [record["messageId"] for record in queued]
    assert all(6 <= timeout_s <= 12 for timeout_s in run.visibility_timeouts_s)
    assert function.provider.requests() == []
    function.calls.stop()
    assert function.deliver(queued).failed == []
    assert set(function.provider.counts().values()) == {1}


def make_table_unavailable(function: Sender, skip: int) -> None:
    function.calls.refuse(WRITE, Refusal("InternalServerError", 500), skip=skip, count=None)


def kill_before_write(function: Sender, skip: int) -> None:
    function.calls.before(WRITE, kill, skip=skip)


def deliver_and_fail(function: Sender, queued: list[Record]) -> None:
    with suppress(KilledError):
        assert function.deliver(queued).failed == [record["messageId"] for record in queued]


@pytest.mark.parametrize("fail", [make_table_unavailable, kill_before_write])
def test_a_result_that_is_not_recorded_waits_for_the_lease_and_then_for_the_webhook(
    function: Sender, fail: Callable[[Sender, int], None]
) -> None:
    fail(function, 1)
    queued = function.put(*messages(2))
    deliver_and_fail(function, queued)
    function.calls.stop()
    assert function.statuses() == {"order-1": "SENDING", "order-2": "SENDING"}
    assert function.deliver(queued).outcomes() == {"waiting": 2}
    function.clock_ahead += LEASE_OVER
    uncertain = function.deliver(queued)
    assert uncertain.outcomes() == {"uncertain": 2}
    assert all(900 <= timeout_s <= 902 for timeout_s in uncertain.visibility_timeouts_s)
    for reference in ("order-1", "order-2"):
        recipient = function.record(reference).recipient
        (msg_id,) = (sent.msg_id for sent in function.provider.messages() if sent.message.reference == reference)
        function.webhook(event("DELIVERED", key=reference, reference=reference, recipient=recipient, msg_id=msg_id))
    assert function.deliver(queued).failed == []
    assert function.provider.counts() == {"order-1": 1, "order-2": 1}


def test_a_message_whose_result_is_not_recorded_is_retried_after_the_lease(function: Sender) -> None:
    make_table_unavailable(function, 1)
    run = function.send(message())
    assert run.outcomes() == {"not_recorded": 1}
    assert run.visibility_timeouts_s[0] in range(34, 38)


@pytest.mark.parametrize("write", [0, 1], ids=["claim", "result"])
def test_a_write_whose_answer_was_lost_is_recognised_as_done(function: Sender, write: int) -> None:
    function.calls.lose_answer(WRITE, skip=write)
    assert function.send(message()).outcomes() == {"accepted": 1}
    assert function.statuses() == {"order-1": "ACCEPTED"}
    assert function.provider.counts() == {"order-1": 1}


def test_a_claimed_message_whose_invocation_was_killed_is_held_and_not_sent(function: Sender) -> None:
    function.calls.after(WRITE, kill)
    queued = function.put(message())
    deliver_and_fail(function, queued)
    function.clock_ahead += LEASE_OVER
    assert function.deliver(queued).outcomes() == {"uncertain": 1}
    function.clock_ahead += PAST_RECONCILE_AFTER
    assert function.deliver(queued).outcomes() == {"held": 1}
    assert function.provider.requests() == []
    assert [dead_letter.code for dead_letter in function.dead_letters()] == ["UNCERTAIN"]


def test_a_crash_between_the_copy_and_the_record_causes_a_second_copy_and_no_second_sms(
    function: Sender,
) -> None:
    function.provider.inject_fault(kind="reset")
    queued = function.put(message())
    function.deliver(queued)
    function.clock_ahead += PAST_RECONCILE_AFTER
    function.calls.before(WRITE, kill, skip=1)  # the claim is the first write
    deliver_and_fail(function, queued)
    assert function.statuses() == {"order-1": "UNCERTAIN"}
    assert function.deliver(queued).outcomes() == {"held": 1}
    assert function.provider.counts() == {"order-1": 1}
    assert [dead_letter.reference for dead_letter in function.dead_letters()] == ["order-1", "order-1"]


def test_the_status_of_a_webhook_that_arrives_before_the_result_is_kept(function: Sender) -> None:
    def settle(_: Any) -> None:  # noqa: ANN401 - a call's parameters
        (accepted,) = function.provider.messages()
        function.webhook(event("DELIVERED", msg_id=accepted.msg_id))

    function.calls.before(WRITE, settle, skip=1)
    run = function.send(message())
    assert (run.outcomes(), run.failed) == ({"accepted": 1}, [])
    record = function.record("order-1")
    (accepted,) = function.provider.messages()
    assert (record.status, record.msg_id) == ("DELIVERED", accepted.msg_id)
    assert record.accepted_at is not None
    assert record.status_at is not None
    assert record.fingerprint is not None


def test_a_webhook_that_arrives_before_the_outcome_is_recorded_settles_the_message(function: Sender) -> None:
    def settle(_: Any) -> None:  # noqa: ANN401 - a call's parameters
        function.webhook(event("ENROUTE", msg_id=function.provider.messages()[0].msg_id))

    function.calls.before(WRITE, settle, skip=1)
    function.provider.inject_fault(kind="reset")
    run = function.send(message())
    assert (run.outcomes(), run.failed) == ({"settled": 1}, [])
    assert function.statuses() == {"order-1": "ENROUTE"}


def test_a_visibility_timeout_that_cannot_be_set_does_not_fail_the_invocation(function: Sender) -> None:
    function.calls.refuse(SET_VISIBILITY, Refusal("InvalidParameterValue"), count=None)
    function.provider.inject_fault(kind="503")
    queued = function.put(*messages(2))
    run = function.deliver(queued)
    assert run.failed == [record["messageId"] for record in queued]
    assert run.calls[SET_VISIBILITY] == 2


@pytest.mark.parametrize("operation", [SET_VISIBILITY, SEND_DEAD_LETTER])
def test_a_failing_queue_is_called_once(function: Sender, operation: str) -> None:
    function.calls.refuse(operation, Refusal("InternalError", 500), count=None)
    function.provider.inject_fault(kind="503")
    good, bad = messages(3), [message(f"bad-{number}", recipient=1) for number in range(3)]
    queued = function.put(*(good if operation == SET_VISIBILITY else bad))
    run = function.deliver(queued)
    assert sorted(run.failed) == sorted(record["messageId"] for record in queued)
    assert run.calls[operation] == 1
