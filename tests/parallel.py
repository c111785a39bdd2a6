"""Parallel runs: the number of workers, and which tests must run on the same worker.

A worker that runs a test of the deployed stack deploys it, so the tests of one stack run on one worker. They are in
three groups, each with stacks of its own, that run side by side. All other tests go to any worker that is free.
"""

import os

import pytest
from xdist.remote import Producer  # type: ignore[import-untyped] # it has no types
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped] # it has no types

SENDER = "tests/stack/test_sender_"
# These deploy stacks of their own.
FURTHER_STACKS = ("tests/stack/test_local_stack.py", "tests/stack/test_template_deployments.py")


def pytest_xdist_auto_num_workers() -> int:
    """Return the number of workers for `--numprocesses auto`."""
    # Two more than processors, because the tests of the stack spend most of their time waiting.
    return (os.cpu_count() or 1) + 2


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Return the scheduler of a parallel run."""
    return StackScheduling(config, log)


class StackScheduling(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types
    """Gives each group to one worker, largest group first, then test by test what is left."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid) or nodeid


def group(nodeid: str) -> str | None:
    """Return the group of a test, or None if it can run on any worker."""
    if nodeid.startswith(SENDER):
        return "sender"
    if nodeid.startswith(FURTHER_STACKS):
        return "further stacks"
    return "stack" if nodeid.startswith("tests/stack/") else None
