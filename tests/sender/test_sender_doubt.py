"""What nobody can know is never guessed: the life of an uncertain message."""

from datetime import timedelta

import pytest

from tests.aws_calls import Refusal
from tests.layer.test_table_events import event
from tests.sender.sender_function import BURY, World, world
from tests.sender.sqs_records import Record, message

__all__ = ["world"]

RECONCILED = timedelta(seconds=905)


def doubted(world: World) -> list[Record]:
    """Have a message accepted and the answer lost."""
    world.provider.order(kind="reset")
    queued = world.put(message())
    assert world.deliver(queued).outcomes() == {"uncertain": 1}
    return queued


def redrive(world: World) -> dict[str, int]:
    return world.deliver(world.redrive()).outcomes()


def test_an_unsettled_message_is_held_when_its_time_is_over(world: World) -> None:
    queued = doubted(world)
    world.ahead += RECONCILED
    run = world.deliver(queued)
    assert (run.outcomes(), run.failed) == ({"held": 1}, [])
    assert world.waiting() == 0
    record = world.record("order-1")
    assert record.status == "HELD"
    assert record.error is not None
    assert record.error["code"] == "UNCERTAIN"
    assert world.provider.counts() == {"order-1": 1}


def test_a_held_message_is_sent_when_it_is_redriven(world: World) -> None:
    queued = doubted(world)
    world.start(RECONCILE_AFTER_S="0")
    assert world.deliver(queued).outcomes() == {"held": 1}
    assert redrive(world) == {"accepted": 1}
    assert world.provider.counts() == {"order-1": 2}
    assert world.record("order-1").attempts == 2


def test_a_held_message_that_a_webhook_settles_is_not_sent_when_it_is_redriven(world: World) -> None:
    queued = doubted(world)
    world.ahead += RECONCILED
    world.deliver(queued)
    world.webhook(event("DELIVERED", msg_id=world.provider.messages()[0].msg_id))
    assert redrive(world) == {"duplicate": 1}
    assert world.provider.counts() == {"order-1": 1}


def test_another_copy_of_a_message_held_in_doubt_goes_to_the_dead_letter_queue(world: World) -> None:
    copy = world.put(message())
    queued = doubted(world)
    world.ahead += RECONCILED
    assert world.deliver(queued).outcomes() == {"held": 1}
    run = world.deliver(copy)
    assert (run.outcomes(), run.failed) == ({"held": 1}, [])
    assert world.provider.counts() == {"order-1": 1}
    assert [letter.code for letter in world.dead()] == ["UNCERTAIN", "UNCERTAIN"]


def test_the_policy_resend_sends_an_unsettled_message_once_more_and_then_holds_it(world: World) -> None:
    world.start(UNCERTAIN_SENDS="Resend")
    queued = doubted(world)
    for kind, outcome in (("429", "throttled"), ("reset", "uncertain")):
        world.ahead += RECONCILED
        world.provider.order(kind=kind)
        assert world.deliver(queued).outcomes() == {outcome: 1}
    world.ahead += RECONCILED
    assert world.deliver(queued).outcomes() == {"held": 1}
    assert world.provider.counts() == {"order-1": 2}
    assert [dead.code for dead in world.dead()] == ["UNCERTAIN"]


def test_a_webhook_that_comes_in_time_prevents_the_resending(world: World) -> None:
    world.start(UNCERTAIN_SENDS="Resend")
    queued = doubted(world)
    world.webhook(event("ENROUTE", msg_id=world.provider.messages()[0].msg_id))
    world.ahead += RECONCILED
    assert world.deliver(queued).outcomes() == {"settled": 1}
    assert world.provider.counts() == {"order-1": 1}


def test_a_message_whose_copy_fails_is_not_held_before_there_is_one(world: World) -> None:
    queued = doubted(world)
    world.ahead += RECONCILED
    world.calls.refuse(BURY, Refusal("InternalError", 500))
    assert world.deliver(queued).failed == [queued[0]["messageId"]]
    assert world.statuses() == {"order-1": "UNCERTAIN"}
    assert world.deliver(queued).outcomes() == {"held": 1}
    assert [dead.code for dead in world.dead()] == ["UNCERTAIN"]


@pytest.mark.parametrize(
    ("kind", "code"), [("503", "RETRIES_EXHAUSTED"), ("403", "RETRIES_EXHAUSTED"), ("reset", "UNCERTAIN")]
)
def test_the_last_delivery_takes_a_message_to_the_dead_letters_with_its_reason_and_identity(
    world: World, kind: str, code: str
) -> None:
    world.provider.order(kind=kind)
    queued = world.put(message(None))
    run = world.deliver(queued, receive_count=8)
    assert (run.outcomes(), run.failed, run.hidden_s) == ({"held": 1}, [], [])
    identity = queued[0]["messageId"]
    assert world.statuses() == {identity: "HELD"}
    (copy,) = world.redrive()
    assert copy["messageId"] != identity
    assert copy["messageAttributes"]["ErrorCode"]["stringValue"] == code
    assert world.deliver([copy]).outcomes() == {"accepted": 1}
    assert world.statuses() == {identity: "ACCEPTED"}
