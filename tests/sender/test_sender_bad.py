"""Invalid messages go to the dead-letter queue with a reason, and do not affect the rest of the batch."""

import json
from itertools import chain, repeat

import pytest

from tests.aws_calls import Refusal
from tests.sender.sender_function import SEND_DEAD_LETTER, Sender, function
from tests.sender.sqs_records import TEXT, message, messages

__all__ = ["function"]

# The body, and the ErrorCode and the beginning of the ErrorMessage of its dead letter.
INVALID = [
    ("not JSON", "INVALID_JSON", "$: must be JSON"),
    ("{}", "INVALID_MESSAGE", "$.message: is required"),
    (json.dumps(message(recipient="(0)45")), "INVALID_MESSAGE", "$.recipient: must be"),
    (json.dumps(message(expiration="P6D")), "INVALID_MESSAGE", "$.expiration: must be at most 5 days"),
    (json.dumps(message(expiration="yesterday")), "INVALID_MESSAGE", "$.expiration: must be an ISO 8601 duration"),
    (json.dumps(message(reference=7)), "INVALID_MESSAGE", "$.reference: must be a string"),
    (json.dumps(message(reference="a\nb")), "INVALID_MESSAGE", "$.reference: must not contain control characters"),
]


@pytest.mark.parametrize(("body", "code", "details"), INVALID, ids=lambda value: value[:30])
def test_an_invalid_message_is_a_dead_letter_with_its_reason(
    function: Sender, body: str, code: str, details: str
) -> None:
    (queued,) = function.put(body)
    run = function.deliver([queued])
    assert run.failed == []
    assert run.outcomes() == {"invalid": 1}
    (dead_letter,) = function.dead_letters()
    assert (dead_letter.body, dead_letter.code) == (body, code)
    assert dead_letter.details.startswith(details)
    ((reference, status),) = function.statuses().items()
    assert reference == dead_letter.reference == ("order-1" if '"order-1"' in body else queued["messageId"])
    assert status == "INVALID"
    assert function.record(reference).error == {"code": code, "details": dead_letter.details}
    assert function.provider.requests() == []
    assert function.waiting() == 0


def test_the_body_of_a_dead_letter_is_unchanged(function: Sender) -> None:
    body = ' {\n\t"message" : "\\u0041 é 🚀 \\" <&>",\r\n "recipient":1 }  '
    function.send(body)
    assert [dead_letter.body for dead_letter in function.dead_letters()] == [body]


def test_a_batch_of_only_invalid_messages_does_not_fail_the_invocation(function: Sender) -> None:
    # Every reference must differ, because two messages of one reference are handled one after the other.
    bodies = [body.replace("order-1", f"order-{index}") for index, (body, _, _) in enumerate(INVALID)]
    run = function.send(*bodies)
    assert run.failed == []
    assert run.outcomes() == {"invalid": len(bodies)}
    assert sorted(dead_letter.body for dead_letter in function.dead_letters()) == sorted(bodies)
    assert function.provider.requests() == []


def test_one_invalid_message_does_not_affect_the_others(function: Sender) -> None:
    run = function.send(*messages(9), message("bad", recipient=1))
    assert run.failed == []
    assert run.outcomes() == {"accepted": 9, "invalid": 1}
    assert [dead_letter.reference for dead_letter in function.dead_letters()] == ["bad"]
    assert [request.messages for request in function.provider.requests()] == [9]


def test_one_refused_message_causes_one_more_request_for_the_others(function: Sender) -> None:
    function.provider.inject_fault(kind="422", references=["order-7"], count=None)
    run = function.send(*messages(10))
    assert run.failed == []
    assert run.outcomes() == {"accepted": 9, "provider_refused": 1}
    assert [request.messages for request in function.provider.requests()] == [10, 9]
    assert "order-7" not in function.provider.counts()
    (dead_letter,) = function.dead_letters()
    assert (dead_letter.code, dead_letter.reference) == ("PROVIDER_REFUSED", "order-7")
    assert dead_letter.details == "sender: Value error, refused by a fault"
    record = function.record("order-7")
    assert (record.status, record.lease_until) == ("INVALID", None)
    assert record.error == {"code": "PROVIDER_REFUSED", "details": dead_letter.details}


def test_if_a_refusal_names_all_messages_there_is_one_request(function: Sender) -> None:
    function.provider.inject_fault(kind="422", indexes=[0, 1, 2])
    run = function.send(*messages(3))
    assert run.outcomes() == {"provider_refused": 3}
    assert run.failed == []
    assert len(function.provider.requests()) == 1
    assert set(function.statuses().values()) == {"INVALID"}
    assert len(function.dead_letters()) == 3


def test_consecutive_refusals_affect_only_the_messages_that_they_name(function: Sender) -> None:
    function.provider.inject_fault(kind="422", references=["order-1"])
    function.provider.inject_fault(kind="422", references=["order-4"])
    run = function.send(*messages(5))
    assert run.outcomes() == {"accepted": 3, "provider_refused": 2}
    assert sorted(map(str, function.provider.counts())) == ["order-2", "order-3", "order-5"]


def test_after_a_refusal_that_names_no_message_every_message_is_sent_alone(function: Sender) -> None:
    function.provider.inject_fault(kind="422")
    function.provider.inject_fault(kind="422", references=["order-2"])
    run = function.send(*messages(4))
    assert [request.path for request in function.provider.requests()] == ["/mobile/multi"] + ["/mobile/single"] * 4
    assert run.outcomes() == {"accepted": 3, "provider_refused": 1}
    assert function.statuses()["order-2"] == "INVALID"


def test_a_refusal_of_a_request_with_one_message_is_about_that_message(function: Sender) -> None:
    function.provider.inject_fault(kind="422")
    function.send(message())
    (dead_letter,) = function.dead_letters()
    assert (dead_letter.code, dead_letter.details) == (
        "PROVIDER_REFUSED",
        "body: Value error, the whole request is refused",
    )


def test_messages_that_are_sent_alone_are_retried_later_if_no_time_is_left(function: Sender) -> None:
    function.provider.inject_fault(kind="422")
    # At the claim, at three requests, at one that is too late, and afterwards.
    remaining_s = chain([30, 30, 30, 20], repeat(8))

    class Context:
        def get_remaining_time_in_millis(self) -> float:
            return next(remaining_s) * 1000

    function.context = Context()
    run = function.send(*messages(5))
    assert run.outcomes() == {"accepted": 2, "unreachable": 3}
    assert len(function.provider.requests()) == 3
    assert sorted(function.statuses().values()) == ["ACCEPTED"] * 2 + ["RETRYING"] * 3


@pytest.mark.parametrize("refused", [False, True], ids=["invalid", "refused by the provider"])
def test_a_message_stays_on_the_queue_until_its_copy_is_in_the_dead_letter_queue(
    function: Sender, *, refused: bool
) -> None:
    function.calls.refuse(SEND_DEAD_LETTER, Refusal("InternalError", 500))
    if refused:
        function.provider.inject_fault(kind="422", count=None)
    queued = function.put(message() if refused else message(recipient=1))
    run = function.deliver(queued)
    assert run.failed == [queued[0]["messageId"]]
    assert run.outcomes() == {"dead_letter_failed": 1}
    assert run.visibility_timeouts_s[0] in range(5, 8)
    assert function.dead_letters() == []
    assert function.statuses() == {"order-1": "RETRYING" if refused else "INVALID"}
    assert function.deliver(queued).failed == []
    assert [dead_letter.reference for dead_letter in function.dead_letters()] == ["order-1"]
    assert function.statuses() == {"order-1": "INVALID"}


def test_a_copy_that_fails_affects_only_its_own_message(function: Sender) -> None:
    function.calls.refuse(SEND_DEAD_LETTER, Refusal("InvalidMessageContents"), skip=1)
    queued = function.put(*(message(f"order-{number}", recipient=1) for number in (1, 2, 3)))
    assert function.deliver(queued).failed == [queued[1]["messageId"]]
    assert {dead_letter.reference for dead_letter in function.dead_letters()} == {"order-1", "order-3"}


def test_an_unreachable_dead_letter_queue_is_called_once(function: Sender) -> None:
    function.calls.lose_answer(SEND_DEAD_LETTER, count=None)
    run = function.send(*(message(f"order-{number}", recipient=1) for number in range(5)))
    assert run.calls[SEND_DEAD_LETTER] == 1
    assert len(run.failed) == 5


def test_a_refusal_with_a_long_and_invalid_text_is_recorded_in_a_shorter_form(function: Sender) -> None:
    reason = "\\ud800 " + "x" * 400_000
    body = f'{{"detail": [{{"loc": ["body", "messages", 0, "message"], "msg": "{reason}", "type": "t"}}]}}'
    with function.answered_with(422, body.encode()):
        run = function.send(*messages(2))
    assert run.failed == []
    assert run.outcomes() == {"accepted": 1, "provider_refused": 1}
    assert function.statuses() == {"order-1": "INVALID", "order-2": "ACCEPTED"}
    assert [dead_letter.reference for dead_letter in function.dead_letters()] == ["order-1"]
    assert TEXT not in run.log


@pytest.mark.parametrize("msg_id", ["\\ud800", "x" * 300_000], ids=["invalid Unicode", "too long to store"])
def test_an_acceptance_that_cannot_be_stored_does_not_affect_the_others(function: Sender, msg_id: str) -> None:
    entries = [
        f'{{"msg_id": "{msg_id}", "recipient": 1, "reference": "order-1"}}',
        '{"msg_id": "01JQRJWK259Y1YEECJZB50908V", "recipient": 1, "reference": "order-2"}',
    ]
    function.provider.inject_fault(kind="rubbish", body=f'{{"responses": [{", ".join(entries)}]}}')
    function.send(*messages(2))
    assert function.statuses() == {"order-1": "UNCERTAIN", "order-2": "ACCEPTED"}
