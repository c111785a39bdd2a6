"""The stack of the template, deployed once for all tests of this folder that run in one process.

In a parallel run, each worker that needs a stack deploys its own. tests/parallel.py chooses the workers.
"""

import fcntl
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import sam
from local.processes import Processes
from local.stack import Stack
from tests.stack.aws_proxy import AwsProxy
from tests.stack.deployed_stack import DeployedStack
from tests.stack.direct_invocations import SenderFunctionControl


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The built template. In a parallel run, one worker builds it for all."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "build"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        template, complete = folder / "template.yaml", folder.with_suffix(".complete")
        if not complete.exists():
            processes = Processes()
            try:
                sam.build(processes, folder)
            finally:
                processes.close()
            complete.touch()
    return template


@pytest.fixture(scope="session")
def stack(built: Path) -> Iterator[Stack]:
    # The main queue has batches of one message, so that a fault for a message affects no other. The urgent queue has
    # batches of 10.
    parameters = {"ReconcileAfter": "10", "BatchSize": "1", "DefaultSender": "Standard"}
    with Stack(parameters, built=built) as deployed:
        yield deployed


@pytest.fixture(scope="session")
def deployed(stack: Stack) -> Iterator[DeployedStack]:
    sender_function = SenderFunctionControl(stack)
    sender_function.shorten()
    with AwsProxy(stack.endpoint) as aws_proxy:
        sender_function.configure(AWS_ENDPOINT_URL=aws_proxy.url)
        yield DeployedStack(stack, aws_proxy, sender_function)
