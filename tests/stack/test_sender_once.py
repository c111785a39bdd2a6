"""One reference is one SMS, even for repeated and concurrent deliveries."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.stack.deployed_stack import DeployedStack

COPIES = 4
CONCURRENT, REDELIVERED, BOTH_QUEUES = "concurrent-copies", "delivered-twice", "on-both-queues"


@pytest.fixture(scope="module", autouse=True)
def ended(deployed: DeployedStack) -> None:
    """Send all of them, and wait for the end."""
    deployed.begin()
    deployed.simulator.inject_faults(
        *({"kind": "latency", "seconds": 2, "reference": reference} for reference in (CONCURRENT, REDELIVERED))
    )
    deliver_twice(deployed)
    message = deployed.message(CONCURRENT)
    with deployed.sender_function.paused():  # so that all copies are received at once, in batches of one
        for _ in range(COPIES):
            deployed.send(message)
    message = deployed.message(BOTH_QUEUES)
    deployed.send(message)
    deployed.wait_for_status(BOTH_QUEUES, "DELIVERED")
    deployed.send(message)
    deployed.send(message, urgent=True)
    deployed.drain()


def deliver_twice(deployed: DeployedStack) -> None:
    """Deliver one message a second time during the first delivery, and a third time after it."""
    with deployed.sender_function.paused(), ThreadPoolExecutor() as threads:
        records = deployed.sender_function.receive([deployed.send(deployed.message(REDELIVERED))])
        first = threads.submit(deployed.sender_function.invoke, records)
        deployed.simulator.wait_until_hit("latency", REDELIVERED)
        assert deployed.sender_function.invoke(records) == [records[0]["messageId"]]
        assert first.result() == []
        assert deployed.sender_function.deliver(records) == []


@pytest.mark.parametrize("reference", [CONCURRENT, REDELIVERED, BOTH_QUEUES])
def test_one_reference_is_one_sms(deployed: DeployedStack, reference: str) -> None:
    assert len(deployed.simulator.sms(reference)) == 1
    assert deployed.statuses(reference).count("SENDING") == 1
    assert deployed.statuses(reference)[-1] == "DELIVERED"
    assert deployed.dead_letters(reference) == []
