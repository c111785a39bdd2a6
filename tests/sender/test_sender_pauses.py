"""When SQS delivers an unsent message again. No request is made before that."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from tests.aws_calls import Refusal
from tests.moto_aws import TOKEN
from tests.sender.sender_function import READ_TOKEN, SET_VISIBILITY, WRITE, Sender, function
from tests.sender.sqs_records import message, messages

__all__ = ["function"]

# The longest pause after the first try, after the second, and so on. Up to half of it is jitter.
PAUSES_S = [10, 30, 90, 270, 810, 2430, 3600, 3600]


def assert_between(timeouts_s: Sequence[int], least_s: float, most_s: float) -> None:
    """Check that there are visibility timeouts, and that they are in this range. Rounding adds up to 2 seconds."""
    assert timeouts_s
    assert [timeout_s for timeout_s in timeouts_s if not least_s <= timeout_s <= most_s + 2] == []


def test_pauses_grow_with_every_try_up_to_an_hour(function: Sender) -> None:
    function.start(MAX_RECEIVE_COUNT="100")
    function.provider.inject_fault(kind="503", count=None)
    queued = function.put(message())
    for count, longest_s in enumerate(PAUSES_S, start=1):
        run = function.deliver(queued, receive_count=count)
        assert_between(run.visibility_timeouts_s, longest_s / 2, longest_s)


def test_a_message_whose_retry_would_be_after_the_queues_retention_is_held(function: Sender) -> None:
    function.start(MAX_RECEIVE_COUNT="1000")
    function.provider.inject_fault(kind="429", retry_after=6 * 3600, count=None)
    queued = function.put(message())
    function.clock_ahead = timedelta(days=6, hours=12)
    assert len(function.deliver(queued).failed) == 1
    function.clock_ahead = timedelta(days=6, hours=18)
    assert function.deliver(queued, receive_count=2).failed == []
    (dead_letter,) = function.dead_letters()
    assert dead_letter.code == "RETRIES_EXHAUSTED"
    assert function.record("order-1").status == "HELD"


def test_deliveries_without_a_request_do_not_make_the_pause_longer(function: Sender) -> None:
    function.provider.inject_fault(kind="503")
    run = function.deliver(function.put(message()), receive_count=5)
    assert_between(run.visibility_timeouts_s, 5, 10)


def test_after_a_redrive_the_first_pause_is_short_again(function: Sender) -> None:
    function.provider.inject_fault(kind="503", count=None)
    queued = function.put(message())
    for count in range(1, 9):
        function.deliver(queued, receive_count=count)
    assert function.record("order-1").status == "HELD"
    assert_between(function.deliver(function.redrive()).visibility_timeouts_s, 5, 10)


def test_the_messages_of_a_batch_have_different_pauses(function: Sender) -> None:
    function.provider.inject_fault(kind="503")
    visibility_timeouts_s = function.send(*messages(20)).visibility_timeouts_s
    assert_between(visibility_timeouts_s, 5, 10)
    assert len(set(visibility_timeouts_s)) > 2


@pytest.mark.parametrize("kind", ["429", "503"])
@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_honoured_and_the_messages_have_different_pauses(
    function: Sender, kind: str, *, as_date: bool
) -> None:
    function.provider.inject_fault(kind=kind, retry_after=120, as_date=as_date)
    visibility_timeouts_s = function.send(*messages(20)).visibility_timeouts_s
    # A date has no fractions of a second, so it can be almost a second early.
    assert_between(visibility_timeouts_s, 119, 151)
    assert len(set(visibility_timeouts_s)) > 2


def test_pauses_grow_if_the_provider_always_sends_a_short_retry_after(function: Sender) -> None:
    function.provider.inject_fault(kind="429", retry_after=1, count=None)
    queued = function.put(message())
    # The first pause is the Retry-After. Later ones are at least the previous pause without a Retry-After.
    for count, (least_s, longest_s) in enumerate([(1, 3), (5, 10), (15, 30)], start=1):
        assert_between(function.deliver(queued, receive_count=count).visibility_timeouts_s, least_s, longest_s)


def test_an_unreadable_retry_after_is_ignored(function: Sender) -> None:
    function.provider.inject_fault(kind="429", retry_after="soon")
    assert_between(function.send(message()).visibility_timeouts_s, 5, 10)


def test_a_retry_after_longer_than_sqs_allows_is_shortened(function: Sender) -> None:
    function.provider.inject_fault(kind="429", retry_after=10_000_000)
    assert_between(function.send(message()).visibility_timeouts_s, 39_600, 39_600)


@pytest.mark.parametrize("kind", ["429", "503", "500", "reset"])
def test_after_the_first_failed_request_of_a_batch_there_is_no_further_request(function: Sender, kind: str) -> None:
    function.provider.inject_fault(kind="422")  # it does not name the wrong message, so each message is sent alone
    function.provider.inject_fault(kind=kind, count=None)
    run = function.send(*messages(10))
    assert [request.path for request in function.provider.requests()] == ["/mobile/multi", "/mobile/single"]
    assert len(run.failed) == 10
    uncertain = kind in ("500", "reset")
    assert sorted(function.statuses().values()) == ["RETRYING"] * (9 if uncertain else 10) + ["UNCERTAIN"] * uncertain


def test_a_rotated_token_is_read_and_used_in_the_same_invocation(function: Sender) -> None:
    function.send(message("warm-up"))
    function.provider.token = "rotated"
    function.aws.secretsmanager.put_secret_value(SecretId=function.secrets.token, SecretString="rotated")
    run = function.send(*messages(3))
    assert run.failed == []
    assert run.calls == {WRITE: 2, READ_TOKEN: 1}
    assert [request.outcome for request in function.provider.requests()][1:] == [403, 202]
    assert function.send(message("order-4")).calls == {WRITE: 2}


@pytest.mark.parametrize("kind", ["401", "403"])
@pytest.mark.parametrize("rotated", [True, False], ids=["rotated to another wrong token", "not rotated"])
def test_a_wrong_token_is_read_again_once_and_makes_no_message_invalid(
    function: Sender, kind: str, *, rotated: bool
) -> None:
    function.send(message("warm-up"))
    function.provider.reset()
    function.provider.inject_fault(kind=kind, count=None)
    queued = function.put(*messages(3))
    for tries, longest_s in enumerate(PAUSES_S[:3]):
        if rotated:
            function.aws.secretsmanager.put_secret_value(
                SecretId=function.secrets.token, SecretString=f"wrong-{tries}"
            )
        before = len(function.provider.requests())
        run = function.deliver(queued, receive_count=tries + 1)
        assert run.calls == {WRITE: 2 if tries == 0 else 3, READ_TOKEN: 1, SET_VISIBILITY: 3}
        assert len(function.provider.requests()) - before == (2 if rotated else 1)
        assert run.outcomes() == {"token_refused": 3}
        assert len(run.failed) == 3
        assert_between(run.visibility_timeouts_s, longest_s / 2, longest_s)
        assert {function.record(f"order-{number}").status for number in (1, 2, 3)} == {"RETRYING"}
    assert function.dead_letters() == []


def test_a_token_refused_in_the_middle_of_a_batch_is_read_again_once(function: Sender) -> None:
    function.send(message("warm-up"))
    function.provider.inject_fault(kind="422")
    function.provider.inject_fault(kind="403", count=None)
    function.aws.secretsmanager.put_secret_value(SecretId=function.secrets.token, SecretString=f"{TOKEN}-2")
    run = function.send(*messages(5))
    assert run.calls[READ_TOKEN] == 1
    assert run.outcomes() == {"token_refused": 5}


def test_without_a_token_nothing_is_sent_and_all_messages_are_retried(function: Sender) -> None:
    function.calls.refuse(READ_TOKEN, Refusal("InternalServiceError", 500))
    queued = function.put(*messages(2))
    run = function.deliver(queued)
    assert run.outcomes() == {"token_unreadable": 2}
    assert function.provider.requests() == []
    assert set(function.statuses().values()) == {"RETRYING"}
    assert function.deliver(queued).failed == []
