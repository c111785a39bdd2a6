"""What becomes of one delivery: acknowledged, back to the queue, or dead, and what is recorded of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import timing
from gatewayapi import state
from gatewayapi.table import Write

if TYPE_CHECKING:
    from datetime import datetime

    from delivery import Delivery
    from gatewayapi.record import MessageRecord

RETRIES_EXHAUSTED = "RETRIES_EXHAUSTED"
REFERENCE_REUSED = "REFERENCE_REUSED"
PROVIDER_REFUSED = "PROVIDER_REFUSED"
UNCERTAIN = "UNCERTAIN"
DRY_RUN = "DRY_RUN"

MAX_DETAILS = 1000


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one delivery. `name` is for logs and metrics.

    `back_at` sends the message back to the queue until then; `code` and `details` copy it to the dead-letter queue;
    with neither it is acknowledged. `write` is the record to put first; where there is none to put, `standing` is
    the one that the decision was made from.
    """

    delivery: Delivery
    name: str
    write: Write | None = None
    back_at: datetime | None = None
    code: str | None = None
    details: str = ""
    standing: MessageRecord | None = None


def dead(delivery: Delivery, name: str, code: str, details: str, write: Write | None = None) -> Outcome:
    """Return a message that needs a person, with the reason that its copy will carry."""
    return Outcome(delivery, name, write, code=code, details=details)


def quoted(words: str) -> str:
    """Return somebody else's words as they can be kept: of any length, and with characters that are none."""
    return words[:MAX_DETAILS].encode("utf-8", "replace").decode()


def at_last_delivery(outcome: Outcome, max_receive_count: int, now: datetime) -> Outcome:
    """Return the outcome, or where SQS would move or drop the message itself before its next one, our move instead.

    A message that its queue has kept for its whole retention is dropped without a word. SQS's own move knows no
    reason, and gives a message without a reference another identity when it is redriven.
    """
    if outcome.back_at is None:
        return outcome
    dropped_at = outcome.delivery.sent_at + timing.QUEUE_RETENTION
    if outcome.delivery.receive_count < max_receive_count and outcome.back_at + timing.LAST_CHANCE < dropped_at:
        return outcome
    record, seen = (outcome.write.record, outcome.write.seen) if outcome.write else (outcome.standing,) * 2
    doubtful = record is not None and record.status in {state.SENDING, state.UNCERTAIN}
    code = UNCERTAIN if doubtful else RETRIES_EXHAUSTED
    details = f"delivered {outcome.delivery.receive_count} times, at last: {outcome.details or outcome.name}"
    write = None
    if record is not None and record.status != state.SENDING:  # that one is in another invocation's hands
        write = Write(state.hold(record, outcome.delivery.message_id, now, code, details), seen)
    return dead(outcome.delivery, "held", code, details, write)


def undead(outcome: Outcome, until: datetime) -> Outcome:
    """Return what is left where the copy to the dead-letter queue failed: the message itself, back on the queue."""
    write = _reopened(outcome.write, outcome.code) if outcome.write else None
    # Not the outcome's own details: they can be the provider's words, which are for the copy and not for the log.
    return Outcome(outcome.delivery, "dead_letter_failed", write, back_at=until, details="no copy could be made")


def _reopened(write: Write, code: str | None) -> Write | None:
    if write.seen is None or write.seen.status != state.SENDING:
        return None  # nothing of this invocation's to undo: what stands in the table still holds
    return Write(replace(write.record, status=state.UNCERTAIN if code == UNCERTAIN else state.RETRYING), write.seen)
