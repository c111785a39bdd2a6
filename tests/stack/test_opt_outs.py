"""STOP and START on the deployed stack, with opt-outs enforced: who stopped gets no promotions until they start."""

from datetime import UTC, datetime

import pytest

from gatewayapi.opt_out_record import key
from gatewayapi.opt_outs import opt_in, opt_out
from local.waiting import wait_for
from simulator.webhook_events import ulid
from tests.stack.deployed_stack import World
from tests.stack.test_operator_access import refused, user

PERSON = 4520_999_001


def reply(world: World, text: str, status: str) -> None:
    """Have the person send a text to the stack, and wait until the table has what it states."""
    now = datetime.now(UTC)
    event = {
        "msg_id": ulid(now),
        "sender": PERSON,
        "sent_at": now.isoformat(timespec="microseconds"),
        "content": {"message": text, "encoding": "GSM7", "header": None},
    }
    world.desk.ask("event", {"event_type": "user-message.text.sms", "event": event})
    wait_for(lambda: stated(world) == status, f"the opt-out record to be {status}")


def stated(world: World) -> str | None:
    table = world.stack.outputs["TableName"]
    found = world.stack.client("dynamodb").get_item(TableName=table, Key=key(PERSON), ConsistentRead=True)
    status: str | None = found["Item"]["status"]["S"] if "Item" in found else None
    return status


@pytest.fixture(scope="module", autouse=True)
def ended(world: World) -> None:
    """Enforce opt-outs as the parameter OptOuts does; send around a STOP and a START, and wait for the end."""
    world.begin()
    before = world.lever.configure(OPT_OUTS="Enforce")
    try:
        reply(world, "Stop.", "OUT")
        offer = world.message("offer", recipient=PERSON, message_type="promotional", context="campaign-7")
        world.send(offer)
        world.send(world.message("receipt", recipient=PERSON, message_type="transactional"))
        world.send(world.message("other person", message_type="promotional"))
        world.send(world.message("no type", recipient=PERSON))
        world.drain()
        reply(world, "START", "IN")
        world.send(offer)
        world.drain()
    finally:
        world.lever.configure(**before)


def test_a_promotion_is_suppressed_after_stop_and_sent_after_start(world: World) -> None:
    assert world.told("offer") == ["SUPPRESSED", "SENDING", "ACCEPTED", "DELIVERED"]
    assert len(world.desk.sms("offer")) == 1
    assert world.letters("offer") == []


def test_a_transactional_message_is_sent_in_any_case(world: World) -> None:
    assert world.statuses("receipt")[-1] == "DELIVERED"


def test_a_promotion_to_another_person_is_sent(world: World) -> None:
    assert world.statuses("other person")[-1] == "DELIVERED"


def test_a_message_without_a_type_is_a_dead_letter(world: World) -> None:
    (letter,) = world.letters("no type")
    assert letter.said()["ErrorMessage"] == "$.message_type: is required: the stack enforces opt-outs"


def test_the_stream_tells_segments_context_and_why(world: World) -> None:
    suppressed = world.life("offer")[0]
    assert suppressed.error == {"code": "OPTED_OUT", "details": "the recipient has opted out"}
    sent = world.life("offer")[-1]
    assert (sent.segments, sent.encoding, sent.context) == (1, "GSM-7", "campaign-7")


def test_a_web_form_may_record_opt_outs_and_do_nothing_else(world: World) -> None:
    stack, table = world.stack, world.stack.outputs["TableName"]
    form = user(stack, "web-form", stack.outputs["OptOutPolicyArn"])
    assert opt_out(form("dynamodb"), table, PERSON + 1, source="website")
    assert opt_in(form("dynamodb"), table, PERSON + 1, source="website")
    assert refused(stack, form, ("dynamodb", "scan", {"TableName": "TableName"}))
    assert refused(stack, form, ("dynamodb", "get_item", {"TableName": "TableName"}), Key=key(PERSON))
    assert refused(stack, form, ("sqs", "send_message", {"QueueUrl": "QueueUrl"}), MessageBody="{}")
