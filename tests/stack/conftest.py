"""The stack of the template, deployed once for all tests of this folder, and the sender's world on it."""

from collections.abc import Iterator

import pytest

from local.stack import Stack
from tests.stack.aws_proxy import Gate
from tests.stack.deployed_stack import World
from tests.stack.direct_invocations import Lever


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    # Everything else as the template has it. One message for each batch of the main queue, so that a fault ordered
    # for a message strikes it alone; the urgent queue's batches are of 10.
    with Stack({"ReconcileAfter": "10", "BatchSize": "1", "DefaultSender": "Standard"}) as deployed:
        yield deployed


@pytest.fixture(scope="session")
def world(stack: Stack) -> Iterator[World]:
    lever = Lever(stack)
    lever.shorten()
    with Gate(stack.endpoint) as gate:
        lever.configure(AWS_ENDPOINT_URL=gate.url)
        yield World(stack, gate, lever)
