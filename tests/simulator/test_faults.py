"""The simulator has exactly the faults that were ordered: as often, for whom, and at the moment that was meant."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.client import RemoteDisconnected
from typing import Any

import pytest
import urllib3

from simulator.provider import Provider
from tests.simulator.simulator_client import WAIT_S, Client, message, new_provider

LONG_S = 600.0


@pytest.mark.parametrize("kind", ["429", "503"])
@pytest.mark.parametrize(
    ("rule", "header"),
    [({}, None), ({"retry_after": 3}, "3"), ({"retry_after": "soon"}, "soon")],
)
def test_a_throttled_request_is_not_accepted_and_may_say_when_to_come_back(
    client: Client, provider: Provider, kind: str, rule: dict[str, Any], header: str | None
) -> None:
    provider.order(kind=kind, **rule)
    answer = client.single()
    assert (answer.status, answer.headers.get("Retry-After")) == (int(kind), header)
    assert not provider.messages()


def test_the_time_to_come_back_may_be_a_date(client: Client, provider: Provider) -> None:
    provider.order(kind="429", retry_after=3600, as_date=True)
    at = parsedate_to_datetime(client.single().headers["Retry-After"])
    assert timedelta(minutes=50) < at - datetime.now(UTC) <= timedelta(hours=1)


@pytest.mark.parametrize("kind", ["500", "502", "504"])
def test_a_gateway_error_comes_after_accepting_unless_ordered_before(
    client: Client, provider: Provider, kind: str
) -> None:
    provider.order(kind=kind)
    provider.order(kind=kind, when="before")
    assert [client.single(reference=reference).status for reference in ("after", "before")] == [int(kind)] * 2
    assert provider.counts() == {"after": 1}


@pytest.mark.parametrize("when", ["before", "after"])
def test_any_status_can_be_ordered_on_either_side_of_accepting(client: Client, provider: Provider, when: str) -> None:
    provider.order(kind="status", status=418, when=when)
    assert client.single().status == 418
    assert len(provider.messages()) == (when == "after")


@pytest.mark.parametrize("kind", ["401", "403"])
def test_a_good_token_can_be_refused(client: Client, provider: Provider, kind: str) -> None:
    provider.order(kind=kind)
    assert client.single().status == int(kind)
    assert not provider.messages()


@pytest.mark.parametrize(("when", "accepted"), [("after", 1), ("before", 0)])
def test_a_reset_cuts_the_connection_without_an_answer(
    client: Client, provider: Provider, when: str, accepted: int
) -> None:
    provider.order(kind="reset", when=when)
    with pytest.raises(urllib3.exceptions.ProtocolError) as caught:
        client.single()
    assert type(caught.value.args[1]) is ConnectionResetError
    assert len(provider.messages()) == accepted
    assert [seen.outcome for seen in provider.requests()] == ["reset"]


def test_a_hang_accepts_keeps_silent_and_is_ended_by_stopping() -> None:
    with new_provider() as provider, Client(provider.url) as client:
        provider.order(kind="hang", seconds=LONG_S)
        with pytest.raises(urllib3.exceptions.ReadTimeoutError):
            client.multi(message("hung"), timeout_s=0.1)
        assert provider.wait_for_requests(1, WAIT_S)
        assert provider.counts() == {"hung": 1}
        assert [seen.outcome for seen in provider.requests()] == ["hang"]


def test_a_hang_closes_the_connection_in_the_end(client: Client, provider: Provider) -> None:
    provider.order(kind="hang", seconds=0.01)
    with pytest.raises(urllib3.exceptions.ProtocolError) as caught:
        client.single()
    assert isinstance(caught.value.args[1], RemoteDisconnected)


def test_an_answer_can_be_late(client: Client, provider: Provider) -> None:
    provider.order(kind="latency", seconds=LONG_S, when="after")
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        client.multi(message("late"), timeout_s=0.1)
    assert provider.wait_for_requests(1, WAIT_S)
    assert provider.counts() == {"late": 1}


def test_a_late_acceptance_has_not_happened_when_the_client_gives_up(client: Client, provider: Provider) -> None:
    provider.order(kind="latency", seconds=LONG_S)
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        client.multi(message("late"), timeout_s=0.1)
    assert not provider.messages()


def test_rubbish_is_a_202_that_nobody_can_read(client: Client, provider: Provider) -> None:
    provider.order(kind="rubbish")
    provider.order(kind="rubbish", body="")
    first, second = client.single(), client.single()
    assert (first.status, second.status, second.data) == (202, 202, b"")
    with pytest.raises(ValueError, match="Expecting"):
        first.json()
    assert len(provider.messages()) == 2


def test_an_accepted_message_can_be_left_out_of_the_answer(client: Client, provider: Provider) -> None:
    provider.order(kind="omit", reference="b")
    provider.order(kind="omit")
    for left in (["a", "c"], ["b", "c"]):
        responses = client.multi(message("a"), message("b"), message("c")).json()["responses"]
        assert [entry["reference"] for entry in responses] == left
    assert provider.counts() == {"a": 2, "b": 2, "c": 2}


def test_answers_can_come_in_reversed_order(client: Client, provider: Provider) -> None:
    provider.order(kind="reorder")
    responses = client.multi(message("a"), message("b"), message("c")).json()["responses"]
    assert [entry["reference"] for entry in responses] == ["c", "b", "a"]
    by_reference = {entry.message.reference: entry.msg_id for entry in provider.messages()}
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
    client: Client, provider: Provider, rule: dict[str, Any], places: list[list[Any]]
) -> None:
    provider.order(kind="422", **rule)
    answer = client.multi(message("a"), message("b"), message("c"))
    assert (answer.status, [detail["loc"] for detail in answer.json()["detail"]]) == (422, places)
    assert not provider.messages()


def test_a_refusal_by_reference_passes_requests_without_it(client: Client, provider: Provider) -> None:
    provider.order(kind="422", references=["bad"], count=None)
    assert [client.single(reference=reference).status for reference in ("good", "bad", "good")] == [202, 422, 202]


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
    client: Client, provider: Provider, rule: dict[str, Any], struck: list[bool]
) -> None:
    provider.order(kind="503", count=None, **rule)
    sent = [("order-1", 4500000001), ("order-2", 4500000002), ("bill-1", 4500000003)]
    answers = [client.multi(message("x"), message(ref, recipient=to)).status for ref, to in sent]
    assert answers == [503 if hit else 202 for hit in struck]


def test_faults_strike_in_order_each_as_often_as_it_was_ordered(client: Client, provider: Provider) -> None:
    client.control("POST", "faults", [{"kind": 429, "count": 2}, {"kind": "503", "count": None}])
    assert [client.single().status for _ in range(4)] == [429, 429, 503, 503]
    assert [rule["hits"] for rule in client.control("GET", "faults")["faults"]] == [2, 2]
    assert client.control("DELETE", "faults") == {"faults": []}
    assert client.single().status == 202
    assert [seen.faults for seen in provider.requests()] == [("429",), ("429",), ("503",), ("503",), ()]


def test_latency_comes_on_top_of_another_fault(client: Client, provider: Provider) -> None:
    provider.order(kind="latency", seconds=0.01)
    provider.order(kind="429")
    assert client.single().status == 429
    assert [seen.faults for seen in provider.requests()] == [("latency", "429")]


def test_a_refused_request_uses_up_no_fault_that_comes_after_accepting(client: Client, provider: Provider) -> None:
    provider.order(kind="500")
    assert client.single(sender="x").status == 422
    assert client.single().status == 500


@pytest.mark.parametrize("kind", ["400", "413"])
def test_a_request_with_several_messages_can_be_refused_while_single_ones_are_accepted(
    client: Client, provider: Provider, kind: str
) -> None:
    provider.order(kind=kind, count=None, min_messages=2)
    assert client.multi(message("a"), message("b")).status == int(kind)
    assert client.multi(message("a")).status == 202
    assert client.single(reference="b").status == 202
    assert provider.counts() == {"a": 1, "b": 1}


@pytest.mark.parametrize(
    ("kind", "when"), [("400", "before"), ("413", "before"), ("500", "before"), ("500", "after")]
)
def test_a_fault_can_apply_to_every_request_that_contains_a_given_text(
    client: Client, provider: Provider, kind: str, when: str
) -> None:
    provider.order(kind=kind, when=when, count=None, text_contains="poison")
    assert client.multi(message("good"), message("bad", message="some poison")).status == int(kind)
    assert client.single(reference="good").status == 202
    assert provider.counts()["bad"] == (when == "after")
