"""Whole batches of up to 100: what they cost, and what one bad message among them costs the others."""

from dataclasses import dataclass

import pytest

from tests.stack.deployed_stack import World

LARGEST = 100
BAD = "mixed-50"


@dataclass(frozen=True, slots=True)
class Made:
    """What one invocation did: calls of AWS, requests to the provider, and what it reported as failed."""

    calls: dict[str, int]
    requests: list[int]
    failed: list[str]


@pytest.fixture(scope="module", autouse=True)
def made(world: World) -> dict[str, Made]:
    """Invoke the sender with three batches, larger than the local mappings make them, and wait for the end."""
    world.begin()
    for kind in ("plain", "mixed", "bad"):
        world.desk.order({"kind": "webhook-drop", "reference_contains": f"{kind}-", "count": None})
    # A process that has read its token.
    world.send(world.message("before-batches"))
    world.drain()
    with world.lever.paused():
        done = {
            "plain": deliver(world, {f"plain-{index}": {} for index in range(LARGEST)}),
            "mixed": deliver(world, {f"mixed-{index}": {} for index in range(LARGEST)} | {BAD: {"recipient": 1}}),
            "bad": deliver(world, {f"bad-{index}": {"recipient": 1} for index in range(20)}),
        }
    world.drain()
    return done


def deliver(world: World, messages: dict[str, dict[str, object]]) -> Made:
    """Put messages on the queue and deliver them in one invocation."""
    ids = [world.send(world.message(reference, **fields)) for reference, fields in messages.items()]
    records = world.lever.receive(ids)
    calls, requests = len(world.gate.calls()), len(world.desk.requests())
    failed = world.lever.deliver(records)
    return Made(
        dict(world.gate.operations(calls)),
        [each["messages"] for each in world.desk.requests(since=requests)],
        failed,
    )


def test_a_batch_of_100_costs_one_claim_one_request_and_one_result(made: dict[str, Made]) -> None:
    assert made["plain"] == Made({"TransactWriteItems": 2}, [LARGEST], [])


def test_one_bad_message_costs_the_other_99_nothing(world: World, made: dict[str, Made]) -> None:
    assert made["mixed"] == Made({"TransactWriteItems": 2, "SendMessage": 1}, [LARGEST - 1], [])
    counts = world.desk.counts()
    for index in range(LARGEST):
        reference = f"mixed-{index}"
        assert counts[reference] == (0 if reference == BAD else 1)
        assert world.statuses(reference)[-1] == ("INVALID" if reference == BAD else "ACCEPTED")
    (letter,) = world.letters(BAD)
    assert letter.said()["ErrorCode"] == "INVALID_MESSAGE"


def test_a_batch_of_bad_messages_does_not_fail_the_invocation(world: World, made: dict[str, Made]) -> None:
    assert made["bad"].failed == []
    assert made["bad"].requests == []
    for index in range(20):
        (letter,) = world.letters(f"bad-{index}")
        assert letter.said()["ErrorCode"] == "INVALID_MESSAGE"
