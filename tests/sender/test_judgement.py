"""The decision table of `judgement`, row by row."""

from datetime import UTC, datetime, timedelta

import pytest

from delivery import Delivery
from gatewayapi import state
from gatewayapi.errors import MessageError
from gatewayapi.message_record import MessageRecord
from judgement import Doubt, Duplicate, Hold, Judgement, Proceed, Reused, Wait, judge

NOW = datetime(2025, 4, 1, 12, tzinfo=UTC)
QUEUED = NOW - timedelta(minutes=10)
EXPIRES = NOW + timedelta(days=90)
RECONCILE = timedelta(minutes=15)
INSTANT = timedelta(microseconds=1)
ACCEPTED_OR_LATER = ["ACCEPTED", "ENROUTE", "UNKNOWN", *state.FINAL, "READ", "STATUS_OF_THE_FUTURE"]

EXISTING = MessageRecord(
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
CLAIM = EXISTING._replace(
    queued_at=NOW - INSTANT,
    updated_at=NOW,
    expires_at=EXPIRES,
    message_id="second",
    lease_until=NOW + timedelta(seconds=35),
)
# `doubt_until` is when the last request can have been sent at the latest, so it is in the past.
UNCERTAIN_AND_DUE = EXISTING._replace(
    status="UNCERTAIN", updated_at=NOW - RECONCILE, lease_until=None, in_doubt=True, doubt_until=QUEUED
)
HELD_IN_DOUBT = UNCERTAIN_AND_DUE._replace(status="HELD", updated_at=NOW - RECONCILE)


def judged(
    existing: MessageRecord,
    *,
    message_id: str = "second",
    sent_at: datetime = QUEUED,
    from_dead_letter_queue: bool = False,
    resend: bool = False,
) -> Judgement:
    """Judge a delivery whose claim is CLAIM. The fingerprint is in the claim; the delivery's content is not used."""
    delivery = Delivery(
        message_id, "receipt", "arn", "{}", 1, sent_at, from_dead_letter_queue, "order-1", MessageError("not used")
    )
    return judge(existing, CLAIM, delivery, reconcile_after=RECONCILE, resend=resend)


@pytest.mark.parametrize("status", ["RETRYING", "INVALID", "LAPSED", "SUPPRESSED"])
def test_a_message_that_was_not_sent_is_claimed_and_keeps_its_first_enqueue_time(status: str) -> None:
    existing = EXISTING._replace(status=status, attempts=2, lease_until=None, error={"code": "X"})
    assert judged(existing) == Proceed(CLAIM._replace(attempts=3, queued_at=QUEUED))


@pytest.mark.parametrize("status", ["INVALID", "LAPSED", "SUPPRESSED", "HELD"])
def test_other_content_can_use_a_reference_whose_message_was_not_sent(status: str) -> None:
    assert judged(EXISTING._replace(status=status, fingerprint="other", attempts=4)) == Proceed(CLAIM)


@pytest.mark.parametrize("status", ["RETRYING", "SENDING", "UNCERTAIN", *ACCEPTED_OR_LATER])
def test_other_content_is_refused_if_the_first_content_was_sent_or_may_still_be_sent(status: str) -> None:
    assert isinstance(judged(EXISTING._replace(status=status, fingerprint="other")), Reused)


@pytest.mark.parametrize("status", ["RETRYING", "HELD", "INVALID"])
def test_other_content_is_refused_while_the_first_is_in_doubt(status: str) -> None:
    assert isinstance(judged(UNCERTAIN_AND_DUE._replace(status=status, fingerprint="other")), Reused)


@pytest.mark.parametrize("status", ["DELIVERED", "HELD", "INVALID"])
def test_every_message_under_a_forgotten_reference_is_refused(status: str) -> None:
    assert isinstance(judged(EXISTING._replace(status=status, fingerprint=None, forgotten_at=NOW)), Reused)


@pytest.mark.parametrize(
    ("status", "code"), [("SUPPRESSED", "OPTED_OUT"), ("LAPSED", None), ("INVALID", "PROVIDER_REFUSED")]
)
def test_a_repeated_delivery_of_a_finished_message_is_a_duplicate_and_another_message_proceeds(
    status: str, code: str | None
) -> None:
    existing = EXISTING._replace(status=status, error={"code": code} if code else None)
    assert isinstance(judged(existing, message_id="first"), Duplicate)
    assert isinstance(judged(existing, message_id="second"), Proceed)


@pytest.mark.parametrize("message_id", ["first", "second"])
def test_a_message_that_broke_a_rule_of_the_stack_is_judged_again(message_id: str) -> None:
    # Its record is written before its copy is sent to the dead-letter queue, so the copy can be missing.
    existing = EXISTING._replace(status="INVALID", error={"code": "RECIPIENT_NOT_ALLOWED"})
    assert isinstance(judged(existing, message_id=message_id), Proceed)


@pytest.mark.parametrize(
    ("enqueued_after", "from_dead_letter_queue", "expected"),
    [
        (-INSTANT, False, Duplicate),
        (timedelta(0), False, Duplicate),
        (INSTANT, False, Proceed),
        (-INSTANT, True, Proceed),  # SQS's clock can be behind ours
    ],
)
def test_a_held_message_is_sent_if_it_was_enqueued_or_redriven_after_the_hold(
    enqueued_after: timedelta, expected: type[Judgement], *, from_dead_letter_queue: bool
) -> None:
    existing = EXISTING._replace(status="HELD")
    sent_at = existing.updated_at + enqueued_after
    judgement = judged(existing, sent_at=sent_at, from_dead_letter_queue=from_dead_letter_queue)
    assert isinstance(judgement, expected)


@pytest.mark.parametrize("in_doubt", [False, True])
@pytest.mark.parametrize("from_dead_letter_queue", [False, True])
def test_the_message_that_wrote_the_hold_is_not_sent_even_if_the_clock_of_sqs_is_ahead(
    *, in_doubt: bool, from_dead_letter_queue: bool
) -> None:
    existing = HELD_IN_DOUBT._replace(in_doubt=in_doubt)
    judgement = judged(
        existing, message_id="first", sent_at=NOW + RECONCILE, from_dead_letter_queue=from_dead_letter_queue
    )
    assert isinstance(judgement, Duplicate)


def test_a_redrive_of_a_message_held_in_doubt_is_sent_once_more_and_stays_in_doubt() -> None:
    judgement = judged(HELD_IN_DOUBT, sent_at=NOW, from_dead_letter_queue=True)
    claim = CLAIM._replace(attempts=2, queued_at=QUEUED, in_doubt=True, doubt_until=QUEUED, resent=True)
    assert judgement == Proceed(claim)


@pytest.mark.parametrize(
    ("sent_at", "from_dead_letter_queue"),
    [(NOW, False), (HELD_IN_DOUBT.updated_at, True), (HELD_IN_DOUBT.updated_at - INSTANT, True)],
    ids=["enqueued again", "redriven at the time of the hold", "redriven before the hold"],
)
def test_any_other_copy_of_a_message_held_in_doubt_goes_to_the_dead_letter_queue(
    sent_at: datetime, *, from_dead_letter_queue: bool
) -> None:
    judgement = judged(HELD_IN_DOUBT, sent_at=sent_at, from_dead_letter_queue=from_dead_letter_queue)
    assert judgement == Hold(None)


def test_the_message_that_wrote_a_hold_in_doubt_is_acknowledged() -> None:
    assert isinstance(judged(HELD_IN_DOUBT, message_id="first"), Duplicate)


def test_a_message_that_another_invocation_sends_waits_for_the_lease() -> None:
    lease = NOW + INSTANT
    assert judged(EXISTING._replace(lease_until=lease)) == Wait(lease)


@pytest.mark.parametrize("lease", [NOW, NOW - timedelta(days=1), None])
def test_a_message_whose_invocation_has_ended_is_in_doubt(lease: datetime | None) -> None:
    existing = EXISTING._replace(lease_until=lease)
    record = existing._replace(
        status="UNCERTAIN",
        updated_at=NOW,
        lease_until=None,
        expires_at=EXPIRES,
        in_doubt=True,
        doubt_until=lease or NOW,
    )
    assert judged(existing) == Doubt(record, NOW + RECONCILE)


@pytest.mark.parametrize("resend", [False, True])
def test_an_uncertain_message_waits_for_a_webhook(*, resend: bool) -> None:
    existing = UNCERTAIN_AND_DUE._replace(updated_at=NOW - RECONCILE + INSTANT)
    assert judged(existing, resend=resend) == Wait(NOW + INSTANT)


def test_an_uncertain_message_without_a_webhook_is_held() -> None:
    assert judged(UNCERTAIN_AND_DUE) == Hold(UNCERTAIN_AND_DUE)


def test_the_policy_resend_sends_an_uncertain_message_once_more() -> None:
    claim = CLAIM._replace(attempts=2, queued_at=QUEUED, in_doubt=True, doubt_until=QUEUED, resent=True)
    assert judged(UNCERTAIN_AND_DUE, resend=True) == Proceed(claim)
    assert judged(UNCERTAIN_AND_DUE._replace(resent=True), resend=True) == Hold(
        UNCERTAIN_AND_DUE._replace(resent=True)
    )


def test_a_message_that_was_resent_and_not_accepted_stays_in_doubt_and_resent() -> None:
    judgement = judged(UNCERTAIN_AND_DUE._replace(status="RETRYING", resent=True))
    assert isinstance(judgement, Proceed)
    assert (judgement.claim.in_doubt, judgement.claim.resent) == (True, True)


@pytest.mark.parametrize("status", ACCEPTED_OR_LATER)
def test_a_message_that_the_provider_accepted_is_a_duplicate(status: str) -> None:
    assert isinstance(judged(EXISTING._replace(status=status), resend=True), Duplicate)
