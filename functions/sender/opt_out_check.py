"""Read which recipients of a batch opted out, if the stack enforces opt-outs.

Before the claims, one call reads the opt-outs for all promotional messages of the batch. Transactional messages are
sent to everybody, so they need no call and do not wait if it fails.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import timing
from delivery import Content
from gatewayapi.errors import StorageError
from gatewayapi.message import PROMOTIONAL
from last_delivery import retry_or_dead_letter
from outcome import OutcomeName, Retry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from delivery import Delivery
    from gatewayapi.message_table import MessageTable
    from outcome import Outcome
    from settings import Settings


def check_opt_outs(
    deliveries: Sequence[Delivery], *, settings: Settings, table: MessageTable, now: datetime
) -> tuple[list[Delivery], set[str], list[Outcome]]:
    """Return the deliveries to process, the numbers that opted out, and the outcomes of the other deliveries.

    If the opt-outs cannot be read, promotional messages wait: sending one could text a person who opted out.
    """
    recipients = {
        delivery.message_id: delivery.content.message.recipient
        for delivery in deliveries
        if isinstance(delivery.content, Content) and delivery.content.message.message_type == PROMOTIONAL
    }
    if not settings.enforce_opt_outs or not recipients:
        return list(deliveries), set(), []
    try:
        return list(deliveries), table.opted_out(recipients.values()), []
    except StorageError as error:
        waiting = [delivery for delivery in deliveries if delivery.message_id in recipients]
        others = [delivery for delivery in deliveries if delivery.message_id not in recipients]
        return others, set(), [_waits(delivery, error, settings, now) for delivery in waiting]


def _waits(delivery: Delivery, error: StorageError, settings: Settings, now: datetime) -> Outcome:
    at = now + timing.back_off(delivery.receive_count, random.random())  # noqa: S311 - jitter
    retry = Retry(delivery, OutcomeName.TABLE_UNAVAILABLE, at, str(error))
    return retry_or_dead_letter(retry, None, settings, now)
