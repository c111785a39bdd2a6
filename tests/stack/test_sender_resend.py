"""The policy Resend: an uncertain message that no webhook settles is sent again once, and never twice."""

import pytest

from tests.stack.deployed_stack import World


@pytest.fixture(scope="module", autouse=True)
def ended(world: World) -> None:
    """Set the policy as the parameter UncertainSends would, and wait for the end of all messages."""
    world.begin()
    before = world.lever.configure(UNCERTAIN_SENDS="Resend")
    try:
        world.desk.order(
            {"kind": "reset", "when": "before", "reference": "missed"},
            {"kind": "reset", "reference": "taken"},
            {"kind": "webhook-drop", "reference": "taken"},
            {"kind": "reset", "when": "before", "reference": "hopeless", "count": 3},
            {"kind": "reset", "reference": "settled"},
            {"kind": "webhook-drop", "reference": "settled"},
        )
        for reference in ("settled", "missed", "taken", "hopeless"):
            world.send(world.message(reference))
        world.wait_for_status("settled", "UNCERTAIN")
        world.desk.deliver("settled", "DELIVERED")
        world.drain()
    finally:
        world.lever.configure(**before)


def test_a_message_that_was_not_accepted_goes_out_at_the_second_try(world: World) -> None:
    statuses = world.statuses("missed")
    assert statuses[:3] == ["SENDING", "UNCERTAIN", "SENDING"]
    assert statuses[-1] == "DELIVERED"
    assert len(world.desk.sms("missed")) == 1


def test_a_message_that_was_accepted_without_a_word_is_doubled_as_the_policy_allows(world: World) -> None:
    assert len(world.desk.requests("taken")) == 2
    assert world.statuses("taken")[-1] == "DELIVERED"
    assert world.letters("taken") == []


def test_after_a_second_doubt_it_is_held(world: World) -> None:
    assert world.statuses("hopeless") == ["SENDING", "UNCERTAIN", "SENDING", "UNCERTAIN", "HELD"]
    assert len(world.desk.requests("hopeless")) == 2
    (letter,) = world.letters("hopeless")
    assert letter.said()["ErrorCode"] == "UNCERTAIN"


def test_what_a_webhook_settles_is_not_sent_again(world: World) -> None:
    assert world.statuses("settled") == ["SENDING", "UNCERTAIN", "DELIVERED"]
    assert len(world.desk.requests("settled")) == 1
