"""The rule for a message that SQS would not deliver again: send it to the dead-letter queue ourselves.

After MaxReceiveCount deliveries, SQS moves a message to the dead-letter queue without a reason. A redrive gives it a
new message id, so a message without a reference in its body loses its idempotency key. After the queue's retention,
SQS deletes the message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import timing
from gatewayapi import state
from gatewayapi.message_table import Write
from outcome import RETRIES_EXHAUSTED, UNCERTAIN, DeadLetter, OutcomeName, Retry

if TYPE_CHECKING:
    from datetime import datetime

    from gatewayapi.message_record import MessageRecord
    from settings import Settings


def retry_or_dead_letter(
    retry: Retry, record: MessageRecord | None, settings: Settings, now: datetime
) -> Retry | DeadLetter:
    """Return the retry, or a dead letter if SQS would not deliver the message again.

    Arguments:
        record: the record that the retry writes, or the existing one if it writes none. None if it is unknown.

    """
    delivery = retry.delivery
    deleted_at = delivery.sent_at + timing.QUEUE_RETENTION
    if retry.at + timing.DELETION_MARGIN >= deleted_at:
        cause = f"SQS would delete the message before another attempt at {retry.at:%Y-%m-%d %H:%M} UTC"
    elif delivery.receive_count >= settings.max_receive_count:
        cause = f"SQS delivered the message {delivery.receive_count} times"
    else:
        return retry
    # RETRIES_EXHAUSTED means that the message was certainly not sent.
    not_sent = record is not None and not record.in_doubt and record.status != state.SENDING
    code = RETRIES_EXHAUSTED if not_sent else UNCERTAIN
    details = f"{cause}. Last attempt: {retry.details}"
    write = None
    if record is not None and record.status != state.SENDING:  # SENDING: the record belongs to another invocation
        existing = retry.write.existing if retry.write else record
        write = Write(state.hold(record, delivery.message_id, now, record.expires_at, code, details), existing)
    return DeadLetter(delivery, OutcomeName.HELD, code, details, write, write_if_copy_fails=retry.write)
