"""The provider refuses requests for a time: nothing was sent, so the messages are sent later."""

import uuid
from dataclasses import dataclass
from datetime import timedelta

import pytest

from tests.stack.deployed_stack import DeployedStack, Fields

PAUSE = timedelta(seconds=5)  # the shortest first pause
RETRY_AFTER = timedelta(seconds=12)  # longer than the longest first pause
PAUSES = {"throttled": PAUSE, "retry-after": RETRY_AFTER, "unavailable": PAUSE}


@dataclass(frozen=True, slots=True)
class Requests:
    """The requests after the provider's token changed."""

    rotated: list[Fields]  # the secret has the new token too
    wrong: list[Fields]  # the secret still has the old one


@pytest.fixture(scope="module", autouse=True)
def requests(deployed: DeployedStack) -> Requests:
    """Change the token twice, refuse a message for each fault, and wait for the end of all."""
    deployed.begin()
    made = change_token(deployed)
    deployed.simulator.inject_faults(
        {"kind": "429", "reference": "throttled"},
        {"kind": "429", "retry_after": RETRY_AFTER.seconds, "reference": "retry-after"},
        {"kind": "503", "reference": "unavailable"},
    )
    for reference in PAUSES:
        deployed.send(deployed.message(reference))
    deployed.drain()
    return made


def change_token(deployed: DeployedStack) -> Requests:
    deployed.sender_function.configure()  # ends all processes, so the next one reads the first token
    deployed.send(deployed.message("before-rotation"))
    deployed.wait_for_status("before-rotation", "DELIVERED")
    before = len(deployed.simulator.requests())
    deployed.rotate_token(uuid.uuid4().hex)
    deployed.send(deployed.message("rotated"))
    deployed.wait_for_status("rotated", "DELIVERED")
    rotated = deployed.simulator.requests(since=before)
    token = uuid.uuid4().hex
    deployed.simulator.ask("token", {"token": token})
    deployed.send(deployed.message("wrong-token"))
    deployed.wait_for_status("wrong-token", "RETRYING")
    wrong = deployed.simulator.requests(since=before + len(rotated))
    deployed.rotate_token(token)
    return Requests(rotated, wrong)


@pytest.mark.parametrize("reference", PAUSES)
def test_a_refused_message_is_sent_once_after_its_pause(deployed: DeployedStack, reference: str) -> None:
    statuses = deployed.statuses(reference)
    assert statuses[:3] == ["SENDING", "RETRYING", "SENDING"]
    assert statuses[-1] == "DELIVERED"
    assert len(deployed.simulator.sms(reference)) == 1
    refused, claimed = deployed.history(reference)[1:3]
    assert claimed.updated_at - refused.updated_at >= PAUSES[reference]


def test_a_rotated_token_is_read_again_and_used_in_the_same_invocation(
    deployed: DeployedStack, requests: Requests
) -> None:
    assert [request["outcome"] for request in requests.rotated] == [403, 202]
    assert deployed.statuses("rotated").count("SENDING") == 1
    assert "RETRYING" not in deployed.statuses("rotated")


def test_a_wrong_token_makes_no_message_invalid_and_is_used_once_per_invocation(
    deployed: DeployedStack, requests: Requests
) -> None:
    assert [request["outcome"] for request in requests.wrong] == [403]
    assert deployed.statuses("wrong-token")[:3] == ["SENDING", "RETRYING", "SENDING"]
    assert deployed.statuses("wrong-token")[-1] == "DELIVERED"
    error = deployed.history("wrong-token")[1].error
    assert error is not None
    assert error["code"] == "TOKEN_REFUSED"
    assert len(deployed.simulator.sms("wrong-token")) == 1
