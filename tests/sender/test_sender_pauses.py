"""Never hammering: when a message comes back that was not sent, and that nothing more goes out meanwhile."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from tests.aws_calls import Refusal
from tests.moto_aws import TOKEN
from tests.sender.sender_function import HIDE, READ_TOKEN, WRITE, World, world
from tests.sender.sqs_records import message, messages

__all__ = ["world"]

# The longest pause after each try; half of it is certain, the rest is jitter.
PAUSES_S = [10, 30, 90, 270, 810, 2430, 3600, 3600]


def outside(hidden_s: Sequence[int], least_s: float, most_s: float) -> list[int]:
    """Which visibility time-outs are none of this span, in whole seconds and with up to one more for the rounding."""
    return [each for each in hidden_s if not least_s <= each <= most_s + 2]


def test_pauses_grow_with_each_try_up_to_an_hour(world: World) -> None:
    world.start(MAX_RECEIVE_COUNT="100")
    world.provider.order(kind="503", count=None)
    queued = world.put(message())
    for count, longest_s in enumerate(PAUSES_S, start=1):
        assert outside(world.deliver(queued, receive_count=count).hidden_s, longest_s / 2, longest_s) == []


def test_a_message_that_would_come_back_too_late_for_its_queue_is_held(world: World) -> None:
    world.start(MAX_RECEIVE_COUNT="1000")
    world.provider.order(kind="429", retry_after=6 * 3600, count=None)
    queued = world.put(message("put-off"))
    world.ahead = timedelta(days=6, hours=12)
    assert len(world.deliver(queued).failed) == 1
    world.ahead = timedelta(days=6, hours=18)
    assert world.deliver(queued, receive_count=2).failed == []
    (letter,) = world.dead()
    assert letter.code == "RETRIES_EXHAUSTED"
    assert world.record("put-off").status == "HELD"


def test_deliveries_that_were_no_tries_lengthen_no_pause(world: World) -> None:
    world.provider.order(kind="503")
    assert outside(world.deliver(world.put(message()), receive_count=5).hidden_s, 5, 10) == []


def test_pauses_begin_anew_after_a_redrive(world: World) -> None:
    world.provider.order(kind="503", count=None)
    queued = world.put(message("put-off"))
    for count in range(1, 9):
        world.deliver(queued, receive_count=count)
    assert world.record("put-off").status == "HELD"
    assert outside(world.deliver(world.redrive()).hidden_s, 5, 10) == []


def test_pauses_of_a_batch_are_spread(world: World) -> None:
    world.provider.order(kind="503")
    hidden_s = world.send(*messages(40)).hidden_s
    assert outside(hidden_s, 5, 10) == []
    assert len(set(hidden_s)) > 2


@pytest.mark.parametrize("kind", ["429", "503"])
@pytest.mark.parametrize("as_date", [False, True])
def test_what_the_provider_asks_for_is_kept_and_spread(world: World, kind: str, as_date: bool) -> None:  # noqa: FBT001
    world.provider.order(kind=kind, retry_after=120, as_date=as_date)
    hidden_s = world.send(*messages(20)).hidden_s
    # The date form has no fractions: it can be almost a second earlier than was meant.
    assert outside(hidden_s, 119, 151) == []
    assert len(set(hidden_s)) > 2


def test_a_provider_that_asks_for_a_moment_each_time_is_given_more(world: World) -> None:
    world.provider.order(kind="429", retry_after=1, count=None)
    queued = world.put(message())
    for count, (least_s, longest_s) in enumerate([(1, 3), (5, 10), (15, 30)], start=1):
        assert outside(world.deliver(queued, receive_count=count).hidden_s, least_s, longest_s) == []


def test_a_retry_after_that_says_nothing_is_none(world: World) -> None:
    world.provider.order(kind="429", retry_after="soon")
    assert outside(world.send(message()).hidden_s, 5, 10) == []


def test_a_retry_after_beyond_what_sqs_allows_is_cut(world: World) -> None:
    world.provider.order(kind="429", retry_after=10_000_000)
    assert outside(world.send(message()).hidden_s, 39_600, 39_600) == []


@pytest.mark.parametrize("kind", ["429", "503", "500", "reset"])
def test_after_the_first_trouble_of_a_batch_no_further_request_goes_out(world: World, kind: str) -> None:
    world.provider.order(kind="422")  # naming none, so that each is sent alone
    world.provider.order(kind=kind, count=None)
    run = world.send(*messages(10))
    assert [request.path for request in world.provider.requests()] == ["/mobile/multi", "/mobile/single"]
    assert len(run.failed) == 10
    doubtful = kind in ("500", "reset")
    assert sorted(world.statuses().values()) == ["RETRYING"] * (9 if doubtful else 10) + ["UNCERTAIN"] * doubtful


def test_a_rotated_token_is_read_in_the_same_invocation(world: World) -> None:
    world.send(message("warm-up"))
    world.provider.token = "rotated"
    world.aws.secretsmanager.put_secret_value(SecretId=world.secrets.token, SecretString="rotated")
    run = world.send(*messages(3))
    assert run.failed == []
    assert run.calls == {WRITE: 2, READ_TOKEN: 1}
    assert [request.outcome for request in world.provider.requests()][1:] == [403, 202]
    assert world.send(message("order-4")).calls == {WRITE: 2}


@pytest.mark.parametrize("kind", ["401", "403"])
@pytest.mark.parametrize("rotated", [True, False], ids=["to another wrong one", "not at all"])
def test_a_wrong_token_is_read_again_once_and_makes_no_message_invalid(
    world: World,
    kind: str,
    rotated: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    world.send(message("warm-up"))
    world.provider.reset()
    world.provider.order(kind=kind, count=None)
    queued = world.put(*messages(3))
    for number, longest_s in enumerate(PAUSES_S[:3]):
        if rotated:
            world.aws.secretsmanager.put_secret_value(SecretId=world.secrets.token, SecretString=f"wrong-{number}")
        before = len(world.provider.requests())
        run = world.deliver(queued, receive_count=number + 1)
        assert run.calls == {WRITE: 2 if number == 0 else 3, READ_TOKEN: 1, HIDE: 3}
        assert len(world.provider.requests()) - before == (2 if rotated else 1)
        assert run.outcomes() == {"token_refused": 3}
        assert len(run.failed) == 3
        assert outside(run.hidden_s, longest_s / 2, longest_s) == []
        assert {world.record(f"order-{place}").status for place in (1, 2, 3)} == {"RETRYING"}
    assert world.dead() == []


def test_a_token_refused_in_the_middle_of_a_batch_is_read_again_once(world: World) -> None:
    world.send(message("warm-up"))
    world.provider.order(kind="422")
    world.provider.order(kind="403", count=None)
    world.aws.secretsmanager.put_secret_value(SecretId=world.secrets.token, SecretString=f"{TOKEN}-2")
    run = world.send(*messages(5))
    assert run.calls[READ_TOKEN] == 1
    assert run.outcomes() == {"token_refused": 5}


def test_without_a_token_nothing_is_sent_and_all_come_back(world: World) -> None:
    world.calls.refuse(READ_TOKEN, Refusal("InternalServiceError", 500))
    queued = world.put(*messages(2))
    run = world.deliver(queued)
    assert run.outcomes() == {"token_unreadable": 2}
    assert world.provider.requests() == []
    assert set(world.statuses().values()) == {"RETRYING"}
    assert world.deliver(queued).failed == []
