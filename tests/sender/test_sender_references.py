"""A reference sends one SMS: duplicates, other content with a used reference, and all forms of references."""

import json
from datetime import timedelta

import pytest

from tests.layer.stored_records import event
from tests.sender.sender_function import TABLE, Sender, function
from tests.sender.sqs_records import TEXT, message, messages

__all__ = ["function"]


def test_a_message_that_sqs_delivers_again_is_a_duplicate(function: Sender) -> None:
    queued = function.put(message())
    function.deliver(queued)
    run = function.deliver(queued)
    assert (run.outcomes(), run.failed) == ({"duplicate": 1}, [])
    assert function.provider.counts() == {"order-1": 1}


def test_a_message_put_on_the_queue_twice_is_a_duplicate_whatever_its_deadline(function: Sender) -> None:
    function.send(message(expiration=3600))
    assert function.send(message(expiration=7200)).outcomes() == {"duplicate": 1}
    assert function.send(message(recipient="+45 12 34 56 78")).outcomes() == {"duplicate": 1}
    assert function.provider.counts() == {"order-1": 1}


def test_a_copy_of_a_message_with_the_status_delivered_is_a_duplicate(function: Sender) -> None:
    function.send(message())
    function.webhook(event("DELIVERED", msg_id=function.provider.messages()[0].msg_id))
    assert function.send(message()).outcomes() == {"duplicate": 1}
    assert function.statuses() == {"order-1": "DELIVERED"}


def test_a_copy_in_the_same_batch_is_a_duplicate_of_the_first(function: Sender) -> None:
    queued = function.put(message(), message(), message("order-2"), message(message="Another text"))
    run = function.deliver(queued)
    assert run.outcomes() == {"accepted": 2, "duplicate": 1, "reference_reused": 1}
    assert run.failed == []
    assert function.provider.counts() == {"order-1": 1, "order-2": 1}


def test_a_copy_in_the_same_batch_waits_if_no_time_is_left(function: Sender) -> None:
    queued = function.put(message(), message())
    function.remaining_s = 8.5
    run = function.deliver(queued)
    assert run.outcomes() == {"unreachable": 1, "waiting": 1}
    assert len(run.failed) == 2


def test_a_copy_in_another_invocation_waits_for_the_lease(function: Sender) -> None:
    first, copy = function.put(message(), message())
    outcomes = []

    def meanwhile(_: object) -> None:
        outcomes.append(function.deliver([copy]).outcomes())

    function.calls.before("TransactWriteItems", meanwhile, skip=1)
    assert function.deliver([first]).failed == []
    assert outcomes == [{"waiting": 1}]
    assert function.deliver([copy]).outcomes() == {"duplicate": 1}
    assert function.provider.counts() == {"order-1": 1}


@pytest.mark.parametrize("other", [{"message": "Another text"}, {"recipient": 4512345679}], ids=str)
def test_a_reference_reused_for_other_content_is_refused(function: Sender, other: dict[str, object]) -> None:
    function.send(message())
    before = function.record("order-1")
    body = json.dumps(message(**other))
    run = function.send(body)
    assert (run.outcomes(), run.failed) == ({"reference_reused": 1}, [])
    (dead_letter,) = function.dead_letters()
    assert (dead_letter.body, dead_letter.code, dead_letter.reference) == (body, "REFERENCE_REUSED", "order-1")
    assert function.record("order-1") == before
    assert function.provider.counts() == {"order-1": 1}


def test_a_reference_can_be_used_for_other_content_if_the_first_was_not_sent(function: Sender) -> None:
    function.provider.inject_fault(kind="422")
    assert function.send(message("refused")).outcomes() == {"provider_refused": 1}
    lapsed = function.put(message("lapsed", expiration=1))
    function.clock_ahead += timedelta(seconds=2)
    assert function.deliver(lapsed).outcomes() == {"lapsed": 1}
    function.provider.inject_fault(kind="503")
    function.deliver(function.put(message("held")), receive_count=8)
    for reference in ("refused", "lapsed", "held"):
        assert function.send(message(reference, message="Another text")).outcomes() == {"accepted": 1}


def test_a_redriven_message_that_the_provider_accepts_now_is_sent(function: Sender) -> None:
    function.provider.inject_fault(kind="422")
    function.send(message())
    assert function.deliver(function.redrive()).outcomes() == {"accepted": 1}
    assert function.statuses() == {"order-1": "ACCEPTED"}
    assert function.record("order-1").error is None


def test_a_lapsed_message_that_is_enqueued_again_is_sent_before_its_new_deadline(function: Sender) -> None:
    queued = function.put(message(expiration=60))
    queued[0]["attributes"]["SentTimestamp"] = str(int(function.now().timestamp() * 1000) - 61_000)
    assert function.deliver(queued).outcomes() == {"lapsed": 1}
    assert function.send(message(expiration=60)).outcomes() == {"accepted": 1}


def test_a_redriven_message_without_a_reference_keeps_its_first_message_id_as_the_reference(function: Sender) -> None:
    function.provider.inject_fault(kind="422", count=2)
    (queued,) = function.put(message(None))
    function.deliver([queued])
    for outcome in ("provider_refused", "accepted"):
        (copy,) = function.redrive()
        assert copy["messageId"] != queued["messageId"]
        assert function.deliver([copy]).outcomes() == {outcome: 1}
    assert function.provider.counts() == {queued["messageId"]: 1}
    assert function.statuses() == {queued["messageId"]: "ACCEPTED"}


def test_without_a_reference_the_sqs_message_id_is_the_reference(function: Sender) -> None:
    queued = function.put(message(None), message(None, recipient=4512345679))
    function.deliver(queued)
    assert set(function.provider.counts()) == {record["messageId"] for record in queued} == set(function.statuses())


@pytest.mark.parametrize("reference", ["🚀" * 255, " ", "Ünï-cødé/#?&=\\\"'", "EVENT#1", "QUARANTINE"])
def test_every_valid_reference_can_be_a_key(function: Sender, reference: str) -> None:
    assert function.send(message(reference)).outcomes() == {"accepted": 1}
    assert function.send(message(reference)).outcomes() == {"duplicate": 1}
    assert function.provider.counts() == {reference: 1}
    function.send(message(reference, message="Another text"))
    assert [dead_letter.reference for dead_letter in function.dead_letters()] == [reference]


@pytest.mark.parametrize("reference", ["", "a\nb", 7, ["a"]], ids=repr)
def test_a_message_with_an_invalid_reference_is_recorded_with_its_sqs_message_id(
    function: Sender, reference: object
) -> None:
    (queued,) = function.put(json.dumps(message(reference)))
    assert function.deliver([queued]).outcomes() == {"invalid": 1}
    (dead_letter,) = function.dead_letters()
    assert (dead_letter.code, dead_letter.reference) == ("INVALID_MESSAGE", queued["messageId"])
    assert dead_letter.details.startswith("$.reference: ")
    assert function.statuses() == {queued["messageId"]: "INVALID"}


def test_an_invalid_reference_attribute_is_ignored(function: Sender) -> None:
    attributes = {"Reference": {"DataType": "String", "StringValue": "x" * 256}}
    (queued,) = function.put(message(None), attributes=attributes)
    function.deliver([queued])
    assert function.statuses() == {queued["messageId"]: "ACCEPTED"}


def test_an_invalid_message_with_a_used_reference_does_not_change_the_record(function: Sender) -> None:
    function.send(message())
    before = function.record("order-1")
    run = function.send(message(recipient=1))
    assert run.outcomes() == {"invalid": 1}
    assert [dead_letter.code for dead_letter in function.dead_letters()] == ["INVALID_MESSAGE"]
    assert function.record("order-1") == before


def test_an_unreadable_record_delays_only_its_own_message(function: Sender) -> None:
    broken = {"pk": {"S": "order-2"}, "sk": {"S": "MESSAGE"}, "record_type": {"S": "written by hand"}}
    function.aws.dynamodb.put_item(TableName=TABLE, Item=broken)
    queued = function.put(*messages(3))
    run = function.deliver(queued)
    assert run.outcomes() == {"accepted": 2, "waiting": 1}
    assert run.failed == [queued[1]["messageId"]]
    assert function.deliver(queued[1:2], receive_count=8).failed == []
    assert [(dead_letter.reference, dead_letter.code) for dead_letter in function.dead_letters()] == [
        ("order-2", "UNCERTAIN")
    ]


def test_the_text_is_not_stored_and_equal_texts_have_different_fingerprints(function: Sender) -> None:
    function.send(*messages(2))
    items = function.aws.dynamodb.scan(TableName=TABLE)["Items"]
    assert TEXT not in str(items)
    assert function.record("order-1").fingerprint != function.record("order-2").fingerprint
