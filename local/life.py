"""A message's life, told in lines: what the provider offers no look-up for."""

from collections.abc import Iterable
from datetime import datetime

from gatewayapi.record import EventRecord, MessageRecord, Record


def told(records: Iterable[Record]) -> list[str]:
    """Return the life of one message from its records: its state first, then each event in the order it came."""
    message = next((record for record in records if isinstance(record, MessageRecord)), None)
    events = sorted((record for record in records if isinstance(record, EventRecord)), key=lambda it: it.received_at)
    lines = _state(message) if message else []
    began = message.queued_at if message else None
    lines += [f"{_after(event.received_at, began):>10}  {_said(event)}" for event in events]
    return lines


def masked(number: int | str | None) -> str:
    """Return a phone number as it may be shown: its last three digits."""
    return "none" if number is None else f"…{str(number)[-3:]}"


def _state(message: MessageRecord) -> list[str]:
    lines = [
        f"reference   {message.reference}",
        f"status      {message.status}",
        f"recipient   {masked(message.recipient)}",
        f"sender      {message.sender or 'none'}",
        f"msg_id      {message.msg_id or 'none'}",
        f"attempts    {message.attempts}",
    ]
    if message.error:
        lines.append(f"error       {message.error.get('code')}: {message.error.get('details')}")
    if message.lease_until:
        lines.append(f"claimed by an invocation until {message.lease_until:%H:%M:%S} UTC")
    lines += ["", f"{'':>10}  queued at {message.queued_at:%Y-%m-%d %H:%M:%S} UTC"]
    if message.accepted_at:
        lines.append(f"{_after(message.accepted_at, message.queued_at):>10}  accepted by the provider")
    return lines


def _said(event: EventRecord) -> str:
    what = event.status or event.event_type
    why = f" ({event.error.get('details', event.error)})" if isinstance(event.error, dict) else ""
    return f"{what}{why}"


def _after(moment: datetime, began: datetime | None) -> str:
    return f"+{(moment - began).total_seconds():.2f} s" if began else f"{moment:%H:%M:%S}"
