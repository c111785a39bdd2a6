"""Final states: in whatever order a message's events come, and how often, and how mixed, it ends the same."""

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
OLD_ERROR = {"code": "UNCERTAIN", "details": "nobody answered"}
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
class Said:
    """What an event says; two that say the same are two events all the same."""

    number: int
    status: str
    second: int

    @property
    def at(self) -> datetime:
        return NOW + timedelta(seconds=self.second)

    @property
    def error(self) -> Fields | None:
        """An error that belongs to status and time, so that what outranks it says what becomes of it."""
        return {"hex_code": f"0x{self.second}", "details": self.status} if self.second else None

    def body(self) -> Fields:
        event = {"status": self.status, "status_at": to_text(self.at), "error": self.error}
        return envelope(event, event_id=f"event-{self.number}")


@st.composite
def deliveries(draw: st.DrawFn) -> list[tuple[Said, int | None]]:
    """Events, each at least once, in any order; a number says before which of its writes the next one is served."""
    said = draw(st.lists(st.tuples(st.sampled_from(EVENTS_OF_STATUS), st.integers(0, 2)), min_size=1, max_size=5))
    events = [Said(number, status, second) for number, (status, second) in enumerate(said)]
    copies = draw(st.lists(st.sampled_from(events), max_size=3))
    order = draw(st.permutations(events + copies))
    return [(event, draw(st.sampled_from([None, None, 0, 1]))) for event in order]


def expected(start: MessageRecord | None, events: Sequence[Said]) -> MessageRecord | None:
    """Return the model's final state: the start, or the highest of what the provider said, by rank, time and name."""
    moving = [it for it in events if state.rank(it.status) >= state.rank(state.ACCEPTED)]
    if start is None or not moving or (start.status in NEVER_ACCEPTED and not start.in_doubt):
        return start
    last = max(moving, key=lambda it: (state.rank(it.status), it.at, it.status))
    there = (state.rank(start.status), start.status_at or NEVER, start.status if start.status_at else "")
    if (state.rank(last.status), last.at, last.status) <= there:
        return start
    error = {"code": last.error["hex_code"], "details": last.error["details"]} if last.error else None
    moved = replace(start, status=last.status, status_at=last.at, error=error, msg_id=MSG_ID)
    return replace(moved, updated_at=NOW, lease_until=None, in_doubt=False, doubt_until=None)


@contextmanager
def interrupted(function: Webhook, before_write: int, act: Callable[[], object]) -> Iterator[None]:
    """Have something happen just before one of the writes that are made meanwhile."""
    writes = itertools.count()
    write = function.aws.dynamodb.transact_write_items

    def write_later(**parameters: object) -> object:
        if next(writes) == before_write:
            act()
        return write(**parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(function.aws.dynamodb, "transact_write_items", write_later)
        yield


def deliver(function: Webhook, waiting: deque[tuple[Said, int | None]], statuses: list[tuple[int, str]]) -> None:
    """Deliver the first event, and the next in the midst of it where it is to be interrupted."""
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
def test_every_order_of_events_ends_in_the_same_state(
    function: Webhook, start: MessageRecord | None, order: list[tuple[Said, int | None]]
) -> None:
    function.clear()
    if start is not None:
        function.put(start)
    waiting, statuses = deque(order), list[tuple[int, str]]()
    while waiting:
        deliver(function, waiting, statuses)
    events = {event.number: event for event, _ in order}
    assert function.message() == expected(start, list(events.values()))
    assert {it.event_id for it in function.events()} == {f"event-{number}" for number in events}
    # Of each event's copies one is stored and all others are known.
    assert sorted(number for number, status in statuses if status == "stored") == sorted(events)
    assert sum(status == "duplicate" for _, status in statuses) == len(order) - len(events)


@pytest.mark.parametrize("status", [state.SENDING, state.UNCERTAIN, state.RETRYING, state.HELD])
def test_any_status_of_the_provider_settles_what_was_in_doubt(function: Webhook, status: str) -> None:
    for said in ("ACCEPTED", "ENROUTE", "UNKNOWN", "REJECTED", "New"):
        function.clear()
        function.put(message(status, lease_until=LEASE, error=OLD_ERROR, **IN_DOUBT))
        function.post(envelope({"status": said}))
        found = function.message()
        assert found is not None
        assert (found.status, found.msg_id, found.lease_until, found.error) == (said, MSG_ID, None, None)
        assert state.is_settled(found.status)


@pytest.mark.parametrize("status", [status for status in state.RANKS if not state.is_settled(status)])
def test_a_status_by_a_name_of_ours_is_filed_and_moves_nothing(function: Webhook, status: str) -> None:
    for record in (message(state.RETRYING), message(state.SENDING, lease_until=LEASE), message("DELIVERED")):
        function.clear()
        function.put(record)
        assert function.post(envelope({"status": status})).body == {"status": "stored"}
        assert function.message() == record


def test_a_status_of_the_provider_gives_our_own_acceptance_its_time(function: Webhook) -> None:
    # The sender writes ACCEPTED without a status_at: any event of that rank is later.
    function.put(message(state.ACCEPTED, msg_id=MSG_ID, accepted_at=NOW))
    function.post(envelope({"status": "ACCEPTED"}))
    found = function.message()
    assert found is not None
    assert (found.status, found.status_at, found.accepted_at) == (state.ACCEPTED, NOW, NOW)


def test_a_message_lives_on_as_long_as_its_last_event(function: Webhook) -> None:
    function.put(message(expires_at=NOW + timedelta(days=1)))
    function.post(envelope())
    found, (event,) = function.message(), function.events()
    assert found is not None
    assert found.expires_at == event.expires_at == NOW + timedelta(days=90)
