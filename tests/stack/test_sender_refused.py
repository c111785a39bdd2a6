"""Messages that are refused, have expired, or reuse a reference, and their redrive."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from gatewayapi.clock import to_text
from gatewayapi.record import MessageRecord
from tests.stack.deployed_stack import DeployedStack

NAMED = ("named-1", "named-2", "named-3", "named-4")
UNNAMED = ("unnamed-1", "unnamed-2", "unnamed-3")
WORDS = "sender: Value error, refused by an ordered fault"
HOUR = timedelta(hours=1)
FORMS = ("seconds", "duration", "time", "unix")
DELAY_S = 3


def forms(span: timedelta) -> dict[str, str | int]:
    """Return an expiration this far ahead in each form that the field can have."""
    now = time.time()
    return {
        "seconds": int(span.total_seconds()),
        "duration": f"PT{int(span.total_seconds())}S",
        "time": datetime.fromtimestamp(now + span.total_seconds(), UTC).isoformat(),
        "unix": int(now + span.total_seconds()),
    }


@dataclass(frozen=True, slots=True)
class Sent:
    """What the tests compare with."""

    expirations: dict[str, str | int]
    held: str


@pytest.fixture(scope="module", autouse=True)
def sent(deployed: DeployedStack) -> Sent:
    """Send everything, wait for the end, redrive what may be, and wait for the end again."""
    deployed.begin()
    deployed.simulator.order(
        {"kind": "422", "references": [NAMED[1]]},
        {"kind": "422", "reference": UNNAMED[1], "count": 2},
        {"kind": "422", "reference": "refused"},
    )
    deployed.send_batch(*map(deployed.message, NAMED))
    deployed.send_batch(*map(deployed.message, UNNAMED))
    for reference in ("refused", "reused"):
        deployed.send(deployed.message(reference))
    deployed.send(deployed.message("corrected", recipient=1))
    expirations = forms(HOUR)
    for form, expiration in expirations.items():
        deployed.send(deployed.message(f"living-{form}", expiration=expiration), delay_s=DELAY_S)
    for form, expiration in forms(timedelta(seconds=1)).items():
        deployed.send(deployed.message(f"lapsed-{form}", expiration=expiration), delay_s=DELAY_S)
    nameless = deployed.message()
    deployed.simulator.order({"kind": "reset", "when": "before", "recipient": nameless["recipient"]})
    held = deployed.send(nameless)
    deployed.drain()
    deployed.send(deployed.message("reused", message="Another abracadabra"))
    deployed.send(deployed.message("corrected"))
    deployed.send(deployed.message("lapsed-seconds", expiration="PT1H"))
    deployed.redrive("refused")
    deployed.redrive(held)
    deployed.drain()
    return Sent(expirations, held)


def test_messages_that_a_refusal_does_not_name_are_sent_in_the_same_invocation(deployed: DeployedStack) -> None:
    first, second = deployed.simulator.requests(NAMED[0])
    assert (tuple(first["references"]), first["outcome"]) == (NAMED, 422)
    assert (second["references"], second["outcome"]) == ([NAMED[0], *NAMED[2:]], 202)
    for reference in (NAMED[0], *NAMED[2:]):
        assert deployed.statuses(reference).count("SENDING") == 1
        assert deployed.statuses(reference)[-1] == "DELIVERED"


@pytest.mark.parametrize("reference", [NAMED[1], UNNAMED[1]])
def test_the_dead_letter_of_a_refused_message_has_the_reason_of_the_provider(
    deployed: DeployedStack, reference: str
) -> None:
    assert deployed.statuses(reference) == ["SENDING", "INVALID"]
    error = deployed.history(reference)[-1].error
    assert error is not None
    (dead_letter,) = deployed.dead_letters(reference)
    assert dead_letter.attribute_values() == {
        "ErrorCode": "PROVIDER_REFUSED",
        "ErrorMessage": error["details"],
        "Reference": reference,
    }
    assert "Value error" in error["details"]


def test_the_reason_of_a_refusal_names_the_field(deployed: DeployedStack) -> None:
    (dead_letter,) = deployed.dead_letters(NAMED[1])
    assert dead_letter.attribute_values()["ErrorMessage"] == WORDS


def test_messages_are_sent_alone_after_a_refusal_that_names_none(deployed: DeployedStack) -> None:
    together, *alone = [each for each in deployed.simulator.requests() if {*UNNAMED} & {*each["references"]}]
    assert (tuple(together["references"]), together["outcome"]) == (UNNAMED, 422)
    assert [(each["references"], each["outcome"]) for each in alone] == [
        ([UNNAMED[0]], 202),
        ([UNNAMED[1]], 422),
        ([UNNAMED[2]], 202),
    ]
    for reference in (UNNAMED[0], UNNAMED[2]):
        assert deployed.statuses(reference).count("SENDING") == 1
        assert len(deployed.simulator.sms(reference)) == 1


@pytest.mark.parametrize("form", FORMS)
def test_an_expired_message_is_not_sent(deployed: DeployedStack, form: str) -> None:
    first = deployed.history(f"lapsed-{form}")[0]
    assert first.status == "LAPSED"
    assert deployed.dead_letters(f"lapsed-{form}") == []
    if form != "seconds":  # that one was sent again with another deadline
        assert len(deployed.history(f"lapsed-{form}")) == 1
        assert deployed.simulator.requests(f"lapsed-{form}") == []


@pytest.mark.parametrize("form", FORMS)
def test_an_expiration_counts_from_when_the_message_was_enqueued(
    deployed: DeployedStack, sent: Sent, form: str
) -> None:
    (sms,) = deployed.simulator.sms(f"living-{form}")
    record = deployed.history(f"living-{form}")[-1]
    assert record.status == "DELIVERED"
    assert waited(record) > timedelta(seconds=1)
    given = sent.expirations[form]
    expected = {
        "seconds": record.queued_at + HOUR,
        "duration": record.queued_at + HOUR,
        "time": datetime.fromisoformat(given) if isinstance(given, str) and form == "time" else None,
        "unix": datetime.fromtimestamp(given, UTC) if isinstance(given, int) else None,
    }[form]
    assert expected is not None
    assert sms["expiration"] == to_text(expected)


def waited(record: MessageRecord) -> timedelta:
    assert record.accepted_at is not None
    return record.accepted_at - record.queued_at


def test_a_reference_with_other_content_is_refused(deployed: DeployedStack) -> None:
    assert len(deployed.simulator.sms("reused")) == 1
    assert deployed.statuses("reused").count("SENDING") == 1
    (dead_letter,) = deployed.dead_letters("reused")
    assert dead_letter.attribute_values()["ErrorCode"] == "REFERENCE_REUSED"
    assert "Another abracadabra" in dead_letter.body


@pytest.mark.parametrize(
    ("reference", "before"),
    [("refused", ["SENDING", "INVALID"]), ("corrected", ["INVALID"]), ("lapsed-seconds", ["LAPSED"])],
)
def test_a_message_that_was_not_sent_is_sent_after_a_redrive(
    deployed: DeployedStack, reference: str, before: list[str]
) -> None:
    statuses = deployed.statuses(reference)
    assert statuses[: len(before) + 1] == [*before, "SENDING"]
    assert statuses[-1] == "DELIVERED"
    assert len(deployed.simulator.sms(reference)) == 1


def test_a_held_message_keeps_its_reference_through_the_dead_letter_queue(
    deployed: DeployedStack, sent: Sent
) -> None:
    statuses = deployed.statuses(sent.held)
    assert statuses[:4] == ["SENDING", "UNCERTAIN", "HELD", "SENDING"]
    assert statuses[-1] == "DELIVERED"
    assert len(deployed.simulator.sms(sent.held)) == 1
