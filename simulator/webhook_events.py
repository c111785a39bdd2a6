"""The webhooks of a message's life: which there are, what they say, and how they are signed.

The end of a recipient's number decides how its message ends. Five digits are asked for, so that a campaign
which counts its recipients up from a round number meets none of them by accident:

    …99901  ENROUTE, UNDELIVERABLE with an error      …99905  ENROUTE, UNKNOWN, and no more
    …99902  ENROUTE, EXPIRED with an error            …99906  ENROUTE, and no more
    …99903  REJECTED with an error                    …99907  ENROUTE, DELIVERED, READ as RCS
    …99904  ENROUTE, DELETED                          …99908  no webhook at all

All others: ENROUTE, DELIVERED.
"""

import hashlib
import hmac
import json
import os
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

SMS, RCS = "message.status.sms", "message.status.rcs"
INBOUND = "user-message.text.sms"
ULID_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

Error = dict[str, str]


@dataclass(frozen=True, slots=True)
class Life:
    """The statuses that a message passes, in order, each with its error."""

    event_type: str
    statuses: tuple[tuple[str, Error | None], ...]


ENROUTE = ("ENROUTE", None)
OUT_OF_REACH = {"hex_code": "0x1701", "details": "Handset not in reach"}
OUT_OF_TIME = {"hex_code": "0x1502", "details": "Not delivered in time"}
NO_SUCH_SENDER = {"hex_code": "0x1905", "details": "Sender not allowed"}

DELIVERED = Life(SMS, (ENROUTE, ("DELIVERED", None)))
LIVES = {
    "99901": Life(SMS, (ENROUTE, ("UNDELIVERABLE", OUT_OF_REACH))),
    "99902": Life(SMS, (ENROUTE, ("EXPIRED", OUT_OF_TIME))),
    "99903": Life(SMS, (("REJECTED", NO_SUCH_SENDER),)),
    "99904": Life(SMS, (ENROUTE, ("DELETED", None))),
    "99905": Life(SMS, (ENROUTE, ("UNKNOWN", None))),
    "99906": Life(SMS, (ENROUTE,)),
    "99907": Life(RCS, (ENROUTE, ("DELIVERED", None), ("READ", None))),
    "99908": Life(SMS, ()),
}


@dataclass(frozen=True, slots=True)
class Webhook:
    """One webhook: the bytes to send, and what the log says of them."""

    body: bytes
    event_id: str | None = None
    event_type: str | None = None
    status: str | None = None
    reference: str | None = None
    msg_id: str | None = None


def life(recipient: int) -> Life:
    """How a message to this recipient ends."""
    return LIVES.get(str(recipient)[-5:], DELIVERED)


def status(
    event_type: str, step: tuple[str, Error | None], at: datetime, target: tuple[str, int, str | None]
) -> Webhook:
    """A status webhook for the message with this id, recipient and reference."""
    name, error = step
    msg_id, recipient, reference = target
    event: dict[str, Any] = {
        "msg_id": msg_id,
        "recipient": recipient,
        "reference": reference,
        "status": name,
        "status_at": moment(at),
        "error": error,
    }
    return wrap(event_type, event, at)


def inbound(message: str, sender: int, at: datetime) -> Webhook:
    """A message that a person sent to us."""
    plain = message.isascii()
    event = {
        "msg_id": ulid(),
        "sender": sender,
        "sent_at": moment(at),
        "content": {"message": message, "encoding": "GSM7" if plain else "UCS2", "header": None},
    }
    return wrap(INBOUND, event, at)


def wrap(event_type: str, event: object, at: datetime) -> Webhook:
    """Put an event into the envelope that all webhooks share."""
    event_id = str(uuid.uuid4())
    envelope = {"event_id": event_id, "timestamp": moment(at), "event_type": event_type, "event": event}
    known = event if isinstance(event, dict) else {}
    return Webhook(
        body=json.dumps(envelope, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass"),
        event_id=event_id,
        event_type=event_type,
        status=known.get("status"),
        reference=known.get("reference"),
        msg_id=known.get("msg_id"),
    )


def sign(body: bytes, key: str) -> str:
    """The `Signature` header's value; made with nothing of the product, which is held against it."""
    return "v1=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


def moment(at: datetime) -> str:
    """A time as the provider writes it."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def ulid(at: datetime | None = None) -> str:
    """A ULID of now or of another time: 48 bits of milliseconds, 80 of chance, in Crockford's base 32."""
    milliseconds = time.time_ns() // 1_000_000 if at is None else int(at.timestamp() * 1000)
    number = milliseconds << 80 | int.from_bytes(os.urandom(10), "big")
    return "".join(ULID_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
