"""DynamoDB transactions, and the reasons why a transaction is cancelled.

Both functions write with transactions. One call takes up to 100 writes, each with its own condition. A cancelled
transaction returns the existing items whose conditions failed. Source: "TransactWriteItems" in the DynamoDB API
reference.
"""

from __future__ import annotations

import random
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import BotoCoreError, ClientError

from gatewayapi.errors import StorageError, UnstorableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

FIRST_PAUSE_S = 0.05
MAX_PAUSE_S = 1.0

_INVALID = {"ValidationError", "ValidationException"}  # for an item of a transaction, and for a whole request


class Cancellation(Enum):
    """Why one item of a cancelled transaction was not written."""

    NONE = auto()  # the item itself would have been written
    CONDITION_FAILED = auto()
    CONFLICT = auto()  # another write to the same item is under way
    THROTTLED = auto()  # botocore does not retry this, because only an item was throttled and not the request


_CANCELLATIONS = {
    "None": Cancellation.NONE,
    "ConditionalCheckFailed": Cancellation.CONDITION_FAILED,
    "TransactionConflict": Cancellation.CONFLICT,
    "ThrottlingError": Cancellation.THROTTLED,
    "ProvisionedThroughputExceeded": Cancellation.THROTTLED,
}

# For each item: why it was not written, and the existing item if the condition failed and the request asked for it.
Cancellations = list[tuple[Cancellation, dict[str, Any] | None]]


def write(client: DynamoDBClient, items: Sequence[Any]) -> Cancellations:
    """Run one transaction. Returns an empty list if all items were written, else why each was not.

    Raises StorageError if the outcome is unknown or trying again later can help, and UnstorableError if DynamoDB does
    not accept an item.
    """
    try:
        client.transact_write_items(TransactItems=items)
    except client.exceptions.TransactionCanceledException as error:
        reasons = cast("list[dict[str, Any]]", error.response.get("CancellationReasons", []))
        codes = [str(reason.get("Code")) for reason in reasons]
        if _INVALID & set(codes):
            raise UnstorableError("DynamoDB does not accept the item") from error
        if len(reasons) != len(items) or not set(codes) <= _CANCELLATIONS.keys():
            raise StorageError(f"DynamoDB cancelled the transaction: {sorted(set(codes))}") from error
        return [(_CANCELLATIONS[code], reason.get("Item")) for code, reason in zip(codes, reasons, strict=True)]
    except (ClientError, BotoCoreError) as error:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] in _INVALID:
            raise UnstorableError("DynamoDB does not accept the item") from error
        raise StorageError(f"DynamoDB did not write the transaction: {code_of(error)}") from error
    return []


def pause_s(pauses: int) -> float:
    """Return how long to wait before the next try, after this many pauses. The time grows, and has jitter."""
    return min(FIRST_PAUSE_S * 2.0**pauses, MAX_PAUSE_S) * random.uniform(0.5, 1)  # noqa: S311 - jitter


def code_of(error: ClientError | BotoCoreError) -> str:
    """Return an AWS error's code. Its text is left out of logs, because it can contain what was sent."""
    return error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
