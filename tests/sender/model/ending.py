"""The end of a run: faults stop, the queue is delivered until it is empty, and dead letters are redriven."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sender.model.laws import FailureSpreadError, LostError

if TYPE_CHECKING:
    from tests.sender.model.system import System

MAX_INVOCATIONS = 400
MAX_REDRIVES = 12
WEBHOOK_RETRY_S = 61  # from a failed webhook to the provider's next try


def drain(system: System) -> None:
    """Deliver the messages of the queue until it is empty. Time passes until the next message is visible."""
    for _ in range(MAX_INVOCATIONS):
        due = system.queue.next_visible_at()
        if due is None:
            return system.check()
        system.clock.freeze(max(0.0, (due - system.clock.wall).total_seconds()))
        system.deliver(system.queue.visible(system.clock.wall))
    system.laws.report(FailureSpreadError("the queue never becomes empty"))
    return system.check()


def settle(system: System) -> None:
    """Finish the invocations, end all faults, and redrive until every healthy message is accepted."""
    for invocation in list(system.running):
        system.finish(invocation)
    system.store.contended.clear()
    system.store.throttled_until = None
    system.change(
        allowed_prefixes=(), default_sender="Shop", send_mode="Live", enforce_opt_outs=False, max_segments=255
    )
    drain(system)
    deliver_unstored_webhooks(system)
    for _ in range(MAX_REDRIVES):
        if not system.laws.unsent():
            break
        system.redrive(system.queue.dead)
        drain(system)
    system.laws.check_at_end()
    system.check()


def deliver_unstored_webhooks(system: System) -> None:
    """Deliver the webhooks that were not stored again, as the provider does after a while."""
    system.clock.freeze(WEBHOOK_RETRY_S)
    for event in list(system.unstored_webhooks):
        system.unstored_webhooks.remove(event)
        system.deliver_webhook(event)
    if system.unstored_webhooks:
        system.laws.report(
            LostError(f"a webhook is refused although no fault is left: {system.unstored_webhooks[0]}")
        )
    system.check()
