"""A DynamoDB-stream Lambda event as typed records: what a consumer's handler starts with.

Deletions by the table's TTL are dropped, because they are housekeeping and no news; the stream marks them as done by
the service itself. Source: "DynamoDB Streams and Time to Live" in the DynamoDB developer guide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gatewayapi.record import Record, from_item

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one record: `record` is what is there now (None where somebody deleted it), `previous` what was.

    `sequence_number` is what a handler reports in `batchItemFailures`.
    """

    sequence_number: str
    record: Record | None
    previous: Record | None


def records(event: Mapping[str, Any]) -> list[Record]:
    """Return the new or changed records of a stream event, in its order.

    Raises RecordError where one is not of this project's table.
    """
    # What was there before is not read: whoever mends a bad record would be in its place.
    return [from_item(image) for entry in _entries(event) if (image := entry["dynamodb"].get("NewImage"))]


def changes(event: Mapping[str, Any]) -> Iterator[Change]:
    """Yield each change of a stream event with what was there before, for a handler that reports partial failures.

    It reads a record only when it is asked for the next, so that those before a bad one are handled.
    """
    for entry in _entries(event):
        images = entry["dynamodb"]
        yield Change(images["SequenceNumber"], _record(images.get("NewImage")), _record(images.get("OldImage")))


def _entries(event: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for entry in event["Records"]:
        if (entry.get("userIdentity") or {}).get("principalId") != "dynamodb.amazonaws.com":
            yield entry


def _record(image: Mapping[str, Any] | None) -> Record | None:
    return from_item(image) if image else None
