"""The one table: every write to it, and the only place that knows DynamoDB's answers.

All writes are transactions, because a transaction takes up to 100 of them in one call, each with its own condition,
and gives back the record that stood in the way. The sender writes optimistically: a record is put where there was
none, or where it is still the one that the decision was made from. The webhook writes with the ranks as condition,
since it decides nothing.
Source: "TransactWriteItems" in the DynamoDB API reference.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import BotoCoreError, ClientError

from gatewayapi import state
from gatewayapi.clock import to_text
from gatewayapi.dynamodb_values import to_attribute
from gatewayapi.errors import RecordError, StorageError, UnstorableError
from gatewayapi.record import MESSAGE_SK, EventRecord, MessageRecord, QuarantineRecord, epoch, from_item

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

CONFLICT_ROUNDS = 4
CONFLICT_PAUSE_S = 0.03

_CONDITION_FAILED = "ConditionalCheckFailed"
# Nothing was written, and trying again is worth it: another write is under way, or the table's capacity is growing.
# The latter, of a transaction, botocore does not try again by itself.
_CONFLICT = "TransactionConflict"
_THROTTLED = {"ThrottlingError", "ProvisionedThroughputExceeded"}
_INVALID = {"ValidationError", "ValidationException"}  # of an item of a transaction, and of a request


@dataclass(frozen=True, slots=True)
class Write:
    """A message record to put: over `seen` if that still stands there unchanged, or where there is none."""

    record: MessageRecord
    seen: MessageRecord | None = None


class Table:
    """The table by name. `client` is botocore's; time-outs and attempts are the client's own settings."""

    def __init__(self, client: DynamoDBClient, name: str, retention_days: int) -> None:
        self._client = client
        self._name = name
        self._retention = timedelta(days=retention_days)

    def expiry(self, now: datetime) -> datetime:
        """Return when a record written now may be deleted by the table's TTL."""
        return now + self._retention

    def put(self, writes: Sequence[Write]) -> dict[str, MessageRecord | None]:
        """Put message records in one transaction, and return what stood in the way of those not put.

        The answer maps a reference to the record that is there, or to None where another write is under way and
        was so for a while, or where it cannot be read. All that is not in the answer was put. At most 100 writes,
        of different references. Raises StorageError when the outcome of any is unknown or the table is not to be
        had.
        """
        obstacles: dict[str, MessageRecord | None] = {}
        pending, throttled = list(writes), False
        for _ in self._rounds():
            reasons = self._transact([self._put(write) for write in pending]) if pending else []
            if not reasons:
                return obstacles
            stuck = []
            throttled = any(reason["Code"] in _THROTTLED for reason in reasons)
            for write, reason in zip(pending, reasons, strict=True):
                if reason["Code"] == _CONDITION_FAILED:
                    obstacles[write.record.reference] = _existing(reason)
                else:
                    stuck.append(write)
            pending = stuck
        if throttled:
            raise StorageError("the table is throttled")
        return obstacles | dict.fromkeys((write.record.reference for write in pending), None)

    def store(self, event: EventRecord) -> bool:
        """File an event and move its message's status, in one transaction; return False for a known event.

        The message moves only to a higher rank, or to a later `status_at` (then the greater name) within the
        same, so that any order of any events ends in the same state. Where there is no such message, or it is
        further already, the event is filed alone; so is that of another sender in the same account who happens to
        use our reference, which is told by msg_id and recipient. Raises StorageError, as UnstorableError where that
        is final.
        """
        put = self._file(event.to_item())
        # A status of our own name in a webhook is filed and moves nothing: HELD, say, would have it sent again.
        moving = event.reference and event.status is not None and state.is_settled(event.status)
        moves = [self._move(event)] if moving else []
        for _ in self._rounds():
            reasons = self._transact([put, *moves])
            if not reasons:
                return True
            if reasons[0]["Code"] == _CONDITION_FAILED:
                return False
            if moves and reasons[1]["Code"] == _CONDITION_FAILED:
                moves = []
        raise StorageError("the records are being written by others")

    def quarantine(self, record: QuarantineRecord) -> bool:
        """File a body that is no usable event; return False for a known one. Raises StorageError."""
        for _ in self._rounds():
            reasons = self._transact([self._file(record.to_item())])
            if not reasons or reasons[0]["Code"] == _CONDITION_FAILED:
                return not reasons
        raise StorageError("the record is being written by others")

    def _put(self, write: Write) -> dict[str, Any]:
        put: dict[str, Any] = {
            "TableName": self._name,
            "Item": write.record.to_item(),
            "ConditionExpression": "attribute_not_exists(pk)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if write.seen is not None:
            # Every write of a message record sets updated_at, to the microsecond.
            put["ConditionExpression"] = "#status = :status AND updated_at = :updated_at"
            put["ExpressionAttributeNames"] = {"#status": "status"}
            put["ExpressionAttributeValues"] = {
                ":status": {"S": write.seen.status},
                ":updated_at": {"S": to_text(write.seen.updated_at)},
            }
        return {"Put": put}

    def _file(self, item: dict[str, Any]) -> dict[str, Any]:
        return {
            "Put": {"TableName": self._name, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"},
        }

    def _move(self, event: EventRecord) -> dict[str, Any]:
        status, status_at = cast("str", event.status), cast("datetime", event.status_at)
        names = {"#status": "status", "#error": "error"}
        values: dict[str, Any] = {
            ":status": {"S": status},
            ":status_at": {"S": to_text(status_at)},
            ":msg_id": {"S": event.msg_id},
            ":now": {"S": to_text(event.received_at)},
            ":expires_at": {"N": epoch(event.expires_at)},
        }
        rank = state.rank(status)
        lower = _ranked(lambda other: other < rank, ":l", values)
        equal = _ranked(lambda other: other == rank, ":e", values)
        later = (
            "attribute_not_exists(status_at) OR status_at < :status_at"
            " OR (status_at = :status_at AND #status < :status)"
        )
        # Either is enough: an uncertain message has no msg_id yet, and the provider may write a number its own way.
        ours = "msg_id = :msg_id OR attribute_not_exists(msg_id)"
        if isinstance(event.recipient, int):  # as the provider writes it; kept as it came where it is a text
            values[":recipient"] = {"N": str(event.recipient)}
            ours = "msg_id = :msg_id OR recipient = :recipient"
        condition = f"attribute_exists(pk) AND ({ours}) AND ({lower} OR ({equal} AND ({later})))"
        update = (
            "SET #status = :status, status_at = :status_at, updated_at = :now, expires_at = :expires_at,"
            " msg_id = if_not_exists(msg_id, :msg_id)"
        )
        if event.error is not None:
            values[":error"] = to_attribute(_error(event.error))
            update += ", #error = :error REMOVE lease_until"
        else:
            update += " REMOVE lease_until, #error"
        return {
            "Update": {
                "TableName": self._name,
                "Key": {"pk": {"S": event.reference}, "sk": {"S": MESSAGE_SK}},
                "UpdateExpression": update,
                "ConditionExpression": condition,
                "ExpressionAttributeNames": names,
                "ExpressionAttributeValues": values,
            },
        }

    def _transact(self, items: list[Any]) -> list[dict[str, Any]]:
        """Run one transaction; return nothing where it was made, else each item's reason why it was not."""
        try:
            self._client.transact_write_items(TransactItems=items)
        except self._client.exceptions.TransactionCanceledException as error:
            reasons = cast("list[dict[str, Any]]", error.response.get("CancellationReasons", []))
            codes = {reason.get("Code") for reason in reasons}
            if codes & _INVALID:
                raise UnstorableError("the table does not take it") from error
            if len(reasons) != len(items) or not codes <= {"None", _CONDITION_FAILED, _CONFLICT, *_THROTTLED}:
                raise StorageError(f"the transaction was cancelled: {sorted(map(str, codes))}") from error
            return reasons
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and error.response["Error"]["Code"] in _INVALID:
                raise UnstorableError("the table does not take it") from error
            raise StorageError(f"the table did not answer: {type(error).__name__}") from error
        return []

    @staticmethod
    def _rounds() -> Iterable[int]:
        """Count the tries that conflicts and throttles are worth, with growing, jittered pauses between them."""
        for attempt in range(CONFLICT_ROUNDS):
            if attempt > 1:  # the second follows a failed condition more often than a conflict
                time.sleep(random.uniform(0.5, 1) * CONFLICT_PAUSE_S * 2**attempt)  # noqa: S311 - jitter
            yield attempt


def _existing(reason: dict[str, Any]) -> MessageRecord | None:
    """Return the record in the way; None where it was deleted since, or is one that nobody can read.

    That one was written by hand, say, and must cost its own message something, not the batch around it.
    """
    try:
        record = from_item(reason["Item"])
    except (KeyError, RecordError):
        return None
    return record if isinstance(record, MessageRecord) else None


def _error(error: dict[str, Any]) -> dict[str, Any]:
    """Return the provider's error, of which RCS may make any object, as the message record's code and details."""
    return {"code": error.get("hex_code", "PROVIDER"), "details": error.get("details", error)}


def _ranked(fits: Callable[[int], bool], prefix: str, values: dict[str, Any]) -> str:
    """Return the condition that the rank of `#status` fits; a status that is not listed ranks with ENROUTE."""
    unlisted = fits(state.RANKS[state.ENROUTE])
    listed = (status for status, rank in state.RANKS.items() if fits(rank) is not unlisted)
    named = {f"{prefix}{index}": {"S": status} for index, status in enumerate(listed)}
    values.update(named)
    return f"{'NOT ' if unlisted else ''}#status IN ({', '.join(named)})"
