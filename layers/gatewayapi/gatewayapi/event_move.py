"""The update with which a status event changes ("moves") the record of its message, and the update's condition.

The provider reports on all messages of an account. Another system can use the same account with the same references
and recipients. So an event moves a record only if it is about the record's message:

- The record has a msg_id: the event must have the same.
- The record has none, and it is SENDING or in doubt: the recipient must be the same. If the event's msg_id is a ULID,
  the time in it must also lie between the enqueuing of the message and shortly after our last request.
- The message of any other record was not accepted, so no event moves it.

The update moves a record forward only: the status with the higher rank counts. With equal ranks, the later
`status_at` counts. With equal times, the status that is last in alphabetical order counts. So the final state does
not depend on the order of the events.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from gatewayapi import state
from gatewayapi.clock import from_ulid, to_text
from gatewayapi.dynamodb_values import to_attribute
from gatewayapi.message_record import MESSAGE_SK, epoch

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from gatewayapi.event_record import EventRecord
    from gatewayapi.message_record import MessageRecord

MAX_CLOCK_DIFFERENCE = timedelta(seconds=60)  # between the provider's clock and ours
MAX_ACCEPTANCE_DELAY = timedelta(seconds=300)  # from our request to the time in the msg_id


def update(table_name: str, event: EventRecord) -> dict[str, Any]:
    """Return the transaction's item that applies the event to the record of its reference."""
    status, status_at = cast("str", event.status), cast("datetime", event.status_at)
    values: dict[str, Any] = {
        ":status": {"S": status},
        ":status_at": {"S": to_text(status_at)},
        ":msg_id": {"S": event.msg_id},
        ":now": {"S": to_text(event.received_at)},
        ":expires_at": {"N": epoch(event.expires_at)},
    }
    condition = f"attribute_not_exists(forgotten_at) AND ({_belongs(event, values)}) AND ({_forward(status, values)})"
    changes = "status_at = :status_at, updated_at = :now, expires_at = :expires_at, msg_id = :msg_id"
    removed = "lease_until, in_doubt, doubt_until"
    if event.error is None:
        removed += ", #error"
    else:
        values[":error"] = to_attribute(state.error_of(event.error))
        changes += ", #error = :error"
    return {
        "Update": {
            "TableName": table_name,
            "Key": {"pk": {"S": event.reference}, "sk": {"S": MESSAGE_SK}},
            "UpdateExpression": f"SET #status = :status, {changes} REMOVE {removed}",
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {"#status": "status", "#error": "error"},
            "ExpressionAttributeValues": values,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
    }


def not_forgotten(table_name: str, event: EventRecord) -> dict[str, Any]:
    """Return the transaction's item that checks that the message of the event's reference is not forgotten."""
    return {
        "ConditionCheck": {
            "TableName": table_name,
            "Key": {"pk": {"S": event.reference}, "sk": {"S": MESSAGE_SK}},
            "ConditionExpression": "attribute_not_exists(forgotten_at)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
    }


def is_about(record: MessageRecord, event: EventRecord) -> bool:
    """Return, for an event that did not move this record, whether it is still about the record's message."""
    if record.forgotten_at is not None:
        # If a msg_id is missing, the event may be about this forgotten message. It is then treated as if it were.
        # Otherwise the person's data would be stored again.
        return None in {record.msg_id, event.msg_id} or record.msg_id == event.msg_id
    return record.msg_id is not None and record.msg_id == event.msg_id


def _belongs(event: EventRecord, values: dict[str, Any]) -> str:
    """Return the condition that the event is about the record's message."""
    same_id = "msg_id = :msg_id"
    # The provider sends an integer. Any other value is stored but not compared.
    if not isinstance(event.recipient, int):
        return same_id
    values |= {":recipient": {"N": str(event.recipient)}, ":sending": {"S": state.SENDING}, ":true": {"BOOL": True}}
    same_person = (
        "attribute_not_exists(msg_id) AND (#status = :sending OR in_doubt = :true) AND recipient = :recipient"
    )
    accepted_at = from_ulid(event.msg_id or "")
    if accepted_at is not None:
        values[":queued_before"] = {"S": to_text(accepted_at + MAX_CLOCK_DIFFERENCE)}
        values[":requested_after"] = {"S": to_text(accepted_at - MAX_ACCEPTANCE_DELAY)}
        requested = "doubt_until >= :requested_after OR lease_until >= :requested_after"
        same_person += f" AND queued_at <= :queued_before AND ({requested})"
    return f"{same_id} OR ({same_person})"


def _forward(status: str, values: dict[str, Any]) -> str:
    """Return the condition that the event's status comes after the record's."""
    rank = state.rank(status)
    lower = _ranked(lambda other: other < rank, ":l", values)
    equal = _ranked(lambda other: other == rank, ":e", values)
    later = (
        "attribute_not_exists(status_at) OR status_at < :status_at OR (status_at = :status_at AND #status < :status)"
    )
    return f"{lower} OR ({equal} AND ({later}))"


def _ranked(fits: Callable[[int], bool], prefix: str, values: dict[str, Any]) -> str:
    """Return the condition that the rank of `#status` fits. An unlisted status has the rank of ENROUTE."""
    unlisted = fits(state.RANKS[state.ENROUTE])
    listed = (status for status, rank in state.RANKS.items() if fits(rank) is not unlisted)
    named = {f"{prefix}{index}": {"S": status} for index, status in enumerate(listed)}
    values.update(named)
    return f"{'NOT ' if unlisted else ''}#status IN ({', '.join(named)})"
