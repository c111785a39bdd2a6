"""The sender is killed, is frozen, or loses its table, at each point of its way: nothing is lost or sent twice."""

import pytest

from tests.stack.aws_proxy import claim_of, copy_of, result_of
from tests.stack.deployed_stack import Fields, World
from tests.stack.direct_invocations import TIMEOUT_S

# Before it accepts, the simulator waits longer than it takes to find and kill a process, and not as long as the
# sender would wait.
LATENCY: Fields = {"kind": "latency", "seconds": 4}
SETTLED = ["SENDING", "DELIVERED"]
HELD = ["SENDING", "UNCERTAIN", "HELD"]
# The client tries a call twice, so that a fault has to strike twice to reach the sender.
ATTEMPTS = 2
TABLE_FAULTS = ("throttled", "cut", "stalled")


@pytest.fixture(scope="module", autouse=True)
def ended(world: World) -> None:
    """Kill or freeze the sender at one point after the other, then take its table away, and wait for the end."""
    world.begin()
    kill(world)
    freeze(world)
    lose_the_table(world)
    world.drain()


def kill(world: World) -> None:
    world.desk.order({"kind": "webhook-drop", "reference": "unrecorded"}, {**LATENCY, "reference": "asked"})
    points = {
        "claimed": world.gate.order(claim_of("claimed"), "hold", "after"),
        "answered": world.gate.order(result_of("answered"), "hold", "before"),
        "unrecorded": world.gate.order(result_of("unrecorded"), "hold", "before"),
        "recorded": world.gate.order(result_of("recorded"), "hold", "after"),
        "copied": world.gate.order(copy_of("copied"), "hold", "after"),
    }
    for reference, point in points.items():
        world.send(world.message(reference, **({"recipient": 1} if reference == "copied" else {})))
        point.wait_until_struck()
        world.lever.kill()
        point.release()
    world.send(world.message("asked"))
    world.desk.wait_until_struck("latency", "asked")
    world.lever.kill()


def freeze(world: World) -> None:
    world.desk.order(
        *({**LATENCY, "reference": reference} for reference in ("frozen", "frozen-silent")),
        {"kind": "webhook-drop", "reference": "frozen-silent"},
    )
    for reference in ("frozen", "frozen-silent"):
        world.send(world.message(reference))
        world.desk.wait_until_struck("latency", reference)
        world.lever.freeze()


def lose_the_table(world: World) -> None:
    for point, matches in (("claim", claim_of), ("result", result_of), ("silent-result", result_of)):
        world.gate.order(matches(f"throttled-{point}"), "refuse", count=ATTEMPTS)
        world.gate.order(matches(f"cut-{point}"), "cut", count=ATTEMPTS)
        world.gate.order(matches(f"stalled-{point}"), "hold", count=ATTEMPTS)
    world.gate.order(claim_of("unheard-claim"), "cut", "after", count=1)
    world.gate.order(result_of("unheard-result"), "cut", "after", count=1)
    world.gate.order(claim_of("unknown-claim"), "cut", "after", count=ATTEMPTS)
    world.desk.order(*({"kind": "webhook-drop", "reference": f"{fault}-silent-result"} for fault in TABLE_FAULTS))
    for point in ("claim", "result", "silent-result"):
        for fault in TABLE_FAULTS:
            world.send(world.message(f"{fault}-{point}"))
    for reference in ("unheard-claim", "unheard-result", "unknown-claim"):
        world.send(world.message(reference))


def test_killed_between_claim_and_request_it_is_held_since_nobody_can_know(world: World) -> None:
    assert world.desk.requests("claimed") == []
    assert world.statuses("claimed") == HELD
    (letter,) = world.letters("claimed")
    assert letter.said()["ErrorCode"] == "UNCERTAIN"


@pytest.mark.parametrize("reference", ["asked", "answered", "frozen"])
def test_killed_between_request_and_result_the_webhook_settles_it(world: World, reference: str) -> None:
    assert world.told(reference) == SETTLED
    assert len(world.desk.sms(reference)) == 1
    assert world.letters(reference) == []


@pytest.mark.parametrize("reference", ["unrecorded", "frozen-silent"])
def test_killed_between_request_and_result_and_no_webhook_it_is_held(world: World, reference: str) -> None:
    assert world.statuses(reference) == HELD
    assert len(world.desk.sms(reference)) == 1
    (letter,) = world.letters(reference)
    assert letter.said()["ErrorCode"] == "UNCERTAIN"


def test_killed_with_the_result_written_and_the_message_still_queued_it_is_sent_once(world: World) -> None:
    assert len(world.desk.sms("recorded")) == 1
    assert world.statuses("recorded").count("SENDING") == 1
    last = world.life("recorded")[-1]
    assert last.status == "DELIVERED"
    assert last.accepted_at is not None


def test_killed_while_it_copies_to_the_dead_letter_queue_the_copy_is_not_lost(world: World) -> None:
    assert set(world.statuses("copied")) == {"INVALID"}
    letters = world.letters("copied")
    assert letters
    assert {letter.said()["ErrorCode"] for letter in letters} == {"INVALID_MESSAGE"}
    assert world.desk.sms("copied") == []


def test_frozen_it_ran_into_its_time_limit(world: World) -> None:
    log = "\n".join(world.stack.logs("sender"))
    assert log.count(f"Task timed out after {TIMEOUT_S}.00 seconds") >= 2


@pytest.mark.parametrize("fault", TABLE_FAULTS)
def test_without_a_table_for_the_claim_the_message_is_sent_later(world: World, fault: str) -> None:
    reference = f"{fault}-claim"
    assert sum(map(claim_of(reference), world.gate.calls())) == ATTEMPTS + 1
    assert world.statuses(reference).count("SENDING") == 1
    assert world.statuses(reference)[-1] == "DELIVERED"
    assert len(world.desk.sms(reference)) == 1


@pytest.mark.parametrize("fault", TABLE_FAULTS)
def test_without_a_table_for_the_result_the_webhook_settles_it(world: World, fault: str) -> None:
    reference = f"{fault}-result"
    assert sum(map(result_of(reference), world.gate.calls())) == ATTEMPTS
    assert world.told(reference) == SETTLED
    assert len(world.desk.sms(reference)) == 1
    assert world.letters(reference) == []


@pytest.mark.parametrize("fault", TABLE_FAULTS)
def test_without_a_table_for_the_result_and_no_webhook_it_is_held(world: World, fault: str) -> None:
    reference = f"{fault}-silent-result"
    assert world.statuses(reference) == HELD
    assert len(world.desk.sms(reference)) == 1
    (letter,) = world.letters(reference)
    assert letter.said()["ErrorCode"] == "UNCERTAIN"


@pytest.mark.parametrize("point", ["claim", "result"])
def test_a_write_whose_answer_is_lost_is_asked_for_again_and_done_once(world: World, point: str) -> None:
    reference = f"unheard-{point}"
    assert world.statuses(reference).count("SENDING") == 1
    assert "UNCERTAIN" not in world.statuses(reference)
    last = world.life(reference)[-1]
    assert last.status == "DELIVERED"
    assert last.accepted_at is not None
    assert len(world.desk.sms(reference)) == 1


def test_a_claim_that_nobody_knows_of_is_not_taken_again_for_a_request(world: World) -> None:
    assert world.statuses("unknown-claim") == HELD
    assert world.desk.requests("unknown-claim") == []
    (letter,) = world.letters("unknown-claim")
    assert letter.said()["ErrorCode"] == "UNCERTAIN"
