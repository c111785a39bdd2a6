"""The reasons not to send a message: a mistake, a rule of this stack, its deadline, an opt-out, the send mode.

A message in doubt may have been sent, so its record never gets the status of such a reason. It is held instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gatewayapi import message, state
from gatewayapi.errors import MessageError
from outcome import DRY_RUN, OPTED_OUT, OutcomeName

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from delivery import Delivery
    from settings import Settings


class NotSendable(NamedTuple):
    """Why a message is not sent now.

    Arguments:
        status: the status of its record.
        name: the outcome in logs and metrics.
        code, details: the error in its record. The code is None if the status gives the reason.
        dead_letter: whether a copy goes to the dead-letter queue.

    """

    status: str
    name: OutcomeName
    code: str | None
    details: str
    dead_letter: bool = False


def reason_not_to_send(
    delivery: Delivery, settings: Settings, now: datetime, opted_out: Collection[str] = frozenset()
) -> NotSendable | None:
    """Return the reason not to send a message now, or None. `opted_out` contains phone numbers as digits."""
    content = delivery.content
    if isinstance(content, MessageError):
        return _invalid(content)
    try:
        message.check(content.message, settings.rules)
    except MessageError as error:
        return _invalid(error)
    if content.deadline is not None and content.deadline <= now:
        return NotSendable(state.LAPSED, OutcomeName.LAPSED, None, "its deadline expired before it was sent")
    if content.message.message_type == message.PROMOTIONAL and str(content.message.recipient) in opted_out:
        return NotSendable(state.SUPPRESSED, OutcomeName.SUPPRESSED, OPTED_OUT, "the recipient has opted out")
    if not settings.may_send_to(content.message.recipient):
        details = f"SendMode is {settings.send_mode}: nothing is sent to this recipient"
        return NotSendable(state.HELD, OutcomeName.DRY_RUN, DRY_RUN, details)
    return None


def _invalid(error: MessageError) -> NotSendable:
    return NotSendable(state.INVALID, OutcomeName.INVALID, error.code, str(error), dead_letter=True)
