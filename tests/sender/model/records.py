"""Functions with which the laws read message records. They do not use the code that the laws check."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.sender.model.webhooks import NEVER_SENT, OPEN

if TYPE_CHECKING:
    from tests.sender.model.expressions import Item
    from tests.sender.model.webhooks import Event

PROMOTIONAL = "Offer"  # a text that begins with this is promotional
LONG = "Long " * 40  # a text of two segments
PERSONAL = ("recipient", "phone_number", "sender", "label", "context", "fingerprint", "body", "signature", "content")
RANKS = {"ACCEPTED": 1, "DELIVERED": 3, "EXPIRED": 3, "DELETED": 3, "UNDELIVERABLE": 3, "REJECTED": 3, "READ": 4}
MAX_CLOCK_DIFFERENCE, MAX_ACCEPTANCE_DELAY = timedelta(seconds=60), timedelta(seconds=300)  # as in event_move


def may_move(record: Item, event: Event) -> bool:
    """Return whether an event may change a record, by the rules of docs/records.md."""
    if event.status in OPEN | NEVER_SENT or not record:
        return False
    if text(record, "msg_id"):
        return text(record, "msg_id") == event.msg_id
    if text(record, "status") != "SENDING" and not flag(record, "in_doubt"):
        return False
    if record.get("recipient") != {"N": str(event.recipient)}:
        return False
    if event.msg_id_time is None:
        return True
    until = max(text(record, "doubt_until"), text(record, "lease_until"))
    earliest = datetime.fromisoformat(text(record, "queued_at")) - MAX_CLOCK_DIFFERENCE
    return earliest <= event.msg_id_time <= datetime.fromisoformat(until) + MAX_ACCEPTANCE_DELAY


def is_accepted(record: Item) -> bool:
    """Return whether the record states that the provider accepted the message."""
    return bool(record) and text(record, "status") not in OPEN | NEVER_SENT


def is_promotional(content: str) -> bool:
    """Return whether a message is promotional. In the model, its text shows this."""
    return content.startswith(PROMOTIONAL)


def is_leased(record: Item, now: datetime) -> bool:
    """Return whether a record has a lease that has not ended."""
    lease = text(record, "lease_until")
    return text(record, "status") == "SENDING" and bool(lease) and datetime.fromisoformat(lease) > now


def rank(status: str | None) -> int:
    """Return the rank of a settled status. A status that is not listed has the rank of ENROUTE."""
    return RANKS.get(status or "", 2)


def text(item: Item, name: str) -> str:
    """Return a string attribute, or an empty string if there is none."""
    value: dict[str, Any] | None = item.get(name)
    return "" if value is None else str(value.get("S", ""))


def flag(item: Item, name: str) -> bool:
    """Return a boolean attribute."""
    return item.get(name) == {"BOOL": True}
