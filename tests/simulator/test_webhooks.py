"""The simulator's webhooks: signed, in the provider's envelope, and sent until somebody takes them."""

import base64
import json
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from simulator.provider import Pace, Provider
from simulator.webhook_events import LIVES
from tests.simulator.simulator_client import KEY, WAIT_S, Receiver, Visitor, message, provider, signed

SMS_STATUSES = {"ENROUTE", "DELIVERED", "EXPIRED", "DELETED", "UNDELIVERABLE", "ACCEPTED", "UNKNOWN", "REJECTED"}
STATUSES = {"message.status.sms": SMS_STATUSES, "message.status.rcs": {"DELIVERED", "READ", "ENROUTE", "EXPIRED"}}
ONE_BY_ONE = Pace(enroute_s=0.01, final_s=0.02, retry_s=0.01, workers=1)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as started:
        yield started


@pytest.fixture
def running(receiver: Receiver) -> Iterator[Provider]:
    with provider(receiver.url, pace=ONE_BY_ONE) as started:
        yield started


@pytest.fixture
def visitor(running: Provider) -> Iterator[Visitor]:
    with Visitor(running.url) as started:
        yield started


def is_moment(value: object) -> bool:
    return isinstance(value, str) and datetime.fromisoformat(value).utcoffset() == timedelta(0)


def is_status(envelope: dict[str, Any]) -> bool:
    """Whether an envelope has the shape of the description's PhoneMessageWebhookEvent, and no more."""
    event = envelope["event"]
    error = event["error"]
    return (
        set(envelope) == {"event_id", "timestamp", "event_type", "event"}
        and str(uuid.UUID(envelope["event_id"])) == envelope["event_id"]
        and is_moment(envelope["timestamp"])
        and set(event) == {"msg_id", "recipient", "reference", "status", "status_at", "error"}
        and type(event["recipient"]) is int
        and isinstance(event["reference"], str | None)
        and event["status"] in STATUSES[envelope["event_type"]]
        and is_moment(event["status_at"])
        and (error is None or {name: type(value) for name, value in error.items()} == dict.fromkeys(error, str))
        and (error is None or set(error) == {"hex_code", "details"})
    )


def test_each_message_is_reported_enroute_and_then_delivered(
    visitor: Visitor, receiver: Receiver, running: Provider
) -> None:
    entries = visitor.multi(message("a"), message(None, recipient=4599999999)).json()["responses"]
    assert running.wait_until_delivered(WAIT_S)
    assert all(is_status(envelope) for envelope in receiver.events())
    assert len({envelope["event_id"] for envelope in receiver.events()}) == 4
    for entry in entries:
        events = [e["event"] for e in receiver.events() if e["event"]["msg_id"] == entry["msg_id"]]
        assert [event["status"] for event in events] == ["ENROUTE", "DELIVERED"]
        assert events[0]["status_at"] < events[1]["status_at"]
        assert all(entry.items() <= event.items() for event in events)


def test_the_signature_is_over_the_very_bytes_with_the_key_of_the_moment(
    visitor: Visitor, receiver: Receiver, running: Provider
) -> None:
    visitor.single(reference="Prüfung")
    assert running.wait_until_delivered(WAIT_S)
    assert [signature for _, signature in receiver.received] == [signed(b) for b, _ in receiver.received]
    visitor.control("POST", "webhook", {"key": "rotated"})
    visitor.single()
    assert running.wait_until_delivered(WAIT_S)
    body, signature = receiver.received[-1]
    assert signature == signed(body, "rotated") != signed(body, KEY)


@pytest.mark.parametrize("ending", sorted(LIVES))
def test_the_end_of_a_recipient_decides_how_its_message_ends(
    visitor: Visitor, receiver: Receiver, running: Provider, ending: str
) -> None:
    visitor.single(recipient=int(f"45123{ending}"))
    assert running.wait_until_delivered(WAIT_S)
    assert all(is_status(envelope) for envelope in receiver.events())
    expected = {
        "99901": ["ENROUTE", "UNDELIVERABLE"],
        "99902": ["ENROUTE", "EXPIRED"],
        "99903": ["REJECTED"],
        "99904": ["ENROUTE", "DELETED"],
        "99905": ["ENROUTE", "UNKNOWN"],
        "99906": ["ENROUTE"],
        "99907": ["ENROUTE", "DELIVERED", "READ"],
        "99908": [],
    }
    assert receiver.statuses() == expected[ending]
    failed = [e["event"]["status"] for e in receiver.events() if e["event"]["error"]]
    assert failed == [s for s in receiver.statuses() if s in ("UNDELIVERABLE", "EXPIRED", "REJECTED")]


def test_without_a_url_nothing_is_kept_for_later(visitor: Visitor, receiver: Receiver, running: Provider) -> None:
    running.set_webhook(None)
    visitor.single(reference="unheard")
    assert running.pending() == 0
    visitor.control("POST", "webhook", {"url": receiver.url})
    visitor.single(reference="heard")
    assert running.wait_until_delivered(WAIT_S)
    assert {envelope["event"]["reference"] for envelope in receiver.events()} == {"heard"}


@pytest.mark.parametrize(
    ("rule", "statuses"),
    [
        ({"kind": "webhook-duplicate", "copies": 3}, ["ENROUTE"] * 3 + ["DELIVERED"] * 3),
        ({"kind": "webhook-duplicate", "only": "DELIVERED"}, ["ENROUTE", "DELIVERED", "DELIVERED"]),
        ({"kind": "webhook-reorder"}, ["DELIVERED", "ENROUTE"]),
        ({"kind": "webhook-late", "only": "ENROUTE", "seconds": 0.2}, ["DELIVERED", "ENROUTE"]),
        ({"kind": "webhook-drop"}, []),
        ({"kind": "webhook-drop", "only": "ENROUTE"}, ["DELIVERED"]),
    ],
)
def test_the_webhooks_of_a_chosen_message_can_go_wrong(
    visitor: Visitor, receiver: Receiver, running: Provider, rule: dict[str, Any], statuses: list[str]
) -> None:
    running.order(**rule, reference="chosen")
    visitor.single(reference="other")
    assert running.wait_until_delivered(WAIT_S)
    visitor.single(reference="chosen")
    assert running.wait_until_delivered(WAIT_S)
    assert receiver.statuses() == ["ENROUTE", "DELIVERED", *statuses]
    visitor.single(reference="chosen")
    assert running.wait_until_delivered(WAIT_S)
    assert receiver.statuses() == ["ENROUTE", "DELIVERED", *statuses, "ENROUTE", "DELIVERED"]


def test_a_duplicate_is_the_same_event_and_a_reordered_one_keeps_its_times(
    visitor: Visitor, receiver: Receiver, running: Provider
) -> None:
    running.order(kind="webhook-duplicate")
    running.order(kind="webhook-reorder")
    visitor.single()
    assert running.wait_until_delivered(WAIT_S)
    delivered, again, enroute, _ = receiver.events()
    assert delivered == again
    assert (delivered["event"]["status"], enroute["event"]["status"]) == ("DELIVERED", "ENROUTE")
    assert delivered["event"]["status_at"] > enroute["event"]["status_at"]


def test_a_message_that_was_accepted_but_not_answered_is_still_reported(
    visitor: Visitor, receiver: Receiver, running: Provider
) -> None:
    running.order(kind="500")
    assert visitor.single(reference="uncertain").status == 500
    assert running.wait_until_delivered(WAIT_S)
    assert receiver.statuses() == ["ENROUTE", "DELIVERED"]
    running.order(kind="503")
    visitor.single()
    assert running.pending() == 0


@pytest.mark.parametrize(
    ("order", "body"),
    [
        ({"raw": "no JSON, ünsigned"}, "no JSON, ünsigned".encode()),
        ({"raw_base64": base64.b64encode(b"\xff\x00").decode()}, b"\xff\x00"),
        ({"envelope": {"event_id": 5, "more": [None]}}, b'{"event_id": 5, "more": [null]}'),
    ],
)
def test_any_body_can_be_signed_without_being_sent(
    visitor: Visitor, running: Provider, order: dict[str, Any], body: bytes
) -> None:
    made = visitor.control("POST", "event", {**order, "send": False})
    assert base64.b64decode(made["body_base64"]) == body
    assert made["signature"] == signed(body)
    assert running.pending() == 0


def test_an_event_of_ones_own_and_a_persons_message_are_sent_in_the_envelope(
    visitor: Visitor, receiver: Receiver, running: Provider
) -> None:
    visitor.control("POST", "event", {"event_type": "message.status.fax", "event": {"status": "CURLED"}})
    receiver.wait_for(1)
    visitor.control("POST", "inbound", {"message": "Tak 👍", "sender": 4511223344})
    assert running.wait_until_delivered(WAIT_S)
    own, person = receiver.events()
    assert (own["event_type"], own["event"]) == ("message.status.fax", {"status": "CURLED"})
    assert person["event_type"] == "user-message.text.sms"
    assert set(person["event"]) == {"msg_id", "sender", "sent_at", "content"}
    assert person["event"]["content"] == {"message": "Tak 👍", "encoding": "UCS2", "header": None}
    assert all(is_moment(envelope["timestamp"]) for envelope in (own, person))
    assert running.event(raw=json.dumps(own), send=False)["event_id"] is None
