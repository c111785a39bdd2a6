"""Faults apply as often as requested, to the messages that meet their conditions, before or after acceptance."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.client import RemoteDisconnected
from typing import Any

import pytest
import urllib3

from simulator.provider import Provider
from tests.simulator.simulator_client import WAIT_S, Client, message

LONG_S = 600.0


@pytest.mark.parametrize(
    ("fault", "header"),
    [
        ({"kind": "401"}, None),
        ({"kind": "403"}, None),
        ({"kind": "429"}, None),
        ({"kind": "429", "retry_after": 3}, "3"),
        ({"kind": "429", "retry_after": "soon"}, "soon"),
        ({"kind": "503"}, None),
        ({"kind": "503", "retry_after": 3}, "3"),
        ({"kind": "503", "retry_after": "soon"}, "soon"),
    ],
)
def test_a_refused_request_is_not_accepted_and_may_have_a_retry_after(
    client: Client, provider: Provider, fault: dict[str, Any], header: str | None
) -> None:
    provider.inject_fault(**fault)
    answer = client.single()
    assert (answer.status, answer.headers.get("Retry-After")) == (int(fault["kind"]), header)
    assert not provider.messages()


def test_the_retry_after_may_be_a_date(client: Client, provider: Provider) -> None:
    provider.inject_fault(kind="429", retry_after=3600, as_date=True)
    at = parsedate_to_datetime(client.single().headers["Retry-After"])
    assert timedelta(minutes=50) < at - datetime.now(UTC) <= timedelta(hours=1)


@pytest.mark.parametrize("kind", ["500", "502", "504"])
def test_a_5xx_is_answered_after_acceptance_by_default_or_before_it(
    client: Client, provider: Provider, kind: str
) -> None:
    provider.inject_fault(kind=kind)
    provider.inject_fault(kind=kind, when="before")
    assert [client.single(reference=reference).status for reference in ("after", "before")] == [int(kind)] * 2
    assert provider.counts() == {"after": 1}


@pytest.mark.parametrize("when", ["before", "after"])
def test_any_status_can_be_set_before_or_after_acceptance(client: Client, provider: Provider, when: str) -> None:
    provider.inject_fault(kind="status", status=418, when=when)
    assert client.single().status == 418
    assert len(provider.messages()) == (when == "after")


@pytest.mark.parametrize(("when", "accepted"), [("after", 1), ("before", 0)])
def test_a_reset_ends_the_connection_without_an_answer(
    client: Client, provider: Provider, when: str, accepted: int
) -> None:
    provider.inject_fault(kind="reset", when=when)
    with pytest.raises(urllib3.exceptions.ProtocolError) as caught:
        client.single()
    assert type(caught.value.args[1]) is ConnectionResetError
    assert len(provider.messages()) == accepted
    assert [request.outcome for request in provider.requests()] == ["reset"]


def test_a_hanging_request_is_accepted_and_ends_when_the_simulator_stops(client: Client, provider: Provider) -> None:
    provider.inject_fault(kind="hang", seconds=LONG_S)
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        client.multi(message("hung"), timeout_s=0.1)
    assert provider.wait_for_requests(1, WAIT_S)
    assert provider.counts() == {"hung": 1}
    assert [request.outcome for request in provider.requests()] == ["hang"]
    provider.stop()  # waits for the request, so it would take LONG_S if the hang did not end


def test_a_hanging_connection_is_closed_after_the_given_time(client: Client, provider: Provider) -> None:
    provider.inject_fault(kind="hang", seconds=0.01)
    with pytest.raises(urllib3.exceptions.ProtocolError) as caught:
        client.single()
    assert isinstance(caught.value.args[1], RemoteDisconnected)


@pytest.mark.parametrize(("when", "requests", "accepted"), [({}, 0, 0), ({"when": "after"}, 1, 1)])
def test_an_answer_is_delayed_before_acceptance_or_after_it(
    client: Client, provider: Provider, when: dict[str, Any], requests: int, accepted: int
) -> None:
    provider.inject_fault(kind="latency", seconds=LONG_S, **when)
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        client.multi(message("late"), timeout_s=0.1)
    assert provider.wait_for_requests(requests, WAIT_S)
    assert len(provider.messages()) == accepted


def test_rubbish_is_an_unreadable_202(client: Client, provider: Provider) -> None:
    provider.inject_fault(kind="rubbish")
    provider.inject_fault(kind="rubbish", body="")
    first, second = client.single(), client.single()
    assert (first.status, second.status, second.data) == (202, 202, b"")
    with pytest.raises(ValueError, match="Expecting"):
        first.json()
    assert len(provider.messages()) == 2


def test_the_answer_can_omit_an_accepted_message(client: Client, provider: Provider) -> None:
    provider.inject_fault(kind="omit", reference="b")
    provider.inject_fault(kind="omit")
    for left in (["a", "c"], ["b", "c"]):
        responses = client.multi(message("a"), message("b"), message("c")).json()["responses"]
        assert [entry["reference"] for entry in responses] == left
    assert provider.counts() == {"a": 2, "b": 2, "c": 2}


def test_the_answer_can_be_in_reverse_order(client: Client, provider: Provider) -> None:
    provider.inject_fault(kind="reorder")
    responses = client.multi(message("a"), message("b"), message("c")).json()["responses"]
    assert [entry["reference"] for entry in responses] == ["c", "b", "a"]
    by_reference = {entry.message.reference: entry.msg_id for entry in provider.messages()}
    assert {entry["reference"]: entry["msg_id"] for entry in responses} == by_reference


@pytest.mark.parametrize(
    ("fault", "places"),
    [
        ({}, [["body"]]),
        ({"indexes": [2]}, [["body", "messages", 2, "sender"]]),
        ({"references": ["a", "c"]}, [["body", "messages", 0, "sender"], ["body", "messages", 2, "sender"]]),
    ],
)
def test_a_422_names_the_given_messages_or_none(
    client: Client, provider: Provider, fault: dict[str, Any], places: list[list[Any]]
) -> None:
    provider.inject_fault(kind="422", **fault)
    answer = client.multi(message("a"), message("b"), message("c"))
    assert (answer.status, [detail["loc"] for detail in answer.json()["detail"]]) == (422, places)
    assert not provider.messages()


def test_a_422_by_reference_applies_only_to_requests_with_that_reference(client: Client, provider: Provider) -> None:
    provider.inject_fault(kind="422", references=["bad"], count=None)
    assert [client.single(reference=reference).status for reference in ("good", "bad", "good")] == [202, 422, 202]


@pytest.mark.parametrize(
    ("fault", "applied"),
    [
        ({"reference": "order-1"}, [True, False, False]),
        ({"reference_contains": "order"}, [True, True, False]),
        ({"recipient": 4500000003}, [False, False, True]),
        ({"text_contains": "poison"}, [False, True, False]),
        ({"reference_contains": "order", "recipient": 4500000003}, [False, False, False]),
    ],
)
def test_a_fault_applies_only_to_messages_that_meet_its_conditions(
    client: Client, provider: Provider, fault: dict[str, Any], applied: list[bool]
) -> None:
    provider.inject_fault(kind="503", count=None, **fault)
    chosen = [
        message("order-1", recipient=4500000001),
        message("order-2", recipient=4500000002, message="some poison"),
        message("bill-1", recipient=4500000003),
    ]
    answers = [client.multi(message("x"), sent).status for sent in chosen]
    assert answers == [503 if hit else 202 for hit in applied]


def test_faults_apply_in_order_and_as_often_as_requested(client: Client, provider: Provider) -> None:
    client.control("POST", "faults", [{"kind": 429, "count": 2}, {"kind": "503", "count": None}])
    assert [client.single().status for _ in range(4)] == [429, 429, 503, 503]
    assert [fault["hits"] for fault in client.control("GET", "faults")["faults"]] == [2, 2]
    assert client.control("DELETE", "faults") == {"faults": []}
    assert client.single().status == 202
    assert [request.faults for request in provider.requests()] == [("429",), ("429",), ("503",), ("503",), ()]


def test_a_latency_is_applied_together_with_another_fault(client: Client, provider: Provider) -> None:
    provider.inject_fault(kind="latency", seconds=0.01)
    provider.inject_fault(kind="429")
    assert client.single().status == 429
    assert [request.faults for request in provider.requests()] == [("latency", "429")]


def test_an_invalid_request_does_not_use_up_a_fault_after_acceptance(client: Client, provider: Provider) -> None:
    provider.inject_fault(kind="500")
    assert client.single(sender="x").status == 422
    assert client.single().status == 500


@pytest.mark.parametrize("kind", ["400", "413"])
def test_a_request_with_several_messages_can_be_refused_while_single_ones_are_accepted(
    client: Client, provider: Provider, kind: str
) -> None:
    provider.inject_fault(kind=kind, count=None, min_messages=2)
    assert client.multi(message("a"), message("b")).status == int(kind)
    assert client.multi(message("a")).status == 202
    assert client.single(reference="b").status == 202
    assert provider.counts() == {"a": 1, "b": 1}
