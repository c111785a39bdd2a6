"""No message is lost, sent twice or recorded wrongly, in interleavings that were bugs once."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from gatewayapi import state
from gatewayapi.message import from_fields
from gatewayapi.message_table import MessageTable, Write
from simulator.webhook_events import ulid
from tests.aws_calls import Refusal
from tests.layer.stored_records import event
from tests.sender.sender_function import SEND_DEAD_LETTER, WRITE, Sender, function
from tests.sender.sqs_records import NUMBER, Record, message, messages

__all__ = ["function"]

PAST_RECONCILE_AFTER = timedelta(seconds=905)  # longer than ReconcileAfter, which is 900 seconds
CONFLICT, NO_REASON = {"Code": "TransactionConflict"}, {"Code": "None"}


def webhook(function: Sender, status: str, **fields: Any) -> None:  # noqa: ANN401 - any field of an event
    """Store a status event. Without a `msg_id`, it gets a new one, as an event of another system has."""
    given = {"msg_id": ulid(function.now()), "recipient": NUMBER, **fields}
    function.webhook(event(status, event_id=f"{status}-{given['msg_id']}", **given))


def put_in_doubt(function: Sender, **fields: object) -> list[Record]:
    """Make the provider accept a message and lose the answer."""
    function.provider.inject_fault(kind="reset")
    queued = function.put(message(**fields))
    assert function.deliver(queued).outcomes() == {"uncertain": 1}
    return queued


def hold_in_doubt(function: Sender, **fields: object) -> list[Record]:
    """Hold a message in doubt, because no webhook arrived in time."""
    queued = put_in_doubt(function, **fields)
    function.clock_ahead += PAST_RECONCILE_AFTER
    assert function.deliver(queued).outcomes() == {"held": 1}
    return queued


def cancel_transactions(function: Sender, *codes: str, skip: int, count: int = 1) -> None:
    """Cancel transactions for these reasons, one for each item."""
    reasons = tuple({"Code": code} for code in codes)
    function.calls.refuse(WRITE, Refusal("TransactionCanceledException", 400, reasons), skip=skip, count=count)


# No message is lost


def test_other_content_is_refused_while_a_hold_is_in_doubt(function: Sender) -> None:
    hold_in_doubt(function)
    assert function.send(message(message="Another text")).outcomes() == {"reference_reused": 1}
    webhook(function, "DELIVERED", msg_id=function.provider.messages()[0].msg_id)
    assert function.statuses() == {"order-1": "DELIVERED"}
    assert [dead_letter.code for dead_letter in function.dead_letters()] == ["UNCERTAIN", "REFERENCE_REUSED"]


def test_an_event_does_not_move_a_message_that_was_certainly_not_accepted(function: Sender) -> None:
    function.provider.inject_fault(kind="503")
    queued = function.put(message())
    assert function.deliver(queued).outcomes() == {"throttled": 1}
    webhook(function, "DELIVERED")
    assert function.statuses() == {"order-1": "RETRYING"}
    assert function.deliver(queued).outcomes() == {"accepted": 1}
    assert function.provider.counts() == {"order-1": 1}


def test_every_acceptance_of_a_batch_is_recorded_while_webhooks_arrive(function: Sender) -> None:
    queued = function.put(*messages(30))
    numbers = iter(range(30))

    def deliver_webhooks(_: object) -> None:
        accepted = {entry.message.reference: entry for entry in function.provider.messages()}
        for number in [next(numbers, None) for _ in range(2)]:
            if number is not None:
                entry = accepted[f"order-{number + 1}"]
                function.webhook(
                    event(
                        "ENROUTE",
                        key=f"order-{number + 1}",
                        reference=f"order-{number + 1}",
                        event_id=entry.msg_id,
                        msg_id=entry.msg_id,
                        recipient=entry.message.recipient,
                    )
                )

    for round_number in range(6):
        # `skip` is the number of writes that this action lets pass: the claim, and two webhook transactions for each
        # earlier round. A write of the sender that starts an earlier action is not counted.
        function.calls.before(WRITE, deliver_webhooks, skip=1 + 2 * round_number)
    run = function.deliver(queued)
    assert (run.outcomes(), run.failed) == ({"accepted": 30}, [])
    assert all(function.record(f"order-{number}").accepted_at for number in range(1, 31))


def test_an_acceptance_is_recorded_after_many_throttled_writes(function: Sender) -> None:
    queued = function.put(*messages(3))
    cancel_transactions(function, "ThrottlingError", "ThrottlingError", "ThrottlingError", skip=1, count=10)
    assert function.deliver(queued).outcomes() == {"accepted": 3}
    assert set(function.statuses().values()) == {"ACCEPTED"}


def test_a_contended_record_does_not_delay_the_other_messages_of_its_batch(function: Sender) -> None:
    queued = function.put(*messages(3))

    def conflict(parameters: dict[str, Any]) -> Any:  # noqa: ANN401 - botocore's answer
        keys = [item["Put"]["Item"]["pk"]["S"] for item in parameters["TransactItems"]]
        if "order-2" not in keys:
            return None
        reasons = tuple(CONFLICT if key == "order-2" else NO_REASON for key in keys)
        return Refusal("TransactionCanceledException", 400, reasons).response()

    function.calls.before(WRITE, conflict, count=None)
    run = function.deliver(queued)
    assert run.outcomes() == {"accepted": 2, "waiting": 1}
    assert run.failed == [queued[1]["messageId"]]


# No message is sent twice


def test_a_message_enqueued_again_after_a_hold_in_doubt_is_not_sent(function: Sender) -> None:
    hold_in_doubt(function)
    run = function.send(message())
    assert (run.outcomes(), run.failed) == ({"held": 1}, [])
    assert [dead_letter.code for dead_letter in function.dead_letters()] == ["UNCERTAIN", "UNCERTAIN"]
    assert function.provider.counts() == {"order-1": 1}


# Messages that are sent again


def test_a_redrive_sends_a_message_that_is_held_in_doubt(function: Sender) -> None:
    hold_in_doubt(function)
    assert function.deliver(function.redrive()).outcomes() == {"accepted": 1}
    assert function.provider.counts() == {"order-1": 2}


def test_a_redriven_message_whose_second_outcome_is_unknown_is_not_sent_a_third_time(function: Sender) -> None:
    hold_in_doubt(function)
    (copy,) = function.redrive()
    function.provider.inject_fault(kind="reset")
    assert function.deliver([copy]).outcomes() == {"uncertain": 1}
    function.clock_ahead += PAST_RECONCILE_AFTER
    assert function.deliver([copy]).outcomes() == {"held": 1}
    assert function.deliver([copy]).outcomes() == {"duplicate": 1}
    assert function.provider.counts() == {"order-1": 2}


def test_a_resent_message_stays_in_doubt_after_a_temporary_refusal(function: Sender) -> None:
    function.start(UNCERTAIN_SENDS="Resend")
    queued = put_in_doubt(function)
    function.clock_ahead += PAST_RECONCILE_AFTER
    function.provider.inject_fault(kind="503")
    assert function.deliver(queued, receive_count=8).outcomes() == {"held": 1}
    record = function.record("order-1")
    assert (record.status, record.in_doubt, record.resent) == ("HELD", True, True)
    (copy,) = function.redrive()
    assert copy["messageAttributes"]["ErrorCode"]["stringValue"] == "UNCERTAIN"
    function.provider.inject_fault(kind="reset")
    assert function.deliver([copy]).outcomes() == {"uncertain": 1}
    function.clock_ahead += PAST_RECONCILE_AFTER
    assert function.deliver([copy]).outcomes() == {"held": 1}
    assert function.provider.counts() == {"order-1": 2}


def test_other_content_is_refused_after_the_provider_refused_a_resent_message(function: Sender) -> None:
    function.start(UNCERTAIN_SENDS="Resend")
    queued = put_in_doubt(function)
    function.clock_ahead += PAST_RECONCILE_AFTER
    function.provider.inject_fault(kind="422")
    assert function.deliver(queued).outcomes() == {"held": 1}
    assert [dead_letter.code for dead_letter in function.dead_letters()] == ["UNCERTAIN"]
    assert function.send(message(message="Another text")).outcomes() == {"reference_reused": 1}


# No record is wrong


def test_an_event_of_another_message_does_not_move_an_accepted_record(function: Sender) -> None:
    function.send(message())
    (accepted,) = function.provider.messages()
    webhook(function, "DELIVERED")
    assert function.record("order-1").status == "ACCEPTED"
    webhook(function, "REJECTED", msg_id=accepted.msg_id)
    assert (function.record("order-1").status, function.record("order-1").msg_id) == ("REJECTED", accepted.msg_id)


def test_the_answer_to_our_request_replaces_the_msg_id_of_another_systems_event(function: Sender) -> None:
    def event_of_another_system_then_our_own(_: object) -> None:
        webhook(function, "DELIVERED")
        (accepted,) = function.provider.messages()
        webhook(function, "ENROUTE", msg_id=accepted.msg_id)

    function.calls.before(WRITE, event_of_another_system_then_our_own, skip=1)
    assert function.send(message()).outcomes() == {"accepted": 1}
    (accepted,) = function.provider.messages()
    record = function.record("order-1")
    assert (record.status, record.msg_id) == ("ENROUTE", accepted.msg_id)


def test_an_event_from_before_the_message_was_enqueued_does_not_settle_it(function: Sender) -> None:
    queued = put_in_doubt(function)
    webhook(function, "DELIVERED", msg_id=ulid(function.now() - timedelta(days=1)))
    assert function.statuses() == {"order-1": "UNCERTAIN"}
    webhook(function, "DELIVERED", msg_id="an id that is not a ULID")
    assert function.statuses() == {"order-1": "DELIVERED"}
    assert function.deliver(queued).outcomes() == {"settled": 1}


def test_a_message_whose_deadline_passes_after_the_claim_lapses(function: Sender) -> None:
    queued = function.put(message(expiration=3600))

    def deadline_passes(_: object) -> None:
        function.clock_ahead += timedelta(hours=1)

    function.calls.after(WRITE, deadline_passes)
    run = function.deliver(queued)
    assert (run.outcomes(), run.failed, function.dead_letters()) == ({"lapsed": 1}, [], [])
    assert function.statuses() == {"order-1": "LAPSED"}


def test_two_copies_of_a_message_in_one_batch_at_their_last_delivery_send_one_sms(function: Sender) -> None:
    queued = function.put(message(), message())
    run = function.deliver(queued, receive_count=8)
    assert (run.outcomes(), run.failed, function.dead_letters()) == ({"accepted": 1, "duplicate": 1}, [], [])


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({"ALLOWED_PREFIXES": "46"}, "AllowedPrefixes"),
        ({"SEND_MODE": "DryRun"}, "DryRun"),
    ],
)
def test_a_message_in_doubt_stays_in_doubt_after_a_parameter_changed(
    function: Sender, changed: dict[str, str], cause: str
) -> None:
    queued = put_in_doubt(function)
    function.start(**changed)
    function.clock_ahead += PAST_RECONCILE_AFTER
    assert function.deliver(queued).outcomes() == {"held": 1}
    (dead_letter,) = function.dead_letters()
    assert dead_letter.code == "UNCERTAIN"
    assert cause in dead_letter.details
    record = function.record("order-1")
    assert (record.status, record.in_doubt) == ("HELD", True)


def test_a_message_in_doubt_stays_in_doubt_after_the_default_sender_was_removed(function: Sender) -> None:
    function.start(DEFAULT_SENDER="Shop")
    function.provider.inject_fault(kind="reset")
    fields = message()
    del fields["sender"]
    queued = function.put(fields)
    function.deliver(queued)
    function.start(DEFAULT_SENDER="")
    function.clock_ahead += PAST_RECONCILE_AFTER
    assert function.deliver(queued).outcomes() == {"held": 1}
    assert [dead_letter.code for dead_letter in function.dead_letters()] == ["UNCERTAIN"]


def test_a_message_in_doubt_stays_in_doubt_after_its_deadline(function: Sender) -> None:
    queued = put_in_doubt(function, expiration=600)
    function.clock_ahead += PAST_RECONCILE_AFTER
    assert function.deliver(queued).outcomes() == {"held": 1}
    (dead_letter,) = function.dead_letters()
    assert dead_letter.code == "UNCERTAIN"
    assert "expired" in dead_letter.details


# One bad message does not affect others


def test_messages_in_doubt_are_sent_alone_so_that_one_that_fails_does_not_affect_others(function: Sender) -> None:
    function.provider.inject_fault(kind="500", reference="order-2", when="before", count=None)
    queued = function.put(*messages(3))
    assert function.deliver(queued).outcomes() == {"uncertain": 3}
    function.clock_ahead += PAST_RECONCILE_AFTER
    assert function.deliver(queued).outcomes() == {"held": 3}
    run = function.deliver(function.redrive())
    assert run.outcomes() == {"accepted": 2, "uncertain": 1}
    assert function.provider.counts() == {"order-1": 1, "order-3": 1}


@pytest.mark.parametrize("status", [400, 413])
def test_a_request_refused_as_a_whole_is_split(function: Sender, status: int) -> None:
    function.provider.inject_fault(kind="status", status=status, reference="order-2", count=None)
    queued = function.put(*messages(3))
    run = function.deliver(queued)
    assert run.outcomes() == {"accepted": 2, "provider_refused": 1}
    assert [(dead_letter.reference, dead_letter.code) for dead_letter in function.dead_letters()] == [
        ("order-2", "PROVIDER_REFUSED")
    ]


@pytest.mark.parametrize(
    "damage",
    [
        {"attempts": {"S": "1"}},
        {"attempts": {"NULL": True}},
        {"status": {"L": []}},
        {"error": {"S": "UNCERTAIN"}},
        {"sender": {"N": "1"}},
        {"updated_at": {"N": "1"}},
        {"in_doubt": {"S": "yes"}},
        {"recipient": {"S": "4512345678"}},
    ],
    ids=lambda damage: next(iter(damage)),
)
def test_a_damaged_record_delays_only_its_own_message(function: Sender, damage: dict[str, Any]) -> None:
    function.provider.inject_fault(kind="503", count=1)
    queued = function.put(*messages(3))
    function.deliver(queued)
    item = function.aws.dynamodb.get_item(
        TableName="gatewayapi-test", Key={"pk": {"S": "order-2"}, "sk": {"S": "MESSAGE"}}
    )["Item"]
    function.aws.dynamodb.put_item(TableName="gatewayapi-test", Item={**item, **damage})
    run = function.deliver(queued)
    assert run.outcomes() == {"accepted": 2, "waiting": 1}
    assert run.failed == [queued[1]["messageId"]]


# Content at the limits


def test_the_longest_expiration_is_accepted_by_a_provider_whose_clock_is_behind(function: Sender) -> None:
    (queued,) = function.put(message(expiration="P5D"))
    function.clock_ahead -= timedelta(seconds=30)
    assert function.deliver([queued]).outcomes() == {"accepted": 1}
    (accepted,) = function.provider.messages()
    sent = datetime.fromisoformat(str(accepted.message.expiration))
    assert sent < function.now() + timedelta(days=5) - timedelta(seconds=30)


def test_a_message_with_a_control_character_is_invalid(function: Sender) -> None:
    assert function.send(message(message="a\x00b")).outcomes() == {"invalid": 1}
    assert from_fields(message(message="a\tb\r\nc")).message == "a\tb\r\nc"


# A step that fails does not undo the one before


def test_an_acceptance_is_recorded_before_dead_letters_are_sent(function: Sender) -> None:
    statuses_at_copy: list[dict[str, str]] = []
    function.calls.before(SEND_DEAD_LETTER, lambda _: statuses_at_copy.append(function.statuses()))
    function.send(message(), message("order-2", recipient=1))
    assert statuses_at_copy[0]["order-1"] == "ACCEPTED"


def test_no_copy_is_sent_when_the_invocation_has_no_time_left(function: Sender) -> None:
    queued = function.put(message(recipient=1))
    function.remaining_s = 4
    run = function.deliver(queued)
    assert (run.outcomes(), run.visibility_timeouts_s) == ({"dead_letter_failed": 1}, [])
    assert run.failed == [queued[0]["messageId"]]


def test_a_throttled_dead_letter_queue_is_called_once(function: Sender) -> None:
    function.calls.refuse(SEND_DEAD_LETTER, Refusal("RequestThrottled"), count=None)
    run = function.send(*(message(f"order-{number}", recipient=1) for number in range(3)))
    assert run.calls[SEND_DEAD_LETTER] == 1
    assert len(run.failed) == 3


def test_a_dead_letter_whose_record_is_not_written_is_copied_once(function: Sender) -> None:
    function.provider.inject_fault(kind="503")
    queued = function.put(message())
    function.calls.refuse(WRITE, Refusal("InternalServerError", 500), skip=1, count=None)
    assert function.deliver(queued, receive_count=8).failed == []
    assert [dead_letter.code for dead_letter in function.dead_letters()] == ["RETRIES_EXHAUSTED"]


def test_a_claim_whose_response_is_lost_is_undone_and_the_message_is_sent_later(function: Sender) -> None:
    queued = function.put(message())

    def refuse_claims(parameters: dict[str, Any]) -> Any:  # noqa: ANN401 - botocore's answer
        is_claim = parameters["TransactItems"][0]["Put"]["Item"]["status"] == {"S": "SENDING"}
        return Refusal("InternalServerError", 500).response() if is_claim else None

    function.calls.lose_answer(WRITE)
    function.calls.before(WRITE, refuse_claims, skip=1, count=None)
    assert function.deliver(queued).outcomes() == {"table_unavailable": 1}
    assert function.statuses() == {"order-1": "RETRYING"}
    function.calls.stop()
    assert function.deliver(queued).outcomes() == {"accepted": 1}


def test_a_copy_in_the_same_batch_honours_the_retry_after_of_the_first(function: Sender) -> None:
    function.provider.inject_fault(kind="503", retry_after=60)
    run = function.send(message(), message())
    assert run.outcomes() == {"throttled": 1, "waiting": 1}
    assert len(function.provider.requests()) == 1
    assert all(timeout_s >= 60 for timeout_s in run.visibility_timeouts_s)


@pytest.mark.parametrize(
    "damage",
    [{"error": {"M": {"code": {"B": b"x"}}}}, {"updated_at": {"S": "2026-03-01T12:00:00Z"}}],
    ids=["an error of bytes", "a time in another form"],
)
def test_a_record_that_could_not_be_written_again_affects_its_own_message_only(
    function: Sender, damage: dict[str, Any]
) -> None:
    function.provider.inject_fault(kind="503")
    queued = function.put(*messages(2))
    function.deliver(queued)
    key = {"pk": {"S": "order-2"}, "sk": {"S": "MESSAGE"}}
    item = function.aws.dynamodb.get_item(TableName="gatewayapi-test", Key=key)["Item"]
    function.aws.dynamodb.put_item(TableName="gatewayapi-test", Item={**item, **damage})
    assert function.deliver(queued).outcomes() == {"accepted": 1, "waiting": 1}


def test_an_event_that_is_stored_while_the_msg_id_is_corrected_moves_the_record(function: Sender) -> None:
    # The event's first try sees the msg_id of another system. The msg_id is corrected before the second try, which
    # stores the event and moves the record.
    tries = iter(range(2))

    def correct_the_msg_id(_: object) -> None:
        if next(tries) == 0:
            return
        record = function.record("order-1")
        corrected = state.accept(record, own, function.now(), record.expires_at, was_in_doubt=False)
        table.put([Write(corrected, record)])

    table = MessageTable(function.aws.dynamodb, "gatewayapi-test", 90, sleep=lambda _: None)
    own = ulid(function.now())
    put_in_doubt(function)
    webhook(function, "DELIVERED")  # another system's
    function.calls.before(WRITE, correct_the_msg_id, count=2)
    webhook(function, "REJECTED", msg_id=own)
    assert (function.record("order-1").status, function.record("order-1").msg_id) == ("REJECTED", own)
