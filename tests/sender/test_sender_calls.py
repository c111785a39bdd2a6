"""How many calls to AWS and requests to the provider a batch makes."""

import pytest

from simulator.provider import Provider
from tests.sender.sender_function import READ_TOKEN, SEND_DEAD_LETTER, SET_VISIBILITY, WRITE, Sender, function
from tests.sender.sqs_records import message, messages

__all__ = ["function"]


def paths(provider: Provider) -> list[str]:
    return [request.path for request in provider.requests()]


@pytest.mark.parametrize(("size", "path"), [(1, "/mobile/single"), (10, "/mobile/multi"), (100, "/mobile/multi")])
def test_a_batch_without_faults_makes_two_writes_and_one_request(function: Sender, size: int, path: str) -> None:
    function.send(message("warm-up"))
    function.provider.reset()
    run = function.send(*messages(size))
    assert run.failed == []
    assert run.calls == {WRITE: 2}
    assert paths(function.provider) == [path]
    assert set(function.provider.counts().values()) == {1}
    assert len(function.provider.counts()) == size
    assert list(function.statuses().values()) == ["ACCEPTED"] * (size + 1)


def test_the_token_is_read_only_after_a_cold_start(function: Sender) -> None:
    assert function.send(message("order-1")).calls == {WRITE: 2, READ_TOKEN: 1}
    assert function.send(message("order-2")).calls == {WRITE: 2}


def test_all_batches_use_the_same_connection(function: Sender) -> None:
    for number in range(3):
        function.send(message(f"order-{number}"))
    assert len({request.connection for request in function.provider.requests()}) == 1


def test_an_invalid_message_causes_one_copy_and_no_further_request(function: Sender) -> None:
    function.send(message("warm-up"))
    function.provider.reset()
    run = function.send(*messages(9), message("bad", recipient=1))
    assert run.calls == {WRITE: 2, SEND_DEAD_LETTER: 1}
    assert paths(function.provider) == ["/mobile/multi"]


def test_every_message_to_retry_causes_one_visibility_timeout(function: Sender) -> None:
    function.send(message("warm-up"))
    function.provider.inject_fault(kind="503")
    assert function.send(*messages(3)).calls == {WRITE: 2, SET_VISIBILITY: 3}


def test_a_duplicate_in_a_batch_causes_one_more_write(function: Sender) -> None:
    function.send(*messages(1))
    assert function.send(*messages(3)).calls == {WRITE: 3}


def test_a_batch_of_duplicates_makes_one_write_and_no_request(function: Sender) -> None:
    function.send(*messages(3))
    function.provider.reset()
    run = function.send(*messages(3))
    assert run.calls == {WRITE: 1}
    assert run.failed == []
    assert run.outcomes() == {"duplicate": 3}
    assert paths(function.provider) == []


def test_a_batch_of_invalid_messages_makes_no_request_and_does_not_read_the_token(function: Sender) -> None:
    run = function.send("no JSON", message("bad", recipient=1))
    assert run.calls == {WRITE: 1, SEND_DEAD_LETTER: 2}
    assert paths(function.provider) == []
