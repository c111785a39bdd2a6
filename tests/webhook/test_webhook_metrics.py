"""The metrics of each request, in the log lines from which CloudWatch reads them."""

from datetime import timedelta

import pytest

from simulator.webhook_events import ulid
from tests.layer.stored_records import NOW
from tests.webhook.webhook_function import Webhook, envelope, function

__all__ = ["function"]


def test_every_answer_is_counted(function: Webhook) -> None:
    assert function.post(envelope()).metrics() == {
        "EventStored": [1.0],
        "KeyCurrent": [1.0],
        "AcceptToFinalSeconds": [30.0],
    }
    assert function.post(envelope()).metrics() == {"EventDuplicate": [1.0], "KeyCurrent": [1.0]}
    assert function.post(b"hello").metrics() == {"EventQuarantined": [1.0], "KeyCurrent": [1.0]}
    assert function.post(envelope(), key="another key").metrics() == {"SignatureRefused": [1.0]}
    function.now += timedelta(days=8)
    assert function.post(envelope(event_id="late")).metrics() == {"AgeRefused": [1.0]}


@pytest.mark.parametrize(
    ("status", "before", "measured"),
    [
        ("DELIVERED", timedelta(seconds=30), [30.0]),
        ("EXPIRED", timedelta(days=5), [432_000.0]),
        ("DELIVERED", timedelta(seconds=-1), [0.0]),  # the clocks of two machines differ
        ("ENROUTE", timedelta(seconds=30), None),
        ("DELIVERED", timedelta(days=300), None),  # a test event
    ],
)
def test_the_seconds_from_acceptance_to_a_final_status_are_measured(
    function: Webhook, status: str, before: timedelta, measured: list[float] | None
) -> None:
    answer = function.post(envelope({"status": status, "msg_id": ulid(NOW - before)}))
    assert answer.metrics().get("AcceptToFinalSeconds") == measured
