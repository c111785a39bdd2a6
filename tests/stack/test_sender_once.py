"""One reference is one SMS, however often and however much at once its message comes."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.stack.deployed_stack import World

COPIES = 8


@pytest.fixture(scope="module", autouse=True)
def ended(world: World) -> None:
    """Send all of them, and wait for the end."""
    world.begin()
    world.desk.order(
        *({"kind": "latency", "seconds": 2, "reference": reference} for reference in ("crowded", "delivered-twice"))
    )
    deliver_twice(world)
    crowded = world.message("crowded")
    with world.lever.paused():  # so that they are taken at once
        for _ in range(COPIES):
            world.send(crowded)
    twins = world.message("twins")
    world.send_batch(twins, world.message("stranger-1"), twins, world.message("stranger-2"))
    early = world.message("repeated")
    world.send(early)
    world.wait_for_status("repeated", "DELIVERED")
    world.send(early)
    world.send(early, urgent=True)
    world.drain()


def deliver_twice(world: World) -> None:
    """Deliver one message a second time while the first delivery is at work, and a third time after it."""
    with world.lever.paused(), ThreadPoolExecutor() as beside:
        records = world.lever.receive([world.send(world.message("delivered-twice"))])
        first = beside.submit(world.lever.invoke, records)
        world.desk.wait_until_struck("latency", "delivered-twice")
        assert world.lever.invoke(records) == [records[0]["messageId"]]
        assert first.result() == []
        assert world.lever.deliver(records) == []


@pytest.mark.parametrize("reference", ["delivered-twice", "crowded", "twins", "repeated"])
def test_one_reference_is_one_sms(world: World, reference: str) -> None:
    assert len(world.desk.sms(reference)) == 1
    assert world.statuses(reference).count("SENDING") == 1
    assert world.statuses(reference)[-1] == "DELIVERED"
    assert world.letters(reference) == []


@pytest.mark.parametrize("reference", ["stranger-1", "stranger-2"])
def test_the_others_of_the_batch_are_not_kept_waiting(world: World, reference: str) -> None:
    (request,) = world.desk.requests(reference)
    assert sorted(request["references"]) == ["stranger-1", "stranger-2", "twins"]
