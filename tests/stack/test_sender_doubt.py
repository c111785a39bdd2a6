"""Answers that leave open whether a message was accepted: it is never sent again by itself, whatever it was."""

import pytest

from tests.stack.deployed_stack import Fields, World

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
def ended(world: World) -> None:
    """Send all messages, deliver the webhooks of those that get one by hand, and wait for the end of all."""
    world.begin()
    silent = [f"{kind}-{name}" for name in ACCEPTED for kind in ("settled", "silent")]
    world.desk.order(
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
    world.send_batch(*map(world.message, OMITTED))
    for reference in (*silent, *(f"missed-{name}" for name in MISSED), OVERTAKEN):
        world.send(world.message(reference))
    unsettled = {*(f"settled-{name}" for name in ACCEPTED), OMITTED[1]}

    def settle() -> None:
        for reference in tuple(unsettled):
            if "UNCERTAIN" in world.statuses(reference):
                world.desk.deliver(reference, "DELIVERED")
                unsettled.remove(reference)

    world.drain(settle)
    world.send_batch(*map(world.message, REORDERED))
    world.drain()


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_webhook_settles_an_uncertain_message(world: World, name: str) -> None:
    reference = f"settled-{name}"
    assert world.statuses(reference) == ["SENDING", "UNCERTAIN", "DELIVERED"]
    assert len(world.desk.sms(reference)) == 1
    assert world.letters(reference) == []


@pytest.mark.parametrize("name", ACCEPTED)
def test_without_a_webhook_an_accepted_message_is_held_and_not_sent_again(world: World, name: str) -> None:
    reference = f"silent-{name}"
    assert world.statuses(reference) == ["SENDING", "UNCERTAIN", "HELD"]
    (letter,) = world.letters(reference)
    assert letter.said()["ErrorCode"] == "UNCERTAIN"
    assert len(world.desk.sms(reference)) == 1


@pytest.mark.parametrize("name", MISSED)
def test_a_message_that_may_have_been_accepted_and_was_not_is_held_too(world: World, name: str) -> None:
    reference = f"missed-{name}"
    assert world.statuses(reference) == ["SENDING", "UNCERTAIN", "HELD"]
    (letter,) = world.letters(reference)
    assert letter.said()["ErrorCode"] == "UNCERTAIN"
    assert len(world.desk.requests(reference)) == 1


def test_a_webhook_that_overtakes_the_answer_leaves_no_doubt(world: World) -> None:
    assert world.told(OVERTAKEN) == ["SENDING", "DELIVERED"]
    assert len(world.desk.sms(OVERTAKEN)) == 1


def test_a_message_that_the_answer_leaves_out_is_uncertain_alone(world: World) -> None:
    (request,) = world.desk.requests(OMITTED[1])
    assert tuple(request["references"]) == OMITTED
    assert world.statuses(OMITTED[1]) == ["SENDING", "UNCERTAIN", "DELIVERED"]
    for reference in (OMITTED[0], OMITTED[2]):
        assert "UNCERTAIN" not in world.statuses(reference)
        assert world.statuses(reference)[-1] == "DELIVERED"


def test_answers_in_another_order_are_given_to_the_right_messages(world: World) -> None:
    (request,) = world.desk.requests(REORDERED[0])
    assert tuple(request["references"]) == REORDERED
    for reference in REORDERED:
        (sms,) = world.desk.sms(reference)
        assert world.life(reference)[-1].msg_id == sms["msg_id"]
