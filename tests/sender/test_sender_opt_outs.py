"""Where opt-outs are enforced, no promotional message is sent to a person who opted out."""

import json
from datetime import timedelta

import pytest

from gatewayapi.opt_outs import opt_in, opt_out
from tests.aws_calls import Refusal
from tests.conftest import ENVIRONMENT
from tests.sender.sender_function import SEND_DEAD_LETTER, WRITE, Sender, function
from tests.sender.sqs_records import NUMBER, Fields, Record, message

__all__ = ["function"]

TABLE = ENVIRONMENT["TABLE_NAME"]
READ = "BatchGetItem"
RECONCILED = timedelta(seconds=905)


@pytest.fixture
def enforcing(function: Sender) -> Sender:
    """A sender that enforces opt-outs; the recipient of `promotion()` opted out."""
    function.start(OPT_OUTS="Enforce")
    opt_out(function.aws.dynamodb, TABLE, NUMBER, source="test")
    return function


def promotion(reference: str = "order-1", **fields: object) -> Fields:
    return message(reference, message_type="promotional", **fields)


def receipt(reference: str = "order-2", **fields: object) -> Fields:
    return message(reference, message_type="transactional", **fields)


def held_in_doubt(function: Sender) -> list[Record]:
    """Have a promotion accepted before its recipient opts out, and the answer lost."""
    opt_in(function.aws.dynamodb, TABLE, NUMBER, source="test")
    function.provider.order(kind="reset")
    queued = function.put(promotion())
    assert function.deliver(queued).outcomes() == {"uncertain": 1}
    opt_out(function.aws.dynamodb, TABLE, NUMBER, source="test")
    function.clock_ahead += RECONCILED
    return queued


def test_a_promotion_is_suppressed_and_a_receipt_is_sent(enforcing: Sender) -> None:
    run = enforcing.send(promotion(), receipt(), promotion("order-3", recipient=NUMBER + 1))
    assert run.failed == []
    assert run.outcomes() == {"accepted": 2, "suppressed": 1}
    assert set(enforcing.provider.counts()) == {"order-2", "order-3"}
    record = enforcing.record("order-1")
    assert (record.status, record.attempts, record.lease_until) == ("SUPPRESSED", 0, None)
    assert record.error == {"code": "OPTED_OUT", "details": "the recipient has opted out"}
    assert enforcing.dead_letters() == []


def test_a_batch_with_promotions_costs_one_call_more_with_each_number_once(enforcing: Sender) -> None:
    run = enforcing.send(
        promotion(), promotion("order-3"), promotion("order-4", recipient=NUMBER + 1), receipt(recipient=NUMBER + 2)
    )
    assert run.calls == {READ: 1, WRITE: 2, "GetSecretValue": 1}
    (call,) = enforcing.calls.parameters(READ)
    request = call["RequestItems"][TABLE]
    assert request["ConsistentRead"] is True
    assert [key["pk"]["S"] for key in request["Keys"]] == [f"OPT_OUT#{NUMBER}", f"OPT_OUT#{NUMBER + 1}"]


def test_a_batch_without_promotions_costs_no_call_more(enforcing: Sender) -> None:
    assert READ not in enforcing.send(receipt(), receipt("order-3")).calls


def test_without_enforcement_nothing_is_read_and_promotions_are_sent(enforcing: Sender) -> None:
    enforcing.start(OPT_OUTS="Off")
    run = enforcing.send(promotion(), message("order-2"))
    assert run.outcomes() == {"accepted": 2}
    assert READ not in run.calls


def test_a_message_without_a_type_is_invalid_where_opt_outs_are_enforced(enforcing: Sender) -> None:
    assert enforcing.send(message(), message("order-2", message_type=None)).outcomes() == {"invalid": 2}
    assert {letter.details for letter in enforcing.dead_letters()} == {
        "$.message_type: is required: the stack enforces opt-outs"
    }
    assert enforcing.provider.requests() == []


def test_a_suppressed_message_stays_suppressed_however_often_it_is_delivered(enforcing: Sender) -> None:
    queued = enforcing.put(promotion())
    enforcing.deliver(queued)
    opt_in(enforcing.aws.dynamodb, TABLE, NUMBER, source="test")
    assert enforcing.deliver(queued).outcomes() == {"duplicate": 1}
    assert enforcing.provider.requests() == []


def test_a_suppressed_message_that_is_enqueued_again_is_sent_after_an_opt_in(enforcing: Sender) -> None:
    enforcing.send(promotion())
    assert enforcing.send(promotion()).outcomes() == {"suppressed": 1}
    opt_in(enforcing.aws.dynamodb, TABLE, NUMBER, source="test")
    assert enforcing.send(promotion()).outcomes() == {"accepted": 1}
    assert enforcing.statuses() == {"order-1": "ACCEPTED"}


def test_a_redrive_does_not_get_around_an_opt_out(enforcing: Sender) -> None:
    opt_in(enforcing.aws.dynamodb, TABLE, NUMBER, source="test")
    enforcing.provider.order(kind="503")
    assert len(enforcing.deliver(enforcing.put(promotion()), receive_count=8).failed) == 0
    opt_out(enforcing.aws.dynamodb, TABLE, NUMBER, source="test")
    enforcing.clock_ahead += timedelta(minutes=1)
    assert enforcing.deliver(enforcing.redrive()).outcomes() == {"suppressed": 1}
    assert enforcing.provider.counts() == {}
    assert enforcing.statuses() == {"order-1": "SUPPRESSED"}


def test_a_message_in_doubt_goes_to_the_dead_letter_queue_with_the_opt_out_as_the_cause(
    enforcing: Sender,
) -> None:
    queued = held_in_doubt(enforcing)
    assert enforcing.deliver(queued).outcomes() == {"held": 1}
    (letter,) = enforcing.dead_letters()
    assert letter.code == "UNCERTAIN"
    assert "the recipient has opted out" in letter.details
    record = enforcing.record("order-1")
    assert (record.status, record.in_doubt) == ("HELD", True)


def test_a_redrive_of_a_message_in_doubt_is_not_sent_after_an_opt_out(enforcing: Sender) -> None:
    enforcing.deliver(held_in_doubt(enforcing))
    enforcing.clock_ahead += timedelta(minutes=1)
    assert enforcing.deliver(enforcing.redrive()).outcomes() == {"held": 1}
    assert enforcing.provider.counts() == {"order-1": 1}
    assert [letter.code for letter in enforcing.dead_letters()] == ["UNCERTAIN"]


def test_promotions_wait_and_receipts_are_sent_where_the_opt_outs_cannot_be_read(enforcing: Sender) -> None:
    enforcing.calls.refuse(READ, Refusal("InternalServerError", 500))
    queued = enforcing.put(promotion(), receipt(), promotion("order-3", recipient=NUMBER + 1))
    run = enforcing.deliver(queued)
    assert run.failed == [queued[0]["messageId"], queued[2]["messageId"]]
    assert run.outcomes() == {"table_unavailable": 2, "accepted": 1}
    assert len(run.visibility_timeouts_s) == 2
    assert enforcing.deliver([queued[0], queued[2]]).outcomes() == {"suppressed": 1, "accepted": 1}
    assert enforcing.provider.counts() == {"order-2": 1, "order-3": 1}


def test_a_promotion_that_cannot_be_checked_at_its_last_delivery_is_a_dead_letter(enforcing: Sender) -> None:
    enforcing.calls.refuse(READ, Refusal("InternalServerError", 500), count=None)
    run = enforcing.deliver(enforcing.put(promotion()), receive_count=8)
    assert (run.failed, run.calls[SEND_DEAD_LETTER]) == ([], 1)
    (letter,) = enforcing.dead_letters()
    assert "the opt-outs could not be read" in letter.details


def test_a_copy_in_the_same_batch_is_suppressed_as_well(enforcing: Sender) -> None:
    assert enforcing.send(promotion(), promotion()).outcomes() == {"suppressed": 2}
    assert enforcing.provider.requests() == []


def test_a_suppressed_message_is_counted_and_logged_without_its_number(enforcing: Sender) -> None:
    log = enforcing.send(promotion()).log
    assert '"MessageSuppressed":[1.0]' in log.replace(" ", "")
    lines = [json.loads(line) for line in log.splitlines()]
    (line,) = [each for each in lines if each.get("message") == "message"]
    assert (line["outcome"], line["reference"]) == ("suppressed", "order-1")
    assert str(NUMBER) not in log


@pytest.mark.parametrize(
    ("call", "skip", "status", "sms"),
    [(READ, 0, "SUPPRESSED", 0), (WRITE, 0, "ACCEPTED", 1), (WRITE, 1, "ACCEPTED", 1)],
    ids=["before the opt-outs are read", "before the claim", "before the result is recorded"],
)
def test_a_stop_that_arrives_during_an_invocation_counts_from_when_opt_outs_are_read(
    enforcing: Sender, call: str, skip: int, status: str, sms: int
) -> None:
    opt_in(enforcing.aws.dynamodb, TABLE, NUMBER, source="test")

    def stop(_: object) -> None:
        opt_out(enforcing.aws.dynamodb, TABLE, NUMBER, source="test")

    enforcing.calls.before(call, stop, skip=skip)
    queued = enforcing.put(promotion())
    enforcing.deliver(queued)
    assert enforcing.statuses() == {"order-1": status}
    assert enforcing.deliver(queued).outcomes() == {"duplicate": 1}
    assert enforcing.send(promotion("order-2")).outcomes() == {"suppressed": 1}
    assert sum(enforcing.provider.counts().values()) == sms
