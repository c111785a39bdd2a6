"""Batches of up to 100 messages: the number of calls, and the effect of invalid messages on the others."""

from dataclasses import dataclass

import pytest

from tests.stack.deployed_stack import DeployedStack

LARGEST = 100
BAD = "mixed-50"


@dataclass(frozen=True, slots=True)
class Made:
    """What one invocation did: calls of AWS, requests to the provider, and what it reported as failed."""

    calls: dict[str, int]
    requests: list[int]
    failed: list[str]


@pytest.fixture(scope="module", autouse=True)
def made(deployed: DeployedStack) -> dict[str, Made]:
    """Invoke the sender with three batches, larger than the local mappings make them, and wait for the end."""
    deployed.begin()
    for kind in ("plain", "mixed", "bad"):
        deployed.simulator.order({"kind": "webhook-drop", "reference_contains": f"{kind}-", "count": None})
    # A process that has read its token.
    deployed.send(deployed.message("before-batches"))
    deployed.drain()
    with deployed.sender_function.paused():
        done = {
            "plain": deliver(deployed, {f"plain-{index}": {} for index in range(LARGEST)}),
            "mixed": deliver(deployed, {f"mixed-{index}": {} for index in range(LARGEST)} | {BAD: {"recipient": 1}}),
            "bad": deliver(deployed, {f"bad-{index}": {"recipient": 1} for index in range(20)}),
        }
    deployed.drain()
    return done


def deliver(deployed: DeployedStack, messages: dict[str, dict[str, object]]) -> Made:
    """Put messages on the queue and deliver them in one invocation."""
    ids = [deployed.send(deployed.message(reference, **fields)) for reference, fields in messages.items()]
    records = deployed.sender_function.receive(ids)
    calls, requests = len(deployed.aws_proxy.calls()), len(deployed.simulator.requests())
    failed = deployed.sender_function.deliver(records)
    return Made(
        dict(deployed.aws_proxy.operations(calls)),
        [each["messages"] for each in deployed.simulator.requests(since=requests)],
        failed,
    )


def test_a_batch_of_100_costs_one_claim_one_request_and_one_result(made: dict[str, Made]) -> None:
    assert made["plain"] == Made({"TransactWriteItems": 2}, [LARGEST], [])


def test_one_bad_message_costs_the_other_99_nothing(deployed: DeployedStack, made: dict[str, Made]) -> None:
    assert made["mixed"] == Made({"TransactWriteItems": 2, "SendMessage": 1}, [LARGEST - 1], [])
    counts = deployed.simulator.counts()
    for index in range(LARGEST):
        reference = f"mixed-{index}"
        assert counts[reference] == (0 if reference == BAD else 1)
        assert deployed.statuses(reference)[-1] == ("INVALID" if reference == BAD else "ACCEPTED")
    (dead_letter,) = deployed.dead_letters(BAD)
    assert dead_letter.attribute_values()["ErrorCode"] == "INVALID_MESSAGE"


def test_a_batch_of_bad_messages_does_not_fail_the_invocation(deployed: DeployedStack, made: dict[str, Made]) -> None:
    assert made["bad"].failed == []
    assert made["bad"].requests == []
    for index in range(20):
        (dead_letter,) = deployed.dead_letters(f"bad-{index}")
        assert dead_letter.attribute_values()["ErrorCode"] == "INVALID_MESSAGE"
