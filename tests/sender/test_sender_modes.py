"""What the operator sets, which queue a message came from, and what the log says of all of it."""

import json

import pytest

from tests.aws_calls import Refusal
from tests.moto_aws import TOKEN
from tests.sender.sender_function import BURY, HIDE, WRITE, World, world
from tests.sender.sqs_records import NUMBER, TEXT, message, messages

__all__ = ["world"]


def test_a_dry_run_does_everything_but_the_request(world: World) -> None:
    world.start(SEND_MODE="DryRun")
    run = world.send(*messages(2), message("bad", recipient=1))
    assert run.failed == []
    assert run.outcomes() == {"dry_run": 2, "invalid": 1}
    assert run.calls == {WRITE: 1, BURY: 1}
    assert world.provider.requests() == []
    record = world.record("order-1")
    assert (record.status, record.lease_until) == ("HELD", None)
    assert record.error is not None
    assert record.error["code"] == "DRY_RUN"
    assert [dead.reference for dead in world.dead()] == ["bad"]


def test_what_a_dry_run_held_is_sent_when_it_is_queued_again_for_real(world: World) -> None:
    world.start(SEND_MODE="DryRun")
    world.send(message())
    world.start(SEND_MODE="Live")
    assert world.send(message()).outcomes() == {"accepted": 1}


@pytest.mark.parametrize("prefixes", ["45,4670", " 45 , 4670 ,"])
def test_only_recipients_under_the_allowed_prefixes_are_sent_to(world: World, prefixes: str) -> None:
    world.start(ALLOWED_PREFIXES=prefixes)
    allowed = {"dane": 4512345678, "swede": 46701234567}
    refused = {"other swede": 46731234567, "german": 491701234567}
    everyone = [message(name, recipient=number) for name, number in (allowed | refused).items()]
    run = world.send(*everyone)
    assert run.failed == []
    assert set(world.provider.counts()) == set(allowed)
    dead = world.dead()
    assert {each.reference for each in dead} == set(refused)
    assert {each.code for each in dead} == {"RECIPIENT_NOT_ALLOWED"}
    assert {world.record(name).status for name in refused} == {"INVALID"}


def test_the_default_sender_is_used_where_a_message_names_none(world: World) -> None:
    unnamed = message()
    del unnamed["sender"]
    assert world.send(unnamed).outcomes() == {"invalid": 1}
    world.start(DEFAULT_SENDER="MyShop")
    world.send({**unnamed, "reference": "order-2"}, message("order-3"))
    assert [each.message.sender for each in world.provider.messages()] == ["MyShop", "Shop"]
    assert world.record("order-2").sender == "MyShop"


def test_each_queues_messages_are_hidden_on_their_own_queue(world: World) -> None:
    world.provider.order(kind="503", count=None)
    for url in (world.queues.main, world.queues.urgent):
        queued = world.put(message(url.rpartition("/")[2]), url=url)
        assert len(world.deliver(queued).failed) == 1
        (call,) = world.calls.parameters(HIDE)
        assert (call["QueueUrl"], call["ReceiptHandle"]) == (url, queued[0]["receiptHandle"])


def test_a_message_larger_than_its_copy_may_be_does_not_fail_the_invocation(world: World) -> None:
    world.calls.refuse(BURY, Refusal("InvalidParameterValue"), count=None)
    queued = world.put("x" * 262_000, message())
    run = world.deliver(queued)
    assert run.outcomes() == {"accepted": 1, "dead_letter_failed": 1}
    assert run.failed == [queued[0]["messageId"]]


def logged(world: World) -> str:
    """What a day of trouble writes: each outcome there is, one after another."""
    log = world.send(*messages(2)).log
    log += world.send(*messages(2)).log  # duplicates
    log += world.send(message(message="Another secret"), message("bad", recipient=f"{NUMBER}x"), TEXT).log
    for place, kind in enumerate(("422", "429", "503", "403", "500", "reset", "rubbish")):
        world.provider.order(kind=kind)
        queued = world.put(message(f"trouble-{place}"))
        log += world.deliver(queued).log + world.deliver(queued, receive_count=8).log
    for operation in (WRITE, BURY, HIDE):
        world.calls.refuse(operation, Refusal("InternalServerError", 500), count=None)
    log += world.send(message("no table"), message("no table either", recipient=1)).log
    return log


def test_no_text_no_token_and_no_number_is_logged(world: World) -> None:
    log = logged(world)
    for secret in (TEXT, "Another secret", TOKEN, str(NUMBER), "12345678", world.secrets.token):
        assert secret not in log
    for said in ("order-1", "invalid", "reference_reused", "uncertain", "held", "table_unavailable"):
        assert said in log


def test_the_providers_words_are_not_logged_where_their_copy_fails(world: World) -> None:
    world.provider.order(kind="422")
    world.calls.refuse(BURY, Refusal("InvalidParameterValue"))
    lines = [json.loads(line) for line in world.send(message()).log.splitlines()]
    (line,) = [each for each in lines if each.get("message") == "message"]
    assert (line["outcome"], line["reason"]) == (
        "dead_letter_failed",
        "no copy could be sent to the dead-letter queue",
    )


def test_each_message_that_was_not_simply_accepted_is_logged_with_its_ids_and_its_outcome(world: World) -> None:
    accepted, bad = world.put(message(), message("bad", recipient=1))
    log = world.deliver([accepted, bad]).log
    lines = [json.loads(line) for line in log.splitlines()]
    (line,) = [each for each in lines if each.get("message") == "message"]
    expected = {"outcome": "invalid", "reference": "bad", "message_id": bad["messageId"], "code": "INVALID_MESSAGE"}
    assert expected.items() <= line.items()


def test_the_metrics_count_every_outcome_of_a_batch(world: World) -> None:
    log = world.send(*messages(3), "no JSON").log
    metrics: dict[str, object] = {}
    for line in log.splitlines():
        if '"_aws"' in line:
            metrics |= json.loads(line)
    assert metrics["MessageAccepted"] == [3.0]
    assert metrics["MessageInvalid"] == [1.0]
