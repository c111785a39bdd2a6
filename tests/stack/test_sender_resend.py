"""The policy Resend: an uncertain message that no webhook settles is sent once more."""

import pytest

from tests.stack.deployed_stack import DeployedStack


@pytest.fixture(scope="module", autouse=True)
def ended(deployed: DeployedStack) -> None:
    """Set the policy as the parameter UncertainSends would, and wait for the end of all messages."""
    deployed.begin()
    before = deployed.sender_function.configure(UNCERTAIN_SENDS="Resend")
    try:
        deployed.simulator.order(
            {"kind": "reset", "when": "before", "reference": "missed"},
            {"kind": "reset", "reference": "taken"},
            {"kind": "webhook-drop", "reference": "taken"},
            {"kind": "reset", "when": "before", "reference": "hopeless", "count": 3},
            {"kind": "reset", "reference": "settled"},
            {"kind": "webhook-drop", "reference": "settled"},
        )
        for reference in ("settled", "missed", "taken", "hopeless"):
            deployed.send(deployed.message(reference))
        deployed.wait_for_status("settled", "UNCERTAIN")
        deployed.simulator.deliver("settled", "DELIVERED")
        deployed.drain()
    finally:
        deployed.sender_function.configure(**before)


def test_a_message_that_was_not_accepted_is_sent_again(deployed: DeployedStack) -> None:
    statuses = deployed.statuses("missed")
    assert statuses[:3] == ["SENDING", "UNCERTAIN", "SENDING"]
    assert statuses[-1] == "DELIVERED"
    assert len(deployed.simulator.sms("missed")) == 1


def test_a_message_whose_acceptance_was_lost_is_sent_twice(deployed: DeployedStack) -> None:
    assert len(deployed.simulator.requests("taken")) == 2
    assert deployed.statuses("taken")[-1] == "DELIVERED"
    assert deployed.dead_letters("taken") == []


def test_a_message_is_held_after_a_second_unknown_outcome(deployed: DeployedStack) -> None:
    assert deployed.statuses("hopeless") == ["SENDING", "UNCERTAIN", "SENDING", "UNCERTAIN", "HELD"]
    assert len(deployed.simulator.requests("hopeless")) == 2
    (dead_letter,) = deployed.dead_letters("hopeless")
    assert dead_letter.attribute_values()["ErrorCode"] == "UNCERTAIN"


def test_a_message_that_a_webhook_settles_is_not_sent_again(deployed: DeployedStack) -> None:
    assert deployed.statuses("settled") == ["SENDING", "UNCERTAIN", "DELIVERED"]
    assert len(deployed.simulator.requests("settled")) == 1
