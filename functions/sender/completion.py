"""Carry out the outcomes of a batch: records, copies to the dead-letter queue, then visibility timeouts.

The order matters if the function crashes. Acceptances are recorded first, because until a webhook arrives nothing
else shows them. The copy of a dead letter is sent before its record becomes HELD, because if it were HELD without a
copy, the message would be lost. Every record is written before its message is acknowledged. If a step fails, the
message is delivered again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import timing
from gatewayapi import state
from gatewayapi.errors import StorageError
from gatewayapi.message_record import MessageRecord
from gatewayapi.message_table import PutFailure, Write
from last_delivery import retry_or_dead_letter
from outcome import Acceptance, Acknowledge, DeadLetter, Outcome, OutcomeName, Retry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from gatewayapi.message_table import MessageTable
    from queues import Queues
    from settings import Settings


def complete(
    outcomes: Sequence[Outcome],
    *,
    settings: Settings,
    table: MessageTable,
    queues: Queues,
    now: datetime,
    remaining_s: Callable[[], float],
) -> list[Outcome]:
    """Carry out the outcomes, and return what became of each delivery. The caller reports each `Retry` as failed."""
    dead_letters = [outcome for outcome in outcomes if isinstance(outcome, DeadLetter)]
    others = [outcome for outcome in outcomes if not isinstance(outcome, DeadLetter)]
    completed, unrecorded = _record(others, table, now, remaining_s)
    replacements = [_not_recorded(outcome, settings, now) for outcome in unrecorded]
    dead_letters += [outcome for outcome in replacements if isinstance(outcome, DeadLetter)]
    completed += [outcome for outcome in replacements if not isinstance(outcome, DeadLetter)]

    sent = _send_dead_letters(dead_letters, queues, now, remaining_s)
    recorded, unrecorded = _record(sent, table, now, remaining_s)
    completed += recorded
    for outcome in unrecorded:
        replacement = _not_recorded(outcome, settings, now)
        # The replacement is a DeadLetter only at the last delivery. Then the outcome is kept. If it is a DeadLetter,
        # its copy was sent, so its message is acknowledged. If it is a Retry, its copy could not be sent, so SQS
        # moves its message to the dead-letter queue.
        completed.append(outcome if isinstance(replacement, DeadLetter) else replacement)
    retries = [outcome for outcome in completed if isinstance(outcome, Retry)]
    queues.set_visibility_timeouts(retries, now, remaining_s)
    return completed


def _send_dead_letters(
    dead_letters: Sequence[DeadLetter], queues: Queues, now: datetime, remaining_s: Callable[[], float]
) -> list[Outcome]:
    """Send the copies. If a copy cannot be sent, its message is delivered again."""
    failed = queues.send_to_dead_letter_queue(dead_letters, remaining_s)
    return [
        Retry(
            dead_letter.delivery,
            OutcomeName.DEAD_LETTER_FAILED,
            now + timing.BUSY_PAUSE,
            "no copy could be sent to the dead-letter queue",
            dead_letter.write_if_copy_fails,
        )
        if dead_letter.delivery.message_id in failed
        else dead_letter
        for dead_letter in dead_letters
    ]


def _record(
    outcomes: Sequence[Outcome], table: MessageTable, now: datetime, remaining_s: Callable[[], float]
) -> tuple[list[Outcome], list[Outcome]]:
    """Write the records. Return the outcomes whose records are written, and the others.

    This takes one call unless a record has changed since the claim. If an event has moved the record of an accepted
    message meanwhile, the acceptance is added to the changed record. Writes are retried until the invocation has no
    time left. An acceptance stays unrecorded only if DynamoDB is unavailable for all of that time, or if the message
    was forgotten.
    """
    completed: list[Outcome] = [outcome for outcome in outcomes if outcome.write is None]
    pending = [outcome for outcome in outcomes if outcome.write is not None]
    unrecorded: list[Outcome] = []
    while pending:
        writes = [outcome.write for outcome in pending if outcome.write is not None]
        obstacles = table.put(writes, patience_s=timing.recording_s(remaining_s()))
        again: list[Outcome] = []
        for outcome in pending:
            obstacle = obstacles.get(outcome.delivery.reference)
            if obstacle is None:
                completed.append(outcome)
            elif isinstance(obstacle, PutFailure):
                unrecorded.append(outcome)
            else:
                decided = _after_change(outcome, obstacle)
                # The same write would fail again, for example because the record was forgotten meanwhile.
                if decided is None or decided.write == outcome.write:
                    unrecorded.append(outcome)
                else:
                    (completed if decided.write is None else again).append(decided)
        pending = again
    for outcome in completed:
        if isinstance(outcome, Acceptance):
            _apply_stored_events(outcome, table, now, remaining_s)
    return completed, unrecorded


def _after_change(outcome: Outcome, existing: MessageRecord) -> Outcome | None:
    """Return the outcome for a record that has changed since the claim.

    Returns None if an event has not settled the message. An acceptance always has an outcome.
    """
    if isinstance(outcome, Acceptance):
        accepted, was_in_doubt = outcome.write.record, outcome.was_in_doubt
        record = state.accept(
            existing, outcome.msg_id, accepted.updated_at, accepted.expires_at, was_in_doubt=was_in_doubt
        )
        return outcome._replace(write=Write(record, existing))
    if not state.is_accepted(existing.status):
        return None
    if outcome.write is not None and not outcome.write.record.in_doubt and existing.accepted_at is None:
        # The provider certainly did not accept our request, so the event belongs to another system.
        return outcome._replace(write=Write(outcome.write.record, existing))
    return Acknowledge(outcome.delivery, OutcomeName.SETTLED, f"an event moved its record to {existing.status}")


def _apply_stored_events(
    acceptance: Acceptance, table: MessageTable, now: datetime, remaining_s: Callable[[], float]
) -> None:
    """Apply the stored events of a message whose record had the msg_id of another system.

    Before the acceptance, an event of another system with the same reference can have set the msg_id. Our own events
    were then stored, but did not move the record. Later events do, because the record has the right msg_id now.
    """
    existing, record = acceptance.write.existing, acceptance.write.record
    if existing is None or existing.msg_id in {None, record.msg_id}:
        return
    try:
        events = table.events(acceptance.delivery.reference)
    except StorageError:
        return  # the status stays ACCEPTED unless another event arrives; nothing is sent again
    while remaining_s() > timing.LAST_CALL_S:
        moved = state.apply(record, events, now)
        if moved == record:
            return
        obstacles = table.put([Write(moved, record)], patience_s=timing.recording_s(remaining_s()))
        obstacle = obstacles.get(record.reference)
        if not isinstance(obstacle, MessageRecord):
            return
        record = obstacle


def _not_recorded(outcome: Outcome, settings: Settings, now: datetime) -> Outcome:
    """Return the outcome of a message whose result could not be recorded: SQS delivers it again after its lease."""
    claim = outcome.write.existing if outcome.write else None
    lease_until = claim.lease_until if claim else None
    details = f"the result ({outcome.name}) could not be recorded"
    at = max(lease_until or now, now + timing.BUSY_PAUSE)
    retry = Retry(outcome.delivery, OutcomeName.NOT_RECORDED, at, details)
    return retry_or_dead_letter(retry, None, settings, now)
