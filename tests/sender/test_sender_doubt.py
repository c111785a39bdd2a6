"""A message whose outcome is unknown is not sent again until a webhook, `UncertainSends` or a redrive decides."""

from datetime import timedelta

import pytest

from tests.aws_calls import Refusal
from tests.layer.stored_records import event
from tests.sender.sender_function import SEND_DEAD_LETTER, WRITE, Sender, function
from tests.sender.sqs_records import Record, message

__all__ = ["function"]

PAST_RECONCILE_AFTER = timedelta(seconds=905)


def put_in_doubt(function: Sender) -> list[Record]:
    """Make the provider accept a message and lose the answer."""
    function.provider.inject_fault(kind="reset")
    queued = function.put(message())
    assert function.deliver(queued).outcomes() == {"uncertain": 1}
    return queued


def redrive(function: Sender) -> dict[str, int]:
    return function.deliver(function.redrive()).outcomes()


def test_an_unsettled_message_is_held_after_the_reconciliation_time(function: Sender) -> None:
    queued = put_in_doubt(function)
    function.clock_ahead += PAST_RECONCILE_AFTER
    run = function.deliver(queued)
    assert (run.outcomes(), run.failed) == ({"held": 1}, [])
    assert function.waiting() == 0
    record = function.record("order-1")
    assert record.status == "HELD"
    assert record.error is not None
    assert record.error["code"] == "UNCERTAIN"
    assert function.provider.counts() == {"order-1": 1}


def test_a_held_message_is_sent_when_it_is_redriven(function: Sender) -> None:
    queued = put_in_doubt(function)
    function.start(RECONCILE_AFTER_S="0")
    assert function.deliver(queued).outcomes() == {"held": 1}
    assert redrive(function) == {"accepted": 1}
    assert function.provider.counts() == {"order-1": 2}
    assert function.record("order-1").attempts == 2


def test_a_held_message_that_a_webhook_settles_is_not_sent_when_it_is_redriven(function: Sender) -> None:
    queued = put_in_doubt(function)
    function.clock_ahead += PAST_RECONCILE_AFTER
    function.deliver(queued)
    function.webhook(event("DELIVERED", msg_id=function.provider.messages()[0].msg_id))
    assert redrive(function) == {"duplicate": 1}
    assert function.provider.counts() == {"order-1": 1}


def test_another_copy_of_a_message_held_in_doubt_goes_to_the_dead_letter_queue(function: Sender) -> None:
    copy = function.put(message())
    queued = put_in_doubt(function)
    function.clock_ahead += PAST_RECONCILE_AFTER
    assert function.deliver(queued).outcomes() == {"held": 1}
    run = function.deliver(copy)
    assert (run.outcomes(), run.failed) == ({"held": 1}, [])
    assert function.provider.counts() == {"order-1": 1}
    assert [dead_letter.code for dead_letter in function.dead_letters()] == ["UNCERTAIN", "UNCERTAIN"]


@pytest.mark.parametrize("passes", ["before the claim", "after the claim"])
def test_a_redriven_copy_whose_deadline_passes_does_not_prevent_the_sending_of_another(
    function: Sender, passes: str
) -> None:
    function.provider.inject_fault(kind="reset")
    expiring, plain = function.put(message(expiration=3600), message())
    assert function.deliver([expiring]).outcomes() == {"uncertain": 1}
    function.clock_ahead += PAST_RECONCILE_AFTER
    assert function.deliver([expiring, plain]).outcomes() == {"held": 2}
    copies = sorted(function.redrive(), key=lambda record: "expiration" not in record["body"])

    def deadline_passes(_: object = None) -> None:
        function.clock_ahead += timedelta(hours=1)

    if passes == "before the claim":
        deadline_passes()
    else:
        function.calls.after(WRITE, deadline_passes)
    assert function.deliver(copies).outcomes() == {"held": 1, "accepted": 1}
    assert function.provider.counts() == {"order-1": 2}
    assert [dead_letter.code for dead_letter in function.dead_letters()] == ["UNCERTAIN"]


def test_uncertain_sends_resend_sends_an_unsettled_message_once_more_and_then_holds_it(function: Sender) -> None:
    function.start(UNCERTAIN_SENDS="Resend")
    queued = put_in_doubt(function)
    for kind, outcome in (("429", "throttled"), ("reset", "uncertain")):
        function.clock_ahead += PAST_RECONCILE_AFTER
        function.provider.inject_fault(kind=kind)
        assert function.deliver(queued).outcomes() == {outcome: 1}
    function.clock_ahead += PAST_RECONCILE_AFTER
    assert function.deliver(queued).outcomes() == {"held": 1}
    assert function.provider.counts() == {"order-1": 2}
    assert [dead_letter.code for dead_letter in function.dead_letters()] == ["UNCERTAIN"]


def test_a_webhook_that_arrives_in_time_prevents_the_resending(function: Sender) -> None:
    function.start(UNCERTAIN_SENDS="Resend")
    queued = put_in_doubt(function)
    function.webhook(event("ENROUTE", msg_id=function.provider.messages()[0].msg_id))
    function.clock_ahead += PAST_RECONCILE_AFTER
    assert function.deliver(queued).outcomes() == {"settled": 1}
    assert function.provider.counts() == {"order-1": 1}


def test_a_message_is_not_held_before_its_copy_is_in_the_dead_letter_queue(function: Sender) -> None:
    queued = put_in_doubt(function)
    function.clock_ahead += PAST_RECONCILE_AFTER
    function.calls.refuse(SEND_DEAD_LETTER, Refusal("InternalError", 500))
    assert function.deliver(queued).failed == [queued[0]["messageId"]]
    assert function.statuses() == {"order-1": "UNCERTAIN"}
    assert function.deliver(queued).outcomes() == {"held": 1}
    assert [dead_letter.code for dead_letter in function.dead_letters()] == ["UNCERTAIN"]


@pytest.mark.parametrize(
    ("kind", "code"), [("503", "RETRIES_EXHAUSTED"), ("403", "RETRIES_EXHAUSTED"), ("reset", "UNCERTAIN")]
)
def test_after_the_last_delivery_a_message_is_a_dead_letter_with_its_reason_and_reference(
    function: Sender, kind: str, code: str
) -> None:
    function.provider.inject_fault(kind=kind)
    queued = function.put(message(None))
    run = function.deliver(queued, receive_count=8)
    assert (run.outcomes(), run.failed, run.visibility_timeouts_s) == ({"held": 1}, [], [])
    reference = queued[0]["messageId"]
    assert function.statuses() == {reference: "HELD"}
    (copy,) = function.redrive()
    assert copy["messageId"] != reference
    assert copy["messageAttributes"]["ErrorCode"]["stringValue"] == code
    assert function.deliver([copy]).outcomes() == {"accepted": 1}
    assert function.statuses() == {reference: "ACCEPTED"}
