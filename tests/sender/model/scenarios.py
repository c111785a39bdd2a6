"""The beginnings of runs: the messages that are enqueued, and what happened before."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from gatewayapi.clock import to_text
from tests.sender.model.records import LONG
from tests.sender.model.system import RECIPIENT
from tests.sender.model.trouble import damage
from tests.sender.model.webhooks import Inbound

if TYPE_CHECKING:
    from tests.sender.model.system import System

A_LITTLE = timedelta(seconds=1)
MUCH_LATER = timedelta(hours=1)


def one(system: System) -> None:
    """One message."""
    system.produce()


def one_without_a_reference(system: System) -> None:
    """One message without a reference."""
    system.produce(None)


def a_pair(system: System) -> None:
    """Two messages that are delivered together."""
    system.produce("order-1")
    system.produce("order-2", "Hello you")


def several(system: System) -> None:
    """Five messages that are delivered together."""
    for number in range(1, 6):
        system.produce(f"order-{number}", f"Hello {number}")


def a_hundred(system: System) -> None:
    """A batch of 100 messages."""
    for number in range(1, 101):
        system.produce(f"order-{number}", f"Hello {number}")


def duplicates(system: System) -> None:
    """One message that was enqueued twice. Both copies are delivered together."""
    system.produce()
    system.produce()


def duplicates_apart(system: System) -> None:
    """One message that was enqueued twice. The copies are delivered one after the other."""
    system.produce()
    system.produce().visible_at += A_LITTLE


def once_more_later(system: System) -> None:
    """One message that is enqueued again later, when a message in doubt would be held."""
    system.produce()
    again = system.produce()
    again.sent_at = again.visible_at = again.sent_at + MUCH_LATER


def another_content(system: System) -> None:
    """Two messages with one reference and different content."""
    system.produce()
    system.produce(content="Hello you").visible_at += A_LITTLE


def another_content_later(system: System) -> None:
    """Two messages with one reference, the second enqueued when a message in doubt would be held."""
    system.produce()
    again = system.produce(content="Hello you")
    again.sent_at = again.visible_at = again.sent_at + MUCH_LATER


def an_invalid_one(system: System) -> None:
    """A message that cannot be sent, together with one that can."""
    system.produce("order-1", "invalid", recipient=1)
    system.produce("order-2")


def an_expiring_one(system: System) -> None:
    """A message that expires before its second delivery."""
    system.produce(expiration=20)


def one_about_to_expire(system: System) -> None:
    """A message that can expire between its claim and its request."""
    system.produce(expiration=0.05)


def a_copy_that_expires(system: System) -> None:
    """One message that was enqueued twice. The first copy expires at a fixed time, even after a redrive."""
    system.produce(expiration=to_text(system.clock.now() + timedelta(minutes=1)))
    system.produce()


def a_long_one(system: System) -> None:
    """A message of more segments than allowed, together with a short one."""
    system.change(max_segments=1)
    system.produce("order-1", LONG)
    system.produce("order-2")


def one_to_a_person_who_is_not_listed(system: System) -> None:
    """A message in the send mode Listed, to a recipient who is not listed."""
    system.change(send_mode="Listed", listed_recipients=("46",))
    system.produce()


def a_poisonous_one(system: System) -> None:
    """A message that makes the provider fail, together with two healthy ones."""
    system.produce("order-1", "poison 500")
    system.produce("order-2", "Hello you")
    system.produce("order-3", "Hello all")


def one_about_to_expire_at_the_provider(system: System) -> None:
    """A message that expires soon. A provider whose clock is half a second ahead can regard it as expired."""
    system.produce(expiration=0.3)


def the_longest_expiration(system: System) -> None:
    """A message that expires as late as the provider allows."""
    system.produce(expiration=432_000)


def a_rotated_key(system: System) -> None:
    """A wrong signature, soon followed by a rotation of the key. Time passes only while the process is frozen."""
    system.deliver_forged_webhook()
    system.rotate_key()
    system.produce()


def a_damaged_record(system: System) -> None:
    """A message whose record was edited by hand, delivered together with a healthy one."""
    system.deliver([system.produce()])
    damage(system, "order-1", "attempts", {"S": "three"})
    system.produce()
    system.produce("order-2", "Hello you")


def an_offer_after_stop(system: System) -> None:
    """A promotional message to a person who has opted out, and a transactional one."""
    system.change(enforce_opt_outs=True)
    system.deliver_webhook(Inbound("stop", RECIPIENT, "STOP", system.clock.now()))
    system.produce("order-1", "Offer")
    system.produce("order-2", "Hello")


def an_offer_once_more_after_start(system: System) -> None:
    """A promotional message that was suppressed, and is enqueued again after the person opted in."""
    an_offer_after_stop(system)
    system.deliver(system.queue.visible(system.clock.wall))
    system.deliver_webhook(Inbound("start", RECIPIENT, "START", system.clock.now()))
    system.produce("order-1", "Offer")


def a_forgotten_one(system: System) -> None:
    """A message that was sent and forgotten, and is enqueued again."""
    system.deliver([system.produce()])
    system.clock.freeze(100)
    system.finish(system.forget())
    system.produce()
