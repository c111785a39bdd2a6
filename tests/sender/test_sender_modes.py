"""What the operator sets, which queue a message came from, and what the log says of all of it."""

import json

import pytest

from tests.aws_calls import Refusal
from tests.moto_aws import TOKEN
from tests.sender.sender_function import SEND_DEAD_LETTER, SET_VISIBILITY, WRITE, Sender, function
from tests.sender.sqs_records import NUMBER, TEXT, message, messages

__all__ = ["function"]


def test_a_dry_run_does_everything_but_the_request(function: Sender) -> None:
    function.start(SEND_MODE="DryRun")
    run = function.send(*messages(2), message("bad", recipient=1))
    assert run.failed == []
    assert run.outcomes() == {"dry_run": 2, "invalid": 1}
    assert run.calls == {WRITE: 1, SEND_DEAD_LETTER: 1}
    assert function.provider.requests() == []
    record = function.record("order-1")
    assert (record.status, record.lease_until) == ("HELD", None)
    assert record.error is not None
    assert record.error["code"] == "DRY_RUN"
    assert [letter.reference for letter in function.dead_letters()] == ["bad"]


def test_what_a_dry_run_held_is_sent_when_it_is_queued_again_for_real(function: Sender) -> None:
    function.start(SEND_MODE="DryRun")
    function.send(message())
    function.start(SEND_MODE="Live")
    assert function.send(message()).outcomes() == {"accepted": 1}


@pytest.mark.parametrize("prefixes", ["45,4670", " 45 , 4670 ,"])
def test_only_recipients_under_the_allowed_prefixes_are_sent_to(function: Sender, prefixes: str) -> None:
    function.start(ALLOWED_PREFIXES=prefixes)
    allowed = {"dane": 4512345678, "swede": 46701234567}
    refused = {"other swede": 46731234567, "german": 491701234567}
    everyone = [message(name, recipient=number) for name, number in (allowed | refused).items()]
    run = function.send(*everyone)
    assert run.failed == []
    assert set(function.provider.counts()) == set(allowed)
    letters = function.dead_letters()
    assert {letter.reference for letter in letters} == set(refused)
    assert {letter.code for letter in letters} == {"RECIPIENT_NOT_ALLOWED"}
    assert {function.record(name).status for name in refused} == {"INVALID"}


def test_the_default_sender_is_used_where_a_message_names_none(function: Sender) -> None:
    unnamed = message()
    del unnamed["sender"]
    assert function.send(unnamed).outcomes() == {"invalid": 1}
    function.start(DEFAULT_SENDER="MyShop")
    function.send({**unnamed, "reference": "order-2"}, message("order-3"))
    assert [each.message.sender for each in function.provider.messages()] == ["MyShop", "Shop"]
    assert function.record("order-2").sender == "MyShop"


def test_each_queues_messages_are_hidden_on_their_own_queue(function: Sender) -> None:
    function.provider.order(kind="503", count=None)
    for url in (function.queues.main, function.queues.urgent):
        queued = function.put(message(url.rpartition("/")[2]), url=url)
        assert len(function.deliver(queued).failed) == 1
        (call,) = function.calls.parameters(SET_VISIBILITY)
        assert (call["QueueUrl"], call["ReceiptHandle"]) == (url, queued[0]["receiptHandle"])


def test_a_message_larger_than_its_copy_may_be_does_not_fail_the_invocation(function: Sender) -> None:
    function.calls.refuse(SEND_DEAD_LETTER, Refusal("InvalidParameterValue"), count=None)
    queued = function.put("x" * 262_000, message())
    run = function.deliver(queued)
    assert run.outcomes() == {"accepted": 1, "dead_letter_failed": 1}
    assert run.failed == [queued[0]["messageId"]]


def logged(function: Sender) -> str:
    """What a day of trouble writes: each outcome there is, one after another."""
    log = function.send(*messages(2)).log
    log += function.send(*messages(2)).log  # duplicates
    log += function.send(message(message="Another secret"), message("bad", recipient=f"{NUMBER}x"), TEXT).log
    for place, kind in enumerate(("422", "429", "503", "403", "500", "reset", "rubbish")):
        function.provider.order(kind=kind)
        queued = function.put(message(f"trouble-{place}"))
        log += function.deliver(queued).log + function.deliver(queued, receive_count=8).log
    for operation in (WRITE, SEND_DEAD_LETTER, SET_VISIBILITY):
        function.calls.refuse(operation, Refusal("InternalServerError", 500), count=None)
    log += function.send(message("no table"), message("no table either", recipient=1)).log
    return log


def test_no_text_no_token_and_no_number_is_logged(function: Sender) -> None:
    log = logged(function)
    for secret in (TEXT, "Another secret", TOKEN, str(NUMBER), "12345678", function.secrets.token):
        assert secret not in log
    for said in ("order-1", "invalid", "reference_reused", "uncertain", "held", "table_unavailable"):
        assert said in log


def test_the_providers_words_are_not_logged_where_their_copy_fails(function: Sender) -> None:
    function.provider.order(kind="422")
    function.calls.refuse(SEND_DEAD_LETTER, Refusal("InvalidParameterValue"))
    lines = [json.loads(line) for line in function.send(message()).log.splitlines()]
    (line,) = [each for each in lines if each.get("message") == "message"]
    assert (line["outcome"], line["reason"]) == (
        "dead_letter_failed",
        "no copy could be sent to the dead-letter queue",
    )


def test_each_message_that_was_not_simply_accepted_is_logged_with_its_ids_and_its_outcome(
    function: Sender,
) -> None:
    accepted, bad = function.put(message(), message("bad", recipient=1))
    log = function.deliver([accepted, bad]).log
    lines = [json.loads(line) for line in log.splitlines()]
    (line,) = [each for each in lines if each.get("message") == "message"]
    expected = {"outcome": "invalid", "reference": "bad", "message_id": bad["messageId"], "code": "INVALID_MESSAGE"}
    assert expected.items() <= line.items()


def test_the_metrics_count_every_outcome_of_a_batch(function: Sender) -> None:
    log = function.send(*messages(3), "no JSON").log
    metrics: dict[str, object] = {}
    for line in log.splitlines():
        if '"_aws"' in line:
            metrics |= json.loads(line)
    assert metrics["MessageAccepted"] == [3.0]
    assert metrics["MessageInvalid"] == [1.0]
