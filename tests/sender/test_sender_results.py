"""The table fails, the sender dies, a webhook is faster: what becomes of a result on its way into the record."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, NoReturn

import pytest

from tests.aws_calls import Refusal
from tests.layer.test_table_events import event
from tests.sender.sender_function import BURY, HIDE, WRITE, World, world
from tests.sender.sqs_records import Record, message, messages

__all__ = ["world"]

RECONCILED = timedelta(seconds=905)
LEASE_OVER = timedelta(seconds=40)


class KilledError(BaseException):
    """The process ends here: nothing in it gets to handle that."""


def kill(_: Any) -> NoReturn:  # noqa: ANN401 - a call's parameters, or its answer
    raise KilledError


def test_without_the_table_nothing_is_sent_and_all_come_back(world: World) -> None:
    world.calls.refuse(WRITE, Refusal("ThrottlingException"), count=None)
    queued = world.put(*messages(3))
    run = world.deliver(queued)
    assert run.outcomes() == {"table_unavailable": 3}
    assert run.failed == [record["messageId"] for record in queued]
    assert all(6 <= timeout_s <= 12 for timeout_s in run.hidden_s)
    assert world.provider.requests() == []
    world.calls.stop()
    assert world.deliver(queued).failed == []
    assert set(world.provider.counts().values()) == {1}


def unavailable(world: World, skip: int) -> None:
    world.calls.refuse(WRITE, Refusal("InternalServerError", 500), skip=skip, count=None)


def killed(world: World, skip: int) -> None:
    world.calls.before(WRITE, kill, skip=skip)


def delivered(world: World, queued: list[Record]) -> None:
    with suppress(KilledError):
        assert world.deliver(queued).failed == [each["messageId"] for each in queued]


@pytest.mark.parametrize("fail", [unavailable, killed])
def test_a_result_that_is_not_recorded_waits_for_the_lease_and_then_for_the_webhook(
    world: World, fail: Callable[[World, int], None]
) -> None:
    fail(world, 1)
    queued = world.put(*messages(2))
    delivered(world, queued)
    world.calls.stop()
    assert world.statuses() == {"order-1": "SENDING", "order-2": "SENDING"}
    assert world.deliver(queued).outcomes() == {"waiting": 2}
    world.ahead += LEASE_OVER
    doubtful = world.deliver(queued)
    assert doubtful.outcomes() == {"uncertain": 2}
    assert all(900 <= each <= 902 for each in doubtful.hidden_s)
    for reference in ("order-1", "order-2"):
        recipient = world.record(reference).recipient
        (msg_id,) = (sent.msg_id for sent in world.provider.messages() if sent.message.reference == reference)
        world.webhook(event("DELIVERED", key=reference, reference=reference, recipient=recipient, msg_id=msg_id))
    assert world.deliver(queued).failed == []
    assert world.provider.counts() == {"order-1": 1, "order-2": 1}


def test_an_unrecorded_result_comes_back_when_the_lease_is_over(world: World) -> None:
    unavailable(world, 1)
    run = world.send(message())
    assert run.outcomes() == {"not_recorded": 1}
    assert run.hidden_s[0] in range(34, 38)


@pytest.mark.parametrize("write", [0, 1], ids=["claim", "result"])
def test_a_write_whose_answer_was_lost_is_found_to_be_done(world: World, write: int) -> None:
    world.calls.lose_answer(WRITE, skip=write)
    assert world.send(message()).outcomes() == {"accepted": 1}
    assert world.statuses() == {"order-1": "ACCEPTED"}
    assert world.provider.counts() == {"order-1": 1}


def test_a_claim_whose_invocation_died_is_held_and_never_sent(world: World) -> None:
    world.calls.after(WRITE, kill)
    queued = world.put(message())
    delivered(world, queued)
    world.ahead += LEASE_OVER
    assert world.deliver(queued).outcomes() == {"uncertain": 1}
    world.ahead += RECONCILED
    assert world.deliver(queued).outcomes() == {"held": 1}
    assert world.provider.requests() == []
    assert [dead.code for dead in world.dead()] == ["UNCERTAIN"]


def test_a_crash_between_the_copy_and_the_record_leaves_a_second_copy_and_no_second_sms(world: World) -> None:
    world.provider.order(kind="reset")
    queued = world.put(message())
    world.deliver(queued)
    world.ahead += RECONCILED
    world.calls.before(WRITE, kill, skip=1)  # the claim comes first
    delivered(world, queued)
    assert world.statuses() == {"order-1": "UNCERTAIN"}
    assert world.deliver(queued).outcomes() == {"held": 1}
    assert world.provider.counts() == {"order-1": 1}
    assert [dead.reference for dead in world.dead()] == ["order-1", "order-1"]


def test_a_webhook_faster_than_the_result_keeps_its_status_and_gets_the_rest(world: World) -> None:
    def settle(_: Any) -> None:  # noqa: ANN401 - a call's parameters
        (accepted,) = world.provider.messages()
        world.webhook(event("DELIVERED", msg_id=accepted.msg_id))

    world.calls.before(WRITE, settle, skip=1)
    run = world.send(message())
    assert (run.outcomes(), run.failed) == ({"accepted": 1}, [])
    record = world.record("order-1")
    (accepted,) = world.provider.messages()
    assert (record.status, record.msg_id) == ("DELIVERED", accepted.msg_id)
    assert record.accepted_at is not None
    assert record.status_at is not None
    assert record.fingerprint is not None


def test_a_webhook_faster_than_a_lost_answer_settles_the_message(world: World) -> None:
    def settle(_: Any) -> None:  # noqa: ANN401 - a call's parameters
        world.webhook(event("ENROUTE", msg_id=world.provider.messages()[0].msg_id))

    world.calls.before(WRITE, settle, skip=1)
    world.provider.order(kind="reset")
    run = world.send(message())
    assert (run.outcomes(), run.failed) == ({"settled": 1}, [])
    assert world.statuses() == {"order-1": "ENROUTE"}


def test_a_visibility_that_cannot_be_set_leaves_the_message_to_the_queues_own(world: World) -> None:
    world.calls.refuse(HIDE, Refusal("InvalidParameterValue"), count=None)
    world.provider.order(kind="503")
    queued = world.put(*messages(2))
    run = world.deliver(queued)
    assert run.failed == [each["messageId"] for each in queued]
    assert run.calls[HIDE] == 2


@pytest.mark.parametrize("operation", [HIDE, BURY])
def test_a_queue_in_trouble_is_asked_once(world: World, operation: str) -> None:
    world.calls.refuse(operation, Refusal("InternalError", 500), count=None)
    world.provider.order(kind="503")
    good, bad = messages(3), [message(f"bad-{number}", recipient=1) for number in range(3)]
    queued = world.put(*(good if operation == HIDE else bad))
    run = world.deliver(queued)
    assert sorted(run.failed) == sorted(each["messageId"] for each in queued)
    assert run.calls[operation] == 1
