"""The timeline of one message in lines of text: its record, its webhook events and what happens next."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from tools import explanations
from tools.records import Values, is_event, is_message, time_of

# The record shows these itself. A webhook event shows every other status.
OWN_STATUSES = {"SENDING", "RETRYING", "UNCERTAIN", "INVALID", "LAPSED", "SUPPRESSED", "HELD"}


def lines(items: Iterable[Values], parameters: Mapping[str, str], now: datetime) -> list[str]:
    """Return the timeline of the items under one reference; `parameters` are the stack's."""
    items = list(items)
    message = next((values for values in items if is_message(values)), None)
    began = time_of(message, "queued_at") if message else None
    steps = [(time_of(values, "received_at"), _event(values)) for values in items if is_event(values)]
    if message is None:
        return [f"{_after(at, began):>12}  {step}" for at, step in _sorted(steps)]
    steps += _own_steps(message)
    return [
        *_head(message),
        "",
        *(f"{_after(at, began):>12}  {step}" for at, step in _sorted(steps)),
        "",
        f"next        {explanations.next_step(message, parameters, now)}",
    ]


def masked(number: int | str) -> str:
    """Return a phone number as it may be shown where others can read it: its last three digits."""
    return f"…{str(number)[-3:]}"


def _head(message: Values) -> list[str]:
    named = {
        "reference": message["pk"],
        "status": f"{message['status']}: {explanations.status(message)}",
        "reason": explanations.error(message["error"]) if message.get("error") else None,
        "recipient": masked(message["recipient"]) if message.get("recipient") else None,
        "sender": message.get("sender"),
        "segments": message.get("segments"),
        "msg_id": message.get("msg_id"),
        "context": message.get("context"),
        "attempts": message.get("attempts"),
    }
    return [f"{name:10}  {value}" for name, value in named.items() if value is not None]


def _own_steps(message: Values) -> list[tuple[datetime | None, str]]:
    """Return the steps that the record itself has a time for."""
    steps = [
        (time_of(message, "queued_at"), f"queued at {message['queued_at'][:19].replace('T', ' ')} UTC"),
        (time_of(message, "accepted_at"), "accepted by GatewayAPI"),
        (time_of(message, "forgotten_at"), "personal data removed"),
    ]
    status = message["status"]
    if status in OWN_STATUSES:
        meaning = explanations.error(message["error"]) if message.get("error") else explanations.status(message)
        steps.append((time_of(message, "updated_at"), f"{status}: {meaning}"))
    return [(at, step) for at, step in steps if at]


def _event(event: Values) -> str:
    what = event.get("status") or event["event_type"]
    return f"{what}: {explanations.error(event['error'])}" if event.get("error") else str(what)


def _sorted(steps: Iterable[tuple[datetime | None, str]]) -> list[tuple[datetime, str]]:
    return sorted(((at, step) for at, step in steps if at), key=lambda step: step[0])


def _after(at: datetime, began: datetime | None) -> str:
    if began is None:
        return f"{at:%H:%M:%S} UTC"
    return f"+{(at - began).total_seconds():.2f} s" if at >= began else f"{(at - began).total_seconds():.2f} s"
