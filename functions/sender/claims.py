"""Claim the messages of a batch, so that no other invocation sends them.

The claim is written before the request. If the invocation ends before it records the result, the record is still
SENDING. So the next delivery finds that the message may have been sent, and does not send it again.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, NamedTuple

import timing
from delivery import Content
from gatewayapi import segments, state
from gatewayapi.message_record import MessageRecord
from gatewayapi.message_table import PutFailure, Write
from judgement import NO_ANSWER_DETAILS, Doubt, Duplicate, Hold, Proceed, Reused, Wait, judge
from last_delivery import retry_or_dead_letter
from not_sendable import NotSendable, reason_not_to_send
from outcome import REFERENCE_REUSED, UNCERTAIN, Acknowledge, DeadLetter, Outcome, OutcomeName, Retry

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from delivery import Delivery
    from gatewayapi.message_table import MessageTable
    from settings import Settings

# How many times the claims of a batch are tried, if other writes keep changing the records.
ROUNDS = 5


class Claimed(NamedTuple):
    """A message that this invocation sends, its claim, and the record that the claim replaced, or None."""

    delivery: Delivery
    content: Content
    record: MessageRecord
    replaced: MessageRecord | None


class _Candidate(NamedTuple):
    """A delivery, its claim, and the reason not to send the message, or None."""

    delivery: Delivery
    record: MessageRecord
    reason: NotSendable | None


def claim(
    deliveries: Sequence[Delivery],
    *,
    settings: Settings,
    table: MessageTable,
    now: datetime,
    remaining_s: float,
    opted_out: Collection[str] = frozenset(),
) -> tuple[list[Claimed], list[Outcome]]:
    """Put a record for each delivery. Return the messages to send now, and the outcomes of all others.

    This takes one call to DynamoDB unless a reference already has a record. All `deliveries` have different
    references.
    """
    lease_until = timing.lease_until(now, remaining_s)
    candidates: dict[str, _Candidate] = {}
    for delivery in deliveries:
        reason = reason_not_to_send(delivery, settings, now, opted_out)
        record = _new_claim(delivery, settings, now, table.expiry(now), lease_until)
        candidates[delivery.reference] = _Candidate(delivery, record, reason)
    written: list[tuple[_Candidate, Write]] = []
    unconfirmed: list[MessageRecord] = []
    outcomes: list[Outcome] = []
    writes = [Write(_record_to_write(candidate.record, candidate.reason)) for candidate in candidates.values()]
    for _ in range(ROUNDS):
        if not writes:
            break
        obstacles = table.put(writes, patience_s=timing.CLAIM_PATIENCE_S)
        unconfirmed += [
            write.record for write in writes if obstacles.get(write.record.reference) is PutFailure.UNAVAILABLE
        ]
        again = []
        for write in writes:
            candidate = candidates[write.record.reference]
            obstacle = obstacles.get(write.record.reference)
            if obstacle is None:
                written.append((candidate, write))
                continue
            decided = _decide(candidate, obstacle, settings)
            if isinstance(decided, Write):
                again.append(decided)
            else:
                outcomes.append(decided)
        writes = again
    for write in writes:
        delivery = candidates[write.record.reference].delivery
        outcomes.append(retry_or_dead_letter(_not_claimed(delivery, PutFailure.CONTENDED, now), None, settings, now))
    _withdraw(unconfirmed, table)
    claimed = [
        Claimed(candidate.delivery, candidate.delivery.content, write.record, write.existing)
        for candidate, write in written
        if candidate.reason is None and isinstance(candidate.delivery.content, Content)
    ]
    outcomes += [
        _outcome_of_reason(candidate.delivery, candidate.reason)
        for candidate, _ in written
        if candidate.reason is not None
    ]
    return claimed, outcomes


def _withdraw(claims: Sequence[MessageRecord], table: MessageTable) -> None:
    """Try once to withdraw claims whose write was not confirmed.

    DynamoDB may have written them although its answer was lost. No request follows for them. Without the withdrawal,
    they would look like messages in doubt.
    """
    writes = [
        Write(state.retry_later(claim, claim.updated_at, claim.expires_at, "TABLE_UNAVAILABLE", "not claimed"), claim)
        for claim in claims
        if claim.status == state.SENDING
    ]
    table.put(writes)


def _new_claim(
    delivery: Delivery, settings: Settings, now: datetime, expires_at: datetime, lease_until: datetime
) -> MessageRecord:
    """Return the claim to write if the reference has no record."""
    content: dict[str, Any] = {}
    if isinstance(delivery.content, Content):
        message = delivery.content.message
        size = segments.count(message.message)
        content = {
            "attempts": 1,
            "fingerprint": delivery.content.fingerprint,
            "recipient": message.recipient,
            "sender": message.sender or settings.rules.default_sender or None,
            "label": message.label,
            "priority": message.priority or "normal",
            "message_type": message.message_type,
            "context": message.context,
            "segments": size.count,
            "encoding": size.encoding,
            "lease_until": lease_until,
        }
    return MessageRecord(
        reference=delivery.reference,
        status=state.SENDING,
        queued_at=delivery.sent_at,
        updated_at=now,
        expires_at=expires_at,
        message_id=delivery.message_id,
        **content,
    )


def _record_to_write(claim: MessageRecord, reason: NotSendable | None) -> MessageRecord:
    """Return the record to put: the claim, or a record of why the message is not sent."""
    if reason is None:
        return claim
    record = state.end_claim(claim, reason.status, claim.updated_at, claim.expires_at, reason.code, reason.details)
    # There is no request, so the claim is not an attempt.
    return record._replace(attempts=max(claim.attempts - 1, 0))


def _outcome_of_reason(delivery: Delivery, reason: NotSendable) -> Outcome:
    if reason.dead_letter and reason.code is not None:
        return DeadLetter(delivery, reason.name, reason.code, reason.details)
    return Acknowledge(delivery, reason.name, reason.details)


def _decide(candidate: _Candidate, obstacle: MessageRecord | PutFailure, settings: Settings) -> Write | Outcome:
    """Return the write that replaces the existing record, or the outcome of the delivery."""
    delivery, claim, reason = candidate.delivery, candidate.record, candidate.reason
    now = claim.updated_at
    if isinstance(obstacle, PutFailure):
        return retry_or_dead_letter(_not_claimed(delivery, obstacle, now), None, settings, now)
    if reason is not None and not isinstance(delivery.content, Content):
        # An invalid message has no fingerprint to compare with the record. So it replaces only a record that is
        # INVALID, LAPSED or SUPPRESSED. Any other message was sent, is held, or waits in the queue.
        replaceable = (
            obstacle.status in {state.INVALID, state.LAPSED, state.SUPPRESSED} and obstacle.forgotten_at is None
        )
        return (
            Write(_record_to_write(claim, reason), obstacle) if replaceable else _outcome_of_reason(delivery, reason)
        )
    hold_details = (
        NO_ANSWER_DETAILS if reason is None else f"{NO_ANSWER_DETAILS}; it is not sent again now: {reason.details}"
    )
    match judge(obstacle, claim, delivery, reconcile_after=settings.reconcile_after, resend=settings.resend):
        # The message may have been sent before, so its record must not state that it was not sent.
        case Proceed(record) if reason is not None and record.in_doubt:
            return _held(delivery, hold_details, obstacle, claim)
        case Proceed(record):
            return Write(_record_to_write(record, reason), obstacle)
        case Hold(record):
            return _held(delivery, hold_details, record, claim)
        case Doubt(record, until):
            details = (
                f"the invocation that claimed this message has ended; waiting for a webhook until {_clock(until)}"
            )
            retry = Retry(delivery, OutcomeName.UNCERTAIN, until, details, Write(record, obstacle))
            return retry_or_dead_letter(retry, record, settings, now)
        case Wait(until):
            details = f"its record is {obstacle.status}; trying again at {_clock(until)}"
            return retry_or_dead_letter(Retry(delivery, OutcomeName.WAITING, until, details), obstacle, settings, now)
        case Reused():
            details = "the reference was used for another message"
            return DeadLetter(delivery, OutcomeName.REFERENCE_REUSED, REFERENCE_REUSED, details)
        case Duplicate():
            # If the request was made for this same SQS message, and a webhook came before its answer was recorded,
            # the message is not a duplicate.
            own = obstacle.message_id == delivery.message_id and obstacle.accepted_at is None
            settled = own and state.is_accepted(obstacle.status)
            return Acknowledge(
                delivery,
                OutcomeName.SETTLED if settled else OutcomeName.DUPLICATE,
                f"its record is {obstacle.status}",
            )


def _held(delivery: Delivery, details: str, existing: MessageRecord | None, claim: MessageRecord) -> DeadLetter:
    write = None
    if existing is not None:
        record = state.hold(existing, delivery.message_id, claim.updated_at, claim.expires_at, UNCERTAIN, details)
        # A record of version 0.1.0 has no `in_doubt`.
        write = Write(state.keep_hold_time(record._replace(in_doubt=True), existing), existing)
    return DeadLetter(delivery, OutcomeName.HELD, UNCERTAIN, details, write)


def _not_claimed(delivery: Delivery, reason: PutFailure, now: datetime) -> Retry:
    if reason is PutFailure.UNAVAILABLE:
        wait = timing.back_off(delivery.receive_count, random.random())  # noqa: S311 - jitter
        return Retry(delivery, OutcomeName.TABLE_UNAVAILABLE, now + wait, "DynamoDB did not confirm the claim")
    contended = reason is PutFailure.CONTENDED
    details = "other writes to its record are under way" if contended else "its record is missing or cannot be read"
    return Retry(delivery, OutcomeName.WAITING, now + timing.BUSY_PAUSE, details)


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M:%S} UTC"
