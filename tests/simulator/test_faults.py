"""The simulator has exactly the faults that were ordered: as often, for whom, and at the moment that was meant."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.client import RemoteDisconnected
from typing import Any

import pytest
import urllib3

from simulator.provider import Provider
from tests.simulator.simulator_client import WAIT_S, Visitor, message, provider

LONG_S = 600.0


@pytest.fixture
def running() -> Iterator[Provider]:
    with provider() as started:
        yield started


@pytest.fixture
def visitor(running: Provider) -> Iterator[Visitor]:
    with Visitor(running.url) as started:
        yield started


@pytest.mark.parametrize("kind", ["429", "503"])
@pytest.mark.parametrize(
    ("rule", "header"),
    [({}, None), ({"retry_after": 3}, "3"), ({"retry_after": "soon"}, "soon")],
)
def test_a_throttled_request_is_not_accepted_and_may_say_when_to_come_back(
    visitor: Visitor, running: Provider, kind: str, rule: dict[str, Any], header: str | None
) -> None:
    running.order(kind=kind, **rule)
    answer = visitor.single()
    assert (answer.status, answer.headers.get("Retry-After")) == (int(kind), header)
    assert not running.messages()


def test_the_time_to_come_back_may_be_a_date(visitor: Visitor, running: Provider) -> None:
    running.order(kind="429", retry_after=3600, as_date=True)
    at = parsedate_to_datetime(visitor.single().headers["Retry-After"])
    assert timedelta(minutes=50) < at - datetime.now(UTC) <= timedelta(hours=1)


@pytest.mark.parametrize("kind", ["500", "502", "504"])
def test_a_gateway_error_comes_after_accepting_unless_ordered_before(
    visitor: Visitor, running: Provider, kind: str
) -> None:
    running.order(kind=kind)
    running.order(kind=kind, when="before")
    assert [visitor.single(reference=reference).status for reference in ("after", "before")] == [int(kind)] * 2
    assert running.counts() == {"after": 1}


@pytest.mark.parametrize("when", ["before", "after"])
def test_any_status_can_be_ordered_on_either_side_of_accepting(
    visitor: Visitor, running: Provider, when: str
) -> None:
    running.order(kind="status", status=418, when=when)
    assert visitor.single().status == 418
    assert len(running.messages()) == (when == "after")


@pytest.mark.parametrize("kind", ["401", "403"])
def test_a_good_token_can_be_refused(visitor: Visitor, running: Provider, kind: str) -> None:
    running.order(kind=kind)
    assert visitor.single().status == int(kind)
    assert not running.messages()


@pytest.mark.parametrize(("when", "accepted"), [("after", 1), ("before", 0)])
def test_a_reset_cuts_the_connection_without_an_answer(
    visitor: Visitor, running: Provider, when: str, accepted: int
) -> None:
    running.order(kind="reset", when=when)
    with pytest.raises(urllib3.exceptions.ProtocolError) as caught:
        visitor.single()
    assert type(caught.value.args[1]) is ConnectionResetError
    assert len(running.messages()) == accepted
    assert [seen.outcome for seen in running.requests()] == ["reset"]


def test_a_hang_accepts_keeps_silent_and_is_ended_by_stopping() -> None:
    with provider() as running, Visitor(running.url) as visitor:
        running.order(kind="hang", seconds=LONG_S)
        with pytest.raises(urllib3.exceptions.ReadTimeoutError):
            visitor.multi(message("hung"), timeout_s=0.1)
        assert running.wait_for_requests(1, WAIT_S)
        assert running.counts() == {"hung": 1}
        assert [seen.outcome for seen in running.requests()] == ["hang"]


def test_a_hang_closes_the_connection_in_the_end(visitor: Visitor, running: Provider) -> None:
    running.order(kind="hang", seconds=0.01)
    with pytest.raises(urllib3.exceptions.ProtocolError) as caught:
        visitor.single()
    assert isinstance(caught.value.args[1], RemoteDisconnected)


def test_an_answer_can_be_late(visitor: Visitor, running: Provider) -> None:
    running.order(kind="latency", seconds=LONG_S, when="after")
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        visitor.multi(message("late"), timeout_s=0.1)
    assert running.wait_for_requests(1, WAIT_S)
    assert running.counts() == {"late": 1}


def test_a_late_acceptance_has_not_happened_when_the_client_gives_up(visitor: Visitor, running: Provider) -> None:
    running.order(kind="latency", seconds=LONG_S)
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        visitor.multi(message("late"), timeout_s=0.1)
    assert not running.messages()


def test_rubbish_is_a_202_that_nobody_can_read(visitor: Visitor, running: Provider) -> None:
    running.order(kind="rubbish")
    running.order(kind="rubbish", body="")
    first, second = visitor.single(), visitor.single()
    assert (first.status, second.status, second.data) == (202, 202, b"")
    with pytest.raises(ValueError, match="Expecting"):
        first.json()
    assert len(running.messages()) == 2


def test_an_accepted_message_can_be_left_out_of_the_answer(visitor: Visitor, running: Provider) -> None:
    running.order(kind="omit", reference="b")
    running.order(kind="omit")
    for left in (["a", "c"], ["b", "c"]):
        responses = visitor.multi(message("a"), message("b"), message("c")).json()["responses"]
        assert [entry["reference"] for entry in responses] == left
    assert running.counts() == {"a": 2, "b": 2, "c": 2}


def test_answers_can_come_in_reversed_order(visitor: Visitor, running: Provider) -> None:
    running.order(kind="reorder")
    responses = visitor.multi(message("a"), message("b"), message("c")).json()["responses"]
    assert [entry["reference"] for entry in responses] == ["c", "b", "a"]
    by_reference = {entry.message.reference: entry.msg_id for entry in running.messages()}
    assert {entry["reference"]: entry["msg_id"] for entry in responses} == by_reference


@pytest.mark.parametrize(
    ("rule", "places"),
    [
        ({}, [["body"]]),
        ({"indexes": [2]}, [["body", "messages", 2, "sender"]]),
        ({"references": ["a", "c"]}, [["body", "messages", 0, "sender"], ["body", "messages", 2, "sender"]]),
    ],
)
def test_a_refusal_names_the_messages_that_were_ordered_or_none(
    visitor: Visitor, running: Provider, rule: dict[str, Any], places: list[list[Any]]
) -> None:
    running.order(kind="422", **rule)
    answer = visitor.multi(message("a"), message("b"), message("c"))
    assert (answer.status, [detail["loc"] for detail in answer.json()["detail"]]) == (422, places)
    assert not running.messages()


def test_a_refusal_by_reference_passes_requests_without_it(visitor: Visitor, running: Provider) -> None:
    running.order(kind="422", references=["bad"], count=None)
    assert [visitor.single(reference=reference).status for reference in ("good", "bad", "good")] == [202, 422, 202]


@pytest.mark.parametrize(
    ("rule", "struck"),
    [
        ({"reference": "order-1"}, [True, False, False]),
        ({"reference_contains": "order"}, [True, True, False]),
        ({"recipient": 4500000003}, [False, False, True]),
        ({"reference_contains": "order", "recipient": 4500000003}, [False, False, False]),
    ],
)
def test_a_fault_strikes_only_whom_it_was_ordered_for(
    visitor: Visitor, running: Provider, rule: dict[str, Any], struck: list[bool]
) -> None:
    running.order(kind="503", count=None, **rule)
    sent = [("order-1", 4500000001), ("order-2", 4500000002), ("bill-1", 4500000003)]
    answers = [visitor.multi(message("x"), message(ref, recipient=to)).status for ref, to in sent]
    assert answers == [503 if hit else 202 for hit in struck]


def test_faults_strike_in_order_each_as_often_as_it_was_ordered(visitor: Visitor, running: Provider) -> None:
    visitor.control("POST", "faults", [{"kind": 429, "count": 2}, {"kind": "503", "count": None}])
    assert [visitor.single().status for _ in range(4)] == [429, 429, 503, 503]
    assert [rule["hits"] for rule in visitor.control("GET", "faults")["faults"]] == [2, 2]
    assert visitor.control("DELETE", "faults") == {"faults": []}
    assert visitor.single().status == 202
    assert [seen.faults for seen in running.requests()] == [("429",), ("429",), ("503",), ("503",), ()]


def test_latency_comes_on_top_of_another_fault(visitor: Visitor, running: Provider) -> None:
    running.order(kind="latency", seconds=0.01)
    running.order(kind="429")
    assert visitor.single().status == 429
    assert [seen.faults for seen in running.requests()] == [("latency", "429")]


def test_a_refused_request_uses_up_no_fault_that_comes_after_accepting(visitor: Visitor, running: Provider) -> None:
    running.order(kind="500")
    assert visitor.single(sender="x").status == 422
    assert visitor.single().status == 500
