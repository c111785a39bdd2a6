"""The model's store answers as moto does, call by call: else the model would show something of itself alone."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatewayapi import state
from gatewayapi.record import MessageRecord, QuarantineRecord
from gatewayapi.table import Table, Write
from tests.conftest import ENVIRONMENT
from tests.layer.test_table import NOW, message
from tests.layer.test_table_events import event
from tests.moto_aws import RETENTION_DAYS, Aws
from tests.sender.model_store import Store

REFERENCES = st.sampled_from(["order-1", "order-2", "order-3"])
MOMENTS = st.sampled_from([NOW + timedelta(seconds=second) for second in range(3)])
STATUSES = st.sampled_from([*state.RANKS, "NEW_STATUS"])
MESSAGES = st.builds(
    lambda reference, status, moment, leased: message(
        reference, status, updated_at=moment, lease_until=NOW if leased else None, msg_id="held" if leased else None
    ),
    REFERENCES,
    STATUSES,
    MOMENTS,
    st.booleans(),
)
PUTS = st.lists(MESSAGES, min_size=1, max_size=3, unique_by=lambda record: record.reference)
EVENTS = st.builds(
    lambda reference, status, after_s, number, failed: event(
        status,
        after_s,
        key=reference,
        reference=reference,
        event_id=str(number),
        error={"details": "…"} if failed else None,
    ),
    REFERENCES,
    STATUSES,
    st.integers(1, 3),
    st.integers(1, 4),
    st.booleans(),
)
BODIES = st.builds(QuarantineRecord, st.sampled_from("ab"), *map(st.just, (b"x", "v1=", "why", NOW, NOW)))
# A put is drawn with whether it is made over what stands there, over what stood there, or blindly.
STEPS = st.lists(st.tuples(PUTS, st.sampled_from(["blindly", "seen", "stale"])) | EVENTS | BODIES, max_size=8)


def done(table: Table, step: Any, seen: dict[str, MessageRecord]) -> Any:  # noqa: ANN401 - three kinds of both
    """What the table answers to one step; `seen` is what the steps so far have shown of it."""
    if isinstance(step, QuarantineRecord):
        return table.quarantine(step)
    if not isinstance(step, tuple):
        return table.store(step)
    records, how = step
    writes = []
    for record in records:
        base = seen.get(record.reference) if how != "blindly" else None
        if base is not None and how == "stale":
            base = replace(base, updated_at=NOW - timedelta(days=1))
        writes.append(Write(record, base))
    obstacles = table.put(writes)
    seen |= {each.reference: obstacles.get(each.reference) or each for each in records}
    return obstacles


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_the_store_answers_and_keeps_what_moto_does(aws: Aws, table: Table, steps: list[Any]) -> None:
    name = ENVIRONMENT["TABLE_NAME"]
    for item in aws.dynamodb.scan(TableName=name)["Items"]:
        aws.dynamodb.delete_item(TableName=name, Key={"pk": item["pk"], "sk": item["sk"]})
    store = Store()
    twin = Table(cast("Any", store), name, RETENTION_DAYS)
    shown: dict[str, MessageRecord] = {}
    shown_by_twin: dict[str, MessageRecord] = {}
    for step in steps:
        assert done(twin, step, shown_by_twin) == done(table, step, shown)
    kept = {(item["pk"]["S"], item["sk"]["S"]): item for item in aws.dynamodb.scan(TableName=name)["Items"]}
    assert store.items == kept
