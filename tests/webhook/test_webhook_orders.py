"""The final state of a message does not depend on the order, the number or the overlap of its events."""

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatewayapi import state
from gatewayapi.clock import to_text
from gatewayapi.record import MessageRecord
from tests.webhook.webhook_function import MSG_ID, NOW, Fields, Webhook, envelope, function, message

__all__ = ["function"]

NEVER = datetime.min.replace(tzinfo=UTC)
LEASE = NOW + timedelta(minutes=1)
OLD_ERROR = {"code": "UNCERTAIN", "details": "no answer"}
EVENTS_OF_STATUS = [*state.RANKS, "SEEN_BY_OPERATOR", "Æ", "enroute"]

NEVER_ACCEPTED = [state.RETRYING, state.INVALID, state.LAPSED, state.SUPPRESSED, state.HELD]
DOUBTFUL = [state.RETRYING, state.HELD, state.UNCERTAIN]
IN_DOUBT: Fields = {"in_doubt": True, "doubt_until": LEASE}

STARTS: dict[str, MessageRecord | None] = {
    "no record": None,
    **{status: message(status, error=OLD_ERROR) for status in NEVER_ACCEPTED},
    **{f"{status}, in doubt": message(status, error=OLD_ERROR, **IN_DOUBT) for status in DOUBTFUL},
    state.SENDING: message(state.SENDING, lease_until=LEASE),
    state.ACCEPTED: message(state.ACCEPTED, msg_id=MSG_ID, accepted_at=NOW),
    state.ENROUTE: message(state.ENROUTE, msg_id=MSG_ID, status_at=NOW),
    "DELIVERED": message("DELIVERED", msg_id=MSG_ID, status_at=NOW + timedelta(seconds=1)),
    state.READ: message(state.READ, msg_id=MSG_ID, status_at=NOW),
}


@dataclass(frozen=True, slots=True)
class StatusEvent:
    """One event. Events with the same status and time differ in `number`."""

    number: int
    status: str
    second: int

    @property
    def at(self) -> datetime:
        return NOW + timedelta(seconds=self.second)

    @property
    def error(self) -> Fields | None:
        """An error that depends on status and time, so that a test can tell which event set it."""
        return {"hex_code": f"0x{self.second}", "details": self.status} if self.second else None

    def body(self) -> Fields:
        event = {"status": self.status, "status_at": to_text(self.at), "error": self.error}
        return envelope(event, event_id=f"event-{self.number}")


@st.composite
def deliveries(draw: st.DrawFn) -> list[tuple[StatusEvent, int | None]]:
    """Return events in any order, each at least once. A number delivers the next event before that write."""
    statuses = draw(st.lists(st.tuples(st.sampled_from(EVENTS_OF_STATUS), st.integers(0, 2)), min_size=1, max_size=5))
    events = [StatusEvent(number, status, second) for number, (status, second) in enumerate(statuses)]
    copies = draw(st.lists(st.sampled_from(events), max_size=3))
    order = draw(st.permutations(events + copies))
    return [(event, draw(st.sampled_from([None, None, 0, 1]))) for event in order]


def expected(start: MessageRecord | None, events: Sequence[StatusEvent]) -> MessageRecord | None:
    """Return the expected final record: the start, or the start moved by the highest event (rank, time and name)."""
    moving = [event for event in events if state.rank(event.status) >= state.rank(state.ACCEPTED)]
    if start is None or not moving or (start.status in NEVER_ACCEPTED and not start.in_doubt):
        return start
    last = max(moving, key=lambda event: (state.rank(event.status), event.at, event.status))
    start_order = (state.rank(start.status), start.status_at or NEVER, start.status if start.status_at else "")
    if (state.rank(last.status), last.at, last.status) <= start_order:
        return start
    error = {"code": last.error["hex_code"], "details": last.error["details"]} if last.error else None
    moved = replace(start, status=last.status, status_at=last.at, error=error, msg_id=MSG_ID)
    return replace(moved, updated_at=NOW, lease_until=None, in_doubt=False, doubt_until=None)


@contextmanager
def interrupted(function: Webhook, before_write: int, act: Callable[[], object]) -> Iterator[None]:
    """Run `act` before one of the writes of the `with` block."""
    writes = itertools.count()
    write = function.aws.dynamodb.transact_write_items

    def write_later(**parameters: object) -> object:
        if next(writes) == before_write:
            act()
        return write(**parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(function.aws.dynamodb, "transact_write_items", write_later)
        yield


def deliver(
    function: Webhook, waiting: deque[tuple[StatusEvent, int | None]], statuses: list[tuple[int, str]]
) -> None:
    """Deliver the first event. If it is to be interrupted, deliver the next one during it."""
    event, before_write = waiting.popleft()
    if before_write is None or not waiting:
        answer = function.post(event.body())
    else:
        with interrupted(function, before_write, lambda: deliver(function, waiting, statuses)):
            answer = function.post(event.body())
    assert answer.status == 200
    statuses.append((event.number, answer.body["status"]))


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS.keys())
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=deliveries())
def test_every_order_of_events_leads_to_the_same_final_state(
    function: Webhook, start: MessageRecord | None, order: list[tuple[StatusEvent, int | None]]
) -> None:
    function.clear()
    if start is not None:
        function.put(start)
    waiting, statuses = deque(order), list[tuple[int, str]]()
    while waiting:
        deliver(function, waiting, statuses)
    events = {event.number: event for event, _ in order}
    assert function.message() == expected(start, list(events.values()))
    assert {event.event_id for event in function.events()} == {f"event-{number}" for number in events}
    # One copy of each event is stored, and the others are duplicates.
    assert sorted(number for number, status in statuses if status == "stored") == sorted(events)
    assert sum(status == "duplicate" for _, status in statuses) == len(order) - len(events)


@pytest.mark.parametrize("status", [state.SENDING, state.UNCERTAIN, state.RETRYING, state.HELD])
def test_any_status_of_the_provider_settles_a_message_in_doubt(function: Webhook, status: str) -> None:
    for provider_status in ("ACCEPTED", "ENROUTE", "UNKNOWN", "REJECTED", "New"):
        function.clear()
        function.put(message(status, lease_until=LEASE, error=OLD_ERROR, **IN_DOUBT))
        function.post(envelope({"status": provider_status}))
        found = function.message()
        assert found is not None
        assert (found.status, found.msg_id, found.lease_until, found.error) == (provider_status, MSG_ID, None, None)
        assert state.is_settled(found.status)


@pytest.mark.parametrize("status", [status for status in state.RANKS if not state.is_settled(status)])
def test_an_event_with_a_status_of_this_stack_is_stored_and_moves_no_record(function: Webhook, status: str) -> None:
    for record in (message(state.RETRYING), message(state.SENDING, lease_until=LEASE), message("DELIVERED")):
        function.clear()
        function.put(record)
        assert function.post(envelope({"status": status})).body == {"status": "stored"}
        assert function.message() == record


def test_an_accepted_event_sets_the_status_time_of_an_accepted_record(function: Webhook) -> None:
    # The sender writes ACCEPTED without a status_at: any event of that rank is later.
    function.put(message(state.ACCEPTED, msg_id=MSG_ID, accepted_at=NOW))
    function.post(envelope({"status": "ACCEPTED"}))
    found = function.message()
    assert found is not None
    assert (found.status, found.status_at, found.accepted_at) == (state.ACCEPTED, NOW, NOW)


def test_a_record_expires_together_with_its_last_event(function: Webhook) -> None:
    function.put(message(expires_at=NOW + timedelta(days=1)))
    function.post(envelope())
    found, (event,) = function.message(), function.events()
    assert found is not None
    assert found.expires_at == event.expires_at == NOW + timedelta(days=90)
