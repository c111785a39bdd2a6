"""What happens when an invocation ends: messages are deleted, webhooks are noted, and the laws are checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from gatewayapi.errors import GatewayApiError
from tests.sender.model.laws import FailureSpreadError, LostError
from tests.sender.model.webhooks import Event, Inbound

if TYPE_CHECKING:
    from tests.sender.model.invocation import Invocation
    from tests.sender.model.system import System

MAX_LOGGED = 10  # with more messages in a batch, the log leaves out those that were acknowledged


def on_end(system: System, invocation: Invocation) -> None:
    """Note the end of an invocation of the sender, the webhook function or the operator's command."""
    if invocation.event is not None:
        _on_webhook_end(system, invocation, invocation.event)
    elif invocation.of_operator:
        _on_operator_end(system, invocation)
    else:
        _on_sender_end(system, invocation)


def _on_sender_end(system: System, invocation: Invocation) -> None:
    for message in invocation.messages:
        message.invocation_count -= 1
    if invocation.error is not None:
        system.laws.report(FailureSpreadError(f"a batch fails as a whole: {invocation.error!r}"))
        return
    if invocation.killed:
        system.note(f"invocation {invocation.number}: killed")
        system.note_failure(invocation)
        return
    if set(invocation.result) != {message.message_id for message in invocation.messages}:
        system.laws.report(LostError("not every delivery has an outcome"))
    for message_id, outcome in invocation.result.items():
        if len(invocation.messages) <= MAX_LOGGED or outcome != "acknowledged":
            system.note(f"invocation {invocation.number}: {message_id} {outcome}")
        if outcome != "retried":
            system.queue.delete(message_id)
    system.laws.on_finished(invocation, invocation.result)


def _on_operator_end(system: System, invocation: Invocation) -> None:
    system.note(f"operator {invocation.number}: {invocation.error or invocation.killed or 'done'}")
    if invocation.error is not None and not isinstance(invocation.error, ClientError | BotoCoreError):
        system.laws.report(FailureSpreadError(f"the operator's command fails: {invocation.error!r}"))


def _on_webhook_end(system: System, invocation: Invocation, event: Event | Inbound) -> None:
    if invocation.error is not None and not isinstance(invocation.error, GatewayApiError):
        system.laws.report(FailureSpreadError(f"the webhook function fails: {invocation.error!r}"))
    if invocation.result in {"stored", "duplicate"} and not invocation.killed:
        if not isinstance(event, Event):
            system.laws.opt_out_texts[event] = True
        elif event not in system.stored_events.setdefault(event.reference, []):
            system.stored_events[event.reference].append(event)
    else:
        system.note(f"webhook {invocation.number}: not stored: {invocation.error!r} {invocation.result or ''}")
        system.unstored_webhooks.append(event)
