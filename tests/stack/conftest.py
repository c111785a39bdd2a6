"""The stack of the template, deployed once for all tests of this folder."""

from collections.abc import Iterator

import pytest

from local.stack import Stack
from tests.stack.aws_proxy import AwsProxy
from tests.stack.deployed_stack import DeployedStack
from tests.stack.direct_invocations import SenderFunctionControl


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    # The main queue has batches of one message, so that a fault for a message affects no other. The urgent queue has
    # batches of 10.
    with Stack({"ReconcileAfter": "10", "BatchSize": "1", "DefaultSender": "Standard"}) as deployed:
        yield deployed


@pytest.fixture(scope="session")
def deployed(stack: Stack) -> Iterator[DeployedStack]:
    sender_function = SenderFunctionControl(stack)
    sender_function.shorten()
    with AwsProxy(stack.endpoint) as aws_proxy:
        sender_function.configure(AWS_ENDPOINT_URL=aws_proxy.url)
        yield DeployedStack(stack, aws_proxy, sender_function)
