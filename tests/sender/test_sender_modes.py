"""The operator's settings, the queue of a message, the log and the metrics."""

import pytest

from tests.aws_calls import Refusal
from tests.moto_aws import TOKEN
from tests.sender.sender_function import SEND_DEAD_LETTER, SET_VISIBILITY, WRITE, Sender, function
from tests.sender.sqs_records import NUMBER, TEXT, message, messages

__all__ = ["function"]


def test_a_dry_run_makes_no_request(function: Sender) -> None:
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
    assert [dead_letter.reference for dead_letter in function.dead_letters()] == ["bad"]


def test_a_message_held_by_a_dry_run_is_sent_if_it_is_enqueued_again_in_mode_live(function: Sender) -> None:
    function.start(SEND_MODE="DryRun")
    function.send(message())
    function.start(SEND_MODE="Live")
    assert function.send(message()).outcomes() == {"accepted": 1}


@pytest.mark.parametrize("prefixes", ["45,4670", " 45 , 4670 ,"])
def test_only_recipients_with_an_allowed_prefix_get_messages(function: Sender, prefixes: str) -> None:
    function.start(ALLOWED_PREFIXES=prefixes)
    allowed = {"dane": 4512345678, "swede": 46701234567}
    refused = {"other swede": 46731234567, "german": 491701234567}
    everyone = [message(name, recipient=number) for name, number in (allowed | refused).items()]
    run = function.send(*everyone)
    assert run.failed == []
    assert set(function.provider.counts()) == set(allowed)
    dead_letters = function.dead_letters()
    assert {dead_letter.reference for dead_letter in dead_letters} == set(refused)
    assert {dead_letter.code for dead_letter in dead_letters} == {"RECIPIENT_NOT_ALLOWED"}
    assert {function.record(name).status for name in refused} == {"INVALID"}


def test_the_default_sender_is_used_for_a_message_without_a_sender(function: Sender) -> None:
    unnamed = message()
    del unnamed["sender"]
    assert function.send(unnamed).outcomes() == {"invalid": 1}
    function.start(DEFAULT_SENDER="MyShop")
    function.send({**unnamed, "reference": "order-2"}, message("order-3"))
    assert [accepted.message.sender for accepted in function.provider.messages()] == ["MyShop", "Shop"]
    assert function.record("order-2").sender == "MyShop"


def test_the_visibility_timeout_of_a_message_is_set_on_its_own_queue(function: Sender) -> None:
    function.provider.inject_fault(kind="503", count=None)
    for url in (function.queues.main, function.queues.urgent):
        queued = function.put(message(url.rpartition("/")[2]), url=url)
        assert len(function.deliver(queued).failed) == 1
        (call,) = function.calls.parameters(SET_VISIBILITY)
        assert (call["QueueUrl"], call["ReceiptHandle"]) == (url, queued[0]["receiptHandle"])


def test_a_message_whose_copy_would_be_too_large_does_not_fail_the_invocation(function: Sender) -> None:
    function.calls.refuse(SEND_DEAD_LETTER, Refusal("InvalidParameterValue"), count=None)
    queued = function.put("x" * 262_000, message())
    run = function.deliver(queued)
    assert run.outcomes() == {"accepted": 1, "dead_letter_failed": 1}
    assert run.failed == [queued[0]["messageId"]]


def log_of_many_outcomes(function: Sender) -> str:
    """Return the log of messages with many different outcomes."""
    log = function.send(*messages(2)).log
    log += function.send(*messages(2)).log  # duplicates
    log += function.send(message(message="Another secret"), message("bad", recipient=f"{NUMBER}x"), TEXT).log
    for index, kind in enumerate(("422", "429", "503", "403", "500", "reset", "rubbish")):
        function.provider.inject_fault(kind=kind)
        queued = function.put(message(f"fault-{index}"))
        log += function.deliver(queued).log + function.deliver(queued, receive_count=8).log
    for operation in (WRITE, SEND_DEAD_LETTER, SET_VISIBILITY):
        function.calls.refuse(operation, Refusal("InternalServerError", 500), count=None)
    log += function.send(message("no table"), message("no table either", recipient=1)).log
    return log


def test_texts_tokens_and_phone_numbers_are_not_logged(function: Sender) -> None:
    log = log_of_many_outcomes(function)
    for secret in (TEXT, "Another secret", TOKEN, str(NUMBER), "12345678", function.secrets.token):
        assert secret not in log
    for text in ("order-1", "invalid", "reference_reused", "uncertain", "held", "table_unavailable"):
        assert text in log


def test_the_providers_text_is_not_logged_if_the_copy_fails(function: Sender) -> None:
    function.provider.inject_fault(kind="422")
    function.calls.refuse(SEND_DEAD_LETTER, Refusal("InvalidParameterValue"))
    line = function.send(message()).log_line("message")
    assert line["outcome"] == "dead_letter_failed"
    assert line["reason"] == "no copy could be sent to the dead-letter queue"


def test_a_message_that_was_not_accepted_is_logged_with_its_ids_and_its_outcome(function: Sender) -> None:
    accepted, bad = function.put(message(), message("bad", recipient=1))
    line = function.deliver([accepted, bad]).log_line("message")
    expected = {"outcome": "invalid", "reference": "bad", "message_id": bad["messageId"], "code": "INVALID_MESSAGE"}
    assert expected.items() <= line.items()


def test_the_metrics_count_every_outcome_of_a_batch(function: Sender) -> None:
    metrics = function.send(*messages(3), "no JSON").metrics()
    assert (metrics["MessageAccepted"], metrics["MessageInvalid"]) == ([3.0], [1.0])
