"""Messages that are refused, have expired, or reuse a reference, and their redrive."""

from dataclasses import dataclass
from datetime import timedelta

import pytest

from gatewayapi.clock import to_text
from tests.stack.deployed_stack import DeployedStack

BATCH = ("refusal-1", "refusal-2", "refusal-3", "refusal-4")
REFUSED = BATCH[1]
REASON = "sender: Value error, refused by a fault"
HOUR = timedelta(hours=1)
DELAY_S = 3


@dataclass(frozen=True, slots=True)
class Ids:
    """The SQS message ids of messages without a reference."""

    held: str


@pytest.fixture(scope="module", autouse=True)
def ids(deployed: DeployedStack) -> Ids:
    """Send everything, wait for the end, redrive what was not sent, and wait for the end again."""
    deployed.begin()
    deployed.simulator.inject_faults({"kind": "422", "references": [REFUSED]})
    deployed.send_batch(*map(deployed.message, BATCH))
    deployed.send(deployed.message("reused"))
    deployed.send(deployed.message("in-time", expiration="PT1H"), delay_s=DELAY_S)
    deployed.send(deployed.message("too-late", expiration=1), delay_s=DELAY_S)
    without_reference = deployed.message()
    deployed.simulator.inject_faults({"kind": "reset", "when": "before", "recipient": without_reference["recipient"]})
    held = deployed.send(without_reference)
    deployed.drain()
    deployed.send(deployed.message("reused", message="Another abracadabra"))
    deployed.redrive(REFUSED)
    deployed.redrive(held)
    deployed.drain()
    return Ids(held)


def test_messages_that_a_refusal_does_not_name_are_sent_in_the_same_invocation(deployed: DeployedStack) -> None:
    others = [reference for reference in BATCH if reference != REFUSED]
    first, second = deployed.simulator.requests(BATCH[0])
    assert (tuple(first["references"]), first["outcome"]) == (BATCH, 422)
    assert (second["references"], second["outcome"]) == (others, 202)
    for reference in others:
        assert deployed.statuses(reference).count("SENDING") == 1
        assert deployed.statuses(reference)[-1] == "DELIVERED"


def test_a_refused_message_is_a_dead_letter_with_the_reason_and_is_sent_after_a_redrive(
    deployed: DeployedStack,
) -> None:
    statuses = deployed.statuses(REFUSED)
    assert statuses[:3] == ["SENDING", "INVALID", "SENDING"]
    assert statuses[-1] == "DELIVERED"
    assert deployed.history(REFUSED)[1].error == {"code": "PROVIDER_REFUSED", "details": REASON}
    assert len(deployed.simulator.sms(REFUSED)) == 1
    assert deployed.dead_letters(REFUSED) == []


def test_an_expired_message_is_not_sent(deployed: DeployedStack) -> None:
    assert deployed.statuses("too-late") == ["LAPSED"]
    assert deployed.dead_letters("too-late") == []
    assert deployed.simulator.requests("too-late") == []


def test_an_expiration_counts_from_when_the_message_was_enqueued(deployed: DeployedStack) -> None:
    (sms,) = deployed.simulator.sms("in-time")
    record = deployed.history("in-time")[-1]
    assert record.status == "DELIVERED"
    assert record.accepted_at is not None
    assert record.accepted_at - record.queued_at > timedelta(seconds=1)
    assert sms["expiration"] == to_text(record.queued_at + HOUR)


def test_a_reference_with_other_content_is_refused(deployed: DeployedStack) -> None:
    assert len(deployed.simulator.sms("reused")) == 1
    assert deployed.statuses("reused").count("SENDING") == 1
    (dead_letter,) = deployed.dead_letters("reused")
    assert dead_letter.attribute_values()["ErrorCode"] == "REFERENCE_REUSED"
    assert "Another abracadabra" in dead_letter.body


def test_a_held_message_keeps_its_reference_through_the_dead_letter_queue(deployed: DeployedStack, ids: Ids) -> None:
    statuses = deployed.statuses(ids.held)
    assert statuses[:4] == ["SENDING", "UNCERTAIN", "HELD", "SENDING"]
    assert statuses[-1] == "DELIVERED"
    assert len(deployed.simulator.sms(ids.held)) == 1
