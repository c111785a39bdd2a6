"""Bad messages: each is dead with its reason and its body as it came, and costs the others of its batch nothing."""

import json

import pytest

from tests.aws_calls import Refusal
from tests.sender.sender_function import BURY, World, world
from tests.sender.sqs_records import TEXT, message, messages

__all__ = ["world"]

BAD = [
    ("not JSON", "INVALID_JSON", "$: must be JSON"),
    ("[1]", "INVALID_JSON", "$: must be a JSON object"),
    ('{"a": ' * 5000, "INVALID_JSON", "$: must be JSON"),
    ('{"message": NaN}', "INVALID_JSON", "$: must be JSON"),
    ("{}", "INVALID_MESSAGE", "$.message: is required"),
    (json.dumps(message(recipient="(0)45")), "INVALID_MESSAGE", "$.recipient: must be"),
    (json.dumps(message(sender="x")), "INVALID_MESSAGE", "$.sender: must have"),
    (json.dumps(message(expiration="P6D")), "INVALID_MESSAGE", "$.expiration: must be at most 5 days"),
    (json.dumps(message(priority="high")), "INVALID_MESSAGE", "$.priority: must be"),
    (json.dumps(message(colour="red")), "INVALID_MESSAGE", "$.colour: is not a known field"),
    (json.dumps(message(reference=7)), "INVALID_MESSAGE", "$.reference: must be a string"),
]


@pytest.mark.parametrize(("body", "code", "details"), BAD, ids=lambda value: value[:30])
def test_a_message_that_cannot_be_sent_is_dead_with_its_reason(
    world: World, body: str, code: str, details: str
) -> None:
    (queued,) = world.put(body)
    run = world.deliver([queued])
    assert run.failed == []
    assert run.outcomes() == {"invalid": 1}
    (dead,) = world.dead()
    assert (dead.body, dead.code) == (body, code)
    assert dead.details.startswith(details)
    ((reference, status),) = world.statuses().items()
    assert reference == dead.reference == ("order-1" if '"order-1"' in body else queued["messageId"])
    assert status == "INVALID"
    assert world.record(reference).error == {"code": code, "details": dead.details}
    assert world.provider.requests() == []
    assert world.waiting() == 0


def test_a_body_comes_to_the_dead_letters_as_it_came(world: World) -> None:
    body = ' {\n\t"message" : "\\u0041 é 🚀 \\" <&>",\r\n "recipient":1 }  '
    world.send(body)
    assert [dead.body for dead in world.dead()] == [body]


def test_a_whole_batch_of_bad_messages_does_not_fail_the_invocation(world: World) -> None:
    # Each of those with a reference gets one of its own: two of one reference take turns.
    bodies = [body.replace("order-1", f"order-{place}") for place, (body, _, _) in enumerate(BAD)]
    run = world.send(*bodies)
    assert run.failed == []
    assert run.outcomes() == {"invalid": len(bodies)}
    assert sorted(dead.body for dead in world.dead()) == sorted(bodies)
    assert world.provider.requests() == []


def test_one_bad_message_of_a_hundred_costs_the_others_nothing(world: World) -> None:
    run = world.send(*messages(99), message("bad", recipient=1))
    assert run.failed == []
    assert run.outcomes() == {"accepted": 99, "invalid": 1}
    assert [dead.reference for dead in world.dead()] == ["bad"]
    assert len(world.provider.requests()) == 1
    assert len(world.provider.counts()) == 99


def test_one_message_of_a_hundred_that_the_provider_refuses_costs_the_others_one_request(world: World) -> None:
    world.provider.order(kind="422", references=["order-42"], count=None)
    run = world.send(*messages(100))
    assert run.failed == []
    assert run.outcomes() == {"accepted": 99, "provider_refused": 1}
    assert [request.messages for request in world.provider.requests()] == [100, 99]
    assert "order-42" not in world.provider.counts()
    (dead,) = world.dead()
    assert (dead.code, dead.reference) == ("PROVIDER_REFUSED", "order-42")
    assert dead.details == "sender: Value error, refused by an ordered fault"
    record = world.record("order-42")
    assert (record.status, record.lease_until) == ("INVALID", None)
    assert record.error == {"code": "PROVIDER_REFUSED", "details": dead.details}


def test_a_refusal_that_names_all_sends_none_and_asks_once(world: World) -> None:
    world.provider.order(kind="422", indexes=[0, 1, 2])
    run = world.send(*messages(3))
    assert run.outcomes() == {"provider_refused": 3}
    assert run.failed == []
    assert len(world.provider.requests()) == 1
    assert set(world.statuses().values()) == {"INVALID"}
    assert len(world.dead()) == 3


def test_refusals_one_after_another_each_cost_their_own_messages_only(world: World) -> None:
    world.provider.order(kind="422", references=["order-1"])
    world.provider.order(kind="422", references=["order-4"])
    run = world.send(*messages(5))
    assert run.outcomes() == {"accepted": 3, "provider_refused": 2}
    assert sorted(map(str, world.provider.counts())) == ["order-2", "order-3", "order-5"]


def test_a_refusal_that_names_none_has_each_message_sent_alone(world: World) -> None:
    world.provider.order(kind="422")
    world.provider.order(kind="422", references=["order-2"])
    run = world.send(*messages(4))
    assert [request.path for request in world.provider.requests()] == ["/mobile/multi"] + ["/mobile/single"] * 4
    assert run.outcomes() == {"accepted": 3, "provider_refused": 1}
    assert world.statuses()["order-2"] == "INVALID"


def test_a_single_message_that_is_refused_as_a_whole_is_invalid(world: World) -> None:
    world.provider.order(kind="422")
    world.send(message())
    (dead,) = world.dead()
    assert (dead.code, dead.details) == ("PROVIDER_REFUSED", "body: Value error, the whole request is refused")


def test_each_alone_takes_no_longer_than_the_invocation_has(world: World) -> None:
    world.provider.order(kind="422")
    left = iter([30, 30, 30, 20, 8, 8])  # when it is asked for: claim, three requests, one too late, and recording

    class Context:
        def get_remaining_time_in_millis(self) -> float:
            return next(left) * 1000

    world.context = Context()
    run = world.send(*messages(5))
    assert run.outcomes() == {"accepted": 2, "unreachable": 3}
    assert len(world.provider.requests()) == 3
    assert sorted(world.statuses().values()) == ["ACCEPTED"] * 2 + ["RETRYING"] * 3


@pytest.mark.parametrize("refused", [False, True], ids=["invalid", "refused by the provider"])
def test_a_message_whose_copy_fails_stays_on_the_queue_until_there_is_one(world: World, refused: bool) -> None:  # noqa: FBT001
    world.calls.refuse(BURY, Refusal("InternalError", 500))
    if refused:
        world.provider.order(kind="422", count=None)
    queued = world.put(message() if refused else message(recipient=1))
    run = world.deliver(queued)
    assert run.failed == [queued[0]["messageId"]]
    assert run.outcomes() == {"dead_letter_failed": 1}
    assert run.hidden_s[0] in range(5, 8)
    assert world.dead() == []
    assert world.statuses() == {"order-1": "RETRYING" if refused else "INVALID"}
    assert world.deliver(queued).failed == []
    assert [dead.reference for dead in world.dead()] == ["order-1"]
    assert world.statuses() == {"order-1": "INVALID"}


def test_one_copy_that_fails_keeps_back_its_own_message_only(world: World) -> None:
    world.calls.refuse(BURY, Refusal("InvalidMessageContents"), skip=1)
    queued = world.put(*(message(f"order-{number}", recipient=1) for number in (1, 2, 3)))
    assert world.deliver(queued).failed == [queued[1]["messageId"]]
    assert {dead.reference for dead in world.dead()} == {"order-1", "order-3"}


def test_a_dead_letter_queue_out_of_reach_is_tried_once(world: World) -> None:
    world.calls.lose_answer(BURY, count=None)
    run = world.send(*(message(f"order-{number}", recipient=1) for number in range(5)))
    assert run.calls[BURY] == 1
    assert len(run.failed) == 5


def test_a_refusal_in_strange_words_is_recorded_as_far_as_it_can_be(world: World) -> None:
    words = "\\ud800 " + "x" * 400_000
    body = f'{{"detail": [{{"loc": ["body", "messages", 0, "message"], "msg": "{words}", "type": "t"}}]}}'
    with world.answered_with(422, body.encode()):
        run = world.send(*messages(2))
    assert run.failed == []
    assert run.outcomes() == {"accepted": 1, "provider_refused": 1}
    assert world.statuses() == {"order-1": "INVALID", "order-2": "ACCEPTED"}
    assert [dead.reference for dead in world.dead()] == ["order-1"]
    assert TEXT not in run.log


@pytest.mark.parametrize("msg_id", ["\\ud800", "x" * 300_000], ids=["no Unicode", "too long to keep"])
def test_an_acceptance_that_cannot_be_kept_costs_the_others_nothing(world: World, msg_id: str) -> None:
    entries = [
        f'{{"msg_id": "{msg_id}", "recipient": 1, "reference": "order-1"}}',
        '{"msg_id": "01JQRJWK259Y1YEECJZB50908V", "recipient": 1, "reference": "order-2"}',
    ]
    world.provider.order(kind="rubbish", body=f'{{"responses": [{", ".join(entries)}]}}')
    world.send(*messages(2))
    assert world.statuses() == {"order-1": "UNCERTAIN", "order-2": "ACCEPTED"}
