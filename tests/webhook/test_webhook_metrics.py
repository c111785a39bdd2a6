"""The metrics of each request, in the log lines from which CloudWatch reads them."""

import json
from datetime import timedelta

import pytest

from simulator.webhook_events import ulid
from tests.webhook.webhook_function import NOW, Answer, Webhook, envelope, function, message

__all__ = ["function"]


def metrics(answer: Answer) -> dict[str, list[float]]:
    """Return the metrics of an answer's log by name."""
    (line,) = (json.loads(line) for line in answer.log.splitlines() if '"_aws"' in line)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    return {metric["Name"]: line[metric["Name"]] for metric in directive["Metrics"]}


def test_each_answer_is_counted(function: Webhook) -> None:
    function.put(message())
    assert metrics(function.post(envelope())) == {
        "EventStored": [1.0],
        "KeyCurrent": [1.0],
        "AcceptToFinalSeconds": [30.0],
    }
    assert metrics(function.post(envelope())) == {"EventDuplicate": [1.0], "KeyCurrent": [1.0]}
    assert metrics(function.post(b"hello")) == {"EventQuarantined": [1.0], "KeyCurrent": [1.0]}
    assert metrics(function.post(envelope(), key="another key")) == {"SignatureRefused": [1.0]}
    function.now += timedelta(days=8)
    assert metrics(function.post(envelope(event_id="late"))) == {"AgeRefused": [1.0]}


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
    assert metrics(answer).get("AcceptToFinalSeconds") == measured
