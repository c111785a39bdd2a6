"""`make replay` delivers the stored events of a period to a consumer, in order and in the stream's shape."""

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gatewayapi.record import EventRecord
from gatewayapi.stream import records
from tests.tools.conftest import Printed
from tests.tools.table_items import event, message, put
from tools import replay
from tools.command import CommandError
from tools.deployed import Deployed

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
PERIOD = ["--from", "2026-03-01T12:00Z", "--to", "2026-03-01 13:00:00", "--function", "consumer"]
ACT = [*PERIOD, "--confirm", "yes"]


class Consumer:
    """The function's answers, and the events that it was invoked with."""

    def __init__(self) -> None:
        self.invocations: list[dict[str, Any]] = []
        self.fails_from: int | None = None
        self.result = "null"

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 - boto's names
        assert FunctionName == "consumer"
        self.invocations.append(json.loads(Payload))
        failed = self.fails_from is not None and len(self.invocations) >= self.fails_from
        return {"Payload": io.BytesIO(self.result.encode()), **({"FunctionError": "Unhandled"} if failed else {})}

    def event_ids(self) -> list[str]:
        read = [record for invocation in self.invocations for record in records(invocation)]
        return [record.event_id for record in read if isinstance(record, EventRecord)]


@pytest.fixture
def consumer(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> Consumer:
    consumer, others = Consumer(), deployed.client
    monkeypatch.setattr(Deployed, "client", lambda _, service: consumer if service == "lambda" else others(service))
    return consumer


def at(minutes: int) -> datetime:
    return BEGIN + timedelta(minutes=minutes)


def test_it_only_counts_without_confirmation(deployed: Deployed, consumer: Consumer, printed: Printed) -> None:
    put(deployed, event("order-1", "e1", at(1)), event("order-2", "e2", at(2)))
    assert replay.main(PERIOD) == 0
    assert consumer.invocations == []
    output = printed()
    assert "2 events received" in output
    assert "CONFIRM=yes" in output


def test_the_events_of_the_period_are_delivered_in_order(deployed: Deployed, consumer: Consumer) -> None:
    put(
        deployed,
        event("b", "third", at(3)),
        event("a", "first", at(0)),
        event("c", "second", at(2)),
        event("a", "before", at(-1)),
        event("a", "after", at(60)),
        message("a", at(1)),
    )
    assert replay.main(ACT) == 0
    assert consumer.event_ids() == ["first", "second", "third"]


def test_a_record_has_the_streams_shape(deployed: Deployed, consumer: Consumer) -> None:
    put(deployed, event("order-1", "e1", at(1)))
    replay.main(ACT)
    (record,) = consumer.invocations[0]["Records"]
    assert record["eventName"] == "INSERT"
    assert record["eventSource"] == "aws:dynamodb"
    assert record["eventSourceARN"] == deployed.output("StreamArn")
    assert record["dynamodb"]["Keys"] == {"pk": {"S": "order-1"}, "sk": {"S": "EVENT#e1"}}
    assert record["dynamodb"]["NewImage"]["record_type"] == {"S": "event"}


def test_many_events_are_delivered_in_batches(deployed: Deployed, consumer: Consumer) -> None:
    put(deployed, *(event("order-1", f"e{number:03}", at(0) + timedelta(seconds=number)) for number in range(230)))
    assert replay.main(ACT) == 0
    assert [len(invocation["Records"]) for invocation in consumer.invocations] == [100, 100, 30]
    assert consumer.event_ids() == [f"e{number:03}" for number in range(230)]


def test_an_invocation_is_never_larger_than_lambda_takes(deployed: Deployed, consumer: Consumer) -> None:
    put(deployed, *(event("order-1", f"e{number:02}", at(number), body="x" * 300_000) for number in range(30)))
    assert replay.main(ACT) == 0
    assert len(consumer.event_ids()) == 30
    assert max(len(json.dumps(invocation)) for invocation in consumer.invocations) < 6_000_000


def test_forgotten_events_are_left_out(deployed: Deployed, consumer: Consumer, printed: Printed) -> None:
    put(deployed, event("order-1", "e1", at(1)), event("order-2", "e2", at(2), body=None, signature=None))
    assert replay.main(ACT) == 0
    assert consumer.event_ids() == ["e1"]
    assert "1 event deleted or forgotten" in printed()


def test_after_a_failure_it_stops_and_names_where_to_go_on(deployed: Deployed, consumer: Consumer) -> None:
    put(deployed, *(event("order-1", f"e{number:03}", at(0) + timedelta(seconds=number)) for number in range(150)))
    consumer.fails_from = 2
    with pytest.raises(CommandError, match=r"go on with FROM=2026-03-01T12:01:40\.000000\+00:00"):
        replay.main(ACT)
    assert len(consumer.invocations) == 2


def test_a_reported_record_is_where_to_go_on(deployed: Deployed, consumer: Consumer) -> None:
    put(deployed, *(event("order-1", f"e{number}", at(number)) for number in range(3)))
    consumer.result = json.dumps({"batchItemFailures": [{"itemIdentifier": "e1"}]})
    with pytest.raises(CommandError, match=r"it reported 1 record as failed[\s\S]*FROM=2026-03-01T12:01:00"):
        replay.main(ACT)


@pytest.mark.parametrize(
    "period",
    [
        ["--from", "2026-03-01T13:00Z", "--to", "2026-03-01T12:00Z", "--function", "consumer"],
        ["--from", "yesterday", "--to", "2026-03-01T12:00Z", "--function", "consumer"],
    ],
)
def test_a_period_that_is_none_is_refused(period: list[str]) -> None:
    with pytest.raises((CommandError, SystemExit)):
        replay.main(period)
