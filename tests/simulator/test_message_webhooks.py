"""The webhooks of a message: which are sent, what they contain, and how they are signed."""

import base64
import json
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest

from simulator.phones import BY_ENDING
from simulator.provider import Provider
from tests.simulator.simulator_client import JSON, KEY, WAIT_S, Client, Receiver, SendAndWait, message, signed

pytestmark = pytest.mark.usefixtures("receiver")
SMS_STATUSES = {"ENROUTE", "DELIVERED", "EXPIRED", "DELETED", "UNDELIVERABLE", "ACCEPTED", "UNKNOWN", "REJECTED"}
STATUSES = {"message.status.sms": SMS_STATUSES, "message.status.rcs": {"DELIVERED", "READ", "ENROUTE", "EXPIRED"}}


def is_moment(value: object) -> bool:
    return isinstance(value, str) and datetime.fromisoformat(value).utcoffset() == timedelta(0)


def is_status(envelope: dict[str, Any]) -> bool:
    """Return whether an envelope has exactly the fields of the description's PhoneMessageWebhookEvent."""
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


def test_every_message_is_reported_as_enroute_and_then_delivered(
    client: Client, receiver: Receiver, provider: Provider
) -> None:
    entries = client.multi(message("a"), message(None, recipient=4599999999)).json()["responses"]
    assert provider.wait_for_webhooks(WAIT_S)
    assert all(is_status(envelope) for envelope in receiver.events())
    assert len({envelope["event_id"] for envelope in receiver.events()}) == 4
    for entry in entries:
        events = [e["event"] for e in receiver.events() if e["event"]["msg_id"] == entry["msg_id"]]
        assert [event["status"] for event in events] == ["ENROUTE", "DELIVERED"]
        assert events[0]["status_at"] < events[1]["status_at"]
        assert all(entry.items() <= event.items() for event in events)


def test_the_signature_is_over_the_bytes_sent_with_the_present_key(
    client: Client, receiver: Receiver, send_and_wait: SendAndWait
) -> None:
    send_and_wait(reference="Prüfung")
    assert [signature for _, signature in receiver.received] == [signed(b) for b, _ in receiver.received]
    client.control("POST", "webhook", {"key": "rotated"})
    send_and_wait()
    body, signature = receiver.received[-1]
    assert signature == signed(body, "rotated") != signed(body, KEY)


@pytest.mark.parametrize("ending", sorted(BY_ENDING))
def test_the_last_digits_of_the_recipient_decide_how_a_message_ends(
    receiver: Receiver, send_and_wait: SendAndWait, ending: str
) -> None:
    send_and_wait(recipient=int(f"45123{ending}"))
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


def test_without_a_url_webhooks_are_dropped(
    client: Client, receiver: Receiver, provider: Provider, send_and_wait: SendAndWait
) -> None:
    provider.set_webhook(None)
    client.single(reference="unheard")
    assert provider.pending() == 0
    client.control("POST", "webhook", {"url": receiver.url})
    send_and_wait(reference="heard")
    assert {envelope["event"]["reference"] for envelope in receiver.events()} == {"heard"}


@pytest.mark.parametrize(
    ("fault", "statuses"),
    [
        ({"kind": "webhook-duplicate", "copies": 3}, ["ENROUTE"] * 3 + ["DELIVERED"] * 3),
        ({"kind": "webhook-duplicate", "only": "DELIVERED"}, ["ENROUTE", "DELIVERED", "DELIVERED"]),
        ({"kind": "webhook-reorder"}, ["DELIVERED", "ENROUTE"]),
        ({"kind": "webhook-late", "only": "ENROUTE", "seconds": 0.2}, ["DELIVERED", "ENROUTE"]),
        ({"kind": "webhook-drop"}, []),
        ({"kind": "webhook-drop", "only": "ENROUTE"}, ["DELIVERED"]),
    ],
)
def test_webhook_faults_apply_to_a_chosen_message(
    receiver: Receiver, provider: Provider, send_and_wait: SendAndWait, fault: dict[str, Any], statuses: list[str]
) -> None:
    provider.inject_fault(**fault, reference="chosen")
    send_and_wait(reference="other")
    send_and_wait(reference="chosen")
    assert receiver.statuses() == ["ENROUTE", "DELIVERED", *statuses]
    send_and_wait(reference="chosen")
    assert receiver.statuses() == ["ENROUTE", "DELIVERED", *statuses, "ENROUTE", "DELIVERED"]


def test_a_duplicate_is_the_same_event_and_a_reordered_event_keeps_its_time(
    receiver: Receiver, provider: Provider, send_and_wait: SendAndWait
) -> None:
    provider.inject_fault(kind="webhook-duplicate")
    provider.inject_fault(kind="webhook-reorder")
    send_and_wait()
    delivered, again, enroute, _ = receiver.events()
    assert delivered == again
    assert (delivered["event"]["status"], enroute["event"]["status"]) == ("DELIVERED", "ENROUTE")
    assert delivered["event"]["status_at"] > enroute["event"]["status_at"]


def test_webhooks_are_sent_for_an_accepted_message_whose_answer_was_lost(
    client: Client, receiver: Receiver, provider: Provider
) -> None:
    provider.inject_fault(kind="500")
    assert client.single(reference="uncertain").status == 500
    assert provider.wait_for_webhooks(WAIT_S)
    assert receiver.statuses() == ["ENROUTE", "DELIVERED"]
    provider.inject_fault(kind="503")
    client.single()
    assert provider.pending() == 0


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ({"raw": "no JSON, ünsigned"}, "no JSON, ünsigned".encode()),
        ({"raw_base64": base64.b64encode(b"\xff\x00").decode()}, b"\xff\x00"),
        ({"envelope": {"event_id": 5, "more": [None]}}, b'{"event_id":5,"more":[null]}'),
    ],
)
def test_any_body_can_be_signed_without_being_sent(
    client: Client, provider: Provider, fields: dict[str, Any], body: bytes
) -> None:
    made = client.control("POST", "event", {**fields, "send": False})
    assert base64.b64decode(made["body_base64"]) == body
    assert made["signature"] == signed(body)
    assert provider.pending() == 0


def test_any_event_and_a_text_from_a_person_are_sent_in_the_envelope(
    client: Client, receiver: Receiver, provider: Provider
) -> None:
    client.control("POST", "event", {"event_type": "message.status.fax", "event": {"status": "CURLED"}})
    receiver.wait_for(1)
    client.control("POST", "inbound", {"message": "Tak 👍", "sender": 4511223344})
    assert provider.wait_for_webhooks(WAIT_S)
    own, person = receiver.events()
    assert (own["event_type"], own["event"]) == ("message.status.fax", {"status": "CURLED"})
    assert person["event_type"] == "user-message.text.sms"
    assert set(person["event"]) == {"msg_id", "sender", "sent_at", "content"}
    assert person["event"]["content"] == {"message": "Tak 👍", "encoding": "UCS2", "header": None}
    assert all(is_moment(envelope["timestamp"]) for envelope in (own, person))
    assert provider.event(raw=json.dumps(own), send=False)["event_id"] is None


def test_another_system_can_report_on_the_same_reference_under_its_own_id(
    client: Client, receiver: Receiver, provider: Provider, send_and_wait: SendAndWait
) -> None:
    provider.inject_fault(kind="webhook-foreign", foreign_status="REJECTED", foreign_age_s=3600, reference="shared")
    client.single(reference="other")
    send_and_wait(reference="shared")
    own = {entry.msg_id for entry in provider.messages()}
    (foreign,) = [envelope for envelope in receiver.events() if envelope["event"]["msg_id"] not in own]
    assert is_status(foreign)
    assert (foreign["event"]["reference"], foreign["event"]["status"]) == ("shared", "REJECTED")
    assert foreign["event"]["recipient"] == message()["recipient"]
    assert foreign["event"]["msg_id"] < min(own)  # a ULID of an earlier time sorts first
    assert len(receiver.events()) == 5


def test_the_message_of_another_system_can_have_another_recipient(
    receiver: Receiver, provider: Provider, send_and_wait: SendAndWait
) -> None:
    provider.inject_fault(kind="webhook-foreign", foreign_recipient=4599999999, seconds=0.05)
    send_and_wait(reference="shared")
    assert [envelope["event"]["recipient"] for envelope in receiver.events()][-1] == 4599999999


@pytest.mark.parametrize(
    ("state", "statuses"),
    [
        ("off", ["ENROUTE", "EXPIRED"]),
        ("unknown", ["ENROUTE", "UNKNOWN"]),
        ("undeliverable", ["ENROUTE", "UNDELIVERABLE"]),
        ("on", ["ENROUTE", "DELIVERED"]),
    ],
)
def test_the_state_of_a_phone_decides_how_its_messages_end(
    client: Client, receiver: Receiver, send_and_wait: SendAndWait, state: str, statuses: list[str]
) -> None:
    phone = {"number": 4512399901, "state": state, "hex_code": "0x1234", "details": "Out of order"}
    if state == "on":
        phone["number"] = 4512345678
    client.control("POST", "phones", {**phone, "state": "off"})
    client.control("POST", "phones", phone)
    send_and_wait(recipient=phone["number"])
    assert receiver.statuses() == statuses
    if state == "undeliverable":
        assert receiver.events()[-1]["event"]["error"] == {"hex_code": "0x1234", "details": "Out of order"}
    send_and_wait(recipient=4511111111)
    assert receiver.statuses()[-1] == "DELIVERED"


@pytest.mark.parametrize(
    ("change", "same_body", "verifies"),
    [("none", True, True), ("tampered", False, False), ("wrong-key", True, False), ("aged", False, True)],
)
def test_a_webhook_can_be_sent_again_unchanged_or_changed(
    client: Client, receiver: Receiver, send_and_wait: SendAndWait, change: str, *, same_body: bool, verifies: bool
) -> None:
    send_and_wait(recipient=4512399903)
    event_id = client.control("GET", "deliveries")["deliveries"][0]["event_id"]
    answer = client.control("POST", "repeat", {"event_id": event_id, "change": change})
    (body, _), (again, signature) = receiver.received
    assert (answer["answer"], answer["signature"]) == (200, signature)
    assert (again == body) == same_body
    assert (signature == signed(again)) == verifies
    first, second = (datetime.fromisoformat(json.loads(text)["timestamp"]) for text in (body, again))
    age = timedelta(days=8 if change == "aged" else 0)
    assert abs(first - second - age) < timedelta(hours=1)
    assert json.loads(again)["event_id"] == event_id


def test_an_unknown_webhook_cannot_be_sent_again(client: Client) -> None:
    body = json.dumps({"event_id": "none"}).encode()
    assert client.ask("POST", "/_control/repeat", body, headers=JSON).status == 400
