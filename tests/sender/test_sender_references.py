"""One reference, one SMS: duplicates, twins, other content under a used name, and names of every kind."""

import json
from datetime import timedelta

import pytest

from tests.layer.test_table_events import event
from tests.sender.sender_function import World, world
from tests.sender.sqs_records import TEXT, message, messages

__all__ = ["world"]

CONTROL = [chr(code) for code in (0, 7, 10, 31, 127, 0xFFFE)]


def test_a_message_delivered_again_is_a_duplicate(world: World) -> None:
    queued = world.put(message())
    world.deliver(queued)
    run = world.deliver(queued)
    assert (run.outcomes(), run.failed) == ({"duplicate": 1}, [])
    assert world.provider.counts() == {"order-1": 1}


def test_a_message_put_on_the_queue_twice_is_a_duplicate_whatever_its_deadline(world: World) -> None:
    world.send(message(expiration=3600))
    assert world.send(message(expiration=7200)).outcomes() == {"duplicate": 1}
    assert world.send(message(recipient="+45 12 34 56 78")).outcomes() == {"duplicate": 1}
    assert world.provider.counts() == {"order-1": 1}


def test_a_duplicate_of_a_message_that_is_further_is_one_too(world: World) -> None:
    world.send(message())
    world.webhook(event("DELIVERED", msg_id=world.provider.messages()[0].msg_id))
    assert world.send(message()).outcomes() == {"duplicate": 1}
    assert world.statuses() == {"order-1": "DELIVERED"}


def test_a_copy_in_the_same_batch_finds_the_result_of_the_first(world: World) -> None:
    queued = world.put(message(), message(), message("order-2"), message(message="Another text"))
    run = world.deliver(queued)
    assert run.outcomes() == {"accepted": 2, "duplicate": 1, "reference_reused": 1}
    assert run.failed == []
    assert world.provider.counts() == {"order-1": 1, "order-2": 1}


def test_a_copy_in_the_same_batch_waits_where_no_time_is_left(world: World) -> None:
    queued = world.put(message(), message())
    world.remaining_s = 8.5
    run = world.deliver(queued)
    assert run.outcomes() == {"unreachable": 1, "waiting": 1}
    assert len(run.failed) == 2


def test_a_twin_in_another_invocation_waits_for_the_lease(world: World) -> None:
    first, twin = world.put(message(), message())
    outcomes = []

    def meanwhile(_: object) -> None:
        outcomes.append(world.deliver([twin]).outcomes())

    world.calls.before("TransactWriteItems", meanwhile, skip=1)
    assert world.deliver([first]).failed == []
    assert outcomes == [{"waiting": 1}]
    assert world.deliver([twin]).outcomes() == {"duplicate": 1}
    assert world.provider.counts() == {"order-1": 1}


@pytest.mark.parametrize(
    "other",
    [
        {"message": "Another text"},
        {"recipient": 4512345679},
        {"sender": "Other"},
        {"priority": "urgent"},
        {"label": "x"},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_reference_reused_for_other_content_is_refused(world: World, other: dict[str, object]) -> None:
    world.send(message())
    before = world.record("order-1")
    body = json.dumps(message(**other))
    run = world.send(body)
    assert (run.outcomes(), run.failed) == ({"reference_reused": 1}, [])
    (dead,) = world.dead()
    assert (dead.body, dead.code, dead.reference) == (body, "REFERENCE_REUSED", "order-1")
    assert world.record("order-1") == before
    assert world.provider.counts() == {"order-1": 1}


def test_a_reference_is_free_again_for_other_content_where_the_first_was_never_sent(world: World) -> None:
    world.provider.order(kind="422")
    assert world.send(message("refused")).outcomes() == {"provider_refused": 1}
    lapsed = world.put(message("lapsed", expiration=1))
    world.ahead += timedelta(seconds=2)
    assert world.deliver(lapsed).outcomes() == {"lapsed": 1}
    world.provider.order(kind="503")
    world.deliver(world.put(message("held")), receive_count=8)
    for reference in ("refused", "lapsed", "held"):
        assert world.send(message(reference, message="Another text")).outcomes() == {"accepted": 1}


def test_a_redriven_message_that_the_provider_takes_now_is_sent(world: World) -> None:
    world.provider.order(kind="422")
    world.send(message())
    assert world.deliver(world.redrive()).outcomes() == {"accepted": 1}
    assert world.statuses() == {"order-1": "ACCEPTED"}
    assert world.record("order-1").error is None


def test_a_redriven_message_that_lapsed_is_sent_while_its_new_time_lasts(world: World) -> None:
    queued = world.put(message(expiration=60))
    queued[0]["attributes"]["SentTimestamp"] = str(int(world.now().timestamp() * 1000) - 61_000)
    assert world.deliver(queued).outcomes() == {"lapsed": 1}
    assert world.send(message(expiration=60)).outcomes() == {"accepted": 1}


def test_a_redriven_message_without_a_reference_keeps_its_identity(world: World) -> None:
    world.provider.order(kind="422", count=2)
    (queued,) = world.put(message(None))
    world.deliver([queued])
    for outcome in ("provider_refused", "accepted"):
        (copy,) = world.redrive()
        assert copy["messageId"] != queued["messageId"]
        assert world.deliver([copy]).outcomes() == {outcome: 1}
    assert world.provider.counts() == {queued["messageId"]: 1}
    assert world.statuses() == {queued["messageId"]: "ACCEPTED"}


def test_without_a_reference_the_queues_id_is_sent_along_so_that_webhooks_find_it(world: World) -> None:
    queued = world.put(message(None), message(None, recipient=4512345679))
    world.deliver(queued)
    assert set(world.provider.counts()) == {each["messageId"] for each in queued} == set(world.statuses())


@pytest.mark.parametrize(
    "reference", ["x" * 255, "🚀" * 255, "a b", " ", "Ünï-cødé/#?&=\\\"'", "نص", "EVENT#1", "QUARANTINE", "MESSAGE"]
)
def test_any_reference_that_can_be_a_key_is_one(world: World, reference: str) -> None:
    assert world.send(message(reference)).outcomes() == {"accepted": 1}
    assert world.send(message(reference)).outcomes() == {"duplicate": 1}
    assert world.provider.counts() == {reference: 1}
    world.send(message(reference, message="Another text"))
    assert [dead.reference for dead in world.dead()] == [reference]


@pytest.mark.parametrize("reference", ["", "x" * 256, *(f"a{letter}b" for letter in CONTROL), 7, ["a"]], ids=repr)
def test_a_reference_that_cannot_be_one_makes_its_message_invalid_under_the_queues_id(
    world: World, reference: object
) -> None:
    (queued,) = world.put(json.dumps(message(reference)))
    assert world.deliver([queued]).outcomes() == {"invalid": 1}
    (dead,) = world.dead()
    assert (dead.code, dead.reference) == ("INVALID_MESSAGE", queued["messageId"])
    assert dead.details.startswith("$.reference: ")
    assert world.statuses() == {queued["messageId"]: "INVALID"}


def test_a_reference_attribute_that_cannot_be_one_is_ignored(world: World) -> None:
    attributes = {"Reference": {"DataType": "String", "StringValue": "x" * 256}}
    (queued,) = world.put(message(None), attributes=attributes)
    world.deliver([queued])
    assert world.statuses() == {queued["messageId"]: "ACCEPTED"}


def test_a_broken_message_under_a_used_reference_leaves_the_record_alone(world: World) -> None:
    world.send(message())
    before = world.record("order-1")
    run = world.send(message(recipient=1))
    assert run.outcomes() == {"invalid": 1}
    assert [dead.code for dead in world.dead()] == ["INVALID_MESSAGE"]
    assert world.record("order-1") == before


def test_a_record_that_nobody_can_read_costs_its_own_message_only(world: World) -> None:
    broken = {"pk": {"S": "order-2"}, "sk": {"S": "MESSAGE"}, "record_type": {"S": "written by hand"}}
    world.aws.dynamodb.put_item(TableName="gatewayapi-test", Item=broken)
    queued = world.put(*messages(3))
    run = world.deliver(queued)
    assert run.outcomes() == {"accepted": 2, "waiting": 1}
    assert run.failed == [queued[1]["messageId"]]
    assert world.deliver(queued[1:2], receive_count=8).failed == []
    assert [(dead.reference, dead.code) for dead in world.dead()] == [("order-2", "UNCERTAIN")]


def test_the_text_is_not_stored_and_equal_texts_do_not_look_equal(world: World) -> None:
    world.send(*messages(2))
    items = world.aws.dynamodb.scan(TableName="gatewayapi-test")["Items"]
    assert TEXT not in str(items)
    assert world.record("order-1").fingerprint != world.record("order-2").fingerprint
