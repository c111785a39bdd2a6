"""What follows from an invocation that is over: for the queue, for the provider's webhooks, and for the laws."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from gatewayapi.errors import GatewayApiError
from tests.sender.model.laws import HarmedError, LostError
from tests.sender.model.webhooks import Event, Inbound

if TYPE_CHECKING:
    from tests.sender.model.invocation import Invocation
    from tests.sender.model.system import System

FEW = 10  # the log names the outcomes of a batch this small


def over(system: System, invocation: Invocation) -> None:
    """Take note of the end of an invocation of any of the functions."""
    if invocation.event is not None:
        _webhook_over(system, invocation, invocation.event)
    elif invocation.of_operator:
        _operator_over(system, invocation)
    else:
        _sender_over(system, invocation)


def _sender_over(system: System, invocation: Invocation) -> None:
    for message in invocation.messages:
        message.in_hand -= 1
    if invocation.error is not None:
        system.laws.broken(HarmedError(f"a batch fails as a whole: {invocation.error!r}"))
        return
    if invocation.killed:
        system.note(f"invocation {invocation.number}: killed")
        system.trouble(invocation)
        return
    if set(invocation.result) != {message.message_id for message in invocation.messages}:
        system.laws.broken(LostError("not every delivery has an outcome"))
    for message_id, outcome in invocation.result.items():
        if len(invocation.messages) <= FEW or outcome != "acknowledged":
            system.note(f"invocation {invocation.number}: {message_id} {outcome}")
        if outcome != "retried":
            system.queue.delete(message_id)
    system.laws.finished(invocation, invocation.result)


def _operator_over(system: System, invocation: Invocation) -> None:
    system.note(f"operator {invocation.number}: {invocation.error or invocation.killed or 'done'}")
    if invocation.error is not None and not isinstance(invocation.error, ClientError | BotoCoreError):
        system.laws.broken(HarmedError(f"the operator's command fails: {invocation.error!r}"))


def _webhook_over(system: System, invocation: Invocation, event: Event | Inbound) -> None:
    if invocation.error is not None and not isinstance(invocation.error, GatewayApiError):
        system.laws.broken(HarmedError(f"the webhook function fails: {invocation.error!r}"))
    if invocation.result in {"stored", "duplicate"} and not invocation.killed:
        if not isinstance(event, Event):
            system.laws.statements[event] = True
        elif event not in system.stored.setdefault(event.reference, []):
            system.stored[event.reference].append(event)
    else:
        system.note(f"webhook {invocation.number}: not stored: {invocation.error!r} {invocation.result or ''}")
        system.unstored.append(event)
