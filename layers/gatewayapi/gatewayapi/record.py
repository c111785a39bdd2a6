"""The records of the table, from DynamoDB items.

Unknown attributes are ignored, so a consumer with an older layer keeps working when a new version adds one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatewayapi import event_record, message_record, opt_out_record
from gatewayapi.dynamodb_values import from_attribute
from gatewayapi.errors import EventError, RecordError
from gatewayapi.event_record import EventRecord, QuarantineRecord
from gatewayapi.message_record import MessageRecord
from gatewayapi.opt_out_record import OptOutRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["EventRecord", "MessageRecord", "OptOutRecord", "QuarantineRecord", "Record", "from_item"]

Record = MessageRecord | EventRecord | QuarantineRecord | OptOutRecord

_READERS: dict[str, Callable[[Mapping[str, Any]], Record]] = {
    "message": message_record.from_values,
    "event": event_record.event_from_values,
    "quarantine": event_record.quarantine_from_values,
    "opt_out": opt_out_record.from_values,
}


def from_item(item: Mapping[str, Any]) -> Record | None:
    """Return the record of a DynamoDB item, or None for a record type that is unknown to this version.

    Raises RecordError if the item has no record type, or is a damaged record of a known type.
    """
    try:
        values = {name: from_attribute(attribute) for name, attribute in item.items()}
        read = _READERS.get(values["record_type"])
        return None if read is None else read(values)
    # ArithmeticError and OSError are raised for times that are out of the range of datetime.
    except (EventError, KeyError, TypeError, ValueError, AttributeError, ArithmeticError, OSError) as error:
        raise RecordError(f"not a record of this table: {error!r}") from error


def record_or_none(item: dict[str, Any] | None) -> Record | None:
    """Return the record of an item, or None if it is absent, damaged, or of an unknown type.

    A record that was damaged by hand then affects only its own message, not the rest of the batch.
    """
    try:
        return from_item(item) if item else None
    except RecordError:
        return None
