"""The order of the states, and the changes from one to another."""

from datetime import timedelta

import pytest

from gatewayapi import state
from tests.layer.stored_records import EXPIRES, MSG_ID, NOW, event, message

QUEUED = NOW - timedelta(minutes=10)
PROVIDERS = ["ACCEPTED", "ENROUTE", "UNKNOWN", *state.FINAL, "READ", "Held at customs"]
NOT_SENT = ["RETRYING", "INVALID", "LAPSED", "SUPPRESSED", "HELD"]

RECORD = message(queued_at=QUEUED, attempts=1, fingerprint="same", lease_until=NOW + timedelta(seconds=20))
SETTLED = message(queued_at=QUEUED, status="DELIVERED", msg_id=MSG_ID, status_at=QUEUED, error={"code": "0x1701"})
LATER, EXPIRES_LATER = NOW + timedelta(minutes=1), EXPIRES + timedelta(minutes=1)


def test_the_ranks_are_in_the_order_of_a_messages_life() -> None:
    order = [("SENDING",), ("UNCERTAIN",), ("ACCEPTED",), ("ENROUTE", "UNKNOWN"), state.FINAL, ("READ",)]
    ranks = [{state.rank(status) for status in group} for group in order]
    assert all(len(group) == 1 for group in ranks)
    assert sorted(ranks, key=min) == ranks
    assert len({next(iter(group)) for group in ranks}) == len(order)
    assert {state.rank(status) for status in NOT_SENT} == {0}
    assert min(min(group) for group in ranks) > 0


def test_an_unknown_status_has_the_rank_of_enroute() -> None:
    assert state.rank("Held at customs") == state.rank("ENROUTE")


@pytest.mark.parametrize("status", [*NOT_SENT, "SENDING", "UNCERTAIN", *PROVIDERS])
def test_only_the_providers_statuses_settle_a_message(status: str) -> None:
    assert state.is_accepted(status) == (status in PROVIDERS)


def test_holding_keeps_the_rest_of_the_record() -> None:
    held = state.hold(RECORD, "second", LATER, EXPIRES_LATER, "DRY_RUN", "why")
    error = {"code": "DRY_RUN", "details": "why"}
    ended = RECORD._replace(lease_until=None, updated_at=LATER, expires_at=EXPIRES_LATER)
    assert held == ended._replace(status="HELD", message_id="second", status_at=LATER, error=error)


def test_a_message_that_is_held_again_without_a_request_keeps_the_time_of_its_hold() -> None:
    first = state.hold(RECORD, "first", NOW, EXPIRES, "UNCERTAIN", "why")
    second = state.hold(RECORD, "second", LATER, EXPIRES, "UNCERTAIN", "why")
    assert state.keep_hold_time(second, first) == second._replace(status_at=NOW)
    assert state.keep_hold_time(second, RECORD) == second


def test_a_record_that_is_put_in_doubt_twice_keeps_the_later_time() -> None:
    first = state.put_in_doubt(RECORD, NOW, NOW, EXPIRES)
    assert state.put_in_doubt(first, QUEUED, NOW, EXPIRES).doubt_until == NOW
    assert state.put_in_doubt(first, EXPIRES, NOW, EXPIRES).doubt_until == EXPIRES


def test_an_acceptance_ends_the_claim_and_the_doubt() -> None:
    claim = RECORD._replace(in_doubt=True, doubt_until=NOW, resent=True, error={"code": "UNCERTAIN"})
    accepted = state.accept(claim, MSG_ID, LATER, EXPIRES_LATER, was_in_doubt=True)
    ended = RECORD._replace(lease_until=None, updated_at=LATER, expires_at=EXPIRES_LATER)
    assert accepted == ended._replace(status="ACCEPTED", msg_id=MSG_ID, accepted_at=LATER, resent=True)


@pytest.mark.parametrize("status", ["ENROUTE", "DELIVERED", "UNDELIVERABLE", "READ", "Held at customs"])
def test_an_acceptance_does_not_overwrite_the_status_of_an_event_of_the_same_message(status: str) -> None:
    existing = SETTLED._replace(status=status)
    accepted = state.accept(existing, MSG_ID, LATER, EXPIRES_LATER, was_in_doubt=False)
    assert accepted == existing._replace(accepted_at=LATER, updated_at=LATER, expires_at=EXPIRES_LATER)


def test_an_acceptance_replaces_the_event_of_another_system() -> None:
    accepted = state.accept(SETTLED, "m-2", NOW, EXPIRES, was_in_doubt=False)
    assert (accepted.status, accepted.msg_id, accepted.status_at, accepted.error) == ("ACCEPTED", "m-2", None, None)


def test_an_acceptance_keeps_an_event_that_can_belong_to_an_earlier_request() -> None:
    accepted = state.accept(SETTLED, "m-2", NOW, EXPIRES, was_in_doubt=True)
    assert (accepted.status, accepted.msg_id, accepted.accepted_at) == ("DELIVERED", MSG_ID, NOW)


def test_the_furthest_of_a_messages_own_events_is_applied() -> None:
    accepted = SETTLED._replace(status="ACCEPTED", status_at=None, error=None)
    events = [event("ENROUTE", 9), event("DELIVERED", 1), event("EXPIRED", 2), event("READ", 3, msg_id="other")]
    moved = state.apply(accepted, events, NOW)
    assert (moved.status, moved.status_at) == ("EXPIRED", NOW + timedelta(seconds=2))


def test_events_that_are_not_further_change_nothing() -> None:
    assert state.apply(SETTLED, [event("ENROUTE"), event("HELD")], NOW) == SETTLED
