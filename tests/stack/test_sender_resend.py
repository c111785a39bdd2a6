"""UncertainSends is Resend: a message with an unknown outcome is sent once more if no webhook settles it."""

import pytest

from tests.stack.deployed_stack import DeployedStack


@pytest.fixture(scope="module", autouse=True)
def ended(deployed: DeployedStack) -> None:
    """Set the policy as the parameter UncertainSends does, send two messages, and wait for the end of both."""
    deployed.begin()
    before = deployed.sender_function.configure(UNCERTAIN_SENDS="Resend")
    try:
        deployed.simulator.inject_faults(
            {"kind": "reset", "when": "before", "reference": "not accepted"},
            {"kind": "reset", "reference": "accepted"},
            {"kind": "webhook-drop", "reference": "accepted"},
        )
        deployed.send(deployed.message("not accepted"))
        deployed.send(deployed.message("accepted"))
        deployed.drain()
    finally:
        deployed.sender_function.configure(**before)


def test_a_message_that_was_not_accepted_is_sent_again(deployed: DeployedStack) -> None:
    statuses = deployed.statuses("not accepted")
    assert statuses[:3] == ["SENDING", "UNCERTAIN", "SENDING"]
    assert statuses[-1] == "DELIVERED"
    assert len(deployed.simulator.sms("not accepted")) == 1


def test_a_message_whose_acceptance_was_lost_is_sent_twice(deployed: DeployedStack) -> None:
    assert len(deployed.simulator.requests("accepted")) == 2
    assert deployed.statuses("accepted")[-1] == "DELIVERED"
    assert deployed.dead_letters("accepted") == []
