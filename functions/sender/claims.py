"""Claim the messages of a batch, so that no other invocation sends them.

The claim is written before the request. If the invocation ends in between, the record shows that the message may have
been sent, so the next delivery does not send it again.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, NamedTuple

import timing
from delivery import Content
from gatewayapi import segments, state
from gatewayapi.message_record import MessageRecord
from gatewayapi.message_table import Unwritten, Write
from judgement import UNSETTLED, Doubt, Duplicate, Hold, Proceed, Reused, Wait, judge
from last_delivery import retry_or_dead_letter
from outcome import REFERENCE_REUSED, UNCERTAIN, Acknowledge, DeadLetter, Name, Outcome, Retry
from stop import Stop, stop_for

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from delivery import Delivery
    from gatewayapi.message_table import MessageTable
    from settings import Settings

# How often the claims of a batch are tried, if other writes keep changing the records.
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
    stop: Stop | None


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

    This takes one call unless a reference already has a record. All `deliveries` have different references.
    """
    lease_until = timing.lease_until(now, remaining_s)
    candidates: dict[str, _Candidate] = {}
    for delivery in deliveries:
        stop = stop_for(delivery, settings, now, opted_out)
        record = _first_record(delivery, settings, now, table.expiry(now), lease_until)
        candidates[delivery.reference] = _Candidate(delivery, record, stop)
    put: list[tuple[_Candidate, Write]] = []
    unconfirmed: list[MessageRecord] = []
    outcomes: list[Outcome] = []
    writes = [Write(_stopped(candidate.record, candidate.stop)) for candidate in candidates.values()]
    for _ in range(ROUNDS):
        if not writes:
            break
        obstacles = table.put(writes, patience_s=timing.CLAIM_PATIENCE_S)
        unconfirmed += [
            write.record for write in writes if obstacles.get(write.record.reference) is Unwritten.UNAVAILABLE
        ]
        again = []
        for write in writes:
            candidate = candidates[write.record.reference]
            obstacle = obstacles.get(write.record.reference)
            if obstacle is None:
                put.append((candidate, write))
                continue
            decided = _decide(candidate, obstacle, settings)
            if isinstance(decided, Write):
                again.append(decided)
            else:
                outcomes.append(decided)
        writes = again
    for write in writes:
        delivery = candidates[write.record.reference].delivery
        outcomes.append(_last(_not_claimed(delivery, Unwritten.CONTENDED, now), None, settings, now))
    _withdraw(unconfirmed, table)
    claimed = [
        Claimed(candidate.delivery, candidate.delivery.content, write.record, write.existing)
        for candidate, write in put
        if candidate.stop is None and isinstance(candidate.delivery.content, Content)
    ]
    outcomes += [
        _stop_outcome(candidate.delivery, candidate.stop) for candidate, _ in put if candidate.stop is not None
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


def _first_record(
    delivery: Delivery, settings: Settings, now: datetime, expires_at: datetime, lease_until: datetime
) -> MessageRecord:
    """Return the claim to write if the reference has no record."""
    content: dict[str, Any] = {}
    if isinstance(delivery.content, Content):
        message = delivery.content.message
        taken = segments.count(message.message)
        content = {
            "attempts": 1,
            "fingerprint": delivery.content.fingerprint,
            "recipient": message.recipient,
            "sender": message.sender or settings.rules.default_sender or None,
            "label": message.label,
            "priority": message.priority or "normal",
            "message_type": message.message_type,
            "context": message.context,
            "segments": taken.count,
            "encoding": taken.encoding,
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


def _stopped(claim: MessageRecord, stop: Stop | None) -> MessageRecord:
    """Return the record to put: the claim, or a record of why the message is not sent."""
    if stop is None:
        return claim
    error = None if stop.code is None else {"code": stop.code, "details": stop.details}
    # There is no request, so the claim is not an attempt.
    return claim._replace(status=stop.status, attempts=max(claim.attempts - 1, 0), lease_until=None, error=error)


def _stop_outcome(delivery: Delivery, stop: Stop) -> Outcome:
    if stop.dead_letter and stop.code is not None:
        return DeadLetter(delivery, stop.name, stop.code, stop.details)
    return Acknowledge(delivery, stop.name, stop.details)


def _decide(candidate: _Candidate, obstacle: MessageRecord | Unwritten, settings: Settings) -> Write | Outcome:
    """Return the write that replaces the existing record, or the outcome of the delivery."""
    delivery, claim, stop = candidate.delivery, candidate.record, candidate.stop
    now = claim.updated_at
    if isinstance(obstacle, Unwritten):
        return _last(_not_claimed(delivery, obstacle, now), None, settings, now)
    if stop is not None and not isinstance(delivery.content, Content):
        # An invalid message has no fingerprint to compare. It replaces a record only if that was neither sent nor
        # held.
        replaceable = (
            obstacle.status in {state.INVALID, state.LAPSED, state.SUPPRESSED} and obstacle.forgotten_at is None
        )
        return Write(_stopped(claim, stop), obstacle) if replaceable else _stop_outcome(delivery, stop)
    unsettled = UNSETTLED if stop is None else f"{UNSETTLED}; it is not sent again now: {stop.details}"
    match judge(obstacle, claim, delivery, reconcile_after=settings.reconcile_after, resend=settings.resend):
        case Proceed(record) if stop is not None and record.in_doubt:
            return _held(delivery, unsettled, obstacle, claim)
        case Proceed(record):
            return Write(_stopped(record, stop), obstacle)
        case Hold(record):
            return _held(delivery, unsettled, record, claim)
        case Doubt(record, until):
            details = f"the invocation that claimed it has ended; waiting for a webhook until {_clock(until)}"
            retry = Retry(delivery, Name.UNCERTAIN, until, details, Write(record, obstacle))
            return _last(retry, record, settings, now)
        case Wait(until):
            details = f"its record is {obstacle.status}; trying again at {_clock(until)}"
            return _last(Retry(delivery, Name.WAITING, until, details), obstacle, settings, now)
        case Reused():
            details = "the reference was used for another message"
            return DeadLetter(delivery, Name.REFERENCE_REUSED, REFERENCE_REUSED, details)
        case Duplicate():
            # A webhook settled our own claim before we saw the acceptance.
            own = obstacle.message_id == delivery.message_id and obstacle.accepted_at is None
            settled = own and state.is_settled(obstacle.status)
            return Acknowledge(
                delivery, Name.SETTLED if settled else Name.DUPLICATE, f"its record is {obstacle.status}"
            )


def _held(delivery: Delivery, details: str, existing: MessageRecord | None, claim: MessageRecord) -> DeadLetter:
    write = None
    if existing is not None:
        record = state.hold(existing, delivery.message_id, claim.updated_at, claim.expires_at, UNCERTAIN, details)
        write = Write(state.hold_again(record, existing), existing)
    return DeadLetter(delivery, Name.HELD, UNCERTAIN, details, write)


def _not_claimed(delivery: Delivery, reason: Unwritten, now: datetime) -> Retry:
    if reason is Unwritten.UNAVAILABLE:
        wait = timing.back_off(delivery.receive_count, random.random())  # noqa: S311 - jitter
        return Retry(delivery, Name.TABLE_UNAVAILABLE, now + wait, "DynamoDB did not write the claim")
    contended = reason is Unwritten.CONTENDED
    details = "other writes to its record are under way" if contended else "its record cannot be read"
    return Retry(delivery, Name.WAITING, now + timing.BUSY_PAUSE, details)


def _last(retry: Retry, record: MessageRecord | None, settings: Settings, now: datetime) -> Outcome:
    return retry_or_dead_letter(retry, record, max_receive_count=settings.max_receive_count, now=now)


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M:%S} UTC"
