"""How one delivery ends: accepted, acknowledged, delivered again, or in the dead-letter queue.

`completion` carries out the outcomes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from delivery import Delivery
    from gatewayapi.message_table import Write

RETRIES_EXHAUSTED = "RETRIES_EXHAUSTED"
REFERENCE_REUSED = "REFERENCE_REUSED"
PROVIDER_REFUSED = "PROVIDER_REFUSED"
UNCERTAIN = "UNCERTAIN"
DRY_RUN = "DRY_RUN"
OPTED_OUT = "OPTED_OUT"


class OutcomeName(StrEnum):
    """What happened, for logs and metrics. docs/operations.md explains each."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    SETTLED = "settled"
    INVALID = "invalid"
    REFERENCE_REUSED = "reference_reused"
    LAPSED = "lapsed"
    SUPPRESSED = "suppressed"
    DRY_RUN = "dry_run"
    UNCERTAIN = "uncertain"
    HELD = "held"
    PROVIDER_REFUSED = "provider_refused"
    THROTTLED = "throttled"
    UNREACHABLE = "unreachable"
    TOKEN_REFUSED = "token_refused"  # noqa: S105 - not a token
    TOKEN_UNREADABLE = "token_unreadable"  # noqa: S105 - not a token
    TABLE_UNAVAILABLE = "table_unavailable"
    NOT_RECORDED = "not_recorded"
    DEAD_LETTER_FAILED = "dead_letter_failed"
    WAITING = "waiting"


class Acknowledge(NamedTuple):
    """The record is written, then SQS deletes the message."""

    delivery: Delivery
    name: OutcomeName
    details: str = ""
    write: Write | None = None


class Acceptance(NamedTuple):
    """The provider accepted the message. It leaves the queue, after the acceptance is recorded.

    Arguments:
        was_in_doubt: the message was in doubt before this request, so an event with another msg_id can be about it
        too.

    """

    delivery: Delivery
    msg_id: str
    write: Write
    was_in_doubt: bool
    name: OutcomeName = OutcomeName.ACCEPTED
    details: str = ""


class Retry(NamedTuple):
    """The message is delivered again at `at`."""

    delivery: Delivery
    name: OutcomeName
    at: datetime
    details: str = ""
    write: Write | None = None


class DeadLetter(NamedTuple):
    """A copy goes to the dead-letter queue, then the record is written, and the message leaves the queue.

    Arguments:
        code, details: the reason, which is sent with the copy.
        write: the record that is written after the copy is sent.
        write_if_copy_fails: the record that is written instead if SQS does not take the copy. The message is then
            delivered again.
        details_are_ours: whether this project wrote the details. The provider's details can quote the message, so
            they are not logged.

    """

    delivery: Delivery
    name: OutcomeName
    code: str
    details: str
    write: Write | None = None
    write_if_copy_fails: Write | None = None
    details_are_ours: bool = True


Outcome = Acceptance | Acknowledge | Retry | DeadLetter
