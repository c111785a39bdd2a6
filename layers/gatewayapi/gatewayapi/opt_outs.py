"""Who opted out of promotional messages: one record for each phone number, in the stack's table.

The webhook function writes a record when a person texts a stop or start word. A web form or a CRM writes one with
`opt_out` and `opt_in`, for which the stack's `OptOutPolicyArn` is enough:

    from gatewayapi.opt_outs import opt_out

    opt_out(boto3.client("dynamodb"), table_name, "+45 12 34 56 78", source="website")

The newest statement of a person counts, whatever order the writes arrive in. Of two with the same time, OUT counts.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from botocore.exceptions import BotoCoreError, ClientError

from gatewayapi import clock
from gatewayapi.errors import StorageError
from gatewayapi.message_fields import phone_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from mypy_boto3_dynamodb import DynamoDBClient

OUT, IN = "OUT", "IN"
PK, SK = "OPT_OUT#", "OPT_OUT"

READ_ROUNDS = 4
READ_PAUSE_S = 0.05


@dataclass(frozen=True, slots=True)
class OptOutRecord:
    """What a person last stated: `status` is OUT or IN, `source` is an event_id or the name of another writer."""

    record_type: ClassVar[str] = "opt_out"

    number: str
    status: str
    changed_at: datetime
    source: str

    def to_item(self) -> dict[str, dict[str, Any]]:
        """Return the record as DynamoDB's item."""
        return {
            **key(self.number),
            "record_type": {"S": self.record_type},
            "status": {"S": self.status},
            "changed_at": {"S": clock.to_text(self.changed_at)},
            "source": {"S": self.source},
        }

    def to_put(self, table_name: str) -> dict[str, Any]:
        """Return the write for PutItem or a transaction, with the condition that nothing newer is there."""
        older = "changed_at < :changed_at"
        if self.status == OUT:
            older = "changed_at <= :changed_at"
        return {
            "TableName": table_name,
            "Item": self.to_item(),
            "ConditionExpression": f"attribute_not_exists(pk) OR {older}",
            "ExpressionAttributeValues": {":changed_at": {"S": clock.to_text(self.changed_at)}},
        }


def from_values(values: Mapping[str, Any]) -> OptOutRecord:
    """Return the record of an item's plain values; raises KeyError or ValueError where they are none."""
    return OptOutRecord(
        number=values["pk"].removeprefix(PK),
        status=values["status"],
        changed_at=clock.from_text(values["changed_at"]),
        source=values["source"],
    )


def opt_out(
    client: DynamoDBClient, table_name: str, number: str | int, *, source: str, changed_at: datetime | None = None
) -> bool:
    """Record that a person wants no promotional messages; return False where a newer record is there.

    `number` is a phone number as in a queue message's `recipient` (else ValueError), `source` is the name of the
    caller, `changed_at` is the time of the person's decision with its time zone, by default now. Raises StorageError.
    """
    return _write(client, table_name, number, OUT, source, changed_at)


def opt_in(
    client: DynamoDBClient, table_name: str, number: str | int, *, source: str, changed_at: datetime | None = None
) -> bool:
    """Record that a person wants promotional messages again; arguments and result are those of `opt_out`."""
    return _write(client, table_name, number, IN, source, changed_at)


def opted_out(client: DynamoDBClient, table_name: str, numbers: Iterable[str | int]) -> set[str]:
    """Return which of up to 100 numbers opted out, read with strong consistency; raises StorageError.

    A record that does not state IN counts as an opt-out, so that a damaged one does not lead to a message.
    """
    keys: list[Any] = [key(number) for number in dict.fromkeys(numbers)]
    found: set[str] = set()
    if not keys:
        return found
    for attempt in range(READ_ROUNDS):
        if attempt:
            time.sleep(random.uniform(0.5, 1) * READ_PAUSE_S * 2**attempt)  # noqa: S311 - jitter
        request: Any = {
            "Keys": keys,
            "ConsistentRead": True,
            "ProjectionExpression": "pk, #status",
            "ExpressionAttributeNames": {"#status": "status"},
        }
        try:
            answer: Any = client.batch_get_item(RequestItems={table_name: request})
        except (ClientError, BotoCoreError) as error:
            raise StorageError(f"the opt-outs could not be read: {type(error).__name__}") from error
        keys = answer.get("UnprocessedKeys", {}).get(table_name, {}).get("Keys", [])
        items = answer["Responses"].get(table_name, [])
        found |= {item["pk"]["S"].removeprefix(PK) for item in items if item.get("status") != {"S": IN}}
        if not keys:
            return found
    raise StorageError("the opt-outs could not be read: the table is throttled")


def key(number: str | int) -> dict[str, dict[str, str]]:
    """Return the key of a number's record; the number is given in digits."""
    return {"pk": {"S": f"{PK}{number}"}, "sk": {"S": SK}}


def _write(
    client: DynamoDBClient,
    table_name: str,
    number: str | int,
    status: str,
    source: str,
    changed_at: datetime | None,
) -> bool:
    record = OptOutRecord(str(phone_number(number)), status, changed_at or clock.now(), source)
    try:
        client.put_item(**record.to_put(table_name))
    except client.exceptions.ConditionalCheckFailedException:
        return False
    except (ClientError, BotoCoreError) as error:
        raise StorageError(f"the opt-out was not recorded: {type(error).__name__}") from error
    return True
