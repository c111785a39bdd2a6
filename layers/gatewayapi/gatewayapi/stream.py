"""A DynamoDB-stream Lambda event as typed records, for a consumer's handler.

Deletions by the table's TTL are left out, because they are not changes of a message. Unknown record types are left
out too, so a consumer keeps working when a new version of the stack adds one.
Source: "DynamoDB Streams and Time to Live" in the DynamoDB developer guide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gatewayapi.record import Record, from_item

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one record.

    Arguments:
        sequence_number: the id to return in `batchItemFailures`, so that the change is delivered again.
        record: the record now, or None if it was deleted.
        previous: the record before, or None if it is new.

    """

    sequence_number: str
    record: Record | None
    previous: Record | None


def records(event: Mapping[str, Any]) -> list[Record]:
    """Return the new or changed records of a stream event, in its order.

    Raises RecordError for a damaged record.
    """
    # OldImage is ignored: otherwise repairing a damaged record would fail on the old one.
    images = [entry["dynamodb"].get("NewImage") for entry in _entries(event)]
    return [record for image in images if image and (record := from_item(image)) is not None]


def changes(event: Mapping[str, Any]) -> Iterator[Change]:
    """Yield each change of a stream event, for a handler that reports partial failures.

    A record is read when the iterator reaches it, so the changes before a damaged one are handled.
    """
    for entry in _entries(event):
        images = entry["dynamodb"]
        record, previous = _record(images.get("NewImage")), _record(images.get("OldImage"))
        if record is not None or previous is not None:
            yield Change(images["SequenceNumber"], record, previous)


def _entries(event: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for entry in event["Records"]:
        if (entry.get("userIdentity") or {}).get("principalId") != "dynamodb.amazonaws.com":
            yield entry


def _record(image: Mapping[str, Any] | None) -> Record | None:
    return from_item(image) if image else None
