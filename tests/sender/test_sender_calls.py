"""What a batch costs: the calls to AWS and the requests to the provider, counted."""

import pytest

from simulator.provider import Provider
from tests.sender.sender_function import BURY, HIDE, READ_TOKEN, WRITE, World, world
from tests.sender.sqs_records import message, messages

__all__ = ["world"]


def paths(provider: Provider) -> list[str]:
    return [request.path for request in provider.requests()]


@pytest.mark.parametrize(("size", "path"), [(1, "/mobile/single"), (10, "/mobile/multi"), (100, "/mobile/multi")])
def test_a_batch_without_faults_takes_a_claim_a_request_and_a_result(world: World, size: int, path: str) -> None:
    world.send(message("warm-up"))
    world.provider.reset()
    run = world.send(*messages(size))
    assert run.failed == []
    assert run.calls == {WRITE: 2}
    assert paths(world.provider) == [path]
    assert set(world.provider.counts().values()) == {1}
    assert len(world.provider.counts()) == size
    assert list(world.statuses().values()) == ["ACCEPTED"] * (size + 1)


def test_a_cold_start_reads_the_token_once_more(world: World) -> None:
    assert world.send(message("order-1")).calls == {WRITE: 2, READ_TOKEN: 1}
    assert world.send(message("order-2")).calls == {WRITE: 2}


def test_one_connection_carries_the_requests_of_many_batches(world: World) -> None:
    for number in range(3):
        world.send(message(f"order-{number}"))
    assert len({request.connection for request in world.provider.requests()}) == 1


def test_a_bad_message_costs_a_copy_and_no_further_request(world: World) -> None:
    world.send(message("warm-up"))
    world.provider.reset()
    run = world.send(*messages(9), message("bad", recipient=1))
    assert run.calls == {WRITE: 2, BURY: 1}
    assert paths(world.provider) == ["/mobile/multi"]


def test_messages_that_come_back_cost_a_visibility_each(world: World) -> None:
    world.send(message("warm-up"))
    world.provider.order(kind="503")
    assert world.send(*messages(3)).calls == {WRITE: 2, HIDE: 3}


def test_a_duplicate_in_a_batch_costs_one_more_claim(world: World) -> None:
    world.send(*messages(1))
    assert world.send(*messages(3)).calls == {WRITE: 3}


def test_a_batch_of_duplicates_costs_one_claim_and_no_request(world: World) -> None:
    world.send(*messages(3))
    world.provider.reset()
    run = world.send(*messages(3))
    assert run.calls == {WRITE: 1}
    assert run.failed == []
    assert run.outcomes() == {"duplicate": 3}
    assert paths(world.provider) == []


def test_a_batch_of_bad_messages_costs_no_request_and_no_token(world: World) -> None:
    run = world.send("no JSON", message("bad", recipient=1))
    assert run.calls == {WRITE: 1, BURY: 2}
    assert paths(world.provider) == []
