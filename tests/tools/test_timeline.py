"""`make status` shows a message's steps in order, in plain words, with what happens next."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gatewayapi.clock import to_text
from tests.tools.conftest import Printed
from tests.tools.table_items import event, message, put
from tools import explanations, status
from tools.deployed import Deployed
from tools.timeline import lines

QUEUED = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW = QUEUED + timedelta(minutes=5)
PARAMETERS = {"ReconcileAfter": "900", "UncertainSends": "Hold", "MaxReceiveCount": "8"}


def after(seconds: float) -> datetime:
    return QUEUED + timedelta(seconds=seconds)


def timeline(*items: dict[str, Any], **parameters: str) -> str:
    return "\n".join(lines(items, PARAMETERS | parameters, NOW))


def unsent(status: str, seconds: float = 2, **given: object) -> dict[str, Any]:
    """Return the record of a message that was not accepted, last changed this long after it was queued."""
    fields = {"msg_id": None, "accepted_at": None, "updated_at": to_text(after(seconds))}
    return message("order-1", QUEUED, status=status, **(fields | given))


def test_the_steps_are_in_order_with_their_times() -> None:
    text = timeline(
        event("order-1", "e2", after(4)),
        event("order-1", "e1", after(3), status="ENROUTE"),
        message("order-1", QUEUED, accepted_at=to_text(after(1))),
    )
    steps = [line.strip() for line in text.splitlines() if line.startswith(" ")]
    assert steps == [
        "+0.00 s  queued at 2026-03-01 12:00:00 UTC",
        "+1.00 s  accepted by GatewayAPI",
        "+3.00 s  ENROUTE",
        "+4.00 s  DELIVERED",
    ]


def test_only_the_last_digits_of_the_number_are_shown() -> None:
    text = timeline(message("order-1", QUEUED))
    assert "…678" in text
    assert "4512345678" not in text


@pytest.mark.parametrize(
    ("record", "step"),
    [
        (
            unsent("RETRYING", error={"code": "TRY_LATER", "details": "the provider answered 429"}),
            "+2.00 s  RETRYING: GatewayAPI asked to try later (TRY_LATER: the provider answered 429)",
        ),
        (unsent("UNCERTAIN"), "+2.00 s  UNCERTAIN: it is unknown whether GatewayAPI accepted it"),
        (unsent("LAPSED"), "+2.00 s  LAPSED: never sent"),
    ],
)
def test_a_status_that_no_webhook_reports_is_a_step(record: dict[str, Any], step: str) -> None:
    assert step in timeline(record)


@pytest.mark.parametrize(
    ("record", "parameters", "words"),
    [
        (unsent("SENDING", lease_until=to_text(NOW + timedelta(seconds=10))), {}, "recorded by 12:05:10 UTC"),
        (unsent("SENDING", lease_until=to_text(NOW)), {}, "next delivery makes it UNCERTAIN"),
        (unsent("RETRYING"), {}, "After 8 deliveries it goes to the dead-letter queue"),
        (unsent("UNCERTAIN"), {}, "until 12:15:02 UTC. If none comes, it goes to the dead-letter queue as UNCERTAIN"),
        (unsent("UNCERTAIN"), {"UncertainSends": "Resend"}, "If none comes, it is sent once more"),
        (unsent("UNCERTAIN", resent=True), {"UncertainSends": "Resend"}, "as UNCERTAIN"),
        (unsent("UNCERTAIN"), {"ReconcileAfter": "20"}, "ended at 12:00:22 UTC. With its next delivery"),
        (unsent("INVALID", error={"code": "TOO_LONG", "details": ""}), {}, "dead-letter queue as TOO_LONG"),
        (unsent("HELD", error={"code": "DRY_RUN", "details": ""}), {}, "nothing waits"),
        (unsent("HELD", error={"code": "UNCERTAIN", "details": ""}), {}, "perhaps for the second time"),
        (unsent("HELD", in_doubt=True, error={"code": "X", "details": ""}), {}, "perhaps for the second time"),
        (
            unsent("HELD", error={"code": "RETRIES_EXHAUSTED", "details": ""}),
            {},
            "`make redrive REFERENCE=order-1` puts it on the queue again",
        ),
        (unsent("LAPSED"), {}, "later expiration"),
        (unsent("SUPPRESSED"), {}, "opted in again"),
        (message("order-1", QUEUED, status="ACCEPTED"), {}, "No webhook has come"),
        (message("order-1", QUEUED, status="ENROUTE"), {}, "when the network reports more"),
        (message("order-1", QUEUED, status="REJECTED"), {}, "This status is final"),
        (message("order-1", QUEUED, forgotten_at=to_text(NOW)), {}, "personal data was removed"),
    ],
)
def test_what_happens_next_is_shown(record: dict[str, Any], parameters: dict[str, str], words: str) -> None:
    *_, last = timeline(record, **parameters).splitlines()
    assert last.startswith("next")
    assert words in last


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            {"hex_code": "0x1905", "details": "Unsupported sender"},
            "the network does not support this sender (0x1905: Unsupported sender)",
        ),
        ({"code": "0x1999", "details": "Something new"}, "Something new (0x1999)"),
        ({"code": "0x1999"}, f"GatewayAPI reports 0x1999, see {explanations.REFERENCE_CODES}"),
        ({"code": "REFERENCE_REUSED"}, "the reference belongs to another message (REFERENCE_REUSED)"),
        ({"code": "UNCERTAIN", "details": "no answer came"}, "no answer came (UNCERTAIN)"),
        ("a word", "a word"),
    ],
)
def test_an_error_is_shown_in_words_with_its_code(error: object, text: str) -> None:
    assert explanations.error(error) == text


def test_an_event_without_a_message_is_shown_with_its_time() -> None:
    assert timeline(event("foreign", "e1", after(3))).strip() == "12:00:03 UTC  DELIVERED"


@pytest.mark.parametrize("name", ["RETRYING", "HELD", "UNCERTAIN"])
@pytest.mark.parametrize("doubt", [{"in_doubt": True}, {"error": {"code": "UNCERTAIN", "details": "no answer"}}])
def test_a_message_in_doubt_is_never_called_unsent(name: str, doubt: dict[str, Any]) -> None:
    assert "not sent" not in timeline(unsent(name, **doubt))


def test_a_dry_run_does_not_wait_for_an_operator() -> None:
    text = timeline(unsent("HELD", error={"code": "DRY_RUN", "details": "SendMode is DryRun"}))
    assert "not sent: SendMode does not allow it" in text
    assert "waits for an operator" not in text


def test_the_command_reads_the_table(deployed: Deployed, printed: Printed) -> None:
    put(deployed, message("order-1"), event("order-1", "e1"))
    assert status.main(["--reference", "order-1"]) == 0
    assert "status      DELIVERED: delivered to the phone" in printed()


@pytest.mark.usefixtures("deployed")
def test_the_command_says_that_the_table_has_nothing(printed: Printed) -> None:
    assert status.main(["--reference", "never-sent"]) == 1
    assert "nothing under 'never-sent'" in printed()
