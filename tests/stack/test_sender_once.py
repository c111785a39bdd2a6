"""One reference is one SMS, even for repeated and concurrent deliveries."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.stack.deployed_stack import DeployedStack

COPIES = 8


@pytest.fixture(scope="module", autouse=True)
def ended(deployed: DeployedStack) -> None:
    """Send all of them, and wait for the end."""
    deployed.begin()
    deployed.simulator.order(
        *({"kind": "latency", "seconds": 2, "reference": reference} for reference in ("crowded", "delivered-twice"))
    )
    deliver_twice(deployed)
    crowded = deployed.message("crowded")
    with deployed.sender_function.paused():  # so that they are taken at once
        for _ in range(COPIES):
            deployed.send(crowded)
    twins = deployed.message("twins")
    deployed.send_batch(twins, deployed.message("stranger-1"), twins, deployed.message("stranger-2"))
    early = deployed.message("repeated")
    deployed.send(early)
    deployed.wait_for_status("repeated", "DELIVERED")
    deployed.send(early)
    deployed.send(early, urgent=True)
    deployed.drain()


def deliver_twice(deployed: DeployedStack) -> None:
    """Deliver one message a second time while the first delivery is at work, and a third time after it."""
    with deployed.sender_function.paused(), ThreadPoolExecutor() as beside:
        records = deployed.sender_function.receive([deployed.send(deployed.message("delivered-twice"))])
        first = beside.submit(deployed.sender_function.invoke, records)
        deployed.simulator.wait_until_hit("latency", "delivered-twice")
        assert deployed.sender_function.invoke(records) == [records[0]["messageId"]]
        assert first.result() == []
        assert deployed.sender_function.deliver(records) == []


@pytest.mark.parametrize("reference", ["delivered-twice", "crowded", "twins", "repeated"])
def test_one_reference_is_one_sms(deployed: DeployedStack, reference: str) -> None:
    assert len(deployed.simulator.sms(reference)) == 1
    assert deployed.statuses(reference).count("SENDING") == 1
    assert deployed.statuses(reference)[-1] == "DELIVERED"
    assert deployed.dead_letters(reference) == []


@pytest.mark.parametrize("reference", ["stranger-1", "stranger-2"])
def test_duplicates_do_not_delay_the_other_messages_of_a_batch(deployed: DeployedStack, reference: str) -> None:
    (request,) = deployed.simulator.requests(reference)
    assert sorted(request["references"]) == ["stranger-1", "stranger-2", "twins"]
