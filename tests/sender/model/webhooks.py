"""Webhooks: status events of our messages and of another system on the same account, and texts of a person."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gatewayapi.clock import to_text
from tests.sender.model.provider import ULID_ALPHABET

if TYPE_CHECKING:
    from tests.sender.model.provider import Sent

# Statuses that only the sender sets. An event with one of them changes no record.
OPEN = {"SENDING", "UNCERTAIN"}
NEVER_SENT = {"RETRYING", "INVALID", "LAPSED", "SUPPRESSED", "HELD"}
STATUSES = ("ENROUTE", "DELIVERED", "UNDELIVERABLE", "ACCEPTED", "NEW_STATUS", "HELD")


@dataclass(frozen=True, slots=True)
class Event:
    """One status event. `foreign`: of another system."""

    event_id: str
    msg_id: str
    reference: str
    recipient: int
    status: str
    status_at: datetime
    foreign: bool = False

    @property
    def settles(self) -> bool:
        """Whether its status is not one that only the sender sets."""
        return self.status not in OPEN | NEVER_SENT

    @property
    def msg_id_time(self) -> datetime | None:
        """The time in its msg_id, or None if that is not a ULID."""
        return ulid_time(self.msg_id)

    def body(self, now: datetime) -> bytes:
        """Return the webhook's body."""
        event = {
            "msg_id": self.msg_id,
            "recipient": self.recipient,
            "reference": self.reference,
            "status": self.status,
            "status_at": to_text(self.status_at),
            "error": None,
        }
        envelope = {
            "event_id": self.event_id,
            "timestamp": to_text(now),
            "event_type": "message.status.sms",
            "event": event,
        }
        return json.dumps(envelope).encode()


@dataclass(frozen=True, slots=True)
class Inbound:
    """A text that a person sent: STOP or START."""

    event_id: str
    sender: int
    message: str
    sent_at: datetime
    reference: str = ""
    msg_id: str = "inbound"
    foreign: bool = False

    @property
    def status(self) -> str:
        """The text, for the log."""
        return self.message

    def body(self, now: datetime) -> bytes:
        """Return the webhook's body."""
        content = {"message": self.message, "encoding": "UTF8", "header": ""}
        event = {
            "msg_id": self.event_id,
            "sender": self.sender,
            "sent_at": to_text(self.sent_at),
            "content": content,
        }
        envelope = {
            "event_id": self.event_id,
            "timestamp": to_text(now),
            "event_type": "user-message.text.sms",
            "event": event,
        }
        return json.dumps(envelope).encode()


def of(sent: Sent, status: str, status_at: datetime) -> Event:
    """Return an event of one of our messages. The same status at the same time is the same event."""
    event_id = f"{sent.msg_id} {status} {status_at.timestamp()}"
    return Event(event_id, sent.msg_id, sent.reference, sent.recipient, status, status_at)


def ulid_time(msg_id: str) -> datetime | None:
    """Return the time in a ULID, or None if it is not one."""
    if len(msg_id) != 26 or any(letter not in ULID_ALPHABET for letter in msg_id):
        return None
    milliseconds = 0
    for letter in msg_id[:10]:
        milliseconds = milliseconds * 32 + ULID_ALPHABET.index(letter)
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
