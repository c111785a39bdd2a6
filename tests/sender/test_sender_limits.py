"""MaxSegments limits the length of a message, and SendMode Listed limits the recipients."""

import pytest

from tests.sender.sender_function import SEND_DEAD_LETTER, WRITE, Sender, function
from tests.sender.sqs_records import NUMBER, message, messages

__all__ = ["function"]

UCS2 = "Smørrebrød \u2013 20 kr."


def test_a_record_has_the_segments_and_the_encoding_of_its_text(function: Sender) -> None:
    function.send(message(message="x" * 161), message("order-2", message=UCS2))
    first, second = function.record("order-1"), function.record("order-2")
    assert (first.segments, first.encoding) == (2, "GSM-7")
    assert (second.segments, second.encoding) == (1, "UCS-2")


def test_the_segments_of_accepted_messages_are_counted_and_logged(function: Sender) -> None:
    sent = [message(message="x" * 161), message("order-2", message=UCS2), message("order-3", sender="x")]
    run = function.send(*sent)
    assert run.outcomes() == {"accepted": 2, "invalid": 1}
    line = run.log_line("batch")
    assert (line["segments"], line["encodings"]) == (3, {"GSM-7": 1, "UCS-2": 1})
    assert run.metrics()["SegmentsSent"] == [3.0]


def test_a_batch_without_accepted_messages_has_no_segments(function: Sender) -> None:
    run = function.send(message(sender="x"))
    assert (run.log_line("batch")["segments"], run.log_line("batch")["encodings"]) == (0, {})
    assert "SegmentsSent" not in run.metrics()


def test_a_message_of_more_segments_than_the_stack_allows_is_not_sent(function: Sender) -> None:
    function.start(MAX_SEGMENTS="1")
    run = function.send(message(message="x" * 160), message("order-2", message="x" * 60 + UCS2))
    assert run.outcomes() == {"accepted": 1, "invalid": 1}
    (dead_letter,) = function.dead_letters()
    assert (dead_letter.code, dead_letter.reference) == ("TOO_LONG", "order-2")
    assert dead_letter.details == (
        "$.message: takes 2 SMS segments in UCS-2, and MaxSegments is 1; "
        "the first character that GSM-7 does not have is U+2013"
    )
    assert function.record("order-2").status == "INVALID"
    assert "smørrebrød" not in run.log.lower()


def test_a_message_that_was_too_long_is_sent_after_the_limit_was_raised(function: Sender) -> None:
    function.start(MAX_SEGMENTS="1")
    function.send(message(message="x" * 161))
    function.start(MAX_SEGMENTS="2")
    assert function.send(message(message="x" * 161)).outcomes() == {"accepted": 1}


def test_a_dead_letter_lists_every_mistake(function: Sender) -> None:
    function.start(OPT_OUTS="Enforce")
    function.send({"to": NUMBER, "message": "Hello", "reference": "order-1"})
    (dead_letter,) = function.dead_letters()
    assert (dead_letter.code, dead_letter.details) == (
        "INVALID_MESSAGE",
        (
            "$.to: is not a known field; did you mean recipient?; $.recipient: is required; "
            "$.sender: is required: the stack has no DefaultSender; "
            "$.message_type: is required: the stack enforces opt-outs"
        ),
    )


def test_message_type_and_context_are_in_the_record(function: Sender) -> None:
    function.send(message(message_type="promotional", context="tenant-7"))
    record = function.record("order-1")
    assert (record.message_type, record.context) == ("promotional", "tenant-7")


def test_the_same_message_with_another_context_is_a_duplicate(function: Sender) -> None:
    function.send(message(context="trace-1"))
    assert function.send(message(context="trace-2")).outcomes() == {"duplicate": 1}
    assert function.record("order-1").context == "trace-1"


@pytest.mark.parametrize("listed", [str(NUMBER), "4512", "46, +45 12 34 56 78 ,"])
def test_in_mode_listed_only_listed_recipients_get_messages(function: Sender, listed: str) -> None:
    function.start(SEND_MODE="Listed", LISTED_RECIPIENTS=listed)
    run = function.send(message(recipient="+45 12 34 56 78"), message("order-2", recipient=4587654321))
    assert run.failed == []
    assert run.outcomes() == {"accepted": 1, "dry_run": 1}
    assert function.provider.counts() == {"order-1": 1}
    record = function.record("order-2")
    assert (record.status, record.attempts) == ("HELD", 0)
    assert record.error is not None
    assert record.error["code"] == "DRY_RUN"
    assert function.dead_letters() == []


def test_an_empty_list_sends_nothing(function: Sender) -> None:
    function.start(SEND_MODE="Listed", LISTED_RECIPIENTS="")
    run = function.send(*messages(3))
    assert run.outcomes() == {"dry_run": 3}
    assert run.calls == {WRITE: 1}
    assert function.provider.requests() == []


def test_an_invalid_message_is_a_dead_letter_in_mode_listed_too(function: Sender) -> None:
    function.start(SEND_MODE="Listed", LISTED_RECIPIENTS="")
    run = function.send(message(recipient=1), message("order-2", message="x" * 40_000))
    assert run.outcomes() == {"invalid": 2}
    assert run.calls[SEND_DEAD_LETTER] == 2
