"""The faults and interruptions of a random run's calls, and the damage to its records."""

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
INTERRUPTIONS = ("webhook", "another system's webhook", "redelivered")
# The name of a call, and what happens at it: a fault, or an interruption before it is made.
TROUBLE = [
    *(("transact_write_items", fault) for fault in TABLE_FAULTS),
    *(("batch_get_item", fault) for fault in READ_FAULTS),
    *(("request", fault) for fault in (*CERTAIN_FAULTS, *UNCERTAIN_FAULTS, *REFUSALS_OF_SEVERAL, *FAULTS_OF_SEVERAL)),
    *(("request", fault) for fault in UNCERTAIN_FAULTS),  # once more, so that they are drawn more often
    *((name, fault) for name in ("dead-letter queue", "visibility") for fault in AWS_FAULTS),
    *((name, "killed") for name in (*CALLS, "return")),
    *((name, interruption) for name in CALLS for interruption in INTERRUPTIONS),
]
# An attribute of a record, and a value that the code never writes.
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
    """Let writes to a record conflict for a while."""
    system.note(f"{reference} is contended for {seconds} s")
    system.store.contended[reference, "MESSAGE"] = system.clock.wall + timedelta(seconds=seconds)
    for invocation in system.running:
        invocation.overlapped = True


def throttle(system: System, seconds: float) -> None:
    """Throttle the table for a while."""
    system.note(f"the table is throttled for {seconds} s")
    system.store.throttled_until = system.clock.wall + timedelta(seconds=seconds)
    for invocation in system.running:
        invocation.overlapped = True


def damage(system: System, identity: str, name: str, value: Item) -> None:
    """Give an attribute of a record a value that the code never writes."""
    if (item := system.store.items.get((identity, "MESSAGE"))) is not None:
        system.note(f"damaged: {name} of {identity}")
        system.laws.with_damaged_record.add(identity)
        item[name] = value
