"""Decide what to do with a delivery, given the existing record of its reference.

| existing record             | the same content                                          | other content    |
| --------------------------- | --------------------------------------------------------- | ---------------- |
| SENDING                     | Wait until the lease ends, then Doubt                     | Reused           |
| UNCERTAIN                   | Wait for a webhook, then Hold; under `Resend`, Proceed    | Reused           |
|                             | once, then Hold                                           |                  |
| RETRYING                    | Proceed                                                   | Reused           |
| HELD, in doubt              | own redelivery: Duplicate; redriven after the hold:       | Reused           |
|                             | Proceed; any other message: Hold                          |                  |
| HELD                        | own redelivery: Duplicate; enqueued after the hold, or    | Proceed          |
|                             | redriven: Proceed; any other message: Duplicate           |                  |
| INVALID, by a rule of ours  | Proceed                                                   | Proceed          |
| INVALID, refused by the     | own redelivery: Duplicate; any other message: Proceed     | as on the left   |
| provider; LAPSED;           |                                                           |                  |
| SUPPRESSED                  |                                                           |                  |
| ACCEPTED or further         | Duplicate                                                 | Reused           |
| forgotten                   | Reused                                                    | Reused           |

Own redelivery: the record was written for this SQS message, and SQS delivers it again. Other message: another SQS
message with the same reference. The words with a capital letter are the classes below.

A message in doubt that is sent again stays in doubt until it is ACCEPTED or gets a later status.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gatewayapi import state
from outcome import PROVIDER_REFUSED

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from delivery import Delivery
    from gatewayapi.message_record import MessageRecord

NO_ANSWER_DETAILS = "no usable answer was recorded and no webhook arrived: the message may have been sent"


class Proceed(NamedTuple):
    """Replace the record with this claim, and send the message."""

    claim: MessageRecord


class Duplicate:
    """Acknowledge: nothing is left to do, for example because the message was sent or is in the dead-letter queue."""


class Wait(NamedTuple):
    """Try again at `until`: another invocation is sending the message, or a webhook may still arrive."""

    until: datetime


class Doubt(NamedTuple):
    """The invocation that claimed the message has ended: write this record, and wait for a webhook until `until`."""

    record: MessageRecord
    until: datetime


class Hold(NamedTuple):
    """Send a copy to the dead-letter queue as UNCERTAIN. `record` becomes HELD; None if it is HELD already."""

    record: MessageRecord | None


class Reused:
    """The reference belongs to another message, or to one that was forgotten and cannot be compared."""


Judgement = Proceed | Duplicate | Wait | Doubt | Hold | Reused


def judge(
    existing: MessageRecord, claim: MessageRecord, delivery: Delivery, *, reconcile_after: timedelta, resend: bool
) -> Judgement:
    """Return what to do with a delivery. `claim` is the record to write if there were none yet."""
    if existing.forgotten_at is not None:
        return Reused()
    if _needs_nothing_on_redelivery(existing) and existing.message_id == delivery.message_id:
        return Duplicate()
    if existing.fingerprint != claim.fingerprint:
        replaceable = existing.status in {state.INVALID, state.LAPSED, state.SUPPRESSED, state.HELD}
        return Proceed(claim) if replaceable and not existing.in_doubt else Reused()
    if existing.status in {state.SENDING, state.UNCERTAIN}:
        return _judge_unfinished(existing, claim, reconcile_after, resend=resend)
    if existing.status == state.HELD:
        return _judge_held(existing, claim, delivery)
    if state.is_accepted(existing.status):
        return Duplicate()
    return Proceed(_again(existing, claim, resent=existing.resent))


def _needs_nothing_on_redelivery(existing: MessageRecord) -> bool:
    """Return whether the sender has finished the message that wrote the record, so that a redelivery needs no work.

    INVALID for a rule of ours is not final: its record is written before its copy is sent to the dead-letter queue,
    so the copy can be missing. INVALID because the provider refused the message is final: its copy is sent first.
    """
    refused = (existing.error or {}).get("code") == PROVIDER_REFUSED
    return existing.status in {state.LAPSED, state.SUPPRESSED} or (existing.status == state.INVALID and refused)


def _judge_unfinished(
    existing: MessageRecord, claim: MessageRecord, reconcile_after: timedelta, *, resend: bool
) -> Judgement:
    now = claim.updated_at
    if existing.status == state.SENDING:
        # A record that was edited by hand can lack the lease. Treat the lease as ended.
        lease_until = existing.lease_until or now
        if now < lease_until:
            return Wait(lease_until)
        return Doubt(state.put_in_doubt(existing, lease_until, now, claim.expires_at), now + reconcile_after)
    webhook_deadline = existing.updated_at + reconcile_after
    if now < webhook_deadline:
        return Wait(webhook_deadline)
    if resend and not existing.resent:
        return Proceed(_again(existing, claim, resent=True))
    return Hold(existing)


def _judge_held(existing: MessageRecord, claim: MessageRecord, delivery: Delivery) -> Judgement:
    if existing.message_id == delivery.message_id:
        return Duplicate()
    enqueued_after_hold = delivery.sent_at > state.held_since(existing)
    if not existing.in_doubt:
        # It was certainly not sent, so sending is safe. The comparison of times can be wrong, because the clocks of
        # SQS and Lambda differ. So a redriven message is sent whatever the times are.
        send = enqueued_after_hold or delivery.from_dead_letter_queue
        return Proceed(_again(existing, claim, resent=existing.resent)) if send else Duplicate()
    # `from_dead_letter_queue` alone is not enough, because it is true for every delivery of a redriven message. The
    # message would be sent again after it was held a second time.
    if delivery.from_dead_letter_queue and enqueued_after_hold:
        return Proceed(_again(existing, claim, resent=True))
    return Hold(None)


def _again(existing: MessageRecord, claim: MessageRecord, *, resent: bool) -> MessageRecord:
    """Return the claim for a further request with the same content."""
    return claim._replace(
        attempts=existing.attempts + 1,
        queued_at=existing.queued_at,
        # A record of version 0.1.0 has no `in_doubt`.
        in_doubt=existing.in_doubt or existing.status == state.UNCERTAIN,
        doubt_until=existing.doubt_until,
        resent=resent,
    )
