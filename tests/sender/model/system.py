"""One run with its producers, queue, sender, provider, webhooks, table and operator."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import timing
from gatewayapi.errors import SignatureError
from tests.sender.model.calls import Calls
from tests.sender.model.clock import Clock
from tests.sender.model.completion import on_end
from tests.sender.model.functions import Functions
from tests.sender.model.invocation import Invocation, Killed
from tests.sender.model.laws import FalseStatementError, Laws, LostError
from tests.sender.model.parameters import Parameters
from tests.sender.model.provider import Provider
from tests.sender.model.queue import Queue
from tests.sender.model.records import flag, is_accepted, is_promotional, text
from tests.sender.model.store import Store
from tests.sender.model.webhooks import Event, Inbound

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.sender.model.expressions import Item
    from tests.sender.model.queue import DeadLetter, Queued
    from tests.sender.model.store import Key

RECIPIENT = 4512345678
UNTYPED = "Untyped"  # a message with this text has no message_type
WEBHOOK_S = 10
OPERATOR_S = 3600
MAX_BATCH = 100


class System:
    """One run. It ends with the first broken law: the method that notices it raises the LawError."""

    def __init__(
        self, parameters: Parameters | None = None, *, skew: timedelta = timedelta(0), ulids: bool = True
    ) -> None:
        self.parameters = parameters or Parameters()
        self.skew = skew
        self.clock = Clock()
        self.log: list[str] = []
        self.laws = Laws(self)
        self.queue = Queue(self.parameters.max_receive_count)
        self.provider = Provider(self.clock.now, skew=skew, ulids=ulids)
        self.store = Store(lambda: self.clock.wall, self._written)
        self.running: list[Invocation] = []
        self.active: Invocation = Invocation(0, lambda: None, self.clock.wall, self.clock.wall)
        self.received_events: dict[str, list[Event]] = {}  # the events that were sent to the webhook function
        self.stored_events: dict[str, list[Event]] = {}  # those that it stored
        self.unstored_webhooks: list[Event | Inbound] = []  # webhooks that failed, and that the provider sends again
        self.resend_was_enabled = self.parameters.resend
        self.tokens = 1
        self.keys = ["key-1"]
        self._invocations = 0
        self._functions = Functions(Calls(self), self.clock, lambda: f"token-{self.tokens}", self._key)

    def note(self, what: str) -> None:
        """Add a line to the log. The log is printed with a broken law."""
        self.log.append(f"{self.clock.text()}  {what}")

    def change(self, **parameters: Any) -> None:  # noqa: ANN401 - any of Parameters
        """Change the stack's parameters, as a deployment does."""
        self.parameters = replace(self.parameters, **parameters)
        self.resend_was_enabled |= self.parameters.resend
        self.note(f"parameters: {parameters}")

    def produce(self, reference: str | None = "order-1", content: str = "Hello", **fields: object) -> Queued:
        """Put a message on the queue, as a producer does."""
        given: dict[str, object] = {"message": content, "recipient": RECIPIENT, **fields}
        if content != UNTYPED:
            given["message_type"] = "promotional" if is_promotional(content) else "transactional"
        if reference is not None:
            given["reference"] = reference
        message = self.queue.send(json.dumps(given), self.clock.now())
        self.note(f"produced: {message.message_id} = {message.identity} {content!r} {fields or ''}")
        self.laws.on_produced(message)
        return message

    def start(self, messages: Iterable[Queued]) -> Invocation | None:
        """Invoke the sender with a batch, as an event source mapping does. The code stops at its first call."""
        self._kill_overdue_invocations()
        batch: list[Queued] = []
        records: list[dict[str, Any]] = []
        for message in messages:
            if message.message_id not in self.queue.messages or len(batch) >= MAX_BATCH:
                continue
            record = self.queue.receive(message, self.clock.wall)
            if record is None:
                self.note(f"{message.message_id}: moved to the dead-letter queue by SQS")
                if not message.had_failure and not message.invocation_count:
                    self.laws.report(LostError(f"{message.message_id} was moved by SQS although nothing had failed"))
                continue
            batch.append(message)
            records.append(record)
        self._raise_broken_law()
        if not batch:
            return None
        invocation = self._invocation(timing.FUNCTION_TIMEOUT_S)
        parameters = invocation.parameters = self.parameters
        invocation.code = lambda: self._functions.send(
            records, parameters, lambda: invocation.remaining_s(self.clock.wall)
        )
        invocation.messages = batch
        invocation.opted_out_at_start = self.laws.opted_out()
        invocation.before = {message.identity: dict(self.record(message.identity)) for message in batch}
        for message in batch:
            message.invocation_count += 1
            message.had_failure |= message.invocation_count > 1
        names = ", ".join(f"{message.message_id} ({message.receives})" for message in batch[:10])
        self.note(f"invocation {invocation.number}: {names}{' …' if len(batch) > 10 else ''}")
        self._begin(invocation)
        return invocation

    def step(self, invocation: Invocation, fault: str = "") -> None:
        """Let an invocation make the call at which it waits, with or without a fault, and run to its next call."""
        assert invocation.call is not None
        if fault:
            self.note(f"invocation {invocation.number}: {invocation.call.name}: {fault}")
            invocation.faults.append(fault)
            invocation.failed_calls.append(invocation.call.name)
            self.note_failure(invocation)
        self.active = invocation
        if fault == "killed" or self.clock.wall >= invocation.deadline:
            invocation.kill()
        else:
            invocation.resume(fault)
        self._after(invocation)

    def finish(self, invocation: Invocation | None) -> None:
        """Let an invocation run to its end."""
        while invocation is not None and not invocation.ended:
            self.step(invocation)

    def deliver(self, messages: Iterable[Queued]) -> None:
        """Invoke the sender with a batch, and let it run to its end."""
        self.finish(self.start(messages))

    def webhook(self, event: Event | Inbound, *, key: str = "") -> Invocation:
        """Invoke the webhook function with an event. The code stops at its first call."""
        invocation = self._invocation(WEBHOOK_S)
        self.note(
            f"webhook {invocation.number}: {event.status} for {event.reference} as {event.msg_id}"
            f"{' of another system' if event.foreign else ''}"
        )
        if isinstance(event, Event):
            self.received_events.setdefault(event.reference, []).append(event)
        else:
            self.laws.opt_out_texts.setdefault(event, False)
        now = self.clock.now()
        invocation.code = lambda: self._functions.receive(event.body(now), key or self.keys[-1], now)
        invocation.event = event
        self._begin(invocation)
        return invocation

    def deliver_webhook(self, event: Event | Inbound) -> None:
        """Deliver a webhook, and let the function run to its end."""
        self.finish(self.webhook(event))

    def forget(self) -> Invocation:
        """Start the operator's command that forgets the person. It stops at its first call."""
        invocation = self._invocation(OPERATOR_S)
        self.note(f"operator {invocation.number}: forget the number")
        invocation.code = lambda: self._functions.forget(RECIPIENT)
        invocation.of_operator = True
        self._begin(invocation)
        return invocation

    def rotate_key(self) -> None:
        """Rotate the webhook key."""
        self.keys.append(f"key-{len(self.keys) + 1}")
        self.note("the webhook key is rotated")

    def deliver_forged_webhook(self) -> None:
        """Deliver a webhook that is not signed with one of our keys, and check that it is refused."""
        event = Event("forged", "forged", "order-1", RECIPIENT, "DELIVERED", self.clock.wall, foreign=True)
        invocation = self.webhook(event, key="not ours")
        self.finish(invocation)
        if not isinstance(invocation.error, SignatureError):
            self.laws.report(FalseStatementError("a webhook was stored that is not signed with one of our keys"))
            self._raise_broken_law()
        self.unstored_webhooks.remove(event)

    def redrive(self, letters: Sequence[DeadLetter]) -> None:
        """Redrive dead letters, as an operator does."""
        for letter in list(letters):
            self.laws.on_redriven(letter)
            message = self.queue.redrive(letter, self.clock.now())
            self.note(f"redriven: {letter.identity} as {message.message_id}")

    def check(self) -> None:
        """Check the laws that apply while no invocation runs, if none runs."""
        if not self.running:
            self.laws.check_when_idle()
        self._raise_broken_law()

    def close(self) -> None:
        """Kill all running invocations."""
        for invocation in self.running:
            self.active = invocation
            invocation.kill()
        self.running.clear()
        self._functions.close()

    def record(self, identity: str) -> Item:
        """Return a message's record, or an empty item if there is none."""
        return self.store.items.get((identity, "MESSAGE"), {})

    def has_own_msg_id(self, record: Item) -> bool:
        """Return whether a record has a msg_id that the provider gave to its message."""
        msg_id = text(record, "msg_id")
        return any(sent.msg_id == msg_id for sent in self.provider.accepted(record["pk"]["S"]))

    def _invocation(self, seconds: float) -> Invocation:
        self._invocations += 1
        now = self.clock.wall
        return Invocation(self._invocations, lambda: None, now, now + timedelta(seconds=seconds))

    def _kill_overdue_invocations(self) -> None:
        """Kill the invocations that have reached their time-out, as Lambda does."""
        for invocation in list(self.running):
            if self.clock.wall >= invocation.deadline and not invocation.ended:
                self.step(invocation)

    def _begin(self, invocation: Invocation) -> None:
        for other in self.running:
            other.overlapped = invocation.overlapped = True
        self.running.append(invocation)
        self.active = invocation
        invocation.start()
        self._after(invocation)

    def _after(self, invocation: Invocation) -> None:
        if invocation.ended:
            self.running.remove(invocation)
            on_end(self, invocation)
        self._raise_broken_law()

    def note_failure(self, invocation: Invocation) -> None:
        """Note that an invocation was killed or had a failing call, so that its messages may be in doubt."""
        for message in invocation.messages:
            message.had_failure = True
            self.laws.may_have_unknown_outcome.add(message.identity)

    def _written(self, key: Key, old: Item, new: Item) -> None:
        if key[1] == "MESSAGE":
            doubt = " in doubt" if flag(new, "in_doubt") else ""
            self.note(
                f"table: {key[0]} {text(new, 'status')}{doubt} {text(new, 'msg_id') if is_accepted(new) else ''}"
            )
        self.laws.on_written(key, old, new)
        if self.laws.first_error is not None:
            raise Killed

    def _key(self, stage: str) -> str:
        place = {"AWSCURRENT": -1, "AWSPREVIOUS": -2}[stage]
        return self.keys[place] if len(self.keys) >= -place else ""

    def _raise_broken_law(self) -> None:
        if (error := self.laws.first_error) is not None:
            if not hasattr(error, "__notes__"):
                error.add_note("\n".join(self.log))
            raise error
