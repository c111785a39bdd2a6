"""The world around the sender, in memory and on a clock of its own: queue, provider, webhooks, producers, operator.

The sender's real code runs in it, from an event's record to the batch's end, and so does the webhook's.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

import batch
import delivery
import intake
import timing
from claims import Policy
from gatewayapi.clock import to_text
from gatewayapi.signature import sign
from gatewayapi.table import Table
from tests.sender.model_calls import Invocation, Killed, Outside, secret
from tests.sender.model_laws import Laws, LostError
from tests.sender.model_provider import Acceptance, Provider
from tests.sender.model_queue import Dead, Queue, Queued
from tests.sender.model_store import Item, Store

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = "key-of-the-model"
RECONCILE_AFTER = timedelta(seconds=900)
TIMEOUT = timedelta(seconds=timing.FUNCTION_TIMEOUT_S)
MAX_DELIVERIES = 60
NUMBER = 4512345678
STRANGERS = Acceptance("msg-of-somebody-else", "order-1", "")  # of another sender in the provider's account

Webhooks = Literal["none", "fast", "late", "overdue"]


@dataclass(frozen=True, slots=True)
class Setting:
    """What a run does not choose: the operator's policy, and when the webhooks come."""

    resend: bool = False
    webhooks: Webhooks = "none"
    max_receive_count: int = 8


class World:
    """One run. The laws that can be broken at any moment are watched; `check` is for those of a quiet one."""

    def __init__(self, setting: Setting, choose: Callable[[Invocation, str, Sequence[str]], str]) -> None:
        self.setting = setting
        self.now = START
        self.log: list[str] = []
        self.laws = Laws(resend=setting.resend)
        self.queue = Queue(setting.max_receive_count)
        self.provider = Provider(self._accepted)
        self.store = Store(self._written)
        self._untold: list[Acceptance] = []
        self._invocations = 0
        self._outside = Outside(self, choose)
        self._policy = Policy(
            reconcile_after=RECONCILE_AFTER, resend=setting.resend, max_receive_count=setting.max_receive_count
        )
        self._key = secret(lambda: KEY)
        self._webhooks_table = Table(cast("Any", self.store), "model", 90)

    def tick(self) -> datetime:
        """Return the time, which goes on with each look at it: no two writes share theirs."""
        self.now += timedelta(milliseconds=1)
        return self.now

    def note(self, what: str) -> None:
        """Write what happens into the log that explains a broken law."""
        self.log.append(f"{(self.now - START).total_seconds():9.3f} {what}")

    def produce(self, name: str = "order-1", text: str = "Hello", **fields: object) -> Queued:
        """Have a producer put a message on the queue."""
        given = {"message": text, "recipient": NUMBER, "sender": "Shop", "reference": name, **fields}
        body = json.dumps(given)
        self.laws.produced(body)
        return self.queue.send(body, self.tick())

    def deliver(self, messages: Iterable[Queued]) -> None:
        """Invoke the function with a batch, as the queue's event source mapping does."""
        given = [message for message in messages if message.message_id in self.queue.messages]
        records = [record for message in given if (record := self._receive(message)) is not None]
        if not records:
            return
        self._invocations += 1
        given = [message for message in given if message.message_id in self.queue.messages]
        invocation = Invocation(self._invocations, given, self.now + TIMEOUT)
        self.note(f"{invocation.number}: {', '.join(f'{each.message_id} ({each.receives})' for each in given)}")
        for message in given:
            message.faults = invocation.faults
        self._outside.running.append(invocation)
        try:
            outcomes = batch.process(
                [delivery.from_record(record) for record in records],
                policy=self._policy,
                means=self._outside.means,
                remaining_s=lambda: self._remaining_s(invocation),
            )
        except Killed:
            self.note(f"{invocation.number}: dead")
        else:
            for each in outcomes:
                self.note(f"{invocation.number}: {each.delivery.message_id} {each.name} {each.code or ''}")
                if each.back_at is None:
                    self.queue.delete(each.delivery.message_id)
        finally:
            self._outside.running.pop()
        if not self._outside.running and self.setting.webhooks == "late":
            self.tell()

    def drain(self) -> None:
        """Let time pass and the queue be delivered until it is empty."""
        until = self._invocations + MAX_DELIVERIES
        while (due := self.queue.next_visible_at()) is not None:
            if self._invocations > until:
                raise LostError("the queue never becomes empty")
            self.now = max(self.now, due)
            self.deliver(self.queue.visible(self.now))

    def tell(self) -> None:
        """Deliver all webhooks that are due, in the wrong order and one of them twice, and one that is not ours."""
        due, self._untold = self._untold, []
        for each in due:
            for status in ("DELIVERED", "ENROUTE", "DELIVERED"):
                self.webhook(each, status)
        self.webhook(STRANGERS, "DELIVERED", recipient=NUMBER + 1)

    def webhook(self, acceptance: Acceptance, status: str, recipient: int = NUMBER) -> None:
        """Deliver one webhook to the webhook function's code."""
        self.note(f"webhook: {acceptance.reference} {status}")
        at = to_text(START + timedelta(days=1) if status == "DELIVERED" else START)
        event = {
            "msg_id": acceptance.msg_id,
            "recipient": recipient,
            "reference": acceptance.reference,
            "status": status,
            "status_at": at,
        }
        envelope = {
            "event_id": f"{acceptance.msg_id} {status}",
            "timestamp": to_text(self.now),
            "event_type": "message.status.sms",
            "event": event,
        }
        body = json.dumps(envelope).encode()
        intake.receive(
            body,
            sign(body, KEY),
            keys=self._key,
            table=self._webhooks_table,
            max_age=timedelta(days=7),
            now=self.tick(),
        )

    def redrive(self, dead: Sequence[Dead]) -> None:
        """Have the operator put dead messages back on the queue."""
        messages = [self.queue.redrive(each, self.tick()) for each in list(dead)]
        self.laws.redriven(messages)
        self.note(f"redriven as {', '.join(each.message_id for each in messages)}")

    def check(self) -> None:
        """Hold the run against the laws, once the queue is empty."""
        self.laws.nothing_lost(self.queue, self.store, self.provider.accepted)
        told = self.setting.webhooks != "none" and not self._untold
        self.laws.nothing_false(self.store, self.provider.accepted, settled=told)

    def _receive(self, message: Queued) -> dict[str, Any] | None:
        record = self.queue.receive(message, self.now)
        if record is None:
            self.note(f"{message.message_id}: moved by SQS")
            if not message.faults:
                raise LostError(f"{message.message_id} is dead without a reason, and nothing had failed")
        return record

    def _remaining_s(self, invocation: Invocation) -> float:
        return (invocation.deadline - self.now).total_seconds()

    def _accepted(self, acceptance: Acceptance) -> None:
        self.note(f"accepted: {acceptance.reference} as {acceptance.msg_id}")
        self.laws.not_sent_twice(self.provider.accepted)
        if self.setting.webhooks == "fast":
            self.webhook(acceptance, "DELIVERED")
        elif self.setting.webhooks != "none":
            self._untold.append(acceptance)

    def _written(self, old: Item, new: Item) -> None:
        if new["sk"]["S"] == "MESSAGE":
            self.note(f"table: {new['pk']['S']} {new['status']['S']}")
        self.laws.forward_only(old, new)
