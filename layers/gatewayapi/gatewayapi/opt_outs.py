"""Who opted out of promotional messages: one record for each phone number, in the stack's table.

The webhook function writes a record when a person texts a stop or start word. A web form or a CRM can write one
with `opt_out` and `opt_in`. The policy of the stack's output `OptOutPolicyArn` permits these calls:

    from gatewayapi.opt_outs import opt_out

    opt_out(boto3.client("dynamodb"), table_name, "+45 12 34 56 78", source="website")

The newest statement of a person counts, regardless of the order in which statements are written. Of two with the same
time, OUT counts.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from gatewayapi import clock
from gatewayapi.errors import StorageError
from gatewayapi.message_fields import phone_number
from gatewayapi.opt_out_record import IN, OUT, OptOutRecord, key, number_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from mypy_boto3_dynamodb import DynamoDBClient

READ_ROUNDS = 4
READ_PAUSE_S = 0.05


def opt_out(
    client: DynamoDBClient, table_name: str, number: str | int, *, source: str, changed_at: datetime | None = None
) -> bool:
    """Record that a person wants no promotional messages. Returns False if there is a newer record.

    Raises ValueError for an invalid number, and StorageError.

    Arguments:
        number: a phone number, in a form that a queue message's `recipient` can have.
        source: the name of the program that calls this.
        changed_at: when the person decided, with a time zone. The default is now.

    """
    return write(client, table_name, _statement(number, OUT, source, changed_at))


def opt_in(
    client: DynamoDBClient, table_name: str, number: str | int, *, source: str, changed_at: datetime | None = None
) -> bool:
    """Record that a person wants promotional messages again. Arguments and result are those of `opt_out`."""
    return write(client, table_name, _statement(number, IN, source, changed_at))


def write(client: DynamoDBClient, table_name: str, statement: OptOutRecord) -> bool:
    """Write a record. Returns False if there is a newer one. Raises StorageError."""
    try:
        client.put_item(**statement.to_put(table_name))
    except client.exceptions.ConditionalCheckFailedException:
        return False
    except (ClientError, BotoCoreError) as error:
        raise StorageError(f"the opt-out or opt-in was not recorded: {type(error).__name__}") from error
    return True


def opted_out(client: DynamoDBClient, table_name: str, numbers: Iterable[str | int]) -> set[str]:
    """Return which of up to 100 numbers opted out, read with strong consistency. Raises StorageError.

    A record whose status is not IN counts as an opt-out, so that a damaged record does not allow a message.
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
        found |= {number_of(item["pk"]["S"]) for item in items if item.get("status") != {"S": IN}}
        if not keys:
            return found
    raise StorageError("the opt-outs could not be read: the table is throttled")


def _statement(number: str | int, status: str, source: str, changed_at: datetime | None) -> OptOutRecord:
    return OptOutRecord(str(phone_number(number)), status, changed_at or clock.now(), source)
