"""The end of a batch: copies to the dead-letter queue, then the records, then the queue.

The order decides what a crash leaves behind. A copy first: a record that says HELD without one would lose the
message. The record before the acknowledgement: a message that left the queue unrecorded would be lost as well. Each
step that fails turns the message into one that comes back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import timing
from gatewayapi import state
from gatewayapi.errors import StorageError
from gatewayapi.table import Write
from outcome import Outcome, at_last_delivery, undead

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gatewayapi.record import MessageRecord
    from gatewayapi.table import Table
    from queues import Queues


def settle(
    outcomes: Sequence[Outcome], *, table: Table, queues: Queues, max_receive_count: int, now: datetime
) -> list[Outcome]:
    """Carry outcomes out, and return what they have become; those with a `back_at` are to be redelivered."""
    settled = _bury([at_last_delivery(each, max_receive_count, now) for each in outcomes], queues, now)
    settled, unrecorded = _record(settled, table, now)
    settled += _bury([at_last_delivery(each, max_receive_count, now) for each in unrecorded], queues, now)
    queues.hide([each for each in settled if each.back_at is not None], now)
    return settled


def _bury(outcomes: Sequence[Outcome], queues: Queues, now: datetime) -> list[Outcome]:
    """Copy what needs a person to the dead-letter queue; where that fails, the message itself comes back."""
    failed = queues.copy([each for each in outcomes if each.code is not None])
    until = now + timing.BUSY_PAUSE
    return [undead(each, until) if each.delivery.message_id in failed else each for each in outcomes]


def _record(outcomes: Sequence[Outcome], table: Table, now: datetime) -> tuple[list[Outcome], list[Outcome]]:
    """Put the records, in one call where nobody was faster; return the outcomes and those that stay unrecorded."""
    settled = [each for each in outcomes if each.write is None]
    unrecorded = []
    obstacles = _put([each.write for each in outcomes if each.write is not None], table)
    late: list[tuple[Outcome, Write]] = []
    for each in outcomes:
        if each.write is None:
            continue
        if each.delivery.reference not in obstacles:
            settled.append(each)
            continue
        seen = obstacles[each.delivery.reference]
        if seen is not None and each.name == "accepted":
            late.append((each, Write(_accepted_late(each.write.record, seen), seen)))
        elif seen is not None and state.is_settled(seen.status):
            settled.append(Outcome(each.delivery, "settled", standing=seen))
        else:
            unrecorded.append(_unrecorded(each, now))
    obstacles = _put([write for _, write in late], table)
    for each, write in late:
        # What a webhook has settled needs no acceptance in its record, only is the poorer without.
        known = each.delivery.reference not in obstacles or (write.seen and state.is_settled(write.seen.status))
        (settled if known else unrecorded).append(each if known else _unrecorded(each, now))
    return settled, unrecorded


def _put(writes: Sequence[Write], table: Table) -> dict[str, MessageRecord | None]:
    """Return what stands in the way of each record; all of them stay open where the table cannot be had."""
    if not writes:
        return {}
    try:
        return table.put(writes)
    except StorageError:
        return dict.fromkeys((write.record.reference for write in writes), None)


def _accepted_late(record: MessageRecord, seen: MessageRecord) -> MessageRecord:
    """Return the acceptance merged into a record that changed since the claim, most often by a fast webhook."""
    return state.accept(seen, record.msg_id or "", record.updated_at, record.expires_at)


def _unrecorded(outcome: Outcome, now: datetime) -> Outcome:
    """Return a message whose result is not in the table: it comes back to a record that still says SENDING."""
    seen = outcome.write.seen if outcome.write else None
    lease_until = seen.lease_until if seen else None
    back_at = max(lease_until or now, now + timing.BUSY_PAUSE)
    details = f"not recorded as {outcome.name}"
    return Outcome(outcome.delivery, "not_recorded", back_at=back_at, details=details, standing=seen)
