"""SendMode DryRun and AllowedPrefixes on the deployed stack."""

import pytest

from tests.stack.deployed_stack import DeployedStack

DRY, DANE, SWEDE, REDRIVEN = "dry-run", "allowed-dane", "refused-swede", "dry-run-redriven"


@pytest.fixture(scope="module", autouse=True)
def ended(deployed: DeployedStack) -> None:
    """Send one message under each guardrail, then take both away again."""
    found = deployed.sender_function.configure(SEND_MODE="DryRun")
    for reference in (DRY, REDRIVEN):
        deployed.send(deployed.message(reference))
        deployed.wait_for_status(reference, "HELD")
    deployed.drain()
    deployed.sender_function.configure(**found)
    found = deployed.sender_function.configure(ALLOWED_PREFIXES="45,4670")
    deployed.send(deployed.message(DANE, recipient="+45 30 00 00 01"))
    deployed.send(deployed.message(SWEDE, recipient=46_811_111_111))
    deployed.drain()
    deployed.sender_function.configure(**found)


def test_a_dry_run_does_everything_but_the_request(deployed: DeployedStack) -> None:
    assert deployed.statuses(DRY) == ["HELD"]
    assert deployed.simulator.requests(DRY) == []
    assert deployed.dead_letters(DRY) == []
    error = deployed.history(DRY)[-1].error
    assert error is not None
    assert error["code"] == "DRY_RUN"


def test_a_message_of_a_dry_run_is_sent_when_it_is_enqueued_again(deployed: DeployedStack) -> None:
    deployed.send(deployed.message(REDRIVEN))
    deployed.drain()
    assert deployed.statuses(REDRIVEN)[-1] == "DELIVERED"
    assert len(deployed.simulator.sms(REDRIVEN)) == 1


def test_a_number_with_an_allowed_prefix_is_texted(deployed: DeployedStack) -> None:
    assert deployed.statuses(DANE)[-1] == "DELIVERED"
    assert len(deployed.simulator.sms(DANE)) == 1


def test_a_number_without_an_allowed_prefix_is_refused_with_its_reason(deployed: DeployedStack) -> None:
    assert deployed.statuses(SWEDE) == ["INVALID"]
    assert deployed.simulator.requests(SWEDE) == []
    (dead_letter,) = deployed.dead_letters(SWEDE)
    assert dead_letter.attribute_values()["ErrorCode"] == "RECIPIENT_NOT_ALLOWED"
    assert "46811111111" not in dead_letter.attribute_values()["ErrorMessage"]
