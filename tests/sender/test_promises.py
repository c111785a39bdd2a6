"""Nothing lost, nothing sent twice, nothing false: interleavings that once broke a promise, through the handler."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from gatewayapi.message import from_fields
from simulator.webhook_events import ulid
from tests.aws_calls import Refusal
from tests.layer.test_table_events import event
from tests.sender.sender_function import WRITE, World, world
from tests.sender.sqs_records import NUMBER, Record, message, messages

__all__ = ["world"]

RECONCILED = timedelta(seconds=905)
LEASE_OVER = timedelta(seconds=40)
CONFLICT, NO_REASON = {"Code": "TransactionConflict"}, {"Code": "None"}


def webhook(world: World, status: str, **fields: Any) -> None:  # noqa: ANN401 - any field of an event
    """Store a status event whose msg_id was made now, as the provider's are."""
    given = {"msg_id": ulid(world.now()), "recipient": NUMBER, **fields}
    world.webhook(event(status, event_id=f"{status}-{given['msg_id']}", **given))


def in_doubt(world: World, **fields: object) -> list[Record]:
    """Have a message accepted and the answer lost."""
    world.provider.order(kind="reset")
    queued = world.put(message(**fields))
    assert world.deliver(queued).outcomes() == {"uncertain": 1}
    return queued


def held(world: World, **fields: object) -> list[Record]:
    """Have a message in doubt whose time for a webhook is over."""
    queued = in_doubt(world, **fields)
    world.ahead += RECONCILED
    assert world.deliver(queued).outcomes() == {"held": 1}
    return queued


def cancelled(world: World, *codes: str, skip: int, count: int = 1) -> None:
    """Have transactions cancelled for these reasons, one for each of their items."""
    reasons = tuple({"Code": code} for code in codes)
    world.calls.refuse(WRITE, Refusal("TransactionCanceledException", 400, reasons), skip=skip, count=count)


# Lost


def test_other_content_is_refused_while_a_hold_is_in_doubt(world: World) -> None:
    held(world)
    assert world.send(message(message="Another text")).outcomes() == {"reference_reused": 1}
    webhook(world, "DELIVERED", msg_id=world.provider.messages()[0].msg_id)
    assert world.statuses() == {"order-1": "DELIVERED"}
    assert [letter.code for letter in world.dead()] == ["UNCERTAIN", "REFERENCE_REUSED"]


def test_an_event_does_not_move_a_message_that_was_certainly_not_accepted(world: World) -> None:
    world.provider.order(kind="503")
    queued = world.put(message())
    assert world.deliver(queued).outcomes() == {"throttled": 1}
    webhook(world, "DELIVERED")
    assert world.statuses() == {"order-1": "RETRYING"}
    assert world.deliver(queued).outcomes() == {"accepted": 1}
    assert world.provider.counts() == {"order-1": 1}


def test_every_acceptance_of_a_batch_is_recorded_while_webhooks_arrive(world: World) -> None:
    queued = world.put(*messages(30))
    answered = iter(range(30))

    def deliver_webhooks(_: object) -> None:
        accepted = {entry.message.reference: entry for entry in world.provider.messages()}
        for number in [next(answered, None) for _ in range(2)]:
            if number is not None:
                entry = accepted[f"order-{number + 1}"]
                world.webhook(
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
        # Each webhook is a transaction of its own, so the sender's next write comes 2 calls later.
        world.calls.before(WRITE, deliver_webhooks, skip=1 + 2 * round_number)
    run = world.deliver(queued)
    assert (run.outcomes(), run.failed) == ({"accepted": 30}, [])
    assert all(world.record(f"order-{number}").accepted_at for number in range(1, 31))


def test_an_acceptance_is_recorded_after_many_throttled_writes(world: World) -> None:
    queued = world.put(*messages(3))
    cancelled(world, "ThrottlingError", "ThrottlingError", "ThrottlingError", skip=1, count=10)
    assert world.deliver(queued).outcomes() == {"accepted": 3}
    assert set(world.statuses().values()) == {"ACCEPTED"}


def test_a_contended_record_does_not_delay_the_other_messages_of_its_batch(world: World) -> None:
    queued = world.put(*messages(3))

    def conflict(parameters: dict[str, Any]) -> Any:  # noqa: ANN401 - botocore's answer
        keys = [item["Put"]["Item"]["pk"]["S"] for item in parameters["TransactItems"]]
        if "order-2" not in keys:
            return None
        reasons = tuple(CONFLICT if key == "order-2" else NO_REASON for key in keys)
        return Refusal("TransactionCanceledException", 400, reasons).response()

    world.calls.before(WRITE, conflict, count=None)
    run = world.deliver(queued)
    assert run.outcomes() == {"accepted": 2, "waiting": 1}
    assert run.failed == [queued[1]["messageId"]]


# Twice


def test_a_message_enqueued_again_after_a_hold_in_doubt_is_not_sent(world: World) -> None:
    held(world)
    run = world.send(message())
    assert (run.outcomes(), run.failed) == ({"held": 1}, [])
    assert [letter.code for letter in world.dead()] == ["UNCERTAIN", "UNCERTAIN"]
    assert world.provider.counts() == {"order-1": 1}


def test_a_redrive_sends_a_message_that_is_held_in_doubt(world: World) -> None:
    held(world)
    assert world.deliver(world.redrive()).outcomes() == {"accepted": 1}
    assert world.provider.counts() == {"order-1": 2}


def test_a_resent_message_stays_in_doubt_through_a_refusal_for_now(world: World) -> None:
    world.start(UNCERTAIN_SENDS="Resend")
    queued = in_doubt(world)
    world.ahead += RECONCILED
    world.provider.order(kind="503")
    assert world.deliver(queued, receive_count=8).outcomes() == {"held": 1}
    record = world.record("order-1")
    assert (record.status, record.in_doubt, record.resent) == ("HELD", True, True)
    (copy,) = world.redrive()
    assert copy["messageAttributes"]["ErrorCode"]["stringValue"] == "UNCERTAIN"
    world.provider.order(kind="reset")
    assert world.deliver([copy]).outcomes() == {"uncertain": 1}
    world.ahead += RECONCILED
    assert world.deliver([copy]).outcomes() == {"held": 1}
    assert world.provider.counts() == {"order-1": 2}


def test_a_resent_message_that_the_provider_refuses_keeps_its_reference(world: World) -> None:
    world.start(UNCERTAIN_SENDS="Resend")
    queued = in_doubt(world)
    world.ahead += RECONCILED
    world.provider.order(kind="422")
    assert world.deliver(queued).outcomes() == {"held": 1}
    assert [letter.code for letter in world.dead()] == ["UNCERTAIN"]
    assert world.send(message(message="Another text")).outcomes() == {"reference_reused": 1}


# False


def test_an_event_of_another_message_does_not_move_an_accepted_record(world: World) -> None:
    world.send(message())
    (accepted,) = world.provider.messages()
    webhook(world, "DELIVERED")
    assert world.record("order-1").status == "ACCEPTED"
    webhook(world, "REJECTED", msg_id=accepted.msg_id)
    assert (world.record("order-1").status, world.record("order-1").msg_id) == ("REJECTED", accepted.msg_id)


def test_the_answer_to_our_request_replaces_the_msg_id_of_a_foreign_event(world: World) -> None:
    def foreign_event_then_our_own(_: object) -> None:
        webhook(world, "DELIVERED")
        (accepted,) = world.provider.messages()
        webhook(world, "ENROUTE", msg_id=accepted.msg_id)

    world.calls.before(WRITE, foreign_event_then_our_own, skip=1)
    assert world.send(message()).outcomes() == {"accepted": 1}
    (accepted,) = world.provider.messages()
    record = world.record("order-1")
    assert (record.status, record.msg_id) == ("ENROUTE", accepted.msg_id)


def test_an_event_from_before_the_message_was_enqueued_does_not_settle_a_doubt(world: World) -> None:
    queued = in_doubt(world)
    webhook(world, "DELIVERED", msg_id=ulid(world.now() - timedelta(days=1)))
    assert world.statuses() == {"order-1": "UNCERTAIN"}
    webhook(world, "DELIVERED", msg_id="an id that is no ULID")
    assert world.statuses() == {"order-1": "DELIVERED"}
    assert world.deliver(queued).outcomes() == {"settled": 1}


def test_a_message_whose_deadline_passes_on_the_way_to_the_provider_lapses(world: World) -> None:
    queued = world.put(message(expiration=3600))

    def deadline_passes(_: object) -> None:
        world.ahead += timedelta(hours=1)

    world.calls.after(WRITE, deadline_passes)
    run = world.deliver(queued)
    assert (run.outcomes(), run.failed, world.dead()) == ({"lapsed": 1}, [], [])
    assert world.statuses() == {"order-1": "LAPSED"}


def test_two_copies_of_a_message_in_one_batch_at_their_last_delivery_are_one_sms(world: World) -> None:
    queued = world.put(message(), message())
    run = world.deliver(queued, receive_count=8)
    assert (run.outcomes(), run.failed, world.dead()) == ({"accepted": 1, "duplicate": 1}, [], [])


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({"ALLOWED_PREFIXES": "46"}, "AllowedPrefixes"),
        ({"SEND_MODE": "DryRun"}, "DryRun"),
    ],
)
def test_a_changed_parameter_does_not_overwrite_a_doubt(world: World, changed: dict[str, str], cause: str) -> None:
    queued = in_doubt(world)
    world.start(**changed)
    world.ahead += RECONCILED
    assert world.deliver(queued).outcomes() == {"held": 1}
    (letter,) = world.dead()
    assert letter.code == "UNCERTAIN"
    assert cause in letter.details
    record = world.record("order-1")
    assert (record.status, record.in_doubt) == ("HELD", True)


def test_a_removed_default_sender_does_not_overwrite_a_doubt(world: World) -> None:
    world.start(DEFAULT_SENDER="Shop")
    world.provider.order(kind="reset")
    fields = message()
    del fields["sender"]
    queued = world.put(fields)
    world.deliver(queued)
    world.start(DEFAULT_SENDER="")
    world.ahead += RECONCILED
    assert world.deliver(queued).outcomes() == {"held": 1}
    assert [letter.code for letter in world.dead()] == ["UNCERTAIN"]


def test_an_expired_deadline_does_not_overwrite_a_doubt(world: World) -> None:
    queued = in_doubt(world, expiration=600)
    world.ahead += RECONCILED
    assert world.deliver(queued).outcomes() == {"held": 1}
    (letter,) = world.dead()
    assert letter.code == "UNCERTAIN"
    assert "expired" in letter.details


def test_a_redrive_that_is_delivered_again_after_its_own_doubt_is_not_sent_again(world: World) -> None:
    held(world)
    (copy,) = world.redrive()
    world.provider.order(kind="reset")
    assert world.deliver([copy]).outcomes() == {"uncertain": 1}
    world.ahead += RECONCILED
    assert world.deliver([copy]).outcomes() == {"held": 1}
    assert world.deliver([copy]).outcomes() == {"duplicate": 1}
    assert world.provider.counts() == {"order-1": 2}


# One bad one costs its neighbours


def test_messages_in_doubt_travel_alone_so_that_a_poisonous_one_harms_no_other(world: World) -> None:
    world.provider.order(kind="500", reference="order-2", when="before", count=None)
    queued = world.put(*messages(3))
    assert world.deliver(queued).outcomes() == {"uncertain": 3}
    world.ahead += RECONCILED
    assert world.deliver(queued).outcomes() == {"held": 3}
    run = world.deliver(world.redrive())
    assert run.outcomes() == {"accepted": 2, "uncertain": 1}
    assert world.provider.counts() == {"order-1": 1, "order-3": 1}


@pytest.mark.parametrize("status", [400, 413])
def test_a_request_refused_as_a_whole_is_split(world: World, status: int) -> None:
    world.provider.order(kind="status", status=status, reference="order-2", count=None)
    queued = world.put(*messages(3))
    run = world.deliver(queued)
    assert run.outcomes() == {"accepted": 2, "provider_refused": 1}
    assert [(letter.reference, letter.code) for letter in world.dead()] == [("order-2", "PROVIDER_REFUSED")]


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
def test_a_damaged_record_costs_its_own_message_only(world: World, damage: dict[str, Any]) -> None:
    world.provider.order(kind="503", count=1)
    queued = world.put(*messages(3))
    world.deliver(queued)
    item = world.aws.dynamodb.get_item(
        TableName="gatewayapi-test", Key={"pk": {"S": "order-2"}, "sk": {"S": "MESSAGE"}}
    )["Item"]
    world.aws.dynamodb.put_item(TableName="gatewayapi-test", Item={**item, **damage})
    run = world.deliver(queued)
    assert run.outcomes() == {"accepted": 2, "waiting": 1}
    assert run.failed == [queued[1]["messageId"]]


def test_the_longest_expiration_is_accepted_by_a_provider_whose_clock_is_behind(world: World) -> None:
    (queued,) = world.put(message(expiration="P5D"))
    world.ahead -= timedelta(seconds=30)
    assert world.deliver([queued]).outcomes() == {"accepted": 1}
    (accepted,) = world.provider.messages()
    sent = datetime.fromisoformat(str(accepted.message.expiration))
    assert sent < world.now() + timedelta(days=5) - timedelta(seconds=30)


def test_no_record_is_needed_to_tell_a_control_character(world: World) -> None:
    assert world.send(message(message="a\x00b")).outcomes() == {"invalid": 1}
    assert from_fields(message(message="a\tb\r\nc")).message == "a\tb\r\nc"
