"""OptOuts is Enforce: a person who sent STOP gets no promotional messages until they send START."""

from datetime import UTC, datetime

import pytest

from gatewayapi.opt_out_record import key
from local.waiting import wait_for
from simulator.webhook_events import ulid
from tests.stack.deployed_stack import DeployedStack

PERSON = 4520_999_001


def reply(deployed: DeployedStack, text: str, status: str) -> None:
    """Send a text of the person to the stack, and wait until the person's opt-out record has this status."""
    now = datetime.now(UTC)
    event = {
        "msg_id": ulid(now),
        "sender": PERSON,
        "sent_at": now.isoformat(timespec="microseconds"),
        "content": {"message": text, "encoding": "GSM7", "header": None},
    }
    deployed.simulator.ask("event", {"event_type": "user-message.text.sms", "event": event})
    wait_for(lambda: opt_out_status(deployed) == status, f"the opt-out record to be {status}")


def opt_out_status(deployed: DeployedStack) -> str | None:
    table = deployed.stack.outputs["TableName"]
    found = deployed.stack.client("dynamodb").get_item(TableName=table, Key=key(PERSON), ConsistentRead=True)
    status: str | None = found["Item"]["status"]["S"] if "Item" in found else None
    return status


@pytest.fixture(scope="module", autouse=True)
def ended(deployed: DeployedStack) -> None:
    """Enforce opt-outs as the parameter OptOuts does, send messages after a STOP and after a START, and wait."""
    deployed.begin()
    before = deployed.sender_function.configure(OPT_OUTS="Enforce")
    try:
        reply(deployed, "Stop.", "OUT")
        offer = deployed.message("offer", recipient=PERSON, message_type="promotional", context="campaign-7")
        deployed.send(offer)
        deployed.send(deployed.message("receipt", recipient=PERSON, message_type="transactional"))
        deployed.drain()
        reply(deployed, "START", "IN")
        deployed.send(offer)
        deployed.drain()
    finally:
        deployed.sender_function.configure(**before)


def test_a_promotional_message_is_suppressed_after_stop_and_sent_after_start(deployed: DeployedStack) -> None:
    assert deployed.statuses_without_enroute("offer") == ["SUPPRESSED", "SENDING", "ACCEPTED", "DELIVERED"]
    assert len(deployed.simulator.sms("offer")) == 1
    assert deployed.dead_letters("offer") == []


def test_a_transactional_message_is_sent_after_stop(deployed: DeployedStack) -> None:
    assert deployed.statuses("receipt")[-1] == "DELIVERED"


def test_the_stream_has_the_reason_the_segments_and_the_context(deployed: DeployedStack) -> None:
    suppressed = deployed.history("offer")[0]
    assert suppressed.error == {"code": "OPTED_OUT", "details": "the recipient has opted out"}
    sent = deployed.history("offer")[-1]
    assert (sent.segments, sent.encoding, sent.context) == (1, "GSM-7", "campaign-7")
