"""The table as the sender uses it: it writes message records, and reads opt-outs and events.

Message records are written with optimistic locking: a new record is put only if the table has none, and a changed one
only if the stored record is still the one that was read.
"""

from __future__ import annotations

import time
from datetime import timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from gatewayapi import transaction
from gatewayapi.clock import to_text
from gatewayapi.errors import StorageError, UnstorableError
from gatewayapi.event_record import EVENT_SK, EventRecord
from gatewayapi.message_record import MessageRecord
from gatewayapi.record import record_or_none
from gatewayapi.transaction import Cancellation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from mypy_boto3_dynamodb import DynamoDBClient


class Write(NamedTuple):
    """A message record to put. It is new, or replaces `existing`, which must be unchanged in the table."""

    record: MessageRecord
    existing: MessageRecord | None = None


class PutFailure(Enum):
    """Why a put was not confirmed. If it is because of a readable record, `put` returns that record instead."""

    CONTENDED = auto()  # other writes to the same record kept conflicting
    UNUSABLE = auto()  # the existing record is damaged, or it was deleted since it was read
    UNAVAILABLE = auto()  # DynamoDB throttled, refused or did not answer; the record may have been put


class MessageTable:
    """The stack's table, as the sender uses it. `client` has the time-outs and botocore's own retries."""

    def __init__(
        self,
        client: DynamoDBClient,
        name: str,
        retention_days: int,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._name = name
        self._retention = timedelta(days=retention_days)
        self._sleep = sleep

    def expiry(self, now: datetime) -> datetime:
        """Return when the table's TTL may delete a record that is written now."""
        return now + self._retention

    def put(self, writes: Sequence[Write], *, patience_s: float = 0.0) -> dict[str, MessageRecord | PutFailure]:
        """Put message records. Return those that were not put.

        The keys of the result are references. A value is the existing record if DynamoDB returned it and it is
        readable, else the reason.

        One transaction contains all of them. If some cannot be put, the others are tried again at once. The records
        that were contended are tried again after a pause, which grows. If DynamoDB throttles, refuses the transaction
        as a whole, or does not answer, all are tried again after a pause.

        Arguments:
            writes: at most 100, of different references.
            patience_s: seconds that the pauses and the calls between them may take; 0 means no try after a pause.

        """
        waiting = _Waiting(patience_s, self._sleep)
        obstacles: dict[str, MessageRecord | PutFailure] = {}
        pending = {write.record.reference: write for write in writes}
        contended: set[str] = set()
        while pending:
            group = [write for reference, write in pending.items() if reference not in contended]
            finished, conflicts = self._put_group(group, obstacles)
            for reference in finished:
                del pending[reference]
            contended |= conflicts
            if (finished or conflicts) and pending.keys() - contended:
                continue  # some records neither conflict nor are finished: try them again without the others
            if pending and not waiting.pause():
                unavailable = dict.fromkeys(pending, PutFailure.UNAVAILABLE)
                return obstacles | unavailable | dict.fromkeys(contended, PutFailure.CONTENDED)
            contended.clear()
        return obstacles

    def opted_out(self, numbers: Iterable[int]) -> set[str]:
        """Return which of these phone numbers opted out, as digits. Raises StorageError."""
        from gatewayapi import opt_outs  # noqa: PLC0415 - only stacks that enforce opt-outs need it

        return opt_outs.opted_out(self._client, self._name, numbers)

    def events(self, reference: str) -> list[EventRecord]:
        """Return the stored events of a reference, without damaged ones. Raises StorageError."""
        found: list[EventRecord] = []
        request: dict[str, Any] = {
            "TableName": self._name,
            "ConsistentRead": True,
            "KeyConditionExpression": "pk = :pk AND begins_with(sk, :sk)",
            "ExpressionAttributeValues": {":pk": {"S": reference}, ":sk": {"S": EVENT_SK}},
        }
        while True:
            try:
                page = self._client.query(**request)
            except (ClientError, BotoCoreError) as error:
                raise StorageError(f"DynamoDB did not read the events: {transaction.code_of(error)}") from error
            records = (record_or_none(item) for item in page["Items"])
            found += [record for record in records if isinstance(record, EventRecord)]
            if "LastEvaluatedKey" not in page:
                return found
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _put_group(
        self, group: Sequence[Write], obstacles: dict[str, MessageRecord | PutFailure]
    ) -> tuple[list[str], set[str]]:
        """Try one transaction.

        Returns the references that are finished (put, or blocked by an existing record), and those with a conflicting
        write. Both are empty if DynamoDB did not answer, or refused the transaction as a whole. Existing records are
        added to `obstacles`.
        """
        items = [self._put_item(write) for write in group]
        try:
            cancellations = transaction.write(self._client, items)
        except (StorageError, UnstorableError):
            return [], set()
        if not cancellations:
            return [write.record.reference for write in group], set()
        finished, conflicts = [], set()
        for write, item, (why, found) in zip(group, items, cancellations, strict=True):
            reference = write.record.reference
            if why is Cancellation.CONDITION_FAILED:
                finished.append(reference)
                # After a lost answer, the existing record can be the one that was put.
                if found != item["Put"]["Item"]:
                    record = record_or_none(found)
                    obstacles[reference] = record if isinstance(record, MessageRecord) else PutFailure.UNUSABLE
            elif why is Cancellation.CONFLICT:
                conflicts.add(reference)
        return finished, conflicts

    def _put_item(self, write: Write) -> dict[str, Any]:
        put: dict[str, Any] = {
            "TableName": self._name,
            "Item": write.record.to_item(),
            "ConditionExpression": "attribute_not_exists(pk)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if write.existing is not None:
            # Every write of a message record sets updated_at, to the microsecond, so updated_at and
            # status together identify a version.
            put["ConditionExpression"] = (
                "#status = :status AND updated_at = :updated_at AND attribute_not_exists(forgotten_at)"
            )
            put["ExpressionAttributeNames"] = {"#status": "status"}
            put["ExpressionAttributeValues"] = {
                ":status": {"S": write.existing.status},
                ":updated_at": {"S": to_text(write.existing.updated_at)},
            }
        return {"Put": put}


class _Waiting:
    """The pauses of one `put`, which grow, have jitter, and end after `patience_s`."""

    def __init__(self, patience_s: float, sleep: Callable[[float], None]) -> None:
        self._patience_s = patience_s
        self._sleep = sleep
        self._started = time.monotonic()
        self._paused_s = 0.0
        self._pauses = 0

    def pause(self) -> bool:
        """Pause, and return whether to try again. Returns False at once if no time is left."""
        # The pauses count even if `sleep` does not wait, as in tests.
        left_s = self._patience_s - max(self._paused_s, time.monotonic() - self._started)
        if left_s <= 0:
            return False
        pause_s = min(transaction.pause_s(self._pauses), left_s)
        self._sleep(pause_s)
        self._paused_s += pause_s
        self._pauses += 1
        return True
