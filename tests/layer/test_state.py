"""The decision table of `state`, row by row: what a delivery does about the record that it finds."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gatewayapi import state
from gatewayapi.record import MessageRecord
from gatewayapi.state import Step, Verdict, judge

NOW = datetime(2025, 4, 1, 12, tzinfo=UTC)
QUEUED = NOW - timedelta(minutes=10)
EXPIRES = NOW + timedelta(days=90)
RECONCILE = timedelta(minutes=15)
INSTANT = timedelta(microseconds=1)
PROVIDER_S = ["ACCEPTED", "ENROUTE", "UNKNOWN", *state.FINAL, "READ", "Held at customs"]
NEVER_SENT = ["RETRYING", "INVALID", "LAPSED", "HELD"]

SEEN = MessageRecord(
    reference="order-1",
    status="SENDING",
    queued_at=QUEUED,
    updated_at=NOW - timedelta(minutes=1),
    expires_at=EXPIRES - timedelta(minutes=1),
    message_id="first",
    attempts=1,
    fingerprint="same",
    recipient=4512345678,
    sender="Shop",
    lease_until=NOW + timedelta(seconds=20),
)
WANTED = replace(
    SEEN, updated_at=NOW, expires_at=EXPIRES, message_id="second", lease_until=NOW + timedelta(seconds=35)
)
LAPSED = replace(WANTED, status="LAPSED", attempts=0, lease_until=None)
INVALID = MessageRecord("order-1", "INVALID", QUEUED, NOW, EXPIRES, "second", error={"code": "INVALID_MESSAGE"})


def judged(seen: MessageRecord, wanted: MessageRecord = WANTED, *, resend: bool = False) -> Verdict:
    return judge(seen, wanted, reconcile_after=RECONCILE, resend=resend)


@pytest.mark.parametrize("status", NEVER_SENT)
def test_a_message_that_was_never_sent_is_claimed(status: str) -> None:
    seen = replace(SEEN, status=status, attempts=2, lease_until=None, error={"code": "X"})
    redriven = replace(WANTED, queued_at=NOW)
    assert judged(seen, redriven) == Verdict(Step.CLAIM, record=replace(redriven, attempts=3))


@pytest.mark.parametrize("status", ["INVALID", "LAPSED", "HELD"])
def test_a_message_that_was_never_sent_may_be_replaced_by_other_content(status: str) -> None:
    seen = replace(SEEN, status=status, fingerprint="other")
    assert judged(seen).step is Step.CLAIM


@pytest.mark.parametrize("status", ["RETRYING", "SENDING", "UNCERTAIN", *PROVIDER_S])
def test_other_content_is_refused_where_the_first_may_be_sent(status: str) -> None:
    seen = replace(SEEN, status=status, fingerprint="other")
    assert judged(seen) == Verdict(Step.REUSE)
    assert judged(seen, LAPSED) == Verdict(Step.REUSE)


@pytest.mark.parametrize(
    ("queued_after", "step"), [(-INSTANT, Step.DROP), (timedelta(0), Step.DROP), (INSTANT, Step.CLAIM)]
)
@pytest.mark.parametrize("message_id", ["first", "second"])
def test_a_held_message_is_sent_only_where_it_was_queued_since(
    message_id: str, queued_after: timedelta, step: Step
) -> None:
    seen = replace(SEEN, status="HELD", message_id=message_id)
    assert judged(seen, replace(WANTED, queued_at=seen.updated_at + queued_after)).step is step


@pytest.mark.parametrize(("message_id", "step"), [("first", Step.CLAIM), ("second", Step.DROP)])
def test_a_message_that_lapsed_is_sent_only_when_it_comes_as_another(message_id: str, step: Step) -> None:
    assert judged(replace(SEEN, status="LAPSED", message_id=message_id)).step is step


@pytest.mark.parametrize("wanted", [WANTED, LAPSED])
def test_a_message_that_another_is_sending_waits_for_its_lease(wanted: MessageRecord) -> None:
    lease = NOW + INSTANT
    assert judged(replace(SEEN, lease_until=lease), wanted) == Verdict(Step.WAIT, until=lease)


@pytest.mark.parametrize("lease", [NOW, NOW - timedelta(days=1), None])
def test_a_message_whose_sender_died_is_in_doubt(lease: datetime | None) -> None:
    seen = replace(SEEN, lease_until=lease)
    doubtful = replace(seen, status="UNCERTAIN", updated_at=NOW, lease_until=None, expires_at=EXPIRES)
    assert judged(seen) == Verdict(Step.DOUBT, until=NOW + RECONCILE, record=doubtful)


@pytest.mark.parametrize("resend", [False, True])
def test_an_uncertain_message_waits_for_a_webhook(*, resend: bool) -> None:
    since = NOW - RECONCILE + INSTANT
    seen = replace(SEEN, status="UNCERTAIN", updated_at=since, lease_until=None)
    assert judged(seen, resend=resend) == Verdict(Step.WAIT, until=NOW + INSTANT)


UNSETTLED = replace(SEEN, status="UNCERTAIN", updated_at=NOW - RECONCILE, lease_until=None, attempts=1)


def test_an_uncertain_message_that_nothing_settles_is_held() -> None:
    verdict = judged(UNSETTLED)
    error = {"code": "UNCERTAIN", "details": state.UNSETTLED}
    assert verdict == Verdict(
        Step.HOLD, record=replace(UNSETTLED, status="HELD", message_id="second", updated_at=NOW, error=error)
    )


def test_an_uncertain_message_is_sent_again_where_the_operator_says_so() -> None:
    assert judged(UNSETTLED, resend=True) == Verdict(Step.CLAIM, record=replace(WANTED, attempts=2, resent=True))


def test_a_message_is_sent_again_once() -> None:
    verdict = judged(replace(UNSETTLED, resent=True), resend=True)
    assert verdict.step is Step.HOLD
    assert verdict.record is not None
    assert verdict.record.resent


@pytest.mark.parametrize(
    ("status", "resent"), [("RETRYING", True), ("LAPSED", False), ("INVALID", False), ("HELD", False)]
)
def test_a_pause_does_not_permit_another_sending(status: str, *, resent: bool) -> None:
    verdict = judged(replace(UNSETTLED, status=status, resent=True), replace(WANTED, queued_at=NOW))
    assert verdict.record is not None
    assert verdict.record.resent is resent


def test_a_message_that_lapsed_meanwhile_is_not_sent_again() -> None:
    assert judged(UNSETTLED, LAPSED, resend=True).step is Step.HOLD


@pytest.mark.parametrize("status", PROVIDER_S)
@pytest.mark.parametrize("wanted", [WANTED, LAPSED])
def test_a_message_that_the_provider_has_is_a_duplicate(wanted: MessageRecord, status: str) -> None:
    assert judged(replace(SEEN, status=status), wanted, resend=True) == Verdict(Step.DROP)


@pytest.mark.parametrize("status", ["RETRYING", "INVALID", "LAPSED"])
def test_a_message_that_lapsed_replaces_one_that_was_never_sent_and_is_no_attempt(status: str) -> None:
    verdict = judged(replace(SEEN, status=status, attempts=2), LAPSED)
    assert verdict == Verdict(Step.CLAIM, record=replace(LAPSED, attempts=2))


@pytest.mark.parametrize("status", ["INVALID", "LAPSED"])
def test_a_broken_message_replaces_one_that_nothing_depends_on(status: str) -> None:
    seen = replace(SEEN, status=status, attempts=2)
    assert judged(seen, INVALID) == Verdict(Step.CLAIM, record=replace(INVALID, attempts=2))


@pytest.mark.parametrize("status", ["RETRYING", "HELD"])
def test_a_broken_message_replaces_its_own_record_alone(status: str) -> None:
    assert judged(replace(SEEN, status=status, message_id="second"), INVALID).step is Step.CLAIM
    assert judged(replace(SEEN, status=status, message_id="first"), INVALID) == Verdict(Step.DROP)


@pytest.mark.parametrize("status", ["SENDING", "UNCERTAIN", *PROVIDER_S])
@pytest.mark.parametrize("message_id", ["first", "second"])
def test_a_broken_message_leaves_one_that_may_be_sent_alone(message_id: str, status: str) -> None:
    assert judged(replace(SEEN, status=status, message_id=message_id), INVALID) == Verdict(Step.DROP)


def test_the_ranks_are_in_the_order_of_a_message_s_life() -> None:
    order = [("SENDING",), ("UNCERTAIN",), ("ACCEPTED",), ("ENROUTE", "UNKNOWN"), state.FINAL, ("READ",)]
    ranks = [{state.rank(status) for status in group} for group in order]
    assert all(len(group) == 1 for group in ranks)
    assert sorted(ranks, key=min) == ranks
    assert len({next(iter(group)) for group in ranks}) == len(order)
    assert {state.rank(status) for status in NEVER_SENT} == {0}
    assert min(min(group) for group in ranks) > 0


def test_a_status_that_the_provider_added_ranks_with_enroute() -> None:
    assert state.rank("Held at customs") == state.rank("ENROUTE")


@pytest.mark.parametrize("status", [*NEVER_SENT, "SENDING", "UNCERTAIN", *PROVIDER_S])
def test_only_the_provider_s_statuses_settle_a_message(status: str) -> None:
    assert state.is_settled(status) == (status in PROVIDER_S)


def test_holding_keeps_what_is_known_of_a_message() -> None:
    held = state.hold(SEEN, "second", NOW, "DRY_RUN", "why")
    error = {"code": "DRY_RUN", "details": "why"}
    assert held == replace(SEEN, status="HELD", message_id="second", updated_at=NOW, lease_until=None, error=error)


def test_accepting_ends_the_claim() -> None:
    seen = replace(SEEN, error={"code": "UNCERTAIN", "details": "why"})
    assert state.accept(seen, "m-1", NOW, EXPIRES) == replace(
        SEEN, status="ACCEPTED", msg_id="m-1", accepted_at=NOW, updated_at=NOW, expires_at=EXPIRES, lease_until=None
    )


@pytest.mark.parametrize("status", ["ENROUTE", "DELIVERED", "UNDELIVERABLE", "READ", "Held at customs"])
def test_accepting_late_overwrites_nothing_that_a_webhook_said(status: str) -> None:
    error = {"code": "0x1701", "details": "Handset not in reach"}
    seen = replace(SEEN, status=status, msg_id="m-1", status_at=QUEUED, lease_until=None, error=error)
    accepted = state.accept(seen, "m-2", NOW, EXPIRES)
    assert accepted == replace(seen, accepted_at=NOW, updated_at=NOW, expires_at=EXPIRES)


def test_accepting_twice_keeps_the_first_time() -> None:
    first = state.accept(SEEN, "m-1", QUEUED, EXPIRES)
    assert state.accept(first, "m-1", NOW, EXPIRES).accepted_at == QUEUED
