"""Answers with an unknown outcome: the message is not sent again automatically."""

import pytest

from tests.stack.deployed_stack import DeployedStack, Fields

# What the provider does after it has accepted a message.
ACCEPTED: dict[str, Fields] = {
    "reset": {"kind": "reset"},
    "hang": {"kind": "hang"},
    "500": {"kind": "500"},
    "502": {"kind": "502"},
    "504": {"kind": "504"},
    "rubbish": {"kind": "rubbish"},
    "stranger": {"kind": "rubbish", "body": '{"msg_id": "01", "recipient": 1, "reference": "another"}'},
}
# It looks the same to the sender, and was not accepted.
MISSED: dict[str, Fields] = {
    "reset": {"kind": "reset", "when": "before"},
    "hang": {"kind": "hang", "when": "before"},
    "500": {"kind": "500", "when": "before"},
}
OVERTAKEN = "overtaken"
OMITTED = ("omitted-1", "omitted-2", "omitted-3")
REORDERED = ("reordered-1", "reordered-2", "reordered-3")


@pytest.fixture(scope="module", autouse=True)
def ended(deployed: DeployedStack) -> None:
    """Send all messages, deliver the webhooks of those that get one by hand, and wait for the end of all."""
    deployed.begin()
    silent = [f"{kind}-{name}" for name in ACCEPTED for kind in ("settled", "silent")]
    deployed.simulator.order(
        *(
            {**fault, "reference": f"{kind}-{name}"}
            for name, fault in ACCEPTED.items()
            for kind in ("settled", "silent")
        ),
        *({**fault, "reference": f"missed-{name}"} for name, fault in MISSED.items()),
        *({"kind": "webhook-drop", "reference": reference} for reference in (*silent, OMITTED[1])),
        {"kind": "hang", "reference": OVERTAKEN},
        {"kind": "omit", "reference": OMITTED[1]},
        {"kind": "reorder", "reference": REORDERED[0]},
    )
    deployed.send_batch(*map(deployed.message, OMITTED))
    for reference in (*silent, *(f"missed-{name}" for name in MISSED), OVERTAKEN):
        deployed.send(deployed.message(reference))
    unsettled = {*(f"settled-{name}" for name in ACCEPTED), OMITTED[1]}

    def settle() -> None:
        for reference in tuple(unsettled):
            if "UNCERTAIN" in deployed.statuses(reference):
                deployed.simulator.deliver(reference, "DELIVERED")
                unsettled.remove(reference)

    deployed.drain(settle)
    deployed.send_batch(*map(deployed.message, REORDERED))
    deployed.drain()


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_webhook_settles_an_uncertain_message(deployed: DeployedStack, name: str) -> None:
    reference = f"settled-{name}"
    assert deployed.statuses(reference) == ["SENDING", "UNCERTAIN", "DELIVERED"]
    assert len(deployed.simulator.sms(reference)) == 1
    assert deployed.dead_letters(reference) == []


@pytest.mark.parametrize("name", ACCEPTED)
def test_without_a_webhook_an_accepted_message_is_held_and_not_sent_again(deployed: DeployedStack, name: str) -> None:
    reference = f"silent-{name}"
    assert deployed.statuses(reference) == ["SENDING", "UNCERTAIN", "HELD"]
    (dead_letter,) = deployed.dead_letters(reference)
    assert dead_letter.attribute_values()["ErrorCode"] == "UNCERTAIN"
    assert len(deployed.simulator.sms(reference)) == 1


@pytest.mark.parametrize("name", MISSED)
def test_a_message_with_an_unknown_outcome_is_held_even_if_it_was_not_accepted(
    deployed: DeployedStack, name: str
) -> None:
    reference = f"missed-{name}"
    assert deployed.statuses(reference) == ["SENDING", "UNCERTAIN", "HELD"]
    (dead_letter,) = deployed.dead_letters(reference)
    assert dead_letter.attribute_values()["ErrorCode"] == "UNCERTAIN"
    assert len(deployed.simulator.requests(reference)) == 1


def test_a_webhook_before_the_answer_settles_the_message(deployed: DeployedStack) -> None:
    assert deployed.statuses_without_enroute(OVERTAKEN) == ["SENDING", "DELIVERED"]
    assert len(deployed.simulator.sms(OVERTAKEN)) == 1


def test_only_the_message_that_is_missing_in_the_answer_is_uncertain(deployed: DeployedStack) -> None:
    (request,) = deployed.simulator.requests(OMITTED[1])
    assert tuple(request["references"]) == OMITTED
    assert deployed.statuses(OMITTED[1]) == ["SENDING", "UNCERTAIN", "DELIVERED"]
    for reference in (OMITTED[0], OMITTED[2]):
        assert "UNCERTAIN" not in deployed.statuses(reference)
        assert deployed.statuses(reference)[-1] == "DELIVERED"


def test_answers_in_another_order_are_matched_to_their_messages(deployed: DeployedStack) -> None:
    (request,) = deployed.simulator.requests(REORDERED[0])
    assert tuple(request["references"]) == REORDERED
    for reference in REORDERED:
        (sms,) = deployed.simulator.sms(reference)
        assert deployed.history(reference)[-1].msg_id == sms["msg_id"]
