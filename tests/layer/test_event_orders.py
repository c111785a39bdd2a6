"""The final record of a message does not depend on the order, the repetition or the overlap of its events."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatewayapi import state
from gatewayapi.event_table import EventTable
from gatewayapi.record import EventRecord, MessageRecord
from tests.layer.stored_records import (
    MSG_ID,
    NOW,
    delete_items,
    event,
    message,
    message_in_doubt,
    put_item,
    stored_events,
    stored_messages,
)
from tests.moto_aws import Aws

NEVER = datetime.min.replace(tzinfo=UTC)
OLD_ERROR = {"code": "UNCERTAIN", "details": "no answer"}
EVENT_STATUSES = [*state.RANKS, "SEEN_BY_OPERATOR", "Æ", "enroute"]
NEVER_ACCEPTED = [state.RETRYING, state.INVALID, state.LAPSED, state.SUPPRESSED, state.HELD]

STARTS: dict[str, MessageRecord | None] = {
    "no record": None,
    **{status: message(status=status, error=OLD_ERROR) for status in NEVER_ACCEPTED},
    **{
        f"{status}, in doubt": message_in_doubt(status=status, error=OLD_ERROR)
        for status in (state.RETRYING, state.HELD, state.UNCERTAIN)
    },
    state.SENDING: message(lease_until=NOW + timedelta(minutes=1)),
    state.ACCEPTED: message(status=state.ACCEPTED, msg_id=MSG_ID, accepted_at=NOW),
    state.ENROUTE: message(status=state.ENROUTE, msg_id=MSG_ID, status_at=NOW),
    "DELIVERED": message(status="DELIVERED", msg_id=MSG_ID, status_at=NOW + timedelta(seconds=1)),
    state.READ: message(status=state.READ, msg_id=MSG_ID, status_at=NOW),
}

# An event, and before which write of it the next event is stored. None stores the next event afterwards.
Delivery = tuple[EventRecord, int | None]


def status_event(number: int, status: str, second: int) -> EventRecord:
    """Return an event. Its error depends on its status and time, so that a test can tell which event set it."""
    error = {"hex_code": f"0x{second}", "details": status} if second else None
    return event(status, second, event_id=f"event-{number}", received_at=NOW, error=error)


@st.composite
def deliveries(draw: st.DrawFn) -> list[Delivery]:
    """Return the deliveries of events in any order, some of them repeated and some of them overlapping."""
    statuses = draw(st.lists(st.tuples(st.sampled_from(EVENT_STATUSES), st.integers(0, 2)), min_size=1, max_size=5))
    events = [status_event(number, status, second) for number, (status, second) in enumerate(statuses)]
    repeated = draw(st.lists(st.sampled_from(events), max_size=3))
    order = draw(st.permutations(events + repeated))
    return [(delivered, draw(st.sampled_from([None, None, 0, 1]))) for delivered in order]


def final_record(start: MessageRecord | None, events: Sequence[EventRecord]) -> MessageRecord | None:
    """Return the start, or the start moved by the highest event: by rank, then by time, then by name."""
    moving = [moving for moving in events if state.is_accepted(moving.status or "")]
    if start is None or not moving or (start.status in NEVER_ACCEPTED and not start.in_doubt):
        return start
    last = max(moving, key=order_of)
    if order_of(last) <= order_of(start):
        return start
    error = {"code": last.error["hex_code"], "details": last.error["details"]} if last.error else None
    moved = start._replace(status=last.status or "", status_at=last.status_at, error=error, msg_id=MSG_ID)
    return moved._replace(
        updated_at=NOW, expires_at=last.expires_at, lease_until=None, in_doubt=False, doubt_until=None
    )


def order_of(record: MessageRecord | EventRecord) -> tuple[int, datetime, str]:
    status = record.status or ""
    return state.rank(status), record.status_at or NEVER, status if record.status_at else ""


@contextmanager
def before_write(aws: Aws, number: int, act: Callable[[], None]) -> Iterator[None]:
    """Call `act` before one of the writes of the `with` block."""
    writes, write = count(), aws.dynamodb.transact_write_items

    def write_later(**parameters: object) -> object:
        if next(writes) == number:
            act()
        return write(**parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aws.dynamodb, "transact_write_items", write_later)
        yield


def store_next(aws: Aws, event_table: EventTable, waiting: deque[Delivery], new: list[str]) -> None:
    """Store the next event, and during that the one after it if the two overlap. `new` collects new event ids."""
    delivered, overlap = waiting.popleft()
    with ExitStack() as stack:
        if overlap is not None and waiting:
            stack.enter_context(before_write(aws, overlap, lambda: store_next(aws, event_table, waiting, new)))
        is_new = event_table.store(delivered)
    if is_new:
        new.append(delivered.event_id)


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS.keys())
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=deliveries())
def test_every_order_of_events_leads_to_the_same_final_record(
    aws: Aws, event_table: EventTable, start: MessageRecord | None, order: list[Delivery]
) -> None:
    delete_items(aws)
    if start is not None:
        put_item(aws, start)
    waiting, new = deque(order), list[str]()
    while waiting:
        store_next(aws, event_table, waiting, new)
    events = {delivered.event_id: delivered for delivered, _ in order}
    assert stored_messages(aws).get("order-1") == final_record(start, list(events.values()))
    assert sorted(new) == sorted(events)
    assert {found.event_id for found in stored_events(aws)} == events.keys()
