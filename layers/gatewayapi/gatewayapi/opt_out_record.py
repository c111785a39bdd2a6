"""The record of what one person last stated about promotional messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from gatewayapi.clock import from_text, to_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from gatewayapi.message_record import Item

OUT, IN = "OUT", "IN"

_PK, _SK = "OPT_OUT#", "OPT_OUT"


@dataclass(frozen=True, slots=True)
class OptOutRecord:
    """The last statement of a person: an opt-out, or an opt-in after it.

    It does not expire. Otherwise the person would get messages again.

    Arguments:
        number: the phone number in digits.
        status: OUT or IN.
        changed_at: when the person decided.
        source: the event_id of the text, or the name of the program that wrote the record.

    """

    record_type: ClassVar[str] = "opt_out"

    number: str
    status: str
    changed_at: datetime
    source: str

    def to_item(self) -> Item:
        """Return the record as a DynamoDB item."""
        return {
            **key(self.number),
            "record_type": {"S": self.record_type},
            "status": {"S": self.status},
            "changed_at": {"S": to_text(self.changed_at)},
            "source": {"S": self.source},
        }

    def to_put(self, table_name: str) -> dict[str, Any]:
        """Return the arguments of PutItem, or of a transaction's Put. The write fails if there is a newer record.

        Of two statements with the same time, OUT counts.
        """
        comparison = "<=" if self.status == OUT else "<"
        return {
            "TableName": table_name,
            "Item": self.to_item(),
            "ConditionExpression": f"attribute_not_exists(pk) OR changed_at {comparison} :changed_at",
            "ExpressionAttributeValues": {":changed_at": {"S": to_text(self.changed_at)}},
        }


def from_values(values: Mapping[str, Any]) -> OptOutRecord:
    """Return the record of an item's Python values. Raises KeyError, TypeError or ValueError for a damaged item."""
    if values["status"] not in {OUT, IN}:
        raise ValueError("status is neither OUT nor IN")
    return OptOutRecord(
        number=number_of(values["pk"]),
        status=values["status"],
        changed_at=from_text(values["changed_at"]),
        source=str(values["source"]),
    )


def key(number: str | int) -> Item:
    """Return the key of the record of a number, which is given in digits."""
    return {"pk": {"S": f"{_PK}{number}"}, "sk": {"S": _SK}}


def number_of(partition_key: str) -> str:
    """Return the number of a record's partition key."""
    return partition_key.removeprefix(_PK)
