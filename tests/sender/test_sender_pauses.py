"""Never hammering: when a message comes back that was not sent, and that nothing more goes out meanwhile."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from tests.aws_calls import Refusal
from tests.moto_aws import TOKEN
from tests.sender.sender_function import READ_TOKEN, SET_VISIBILITY, WRITE, Sender, function
from tests.sender.sqs_records import message, messages

__all__ = ["function"]

# The longest pause after each try; half of it is certain, the rest is jitter.
PAUSES_S = [10, 30, 90, 270, 810, 2430, 3600, 3600]


def outside(visibility_timeouts_s: Sequence[int], least_s: float, most_s: float) -> list[int]:
    """Which visibility time-outs are none of this span, in whole seconds and with up to one more for the rounding."""
    return [each for each in visibility_timeouts_s if not least_s <= each <= most_s + 2]


def test_pauses_grow_with_each_try_up_to_an_hour(function: Sender) -> None:
    function.start(MAX_RECEIVE_COUNT="100")
    function.provider.order(kind="503", count=None)
    queued = function.put(message())
    for count, longest_s in enumerate(PAUSES_S, start=1):
        assert (
            outside(function.deliver(queued, receive_count=count).visibility_timeouts_s, longest_s / 2, longest_s)
            == []
        )


def test_a_message_that_would_come_back_too_late_for_its_queue_is_held(function: Sender) -> None:
    function.start(MAX_RECEIVE_COUNT="1000")
    function.provider.order(kind="429", retry_after=6 * 3600, count=None)
    queued = function.put(message("put-off"))
    function.clock_ahead = timedelta(days=6, hours=12)
    assert len(function.deliver(queued).failed) == 1
    function.clock_ahead = timedelta(days=6, hours=18)
    assert function.deliver(queued, receive_count=2).failed == []
    (letter,) = function.dead_letters()
    assert letter.code == "RETRIES_EXHAUSTED"
    assert function.record("put-off").status == "HELD"


def test_deliveries_that_were_no_tries_lengthen_no_pause(function: Sender) -> None:
    function.provider.order(kind="503")
    assert outside(function.deliver(function.put(message()), receive_count=5).visibility_timeouts_s, 5, 10) == []


def test_pauses_begin_anew_after_a_redrive(function: Sender) -> None:
    function.provider.order(kind="503", count=None)
    queued = function.put(message("put-off"))
    for count in range(1, 9):
        function.deliver(queued, receive_count=count)
    assert function.record("put-off").status == "HELD"
    assert outside(function.deliver(function.redrive()).visibility_timeouts_s, 5, 10) == []


def test_pauses_of_a_batch_are_spread(function: Sender) -> None:
    function.provider.order(kind="503")
    visibility_timeouts_s = function.send(*messages(40)).visibility_timeouts_s
    assert outside(visibility_timeouts_s, 5, 10) == []
    assert len(set(visibility_timeouts_s)) > 2


@pytest.mark.parametrize("kind", ["429", "503"])
@pytest.mark.parametrize("as_date", [False, True])
def test_what_the_provider_asks_for_is_kept_and_spread(function: Sender, kind: str, as_date: bool) -> None:  # noqa: FBT001
    function.provider.order(kind=kind, retry_after=120, as_date=as_date)
    visibility_timeouts_s = function.send(*messages(20)).visibility_timeouts_s
    # The date form has no fractions: it can be almost a second earlier than was meant.
    assert outside(visibility_timeouts_s, 119, 151) == []
    assert len(set(visibility_timeouts_s)) > 2


def test_a_provider_that_asks_for_a_moment_each_time_is_given_more(function: Sender) -> None:
    function.provider.order(kind="429", retry_after=1, count=None)
    queued = function.put(message())
    for count, (least_s, longest_s) in enumerate([(1, 3), (5, 10), (15, 30)], start=1):
        assert outside(function.deliver(queued, receive_count=count).visibility_timeouts_s, least_s, longest_s) == []


def test_a_retry_after_that_says_nothing_is_none(function: Sender) -> None:
    function.provider.order(kind="429", retry_after="soon")
    assert outside(function.send(message()).visibility_timeouts_s, 5, 10) == []


def test_a_retry_after_beyond_what_sqs_allows_is_cut(function: Sender) -> None:
    function.provider.order(kind="429", retry_after=10_000_000)
    assert outside(function.send(message()).visibility_timeouts_s, 39_600, 39_600) == []


@pytest.mark.parametrize("kind", ["429", "503", "500", "reset"])
def test_after_the_first_trouble_of_a_batch_no_further_request_goes_out(function: Sender, kind: str) -> None:
    function.provider.order(kind="422")  # naming none, so that each is sent alone
    function.provider.order(kind=kind, count=None)
    run = function.send(*messages(10))
    assert [request.path for request in function.provider.requests()] == ["/mobile/multi", "/mobile/single"]
    assert len(run.failed) == 10
    doubtful = kind in ("500", "reset")
    assert sorted(function.statuses().values()) == ["RETRYING"] * (9 if doubtful else 10) + ["UNCERTAIN"] * doubtful


def test_a_rotated_token_is_read_in_the_same_invocation(function: Sender) -> None:
    function.send(message("warm-up"))
    function.provider.token = "rotated"
    function.aws.secretsmanager.put_secret_value(SecretId=function.secrets.token, SecretString="rotated")
    run = function.send(*messages(3))
    assert run.failed == []
    assert run.calls == {WRITE: 2, READ_TOKEN: 1}
    assert [request.outcome for request in function.provider.requests()][1:] == [403, 202]
    assert function.send(message("order-4")).calls == {WRITE: 2}


@pytest.mark.parametrize("kind", ["401", "403"])
@pytest.mark.parametrize("rotated", [True, False], ids=["to another wrong one", "not at all"])
def test_a_wrong_token_is_read_again_once_and_makes_no_message_invalid(
    function: Sender,
    kind: str,
    rotated: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    function.send(message("warm-up"))
    function.provider.reset()
    function.provider.order(kind=kind, count=None)
    queued = function.put(*messages(3))
    for number, longest_s in enumerate(PAUSES_S[:3]):
        if rotated:
            function.aws.secretsmanager.put_secret_value(
                SecretId=function.secrets.token, SecretString=f"wrong-{number}"
            )
        before = len(function.provider.requests())
        run = function.deliver(queued, receive_count=number + 1)
        assert run.calls == {WRITE: 2 if number == 0 else 3, READ_TOKEN: 1, SET_VISIBILITY: 3}
        assert len(function.provider.requests()) - before == (2 if rotated else 1)
        assert run.outcomes() == {"token_refused": 3}
        assert len(run.failed) == 3
        assert outside(run.visibility_timeouts_s, longest_s / 2, longest_s) == []
        assert {function.record(f"order-{place}").status for place in (1, 2, 3)} == {"RETRYING"}
    assert function.dead_letters() == []


def test_a_token_refused_in_the_middle_of_a_batch_is_read_again_once(function: Sender) -> None:
    function.send(message("warm-up"))
    function.provider.order(kind="422")
    function.provider.order(kind="403", count=None)
    function.aws.secretsmanager.put_secret_value(SecretId=function.secrets.token, SecretString=f"{TOKEN}-2")
    run = function.send(*messages(5))
    assert run.calls[READ_TOKEN] == 1
    assert run.outcomes() == {"token_refused": 5}


def test_without_a_token_nothing_is_sent_and_all_come_back(function: Sender) -> None:
    function.calls.refuse(READ_TOKEN, Refusal("InternalServiceError", 500))
    queued = function.put(*messages(2))
    run = function.deliver(queued)
    assert run.outcomes() == {"token_unreadable": 2}
    assert function.provider.requests() == []
    assert set(function.statuses().values()) == {"RETRYING"}
    assert function.deliver(queued).failed == []
