"""Which messages of a batch are this invocation's to send: one claim for all, and what stands in its way.

The claim comes before the request, so that whatever dies in between leaves a trace that forbids a second one.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import timing
from gatewayapi import state
from gatewayapi.errors import StorageError
from gatewayapi.record import MessageRecord
from gatewayapi.state import Step
from gatewayapi.table import Write
from outcome import REFERENCE_REUSED, UNCERTAIN, Outcome, dead

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from delivery import Delivery
    from gatewayapi.table import Table

CLAIM_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator decides: the template's parameters, as far as a batch depends on them."""

    default_sender: str = ""
    allowed_prefixes: tuple[str, ...] = ()
    reconcile_after: timedelta = timedelta(seconds=900)
    resend: bool = False
    dry_run: bool = False
    max_receive_count: int = 8


Claimed = tuple["Delivery", MessageRecord]


def claim(
    deliveries: Sequence[Delivery], *, policy: Policy, table: Table, now: datetime, remaining_s: float
) -> tuple[list[Claimed], list[Outcome]]:
    """Put a record for each delivery, in one call where nothing stands in the way.

    Returns the deliveries that are to be sent now, each with its claim, and the outcomes of all others.
    """
    first, outcomes = _distinct(deliveries, now)
    lease_until = timing.lease_until(now, remaining_s)
    wanted = {
        each.reference: _wanted(each, policy.default_sender, now, table.expiry(now), lease_until) for each in first
    }
    claimed: list[Claimed] = []
    pending = [(each, Write(wanted[each.reference])) for each in first]
    for _ in range(CLAIM_ROUNDS):
        if not pending:
            break
        try:
            obstacles = table.put([write for _, write in pending])
        except StorageError as error:
            return claimed, outcomes + [_unavailable(each, now, error) for each, _ in pending]
        again = []
        for each, write in pending:
            if each.reference not in obstacles:
                if write.record.status == state.SENDING:
                    claimed.append((each, write.record))
                else:
                    outcomes.append(_unsendable(each))
                continue
            found = _found(each, obstacles[each.reference], wanted[each.reference], policy)
            if isinstance(found, Write):
                again.append((each, found))
            else:
                outcomes.append(found)
        pending = again
    return claimed, outcomes + [_busy(each, now) for each, _ in pending]


def _distinct(deliveries: Sequence[Delivery], now: datetime) -> tuple[list[Delivery], list[Outcome]]:
    """Return the first delivery of each reference; a transaction takes a key once, so that its twins wait."""
    first: dict[str, Delivery] = {}
    twins = [each for each in deliveries if first.setdefault(each.reference, each) is not each]
    return list(first.values()), [_busy(each, now) for each in twins]


def _wanted(
    delivery: Delivery, default_sender: str, now: datetime, expires_at: datetime, lease_until: datetime
) -> MessageRecord:
    """Return the record that a delivery wants to put: a claim, or that it is not to be sent and why."""
    record = MessageRecord(
        reference=delivery.reference,
        status=state.SENDING,
        queued_at=delivery.sent_at,
        updated_at=now,
        expires_at=expires_at,
        message_id=delivery.message_id,
    )
    message = delivery.message
    if message is None:
        problem = delivery.problem
        error = {"code": problem.code, "details": str(problem)} if problem else None
        return replace(record, status=state.INVALID, error=error)
    lapsed = delivery.expires_at is not None and delivery.expires_at <= now
    return replace(
        record,
        status=state.LAPSED if lapsed else state.SENDING,
        attempts=0 if lapsed else 1,
        fingerprint=message.fingerprint(delivery.reference),
        recipient=message.recipient,
        sender=message.sender or default_sender,
        label=message.label,
        priority=message.priority or "normal",
        lease_until=None if lapsed else lease_until,
    )


def _found(delivery: Delivery, seen: MessageRecord | None, wanted: MessageRecord, policy: Policy) -> Write | Outcome:
    """Return what to do about a record that is already there: put another over it, or an outcome."""
    if seen is None:
        return _busy(delivery, wanted.updated_at)
    verdict = state.judge(seen, wanted, reconcile_after=policy.reconcile_after, resend=policy.resend)
    if verdict.step is Step.CLAIM and verdict.record is not None:
        return Write(verdict.record, seen)
    if delivery.problem is not None:
        return _unsendable(delivery)
    if verdict.step is Step.REUSE:
        return dead(delivery, "reference_reused", REFERENCE_REUSED, "the reference is in use for another message")
    if verdict.step is Step.WAIT:
        return Outcome(delivery, "waiting", back_at=verdict.until, standing=seen)
    if verdict.step is Step.DOUBT and verdict.record is not None:
        return Outcome(delivery, "uncertain", Write(verdict.record, seen), back_at=verdict.until)
    if verdict.step is Step.HOLD and verdict.record is not None:
        return dead(delivery, "held", UNCERTAIN, state.UNSETTLED, Write(verdict.record, seen))
    # Its own record, which a webhook has moved on while nobody knew of an acceptance: the end of a doubt.
    own = seen.message_id == delivery.message_id and seen.accepted_at is None
    return Outcome(delivery, "settled" if own and state.is_settled(seen.status) else "duplicate", standing=seen)


def _unsendable(delivery: Delivery) -> Outcome:
    """Return the outcome of a message that breaks a rule, which needs a person, or that came too late for any."""
    if delivery.problem is None:
        return Outcome(delivery, "lapsed")
    return dead(delivery, "invalid", delivery.problem.code, str(delivery.problem))


def _busy(delivery: Delivery, now: datetime) -> Outcome:
    return Outcome(delivery, "waiting", back_at=now + timing.BUSY_PAUSE, details="another delivery has it in hand")


def _unavailable(delivery: Delivery, now: datetime, error: StorageError) -> Outcome:
    wait = timing.pause(delivery.receive_count, None, random.random())  # noqa: S311 - jitter
    return Outcome(delivery, "table_unavailable", back_at=now + wait, details=str(error))
