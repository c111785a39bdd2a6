"""The guardrails before money is spent, on the deployed stack: a dry run, and prefixes that may be texted."""

import pytest

from tests.stack.deployed_stack import World

DRY, DANE, SWEDE, REDRIVEN = "dry-run", "allowed-dane", "refused-swede", "dry-run-redriven"


@pytest.fixture(scope="module", autouse=True)
def ended(world: World) -> None:
    """Send one message under each guardrail, then take both away again."""
    found = world.lever.configure(SEND_MODE="DryRun")
    for reference in (DRY, REDRIVEN):
        world.send(world.message(reference))
        world.wait_for_status(reference, "HELD")
    world.drain()
    world.lever.configure(**found)
    found = world.lever.configure(ALLOWED_PREFIXES="45,4670")
    world.send(world.message(DANE, recipient="+45 30 00 00 01"))
    world.send(world.message(SWEDE, recipient=46_811_111_111))
    world.drain()
    world.lever.configure(**found)


def test_a_dry_run_does_everything_but_the_request(world: World) -> None:
    assert world.statuses(DRY) == ["SENDING", "HELD"]
    assert world.desk.requests(DRY) == []
    assert world.letters(DRY) == []
    error = world.life(DRY)[-1].error
    assert error is not None
    assert error["code"] == "DRY_RUN"


def test_a_message_of_a_dry_run_is_sent_when_it_is_queued_again(world: World) -> None:
    world.send(world.message(REDRIVEN))
    world.drain()
    assert world.statuses(REDRIVEN)[-1] == "DELIVERED"
    assert len(world.desk.sms(REDRIVEN)) == 1


def test_a_number_under_a_prefix_is_texted(world: World) -> None:
    assert world.statuses(DANE)[-1] == "DELIVERED"
    assert len(world.desk.sms(DANE)) == 1


def test_a_number_under_no_prefix_is_refused_with_its_reason(world: World) -> None:
    assert world.statuses(SWEDE) == ["INVALID"]
    assert world.desk.requests(SWEDE) == []
    (letter,) = world.letters(SWEDE)
    assert letter.said()["ErrorCode"] == "RECIPIENT_NOT_ALLOWED"
    assert "46811111111" not in letter.said()["ErrorMessage"]
