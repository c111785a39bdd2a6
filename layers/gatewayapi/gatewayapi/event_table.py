"""The table as the webhook function writes it: events, and signed bodies that are not usable as events.

An event is stored in one transaction with what it changes: its message's record, or a person's opt-out.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from gatewayapi import event_move, state, transaction
from gatewayapi.errors import StorageError
from gatewayapi.message_record import MessageRecord
from gatewayapi.record import Record, record_or_none
from gatewayapi.transaction import Cancellation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from mypy_boto3_dynamodb import DynamoDBClient

    from gatewayapi.event_record import EventRecord, QuarantineRecord
    from gatewayapi.opt_out_record import OptOutRecord

# A webhook is answered within 5 seconds, so its transaction is tried a few times only.
TRIES = 4


class EventTable:
    """The stack's table, as the webhook function writes it. `client` has the time-outs and botocore's own retries."""

    def __init__(
        self, client: DynamoDBClient, name: str, retention_days: int, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._name = name
        self._retention = timedelta(days=retention_days)
        self._sleep = sleep

    def expiry(self, now: datetime) -> datetime:
        """Return when the table's TTL may delete a record that is written now."""
        return now + self._retention

    def store(self, event: EventRecord, opt_out: OptOutRecord | None = None) -> bool:
        """Store an event and what it changes, in one transaction. Returns False if the event is stored already.

        A status event moves its message's record, that is, it sets a later status (see `event_move`). An inbound text
        can lead to an opt-out. If the condition of such a change fails, the event is stored and the change is not
        made. An event that belongs to no message record is in the index by_phone_number. An event of a forgotten
        message is stored without the person's data.

        Raises StorageError if trying again later can help, and UnstorableError if it cannot.
        """
        move = event_move.update(self._name, event) if event.reference and state.moves(event) else None
        # The message can be forgotten at any time, so every transaction checks that it has not been.
        message_item = move or (event_move.not_forgotten(self._name, event) if event.reference else None)
        opt_out_item = {"Put": opt_out.to_put(self._name)} if opt_out else None
        stored = event if move else replace(event, by_phone_number=True)
        may_be_corrected = False
        for _ in self._tries():
            put = self._new(stored.to_item())
            items = [item for item in (put, message_item, opt_out_item) if item]
            cancellations = transaction.write(self._client, items)
            if not cancellations:
                if may_be_corrected:
                    self._move_again(move)
                return True
            for item, (why, found) in zip(items, cancellations, strict=True):
                if why is not Cancellation.CONDITION_FAILED:
                    continue
                if item is put:
                    return False
                if item is opt_out_item:
                    opt_out_item = None
                    continue
                existing, forgotten = record_or_none(found), bool(found and "forgotten_at" in found)
                stored = _unmoved(event, existing, forgotten=forgotten)
                may_be_corrected = not forgotten and _may_be_corrected(existing, event)
                message_item = None if forgotten else event_move.not_forgotten(self._name, event)
        raise StorageError("other writes to the same records are under way")

    def quarantine(self, record: QuarantineRecord) -> bool:
        """Store a signed body that is not a usable event. Returns False if it is stored already.

        Raises the errors of `store`.
        """
        for _ in self._tries():
            cancellations = transaction.write(self._client, [self._new(record.to_item())])
            if not cancellations or cancellations[0][0] is Cancellation.CONDITION_FAILED:
                return not cancellations
        raise StorageError("another write to the same record is under way")

    def _move_again(self, move: dict[str, Any] | None) -> None:
        """Try the move once more.

        Another system's event can have set the record's msg_id. The sender corrects it when it gets the provider's
        answer. If it did so before this event was stored, the move can succeed now. If it does so later, it reads the
        stored events itself.
        """
        try:
            transaction.write(self._client, [move])
        except StorageError:
            return  # the event is stored, so the provider gets 200

    def _new(self, item: dict[str, Any]) -> dict[str, Any]:
        put = {"TableName": self._name, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}
        return {"Put": put}

    def _tries(self) -> Iterable[int]:
        """Count the tries of a webhook's transaction, with growing pauses between them."""
        for number in range(TRIES):
            if number > 1:  # the second try follows at once, because usually only a condition failed
                self._sleep(transaction.pause_s(number - 1))
            yield number


def _may_be_corrected(existing: Record | None, event: EventRecord) -> bool:
    """Return whether the record's msg_id came from another event, and our own request has no answer yet."""
    return (
        isinstance(existing, MessageRecord)
        and existing.msg_id not in {None, event.msg_id}
        and existing.accepted_at is None
    )


def _unmoved(event: EventRecord, existing: Record | None, *, forgotten: bool) -> EventRecord:
    """Return the event to store if it does not move the record.

    If the record was forgotten and cannot be read, the event counts as being about it. Otherwise the person's data
    would be stored again.
    """
    own = isinstance(existing, MessageRecord) and event_move.is_about(existing, event)
    if forgotten and (own or existing is None):
        return replace(event, body="", signature="", recipient=None, sender=None, content=None, error=None)
    return event if own else replace(event, by_phone_number=True)
