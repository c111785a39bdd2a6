"""The provider turns requests away: nothing was sent, so it is sent later, after growing pauses and no sooner.

The first deliveries are made by hand, with real messages, so that what the sender asks SQS for can be read off.
"""

import uuid
from dataclasses import dataclass

import pytest

from tests.stack.deployed_stack import DeployedStack, Fields

SECONDS = 20  # longer than the first pause of our own can be
REFUSALS: dict[str, Fields] = {
    "429": {"kind": "429"},
    "429-seconds": {"kind": "429", "retry_after": SECONDS},
    "429-date": {"kind": "429", "retry_after": SECONDS + 1, "as_date": True},  # a date is cut to whole seconds
    "503": {"kind": "503"},
    "503-seconds": {"kind": "503", "retry_after": SECONDS},
    "401": {"kind": "401"},
    "403": {"kind": "403"},
}
OWN_PAUSES_S = [(5, 10), (15, 30), (45, 90), (135, 270)]
SPREAD = [f"spread-{index}" for index in range(10)]
CROWD = [f"crowd-{index}" for index in range(4)]
EXHAUSTED = {"exhausted": "RETRIES_EXHAUSTED", "doubtful": "UNCERTAIN"}


@dataclass(frozen=True, slots=True)
class Seen:
    """What cannot be told any more when all is over."""

    rotated: list[Fields]  # the requests when the token had changed
    wrong: list[Fields]  # the requests when it was wrong
    pauses_s: dict[str, list[int]]  # the visibilities that the sender asked for
    crowd: list[Fields]  # the requests for a batch that met a 429


@pytest.fixture(scope="module", autouse=True)
def seen(deployed: DeployedStack) -> Seen:
    """Rotate the token, then have every message turned away at its first delivery, and wait for the end of all."""
    deployed.begin()
    rotated, wrong = rotate(deployed)
    deployed.simulator.order(
        *({**refusal, "reference": name} for name, refusal in REFUSALS.items()),
        {"kind": "503", "reference": "growing", "count": len(OWN_PAUSES_S)},
        {"kind": "503", "reference": SPREAD[0]},
        # Refused without naming anyone, so that each is sent alone: the first of these requests meets the 429.
        {"kind": "422", "reference": CROWD[0]},
        {"kind": "429", "reference": CROWD[0]},
        {"kind": "503", "reference": "exhausted"},
        {"kind": "reset", "when": "before", "reference": "doubtful"},
    )
    with deployed.sender_function.paused():
        pauses_s = {name: turned_away(deployed, send(deployed, name)) for name in REFUSALS}
        pauses_s["spread"] = turned_away(deployed, send(deployed, *SPREAD))
        growing = send(deployed, "growing")
        pauses_s["growing"] = [turned_away(deployed, growing)[0] for _ in OWN_PAUSES_S]
        before = len(deployed.simulator.requests())
        turned_away(deployed, send(deployed, *CROWD))
        crowd = deployed.simulator.requests(since=before)
        for reference in EXHAUSTED:
            (record,) = deployed.sender_function.receive(send(deployed, reference))
            record["attributes"]["ApproximateReceiveCount"] = "8"
            deployed.sender_function.deliver([record])
    deployed.drain()
    return Seen(rotated, wrong, pauses_s, crowd)


def rotate(deployed: DeployedStack) -> tuple[list[Fields], list[Fields]]:
    deployed.sender_function.configure()  # one process, with the first token in its memory
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
    return rotated, wrong


def send(deployed: DeployedStack, *references: str) -> list[str]:
    return [deployed.send(deployed.message(reference)) for reference in references]


def turned_away(deployed: DeployedStack, message_ids: list[str]) -> list[int]:
    """Deliver messages together, and return after how many seconds they were to come back; they do so at once.

    Zero stands for one that was not to come back.
    """
    records = deployed.sender_function.receive(message_ids)
    before = len(deployed.aws_proxy.calls())
    failed = deployed.sender_function.deliver(records)
    asked = {
        call.document["ReceiptHandle"]: call.document["VisibilityTimeout"]
        for call in deployed.aws_proxy.calls(before)
        if call.operation == "ChangeMessageVisibility"
    }
    deployed.sender_function.make_visible([record for record in records if record["messageId"] in failed])
    return [asked.get(record["receiptHandle"], 0) for record in records]


@pytest.mark.parametrize("reference", [*REFUSALS, "growing", *SPREAD, *CROWD])
def test_a_message_that_was_not_accepted_is_sent_later_and_once(deployed: DeployedStack, reference: str) -> None:
    statuses = deployed.statuses(reference)
    assert statuses[:3] == ["SENDING", "RETRYING", "SENDING"]
    assert statuses[-1] == "DELIVERED"
    assert len(deployed.simulator.sms(reference)) == 1


@pytest.mark.parametrize("name", ["429", "503", "401", "403"])
def test_the_first_pause_without_retry_after_is_our_own(seen: Seen, name: str) -> None:
    least_s, most_s = OWN_PAUSES_S[0]
    assert least_s <= seen.pauses_s[name][0] <= most_s + 2


@pytest.mark.parametrize("name", ["429-seconds", "429-date", "503-seconds"])
def test_retry_after_is_honoured(seen: Seen, name: str) -> None:
    assert SECONDS <= seen.pauses_s[name][0] <= SECONDS * 1.25 + 3


def test_the_pauses_grow(seen: Seen) -> None:
    for pause_s, (least_s, most_s) in zip(seen.pauses_s["growing"], OWN_PAUSES_S, strict=True):
        assert least_s <= pause_s <= most_s + 2


def test_messages_of_one_batch_are_retried_at_different_times(seen: Seen) -> None:
    assert len(set(seen.pauses_s["spread"])) > 1


def test_an_invocation_sends_no_further_request_after_a_429(seen: Seen) -> None:
    together, alone = seen.crowd
    assert (together["outcome"], together["references"]) == (422, CROWD)
    assert (alone["outcome"], alone["references"]) == (429, CROWD[:1])


def test_a_rotated_token_is_read_again_and_used_in_the_same_invocation(deployed: DeployedStack, seen: Seen) -> None:
    assert [each["outcome"] for each in seen.rotated] == [403, 202]
    assert deployed.statuses("rotated").count("SENDING") == 1
    assert "RETRYING" not in deployed.statuses("rotated")


def test_a_wrong_token_makes_no_message_invalid_and_is_used_once_per_invocation(
    deployed: DeployedStack, seen: Seen
) -> None:
    assert [each["outcome"] for each in seen.wrong] == [403]
    assert deployed.statuses("wrong-token")[:3] == ["SENDING", "RETRYING", "SENDING"]
    assert deployed.statuses("wrong-token")[-1] == "DELIVERED"
    error = deployed.history("wrong-token")[1].error
    assert error is not None
    assert error["code"] == "TOKEN_REFUSED"
    assert len(deployed.simulator.sms("wrong-token")) == 1


@pytest.mark.parametrize("reference", EXHAUSTED)
def test_a_message_goes_to_the_dead_letter_queue_at_its_last_delivery(
    deployed: DeployedStack, reference: str
) -> None:
    assert deployed.statuses(reference)[-1] == "HELD"
    (dead_letter,) = deployed.dead_letters(reference)
    assert dead_letter.attribute_values()["ErrorCode"] == EXHAUSTED[reference]
