"""If opt-outs are enforced, no promotional message is sent to a person who opted out."""

from datetime import timedelta

import pytest

from gatewayapi.opt_outs import opt_in, opt_out
from tests.aws_calls import Refusal
from tests.sender.sender_function import READ_TOKEN, SEND_DEAD_LETTER, TABLE, WRITE, Sender, function
from tests.sender.sqs_records import NUMBER, Fields, Record, message

__all__ = ["function"]

READ_OPT_OUTS = "BatchGetItem"
PAST_RECONCILE_AFTER = timedelta(seconds=905)  # longer than ReconcileAfter, which is 900 seconds


@pytest.fixture
def enforcing_sender(function: Sender) -> Sender:
    """A sender that enforces opt-outs; the recipient NUMBER opted out."""
    function.start(OPT_OUTS="Enforce")
    record_opt_out(function)
    return function


def record_opt_out(function: Sender) -> None:
    opt_out(function.aws.dynamodb, TABLE, NUMBER, source="test")


def record_opt_in(function: Sender) -> None:
    opt_in(function.aws.dynamodb, TABLE, NUMBER, source="test")


def promotional(reference: str = "order-1", **fields: object) -> Fields:
    return message(reference, message_type="promotional", **fields)


def transactional(reference: str = "order-2", **fields: object) -> Fields:
    return message(reference, message_type="transactional", **fields)


def put_in_doubt_and_opt_out(function: Sender) -> list[Record]:
    """Make the provider accept a promotional message and lose the answer. Then the recipient opts out."""
    record_opt_in(function)
    function.provider.inject_fault(kind="reset")
    queued = function.put(promotional())
    assert function.deliver(queued).outcomes() == {"uncertain": 1}
    record_opt_out(function)
    function.clock_ahead += PAST_RECONCILE_AFTER
    return queued


def test_a_promotional_message_is_suppressed_and_a_transactional_one_is_sent(enforcing_sender: Sender) -> None:
    run = enforcing_sender.send(promotional(), transactional(), promotional("order-3", recipient=NUMBER + 1))
    assert run.failed == []
    assert run.outcomes() == {"accepted": 2, "suppressed": 1}
    assert set(enforcing_sender.provider.counts()) == {"order-2", "order-3"}
    record = enforcing_sender.record("order-1")
    assert (record.status, record.attempts, record.lease_until) == ("SUPPRESSED", 0, None)
    assert record.error == {"code": "OPTED_OUT", "details": "the recipient has opted out"}
    assert enforcing_sender.dead_letters() == []


def test_the_opt_outs_of_a_batch_are_read_in_one_call_with_each_number_once(enforcing_sender: Sender) -> None:
    run = enforcing_sender.send(
        promotional(),
        promotional("order-3"),
        promotional("order-4", recipient=NUMBER + 1),
        transactional(recipient=NUMBER + 2),
    )
    assert run.calls == {READ_OPT_OUTS: 1, WRITE: 2, READ_TOKEN: 1}
    (call,) = enforcing_sender.calls.parameters(READ_OPT_OUTS)
    request = call["RequestItems"][TABLE]
    assert request["ConsistentRead"] is True
    assert [key["pk"]["S"] for key in request["Keys"]] == [f"OPT_OUT#{NUMBER}", f"OPT_OUT#{NUMBER + 1}"]


def test_opt_outs_are_not_read_for_a_batch_without_promotional_messages(enforcing_sender: Sender) -> None:
    assert READ_OPT_OUTS not in enforcing_sender.send(transactional(), transactional("order-3")).calls


def test_without_enforcement_nothing_is_read_and_promotional_messages_are_sent(enforcing_sender: Sender) -> None:
    enforcing_sender.start(OPT_OUTS="Off")
    run = enforcing_sender.send(promotional(), message("order-2"))
    assert run.outcomes() == {"accepted": 2}
    assert READ_OPT_OUTS not in run.calls


def test_a_message_without_a_type_is_invalid_if_opt_outs_are_enforced(enforcing_sender: Sender) -> None:
    assert enforcing_sender.send(message(), message("order-2", message_type=None)).outcomes() == {"invalid": 2}
    assert {dead_letter.details for dead_letter in enforcing_sender.dead_letters()} == {
        "$.message_type: is required: the stack enforces opt-outs"
    }
    assert enforcing_sender.provider.requests() == []


def test_a_suppressed_message_that_is_delivered_again_stays_suppressed(enforcing_sender: Sender) -> None:
    queued = enforcing_sender.put(promotional())
    enforcing_sender.deliver(queued)
    record_opt_in(enforcing_sender)
    assert enforcing_sender.deliver(queued).outcomes() == {"duplicate": 1}
    assert enforcing_sender.provider.requests() == []


def test_a_suppressed_message_that_is_enqueued_again_is_sent_after_an_opt_in(enforcing_sender: Sender) -> None:
    enforcing_sender.send(promotional())
    assert enforcing_sender.send(promotional()).outcomes() == {"suppressed": 1}
    record_opt_in(enforcing_sender)
    assert enforcing_sender.send(promotional()).outcomes() == {"accepted": 1}
    assert enforcing_sender.statuses() == {"order-1": "ACCEPTED"}


def test_a_redriven_promotional_message_is_suppressed_after_an_opt_out(enforcing_sender: Sender) -> None:
    record_opt_in(enforcing_sender)
    enforcing_sender.provider.inject_fault(kind="503")
    assert len(enforcing_sender.deliver(enforcing_sender.put(promotional()), receive_count=8).failed) == 0
    record_opt_out(enforcing_sender)
    enforcing_sender.clock_ahead += timedelta(minutes=1)
    assert enforcing_sender.deliver(enforcing_sender.redrive()).outcomes() == {"suppressed": 1}
    assert enforcing_sender.provider.counts() == {}
    assert enforcing_sender.statuses() == {"order-1": "SUPPRESSED"}


def test_a_message_in_doubt_goes_to_the_dead_letter_queue_with_the_opt_out_as_the_cause(
    enforcing_sender: Sender,
) -> None:
    queued = put_in_doubt_and_opt_out(enforcing_sender)
    assert enforcing_sender.deliver(queued).outcomes() == {"held": 1}
    (dead_letter,) = enforcing_sender.dead_letters()
    assert dead_letter.code == "UNCERTAIN"
    assert "the recipient has opted out" in dead_letter.details
    record = enforcing_sender.record("order-1")
    assert (record.status, record.in_doubt) == ("HELD", True)


def test_a_redrive_of_a_message_in_doubt_is_not_sent_after_an_opt_out(enforcing_sender: Sender) -> None:
    enforcing_sender.deliver(put_in_doubt_and_opt_out(enforcing_sender))
    enforcing_sender.clock_ahead += timedelta(minutes=1)
    assert enforcing_sender.deliver(enforcing_sender.redrive()).outcomes() == {"held": 1}
    assert enforcing_sender.provider.counts() == {"order-1": 1}
    assert [dead_letter.code for dead_letter in enforcing_sender.dead_letters()] == ["UNCERTAIN"]


def test_only_promotional_messages_wait_if_the_opt_outs_cannot_be_read(enforcing_sender: Sender) -> None:
    enforcing_sender.calls.refuse(READ_OPT_OUTS, Refusal("InternalServerError", 500))
    queued = enforcing_sender.put(promotional(), transactional(), promotional("order-3", recipient=NUMBER + 1))
    run = enforcing_sender.deliver(queued)
    assert run.failed == [queued[0]["messageId"], queued[2]["messageId"]]
    assert run.outcomes() == {"table_unavailable": 2, "accepted": 1}
    assert len(run.visibility_timeouts_s) == 2
    assert enforcing_sender.deliver([queued[0], queued[2]]).outcomes() == {"suppressed": 1, "accepted": 1}
    assert enforcing_sender.provider.counts() == {"order-2": 1, "order-3": 1}


def test_a_promotional_message_that_cannot_be_checked_at_its_last_delivery_is_a_dead_letter(
    enforcing_sender: Sender,
) -> None:
    enforcing_sender.calls.refuse(READ_OPT_OUTS, Refusal("InternalServerError", 500), count=None)
    run = enforcing_sender.deliver(enforcing_sender.put(promotional()), receive_count=8)
    assert (run.failed, run.calls[SEND_DEAD_LETTER]) == ([], 1)
    (dead_letter,) = enforcing_sender.dead_letters()
    assert "the opt-outs could not be read" in dead_letter.details


def test_a_copy_in_the_same_batch_is_suppressed_as_well(enforcing_sender: Sender) -> None:
    assert enforcing_sender.send(promotional(), promotional()).outcomes() == {"suppressed": 2}
    assert enforcing_sender.provider.requests() == []


def test_a_suppressed_message_is_counted_and_logged_without_its_number(enforcing_sender: Sender) -> None:
    run = enforcing_sender.send(promotional())
    assert run.metrics()["MessageSuppressed"] == [1.0]
    line = run.log_line("message")
    assert (line["outcome"], line["reference"]) == ("suppressed", "order-1")
    assert str(NUMBER) not in run.log


@pytest.mark.parametrize(
    ("call", "skip", "status", "sms"),
    [(READ_OPT_OUTS, 0, "SUPPRESSED", 0), (WRITE, 0, "ACCEPTED", 1), (WRITE, 1, "ACCEPTED", 1)],
    ids=["before the opt-outs are read", "before the claim", "before the result is recorded"],
)
def test_an_opt_out_applies_to_a_message_if_it_is_recorded_before_opt_outs_are_read(
    enforcing_sender: Sender, call: str, skip: int, status: str, sms: int
) -> None:
    record_opt_in(enforcing_sender)
    enforcing_sender.calls.before(call, lambda _: record_opt_out(enforcing_sender), skip=skip)
    queued = enforcing_sender.put(promotional())
    enforcing_sender.deliver(queued)
    assert enforcing_sender.statuses() == {"order-1": status}
    assert enforcing_sender.deliver(queued).outcomes() == {"duplicate": 1}
    assert enforcing_sender.send(promotional("order-2")).outcomes() == {"suppressed": 1}
    assert sum(enforcing_sender.provider.counts().values()) == sms
