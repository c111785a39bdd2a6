"""Builds and signs webhooks in the provider's envelope."""

import hashlib
import hmac
import json
import os
import time
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from simulator.segments import count

SMS, RCS = "message.status.sms", "message.status.rcs"
INBOUND = "user-message.text.sms"
ULID_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

EventError = dict[str, str]


@dataclass(frozen=True, slots=True)
class Webhook:
    """One webhook: the body to send, and the fields of it that are listed."""

    body: bytes
    event_id: str | None = None
    event_type: str | None = None
    status: str | None = None
    reference: str | None = None
    msg_id: str | None = None


def webhook(event_type: str, event: object, at: datetime, event_id: str | None = None) -> Webhook:
    """Return a webhook with an event in the envelope that all webhooks share."""
    envelope = {
        "event_id": event_id or str(uuid.uuid4()),
        "timestamp": to_text(at),
        "event_type": event_type,
        "event": event,
    }
    return from_envelope(envelope)


def status_event(  # noqa: PLR0913 - the fields of the provider's event
    status: str,
    *,
    msg_id: str,
    recipient: int,
    reference: str | None,
    at: datetime,
    error: EventError | None = None,
    event_type: str = SMS,
    event_id: str | None = None,
) -> Webhook:
    """Return a webhook that reports the status of a message. Its event id is random unless it is given."""
    event = {
        "msg_id": msg_id,
        "recipient": recipient,
        "reference": reference,
        "status": status,
        "status_at": to_text(at),
        "error": error,
    }
    return webhook(event_type, event, at, event_id)


def inbound_event(text: str, sender: int, at: datetime) -> Webhook:
    """Return a webhook for a text that a person sent to us."""
    encoding = count(text).encoding.replace("-", "")
    content = {"message": text, "encoding": encoding, "header": None}
    event = {"msg_id": ulid(), "sender": sender, "sent_at": to_text(at), "content": content}
    return webhook(INBOUND, event, at)


def from_envelope(envelope: Any) -> Webhook:  # noqa: ANN401 - any JSON can be sent
    """Return a webhook whose body is this JSON, which need not be a valid envelope."""
    body = json.dumps(envelope, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
    fields = envelope if isinstance(envelope, dict) else {}
    event = fields.get("event")
    event = event if isinstance(event, dict) else {}
    return Webhook(
        body=body,
        event_id=fields.get("event_id"),
        event_type=fields.get("event_type"),
        status=event.get("status"),
        reference=event.get("reference"),
        msg_id=event.get("msg_id"),
    )


def aged(original: Webhook, at: datetime) -> Webhook:
    """Return the same event with an earlier or later `timestamp`."""
    return replace(from_envelope(json.loads(original.body) | {"timestamp": to_text(at)}), event_id=original.event_id)


def sign(body: bytes, key: str) -> str:
    """Return the value of the `Signature` header.

    It does not use the product's signature module, so that the two are tested against each other.
    """
    return "v1=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


def to_text(at: datetime) -> str:
    """Return a time in the provider's format."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def ulid(at: datetime | None = None) -> str:
    """Return a ULID of the given time, or of now: 48 bits of time and 80 random bits in Crockford's base 32."""
    milliseconds = time.time_ns() // 1_000_000 if at is None else int(at.timestamp() * 1000)
    number = milliseconds << 80 | int.from_bytes(os.urandom(10), "big")
    return "".join(ULID_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
