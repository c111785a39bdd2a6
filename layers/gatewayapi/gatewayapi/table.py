"""The table: every read and write of the two functions.

The sender writes message records with optimistic locking: a record is put only if there is none, or if the record
that was read is unchanged. The webhook stores events, and moves message records with a conditional update.
"""

from __future__ import annotations

import random
import time
from dataclasses import replace
from datetime import timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from gatewayapi import event_move, state, transaction
from gatewayapi.clock import to_text
from gatewayapi.errors import RecordError, StorageError, UnstorableError
from gatewayapi.event_record import EVENT_SK, EventRecord, QuarantineRecord
from gatewayapi.message_record import MessageRecord
from gatewayapi.record import Record, from_item
from gatewayapi.transaction import Cancellation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from mypy_boto3_dynamodb import DynamoDBClient

    from gatewayapi.opt_out_record import OptOutRecord

# A webhook is answered within 5 seconds, so its transaction is tried a few times only.
EVENT_TRIES = 4
FIRST_PAUSE_S = 0.05
MAX_PAUSE_S = 1.0


class Write(NamedTuple):
    """A message record to put: in place of `existing` if that is unchanged, or as a new one if it is None."""

    record: MessageRecord
    existing: MessageRecord | None = None


class Unwritten(Enum):
    """Why a record was not put, other than an existing readable record."""

    CONTENDED = auto()  # other writes to the same record kept conflicting
    UNREADABLE = auto()  # the existing record is damaged, or it was deleted since it was read
    UNAVAILABLE = auto()  # DynamoDB throttled or did not answer, and the record may have been put


class Table:
    """The table by name. Time-outs and botocore's own retries are settings of `client`."""

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

    def put(self, writes: Sequence[Write], *, patience_s: float = 0.0) -> dict[str, MessageRecord | Unwritten]:
        """Put message records. Return by reference why some were not put: the existing record, or `Unwritten`.

        One transaction contains all of them. If some cannot be put, the others are tried again at once. If the
        remaining records are all contended, or DynamoDB throttles or does not answer, the next try follows after a
        pause, which grows.

        Arguments:
            writes: at most 100, of different references.
            patience_s: seconds that the pauses and the calls between them may take; 0 means no pause.

        """
        waiting = _Waiting(patience_s, self._sleep)
        obstacles: dict[str, MessageRecord | Unwritten] = {}
        pending = {write.record.reference: write for write in writes}
        contended: set[str] = set()
        while pending:
            group = [write for reference, write in pending.items() if reference not in contended]
            done, conflicts, reason = self._put_group(group, obstacles)
            for reference in done:
                del pending[reference]
            contended |= conflicts
            if (done or conflicts) and pending.keys() - contended:
                continue
            if pending and not waiting.pause():
                return obstacles | dict.fromkeys(pending, reason)
            contended.clear()
        return obstacles

    def store(self, event: EventRecord, opt_out: OptOutRecord | None = None) -> bool:
        """Store an event and what it changes, in one transaction. Returns False if the event is stored already.

        A status event moves its message's record (see `event_move`), and an inbound text can lead to an opt-out. If
        the condition of such a change fails, the event is stored without it. An event that belongs to no message
        record is in the index by_phone_number. An event of a forgotten message is stored without the person's data.

        Raises StorageError if trying again later can help, and UnstorableError if it cannot.
        """
        move = event_move.update(self._name, event) if event.reference and state.moves(event) else None
        # The person's data can be erased at any time, so every transaction checks that it has not been.
        about_message = move or (event_move.check(self._name, event) if event.reference else None)
        about_person = {"Put": opt_out.to_put(self._name)} if opt_out else None
        stored = event if move else replace(event, by_phone_number=True)
        contested = False
        for _ in self._tries():
            put = self._new(stored.to_item())
            items = [item for item in (put, about_message, about_person) if item]
            cancellations = transaction.write(self._client, items)
            if not cancellations:
                if contested:
                    self._move_again(move)
                return True
            for item, (why, found) in zip(items, cancellations, strict=True):
                if why is not Cancellation.CONDITION_FAILED:
                    continue
                if item is put:
                    return False
                if item is about_person:
                    about_person = None
                    continue
                existing, forgotten = _readable(found), bool(found and "forgotten_at" in found)
                stored = _unmoved(event, existing, forgotten=forgotten)
                contested = not forgotten and _is_contested(existing, event)
                about_message = None if forgotten else event_move.check(self._name, event)
        raise StorageError("other writes to the same records are under way")

    def _move_again(self, move: dict[str, Any] | None) -> None:
        """Try the move once more: the sender can have corrected the record's msg_id just before the event was stored.

        If the sender corrects it later, it reads the stored events itself.
        """
        try:
            transaction.write(self._client, [move])
        except StorageError:
            return  # the event is stored, which is what the answer to the provider means

    def quarantine(self, record: QuarantineRecord) -> bool:
        """Store a signed body that is not a usable event. Returns False if it is stored already.

        Raises the errors of `store`.
        """
        for _ in self._tries():
            cancellations = transaction.write(self._client, [self._new(record.to_item())])
            if not cancellations or cancellations[0][0] is Cancellation.CONDITION_FAILED:
                return not cancellations
        raise StorageError("another write to the same record is under way")

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
            records = (_readable(item) for item in page["Items"])
            found += [record for record in records if isinstance(record, EventRecord)]
            if "LastEvaluatedKey" not in page:
                return found
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _put_group(
        self, group: Sequence[Write], obstacles: dict[str, MessageRecord | Unwritten]
    ) -> tuple[list[str], set[str], Unwritten]:
        """Try one transaction.

        Returns the references that need no further try (put, or not to be put), those with a conflicting write,
        and why the others are not put. The reasons not to put a record are added to `obstacles`.
        """
        items = [self._put(write) for write in group]
        try:
            cancellations = transaction.write(self._client, items)
        except (StorageError, UnstorableError):
            return [], set(), Unwritten.UNAVAILABLE
        if not cancellations:
            return [write.record.reference for write in group], set(), Unwritten.UNAVAILABLE
        done, conflicts = [], set()
        for write, item, (why, found) in zip(group, items, cancellations, strict=True):
            reference = write.record.reference
            if why is Cancellation.CONDITION_FAILED:
                done.append(reference)
                # After a lost answer, the existing record can be the one that was put.
                if found != item["Put"]["Item"]:
                    record = _readable(found)
                    obstacles[reference] = record if isinstance(record, MessageRecord) else Unwritten.UNREADABLE
            elif why is Cancellation.CONFLICT:
                conflicts.add(reference)
        return done, conflicts, Unwritten.CONTENDED if conflicts else Unwritten.UNAVAILABLE

    def _put(self, write: Write) -> dict[str, Any]:
        put: dict[str, Any] = {
            "TableName": self._name,
            "Item": write.record.to_item(),
            "ConditionExpression": "attribute_not_exists(pk)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if write.existing is not None:
            # Every write of a message record sets updated_at, to the microsecond.
            put["ConditionExpression"] = (
                "#status = :status AND updated_at = :updated_at AND attribute_not_exists(forgotten_at)"
            )
            put["ExpressionAttributeNames"] = {"#status": "status"}
            put["ExpressionAttributeValues"] = {
                ":status": {"S": write.existing.status},
                ":updated_at": {"S": to_text(write.existing.updated_at)},
            }
        return {"Put": put}

    def _new(self, item: dict[str, Any]) -> dict[str, Any]:
        put = {"TableName": self._name, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}
        return {"Put": put}

    def _tries(self) -> Iterable[int]:
        """Count the tries of a webhook's transaction, with growing pauses between them."""
        for number in range(EVENT_TRIES):
            if number > 1:  # no pause before the second, which mostly follows a failed condition
                self._sleep(_pause_s(number - 1))
            yield number


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
        left_s = self._patience_s - max(self._paused_s, time.monotonic() - self._started)
        if left_s <= 0:
            return False
        pause_s = min(_pause_s(self._pauses), left_s)
        self._sleep(pause_s)
        self._paused_s += pause_s
        self._pauses += 1
        return True


def _pause_s(pauses: int) -> float:
    return min(FIRST_PAUSE_S * 2.0**pauses, MAX_PAUSE_S) * random.uniform(0.5, 1)  # noqa: S311 - jitter


def _readable(item: dict[str, Any] | None) -> Record | None:
    """Return the record of an item, or None if it is absent or damaged.

    A record that was damaged by hand then affects only its own message, not the rest of the batch.
    """
    try:
        return from_item(item) if item else None
    except RecordError:
        return None


def _is_contested(existing: Record | None, event: EventRecord) -> bool:
    """Return whether the record has another event's msg_id, and has no answer to our own request yet."""
    return (
        isinstance(existing, MessageRecord)
        and existing.msg_id not in {None, event.msg_id}
        and existing.accepted_at is None
    )


def _unmoved(event: EventRecord, existing: Record | None, *, forgotten: bool) -> EventRecord:
    """Return the event in the form in which it is stored if it does not move the record.

    A forgotten record counts as the event's own if it is unreadable, because the person's data must not be stored.
    """
    own = isinstance(existing, MessageRecord) and event_move.leads_to(existing, event)
    if forgotten and (own or existing is None):
        return replace(event, body="", signature="", recipient=None, sender=None, content=None, error=None)
    return event if own else replace(event, by_phone_number=True)
