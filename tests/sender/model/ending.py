"""How a run ends: the trouble stops, the queue is delivered, and dead letters are redriven."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sender.model.laws import HarmedError, LostError

if TYPE_CHECKING:
    from tests.sender.model.system import System

MAX_INVOCATIONS = 400
MAX_REDRIVES = 12
PROVIDER_PAUSE_S = 61  # before the provider tries a webhook again


def drain(system: System) -> None:
    """Deliver the queue until it is empty; time passes as it must."""
    for _ in range(MAX_INVOCATIONS):
        due = system.queue.next_visible_at()
        if due is None:
            return system.check()
        system.clock.freeze(max(0.0, (due - system.clock.wall).total_seconds()))
        system.deliver(system.queue.visible(system.clock.wall))
    system.laws.broken(HarmedError("the queue never becomes empty"))
    return system.check()


def settle(system: System) -> None:
    """Finish what runs, end the trouble, and redrive until every healthy message is accepted."""
    for invocation in list(system.running):
        system.finish(invocation)
    system.store.contended.clear()
    system.store.throttled_until = None
    system.change(
        allowed_prefixes=(), default_sender="Shop", send_mode="Live", enforce_opt_outs=False, max_segments=255
    )
    drain(system)
    tell_unstored(system)
    for _ in range(MAX_REDRIVES):
        if not system.laws.unsent():
            break
        system.redrive(system.queue.dead)
        drain(system)
    system.laws.ended()
    system.check()


def tell_unstored(system: System) -> None:
    """Deliver the webhooks again that were not stored. The provider does so too, after a while."""
    system.clock.freeze(PROVIDER_PAUSE_S)
    for event in list(system.unstored):
        system.unstored.remove(event)
        system.tell(event)
    if system.unstored:
        system.laws.broken(LostError(f"a webhook is refused, and nothing fails: {system.unstored[0]}"))
    system.check()
