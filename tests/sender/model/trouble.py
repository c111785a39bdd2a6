"""What a random run can do to a call of an invocation, and to a record."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.sender.model.calls import AWS_FAULTS, READ_FAULTS, TABLE_FAULTS
from tests.sender.model.provider import CERTAIN_FAULTS, FAULTS_OF_SEVERAL, REFUSALS_OF_SEVERAL, UNCERTAIN_FAULTS

if TYPE_CHECKING:
    from tests.sender.model.expressions import Item
    from tests.sender.model.system import System

Plan = list[tuple[str, str]]

CALLS = ("transact_write_items", "batch_get_item", "request", "answer", "dead-letter queue", "visibility")
INTERRUPTIONS = ("webhook", "another system's webhook", "others")
# What happens at a call of an invocation, by the call's name: it fails, or others act before it is made.
TROUBLE = [
    *(("transact_write_items", fault) for fault in TABLE_FAULTS),
    *(("batch_get_item", fault) for fault in READ_FAULTS),
    *(("request", fault) for fault in (*CERTAIN_FAULTS, *UNCERTAIN_FAULTS, *REFUSALS_OF_SEVERAL, *FAULTS_OF_SEVERAL)),
    *(("request", fault) for fault in UNCERTAIN_FAULTS),
    *((name, fault) for name in ("dead-letter queue", "visibility") for fault in AWS_FAULTS),
    *((name, "killed") for name in (*CALLS, "return")),
    *((name, interruption) for name in CALLS for interruption in ("webhook", "another system's webhook", "others")),
]
# An attribute of a record, and a value that it never has.
DAMAGE: list[tuple[str, Any]] = [
    ("attempts", {"S": "three"}),
    ("attempts", {"NULL": True}),
    ("status", {"L": []}),
    ("status", {"N": "1"}),
    ("error", {"S": "failed"}),
    ("sender", {"N": "4"}),
    ("queued_at", {"S": "yesterday"}),
    ("lease_until", {"N": "5"}),
    ("in_doubt", {"S": "yes"}),
    ("doubt_until", {"BOOL": True}),
    ("msg_id", {"N": "1"}),
    ("recipient", {"S": "45"}),
    ("expires_at", {"S": "never"}),
    ("fingerprint", {"M": {}}),
    ("record_type", {"S": "other"}),
]


def contend(system: System, reference: str, seconds: float) -> None:
    """Have other writes to a record be under way for a while."""
    system.note(f"{reference} is contended for {seconds} s")
    system.store.contended[reference, "MESSAGE"] = system.clock.wall + timedelta(seconds=seconds)
    for invocation in system.running:
        invocation.interrupted = True


def throttle(system: System, seconds: float) -> None:
    """Have the table be throttled for a while."""
    system.note(f"the table is throttled for {seconds} s")
    system.store.throttled_until = system.clock.wall + timedelta(seconds=seconds)
    for invocation in system.running:
        invocation.interrupted = True


def damage(system: System, identity: str, name: str, value: Item) -> None:
    """Write an attribute by hand, of a type that it never has."""
    if (item := system.store.items.get((identity, "MESSAGE"))) is not None:
        system.note(f"damaged: {name} of {identity}")
        system.laws.damaged.add(identity)
        item[name] = value
