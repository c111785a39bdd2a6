"""The states of a message, their order, and the changes from one to another.

The webhook's conditions, the sender's decisions and the model test all use them, so each rule is in one place.
functions/sender/judgement.py decides what an SQS delivery does in each state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from gatewayapi.event_record import EventRecord
    from gatewayapi.message_record import MessageRecord

SENDING, UNCERTAIN, ACCEPTED, ENROUTE, READ = "SENDING", "UNCERTAIN", "ACCEPTED", "ENROUTE", "READ"
RETRYING, INVALID, LAPSED, SUPPRESSED, HELD = "RETRYING", "INVALID", "LAPSED", "SUPPRESSED", "HELD"
# Only READ can follow these.
FINAL = ("DELIVERED", "EXPIRED", "DELETED", "UNDELIVERABLE", "REJECTED")

RANKS = {
    **dict.fromkeys((RETRYING, INVALID, LAPSED, SUPPRESSED, HELD), 0),
    SENDING: 1,
    UNCERTAIN: 2,
    ACCEPTED: 3,
    **dict.fromkeys((ENROUTE, "UNKNOWN"), 4),
    **dict.fromkeys(FINAL, 5),
    READ: 6,
}


def rank(status: str) -> int:
    """Return the rank of a status. A status that is not in RANKS has the rank of ENROUTE."""
    return RANKS.get(status, RANKS[ENROUTE])


def is_accepted(status: str) -> bool:
    """Return whether the status is ACCEPTED or a later one. Such a message must not be sent again."""
    return rank(status) >= RANKS[ACCEPTED]


def end_claim(
    record: MessageRecord,
    status: str,
    now: datetime,
    expires_at: datetime,
    code: str | None = None,
    details: str = "",
) -> MessageRecord:
    """Return the record without its lease, with the status and the error that end a claim."""
    error = None if code is None else {"code": code, "details": details}
    return record._replace(status=status, updated_at=now, expires_at=expires_at, lease_until=None, error=error)


def hold(
    record: MessageRecord, message_id: str, now: datetime, expires_at: datetime, code: str, details: str
) -> MessageRecord:
    """Return the record as HELD: a copy of its message is in the dead-letter queue."""
    return end_claim(record, HELD, now, expires_at, code, details)._replace(message_id=message_id, status_at=now)


def keep_hold_time(record: MessageRecord, previous: MessageRecord | None) -> MessageRecord:
    """Return a HELD record with the hold time of `previous`, if that is HELD too.

    If a held message is in doubt, a redriven copy is sent only if it was enqueued after the hold. Suppose that two
    copies are redriven together, and that the first cannot be sent, for example because it has expired. A new hold
    time would be later than the time at which the second was enqueued, so the second would not be sent either.
    """
    return record._replace(status_at=held_since(previous)) if previous and previous.status == HELD else record


def held_since(record: MessageRecord) -> datetime:
    """Return when a HELD message was held. A record of version 0.1.0 has no `status_at`."""
    return record.status_at or record.updated_at


def retry_later(record: MessageRecord, now: datetime, expires_at: datetime, code: str, details: str) -> MessageRecord:
    """Return the record as RETRYING: the message is not sent yet."""
    return end_claim(record, RETRYING, now, expires_at, code, details)


def put_in_doubt(
    record: MessageRecord, requested_by: datetime, now: datetime, expires_at: datetime, details: str = ""
) -> MessageRecord:
    """Return the record as UNCERTAIN: a request, sent at `requested_by` or earlier, got no usable answer."""
    uncertain = end_claim(record, UNCERTAIN, now, expires_at, UNCERTAIN if details else None, details)
    return uncertain._replace(in_doubt=True, doubt_until=max(requested_by, record.doubt_until or requested_by))


def accept(
    record: MessageRecord, msg_id: str, accepted_at: datetime, expires_at: datetime, *, was_in_doubt: bool
) -> MessageRecord:
    """Return the record with the provider's answer to our request.

    An event may have moved the record since the request was sent. If that event has another msg_id, it is about a
    message of another system, so the answer replaces what it changed. The exception is a message that was in doubt
    before this request (`was_in_doubt`): both ids can be ours, so a status of ACCEPTED or higher is kept with its
    msg_id.
    """
    ours = record.msg_id == msg_id or (was_in_doubt and record.msg_id is not None)
    keep = is_accepted(record.status) and ours
    return record._replace(
        status=record.status if keep else ACCEPTED,
        msg_id=record.msg_id if keep else msg_id,
        status_at=record.status_at if keep else None,
        error=record.error if keep else None,
        accepted_at=record.accepted_at or accepted_at,
        updated_at=accepted_at,
        expires_at=expires_at,
        lease_until=None,
        in_doubt=False,
        doubt_until=None,
    )


def apply(record: MessageRecord, events: Iterable[EventRecord], now: datetime) -> MessageRecord:
    """Return the accepted record with the highest-ranked of its stored status events applied."""
    furthest = max(
        (event for event in events if event.msg_id == record.msg_id and moves(event)),
        key=lambda event: (rank(event.status or ""), event.status_at, event.status),
        default=None,
    )
    if furthest is None or furthest.status is None or rank(furthest.status) <= rank(record.status):
        return record
    return record._replace(
        status=furthest.status,
        status_at=furthest.status_at,
        updated_at=now,
        error=None if furthest.error is None else error_of(furthest.error),
    )


def moves(event: EventRecord) -> bool:
    """Return whether an event can move a message record.

    Some statuses are set only by the sender, such as HELD. An event with such a status is stored, but moves no
    record. Otherwise an accepted message could become HELD, and a redrive would send it again.
    """
    return event.status is not None and event.status_at is not None and is_accepted(event.status)


def error_of(error: dict[str, object]) -> dict[str, object]:
    """Return the provider's error as a message record stores it; an RCS error can be any object."""
    return {"code": error.get("hex_code", "PROVIDER"), "details": error.get("details", error)}
