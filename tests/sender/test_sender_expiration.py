"""The expiration counts from when a message was enqueued. An expired message is not sent."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.sender.sender_function import Sender, function
from tests.sender.sqs_records import Record, message

__all__ = ["function"]

HOUR = timedelta(hours=1)
# Two hours after a message was enqueued. test_expiration.py tests all forms.
TWO_HOURS: dict[str, Callable[[datetime], object]] = {
    "duration": lambda _: "PT2H",
    "point in time": lambda sent_at: (sent_at + 2 * HOUR).isoformat(),
}


def put_earlier(
    function: Sender, ago: timedelta, expiration: Callable[[datetime], object], reference: str = "order-1"
) -> tuple[Record, datetime]:
    """Put a message on the queue as if it was enqueued earlier. `expiration` is called with the enqueue time."""
    sent_at = (datetime.now(UTC) - ago).replace(microsecond=0)
    (record,) = function.put(message(reference, expiration=expiration(sent_at)))
    record["attributes"]["SentTimestamp"] = str(int(sent_at.timestamp() * 1000))
    return record, sent_at


@pytest.mark.parametrize("form", TWO_HOURS)
def test_the_provider_gets_the_deadline_as_a_point_in_time(function: Sender, form: str) -> None:
    record, sent_at = put_earlier(function, HOUR, TWO_HOURS[form])
    assert function.deliver([record]).outcomes() == {"accepted": 1}
    (accepted,) = function.provider.messages()
    assert datetime.fromisoformat(str(accepted.message.expiration)) == sent_at + 2 * HOUR


@pytest.mark.parametrize("form", TWO_HOURS)
def test_a_message_that_waited_too_long_is_lapsed_and_not_sent(function: Sender, form: str) -> None:
    record, _ = put_earlier(function, 2 * HOUR + timedelta(seconds=2), TWO_HOURS[form])
    run = function.deliver([record])
    assert (run.outcomes(), run.failed) == ({"lapsed": 1}, [])
    assert function.provider.requests() == []
    found = function.record("order-1")
    assert (found.status, found.attempts, found.lease_until) == ("LAPSED", 0, None)
    assert function.dead_letters() == []
    assert function.waiting() == 0


def test_only_the_messages_of_a_batch_whose_deadlines_have_passed_lapse(function: Sender) -> None:
    late, _ = put_earlier(function, HOUR, lambda _: 1800, "late")
    early, _ = put_earlier(function, HOUR, lambda _: "PT2H", "early")
    run = function.deliver([late, early, *function.put(message("no deadline"))])
    assert run.outcomes() == {"accepted": 2, "lapsed": 1}
    assert function.statuses() == {"late": "LAPSED", "early": "ACCEPTED", "no deadline": "ACCEPTED"}


def test_a_message_lapses_between_two_tries(function: Sender) -> None:
    function.provider.inject_fault(kind="503")
    record, _ = put_earlier(function, timedelta(0), lambda _: 60)
    assert function.deliver([record]).outcomes() == {"throttled": 1}
    function.clock_ahead += timedelta(seconds=61)
    assert function.deliver([record]).outcomes() == {"lapsed": 1}
    assert function.statuses() == {"order-1": "LAPSED"}


def test_a_message_that_may_have_been_sent_does_not_lapse(function: Sender) -> None:
    function.provider.inject_fault(kind="reset")
    record, _ = put_earlier(function, timedelta(0), lambda _: 60)
    assert function.deliver([record]).outcomes() == {"uncertain": 1}
    function.clock_ahead += timedelta(seconds=905)
    assert function.deliver([record]).outcomes() == {"held": 1}
    assert [dead_letter.code for dead_letter in function.dead_letters()] == ["UNCERTAIN"]
