"""The sender is killed or frozen, or the table fails, at every step: nothing is lost or sent twice."""

import pytest

from tests.stack.aws_proxy import acceptance_of, claim_of, copy_of, result_of
from tests.stack.deployed_stack import DeployedStack, Fields
from tests.stack.direct_invocations import TIMEOUT_S

# The simulator waits this long before it accepts. That is enough time to kill the process of the sender, and less
# than the time-out of the request.
LATENCY: Fields = {"kind": "latency", "seconds": 4}
DELIVERED_HISTORY = ["SENDING", "DELIVERED"]
HELD_HISTORY = ["SENDING", "UNCERTAIN", "HELD"]
# botocore tries each call twice. So the sender sees an error only if both tries fail.
ATTEMPTS = 2
FROZEN = ("frozen", "frozen-silent")


@pytest.fixture(scope="module", autouse=True)
def ended(deployed: DeployedStack) -> None:
    """Kill the sender, freeze it, and make its table fail; then wait for the end of all messages."""
    deployed.begin()
    kill(deployed)
    freeze(deployed)
    make_the_table_fail(deployed)
    deployed.drain()


def kill(deployed: DeployedStack) -> None:
    deployed.simulator.inject_faults(
        {"kind": "webhook-drop", "reference": "answered-silent"}, {**LATENCY, "reference": "asked"}
    )
    points = {
        "claimed": deployed.aws_proxy.inject_fault(claim_of("claimed"), "hold", "after"),
        "answered": deployed.aws_proxy.inject_fault(result_of("answered"), "hold", "before"),
        "answered-silent": deployed.aws_proxy.inject_fault(result_of("answered-silent"), "hold", "before"),
        "recorded": deployed.aws_proxy.inject_fault(result_of("recorded"), "hold", "after"),
        "copied": deployed.aws_proxy.inject_fault(copy_of("copied"), "hold", "after"),
    }
    for reference, point in points.items():
        deployed.send(deployed.message(reference, **({"recipient": 1} if reference == "copied" else {})))
        point.wait_until_hit()
        deployed.sender_function.kill()
        point.release()
    deployed.send(deployed.message("asked"))
    deployed.simulator.wait_until_hit("latency", "asked")
    deployed.sender_function.kill()


def freeze(deployed: DeployedStack) -> None:
    deployed.simulator.inject_faults(
        *({**LATENCY, "reference": reference} for reference in FROZEN),
        {"kind": "webhook-drop", "reference": "frozen-silent"},
    )
    for reference in FROZEN:
        deployed.send(deployed.message(reference))
        deployed.simulator.wait_until_hit("latency", reference)
        deployed.sender_function.freeze()


def make_the_table_fail(deployed: DeployedStack) -> None:
    deployed.aws_proxy.inject_fault(claim_of("stalled-claim"), "hold", count=ATTEMPTS)
    # The sender retries the write of an acceptance until its time ends. So these faults have no `count`.
    deployed.aws_proxy.inject_fault(acceptance_of("cut-result"), "cut")
    deployed.aws_proxy.inject_fault(acceptance_of("throttled-silent-result"), "refuse")
    deployed.simulator.inject_faults({"kind": "webhook-drop", "reference": "throttled-silent-result"})
    # AWS executes these two calls, and the response is lost.
    deployed.aws_proxy.inject_fault(claim_of("lost-response-claim"), "cut", "after", count=1)
    deployed.aws_proxy.inject_fault(result_of("lost-response-result"), "cut", "after", count=1)
    for reference in (
        "stalled-claim",
        "cut-result",
        "throttled-silent-result",
        "lost-response-claim",
        "lost-response-result",
    ):
        deployed.send(deployed.message(reference))


def test_a_message_is_held_if_the_function_is_killed_between_claim_and_request(deployed: DeployedStack) -> None:
    assert deployed.simulator.requests("claimed") == []
    assert deployed.statuses("claimed") == HELD_HISTORY
    (dead_letter,) = deployed.dead_letters("claimed")
    assert dead_letter.attribute_values()["ErrorCode"] == "UNCERTAIN"


@pytest.mark.parametrize("reference", ["asked", "answered", "frozen"])
def test_a_webhook_settles_a_message_if_the_function_is_stopped_after_the_request(
    deployed: DeployedStack, reference: str
) -> None:
    assert deployed.statuses_without_enroute(reference) == DELIVERED_HISTORY
    assert len(deployed.simulator.sms(reference)) == 1
    assert deployed.dead_letters(reference) == []


@pytest.mark.parametrize("reference", ["answered-silent", "frozen-silent"])
def test_a_message_is_held_if_the_function_is_stopped_after_the_request_and_no_webhook_comes(
    deployed: DeployedStack, reference: str
) -> None:
    assert deployed.statuses(reference) == HELD_HISTORY
    assert len(deployed.simulator.sms(reference)) == 1
    (dead_letter,) = deployed.dead_letters(reference)
    assert dead_letter.attribute_values()["ErrorCode"] == "UNCERTAIN"


def test_a_message_is_sent_once_if_the_function_is_killed_after_the_result(deployed: DeployedStack) -> None:
    assert len(deployed.simulator.sms("recorded")) == 1
    assert deployed.statuses("recorded").count("SENDING") == 1
    last = deployed.history("recorded")[-1]
    assert last.status == "DELIVERED"
    assert last.accepted_at is not None


def test_a_message_has_a_dead_letter_if_the_function_is_killed_after_copying_it(deployed: DeployedStack) -> None:
    assert set(deployed.statuses("copied")) == {"INVALID"}
    dead_letters = deployed.dead_letters("copied")
    assert dead_letters
    assert {dead_letter.attribute_values()["ErrorCode"] for dead_letter in dead_letters} == {"INVALID_MESSAGE"}
    assert deployed.simulator.sms("copied") == []


def test_a_frozen_function_times_out(deployed: DeployedStack) -> None:
    log = "\n".join(deployed.stack.logs("sender"))
    assert log.count(f"Task timed out after {TIMEOUT_S}.00 seconds") >= 2


def test_a_message_is_sent_later_if_it_cannot_be_claimed(deployed: DeployedStack) -> None:
    reference = "stalled-claim"
    assert sum(map(claim_of(reference), deployed.aws_proxy.calls())) == ATTEMPTS + 1
    assert deployed.statuses(reference).count("SENDING") == 1
    assert deployed.statuses(reference)[-1] == "DELIVERED"
    assert len(deployed.simulator.sms(reference)) == 1


def test_a_webhook_settles_a_message_whose_result_cannot_be_recorded(deployed: DeployedStack) -> None:
    reference = "cut-result"
    assert sum(map(acceptance_of(reference), deployed.aws_proxy.calls())) >= ATTEMPTS
    assert deployed.statuses_without_enroute(reference) == DELIVERED_HISTORY
    assert len(deployed.simulator.sms(reference)) == 1
    assert deployed.dead_letters(reference) == []


def test_a_message_is_held_if_its_result_cannot_be_recorded_and_no_webhook_comes(deployed: DeployedStack) -> None:
    reference = "throttled-silent-result"
    assert deployed.statuses(reference) == HELD_HISTORY
    assert len(deployed.simulator.sms(reference)) == 1
    (dead_letter,) = deployed.dead_letters(reference)
    assert dead_letter.attribute_values()["ErrorCode"] == "UNCERTAIN"


@pytest.mark.parametrize("reference", ["lost-response-claim", "lost-response-result"])
def test_a_write_with_a_lost_response_is_retried_and_executed_once(deployed: DeployedStack, reference: str) -> None:
    assert deployed.statuses(reference).count("SENDING") == 1
    assert "UNCERTAIN" not in deployed.statuses(reference)
    last = deployed.history(reference)[-1]
    assert last.status == "DELIVERED"
    assert last.accepted_at is not None
    assert len(deployed.simulator.sms(reference)) == 1
