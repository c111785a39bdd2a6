"""The outcome of a request is unknown: the message is not sent again automatically."""

import pytest

from tests.stack.deployed_stack import DeployedStack

LOST_ANSWER, TIMED_OUT = "lost-answer", "timed-out"
NO_WEBHOOK, NOT_ACCEPTED = "no-webhook", "not-accepted"
WEBHOOK_DURING_REQUEST = "webhook-during-request"


@pytest.fixture(scope="module", autouse=True)
def all_messages_handled(deployed: DeployedStack) -> None:
    """Send a message for each fault of the provider, and wait until all are handled.

    The webhooks of three messages are dropped. Two of these are delivered when their message is UNCERTAIN.
    """
    deployed.begin()
    deployed.simulator.inject_faults(
        {"kind": "reset", "reference": LOST_ANSWER},
        {"kind": "hang", "reference": TIMED_OUT},
        {"kind": "500", "reference": NO_WEBHOOK},
        {"kind": "reset", "when": "before", "reference": NOT_ACCEPTED},
        {"kind": "hang", "reference": WEBHOOK_DURING_REQUEST},
        *({"kind": "webhook-drop", "reference": reference} for reference in (LOST_ANSWER, TIMED_OUT, NO_WEBHOOK)),
    )
    for reference in (LOST_ANSWER, TIMED_OUT, NO_WEBHOOK, NOT_ACCEPTED, WEBHOOK_DURING_REQUEST):
        deployed.send(deployed.message(reference))
    unsettled = {LOST_ANSWER, TIMED_OUT}

    def settle() -> None:
        for reference in tuple(unsettled):
            if "UNCERTAIN" in deployed.statuses(reference):
                deployed.simulator.deliver(reference, "DELIVERED")
                unsettled.remove(reference)

    deployed.drain(settle)


@pytest.mark.parametrize("reference", [LOST_ANSWER, TIMED_OUT])
def test_a_webhook_settles_an_uncertain_message(deployed: DeployedStack, reference: str) -> None:
    assert deployed.statuses(reference) == ["SENDING", "UNCERTAIN", "DELIVERED"]
    assert len(deployed.simulator.sms(reference)) == 1
    assert deployed.dead_letters(reference) == []


@pytest.mark.parametrize(("reference", "sms"), [(NO_WEBHOOK, 1), (NOT_ACCEPTED, 0)])
def test_without_a_webhook_an_uncertain_message_is_held_and_not_sent_again(
    deployed: DeployedStack, reference: str, sms: int
) -> None:
    assert deployed.statuses(reference) == ["SENDING", "UNCERTAIN", "HELD"]
    (dead_letter,) = deployed.dead_letters(reference)
    assert dead_letter.attribute_values()["ErrorCode"] == "UNCERTAIN"
    assert len(deployed.simulator.requests(reference)) == 1
    assert len(deployed.simulator.sms(reference)) == sms


def test_a_webhook_during_a_request_that_hangs_settles_the_message(deployed: DeployedStack) -> None:
    assert deployed.statuses_without_enroute(WEBHOOK_DURING_REQUEST) == ["SENDING", "DELIVERED"]
    assert len(deployed.simulator.sms(WEBHOOK_DURING_REQUEST)) == 1
