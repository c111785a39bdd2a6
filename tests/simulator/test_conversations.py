"""What the page shows of messages, requests and webhooks, and what changed since the last look."""

import json
from typing import Any

import pytest

from simulator.conversations import NEWEST, Conversations, received
from simulator.provider import Provider
from tests.simulator.simulator_client import TOKEN, Client, Receiver, SendAndWait, message


def entries(client: Client, since: int = 0) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.control("GET", f"conversations?since={since}")["entries"]
    return found


def test_an_accepted_message_is_shown_with_its_text_segments_and_statuses(client: Client) -> None:
    client.single(reference="order-1", message="Æbler ☕" * 20, label="demo")
    (entry,) = entries(client)
    assert (entry["kind"], entry["number"], entry["sender"]) == ("sent", 4512345678, "Shop")
    assert (entry["text"], entry["reference"], entry["label"]) == ("Æbler ☕" * 20, "order-1", "demo")
    assert (entry["encoding"], entry["segments"]) == ("UCS-2", 3)
    assert [step["status"] for step in entry["steps"]] == ["ENROUTE", "DELIVERED"]
    assert entry["request"] == 1


def test_every_message_of_a_refused_request_is_shown_with_the_outcome_and_the_fault(
    client: Client, provider: Provider
) -> None:
    provider.inject_fault(kind="503")
    client.multi(message("a"), message("b", recipient=4511111111))
    assert [(entry["kind"], entry["reference"], entry["outcome"], entry["faults"]) for entry in entries(client)] == [
        ("refused", "a", 503, ["503"]),
        ("refused", "b", 503, ["503"]),
    ]


def test_a_text_from_a_person_is_shown_also_without_a_webhook_url(client: Client) -> None:
    made = client.control("POST", "inbound", {"message": "Tak", "sender": 4511223344})
    (entry,) = entries(client)
    assert (entry["id"], entry["kind"]) == (made["msg_id"], "received")
    assert (entry["number"], entry["text"]) == (4511223344, "Tak")


@pytest.mark.usefixtures("receiver")
def test_a_poll_returns_only_what_changed_since_the_last_one(client: Client, send_and_wait: SendAndWait) -> None:
    send_and_wait(reference="a")
    first = client.control("GET", "conversations")
    assert [entry["delivered"] for entry in first["entries"]] == [2]
    assert entries(client, first["cursor"]) == []
    client.single(reference="b", recipient=4512399908)
    assert [entry["reference"] for entry in entries(client, first["cursor"])] == ["b"]


def test_a_reset_is_seen_by_the_page(client: Client) -> None:
    client.single()
    before = client.control("GET", "conversations")
    client.control("POST", "reset", {})
    after = client.control("GET", "conversations")
    assert after["run"] != before["run"]
    assert (after["entries"], after["request_count"]) == ([], 0)


def test_only_the_newest_messages_are_kept() -> None:
    conversations = Conversations()
    conversations.add(received(str(number), 4511223344, "Hi", "2026-01-01") for number in range(NEWEST + 10))
    _, kept = conversations.since(0)
    assert [entry["id"] for entry in kept] == [str(number) for number in range(10, NEWEST + 10)]


def test_the_details_of_a_message_have_the_raw_request_and_every_attempt_of_every_webhook(
    client: Client, provider: Provider, receiver: Receiver, send_and_wait: SendAndWait
) -> None:
    refusals = iter([401])
    receiver.answer = lambda _: next(refusals, 200)
    provider.inject_fault(kind="503")
    client.single(reference="a")
    send_and_wait(reference="a", recipient=4512399903)
    msg_id = provider.messages()[0].msg_id
    details = client.control("GET", f"message?id={msg_id}")
    assert [request["outcome"] for request in details["requests"]] == [503, 202]
    assert json.loads(details["requests"][1]["body"])["reference"] == "a"
    assert json.loads(details["requests"][1]["answer"])["msg_id"] == msg_id
    (webhook,) = details["webhooks"]
    assert webhook["status"] == "REJECTED"
    assert [attempt["answer"] for attempt in webhook["attempts"]] == [401, 200]
    assert (webhook["body"].encode(), webhook["attempts"][0]["signature"]) == receiver.received[0]


def test_an_unreadable_request_is_listed_and_shown(client: Client, provider: Provider) -> None:
    client.ask("POST", "/mobile/single", b"no JSON")
    assert client.control("GET", "request?number=1")["request"]["body"] == "no JSON"
    assert client.control("GET", "conversations")["requests"][0]["outcome"] == 422
    assert provider.token == TOKEN


@pytest.mark.parametrize("route", ["message?id=none", "request?number=7", "conversations?since=x"])
def test_an_unknown_message_or_request_is_refused_with_a_reason(client: Client, route: str) -> None:
    assert "error" in client.control("GET", route)
