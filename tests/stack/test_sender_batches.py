"""A batch of 21 messages in one invocation: the number of calls, and the effect of an invalid message.

tests/sender/test_sender_calls.py and test_sender_bad.py have batches of 100.
"""

from dataclasses import dataclass

import pytest

from tests.stack.deployed_stack import DeployedStack

VALID = [f"batch-{index}" for index in range(20)]
INVALID = "batch-invalid"


@dataclass(frozen=True, slots=True)
class Invocation:
    """The number of calls to AWS by operation, the messages in each request to the provider, and the failed ids."""

    calls: dict[str, int]
    requests: list[int]
    failed: list[str]


@pytest.fixture(scope="module", autouse=True)
def invocation(deployed: DeployedStack) -> Invocation:
    """Invoke the sender with a batch that is larger than those of the local mappings, and wait for the end."""
    deployed.begin()
    # Webhooks are not tested here, and would only take time.
    deployed.simulator.inject_faults({"kind": "webhook-drop", "reference_contains": "batch-", "count": None})
    # The process that serves the batch has read its token.
    deployed.send(deployed.message("before-the-batch"))
    deployed.drain()
    with deployed.sender_function.paused():
        ids = [deployed.send(deployed.message(reference)) for reference in VALID[:10]]
        ids.append(deployed.send(deployed.message(INVALID, recipient=1)))
        ids += [deployed.send(deployed.message(reference)) for reference in VALID[10:]]
        records = deployed.sender_function.receive(ids)
        calls, requests = len(deployed.aws_proxy.calls()), len(deployed.simulator.requests())
        failed = deployed.sender_function.deliver(records)
        made = Invocation(
            dict(deployed.aws_proxy.operations(calls)),
            [request["messages"] for request in deployed.simulator.requests(since=requests)],
            failed,
        )
    deployed.drain()
    return made


def test_a_batch_costs_two_writes_and_one_request_and_an_invalid_message_one_copy(invocation: Invocation) -> None:
    assert invocation == Invocation({"TransactWriteItems": 2, "SendMessage": 1}, [len(VALID)], [])


def test_an_invalid_message_does_not_affect_the_others_of_its_batch(deployed: DeployedStack) -> None:
    counts = deployed.simulator.counts()
    assert [counts[reference] for reference in VALID] == [1] * len(VALID)
    assert {deployed.statuses(reference)[-1] for reference in VALID} == {"ACCEPTED"}
    assert counts[INVALID] == 0
    assert deployed.statuses(INVALID) == ["INVALID"]
    (dead_letter,) = deployed.dead_letters(INVALID)
    assert dead_letter.attribute_values()["ErrorCode"] == "INVALID_MESSAGE"
