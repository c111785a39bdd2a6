"""The states of a message, and what each of them allows next.

Pure data and pure functions: the table's conditions, the sender's decisions and the model test are all made from
these, so that a rule stands in one place.

| found in the table       | a delivery from the queue                                | a webhook's status       |
| ------------------------ | -------------------------------------------------------- | ------------------------ |
| nothing                  | CLAIM                                                    | event filed alone        |
| RETRYING, INVALID, LAPSED| CLAIM                                                    | moves                    |
| HELD                     | CLAIM what was queued since; DROP what was before        | moves                    |
| SENDING                  | WAIT while its lease runs, then DOUBT                    | settles                  |
| UNCERTAIN                | WAIT for a webhook, then HOLD, or CLAIM once if resending| settles                  |
| ACCEPTED and above       | DROP, a duplicate                                        | moves if it ranks higher |

Whatever was not certainly never sent (RETRYING, SENDING, UNCERTAIN and above) refuses other content: REUSE.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from gatewayapi.record import MessageRecord

SENDING, UNCERTAIN, ACCEPTED, ENROUTE, READ = "SENDING", "UNCERTAIN", "ACCEPTED", "ENROUTE", "READ"
RETRYING, INVALID, LAPSED, HELD = "RETRYING", "INVALID", "LAPSED", "HELD"
FINAL = ("DELIVERED", "EXPIRED", "DELETED", "UNDELIVERABLE", "REJECTED")

UNSETTLED = "the provider did not answer and no webhook came: it may have been sent, or not"

# Never sent ranks lowest: a webhook for such a message proves that it was sent after all.
RANKS = {
    **dict.fromkeys((RETRYING, INVALID, LAPSED, HELD), 0),
    SENDING: 1,
    UNCERTAIN: 2,
    ACCEPTED: 3,
    **dict.fromkeys((ENROUTE, "UNKNOWN"), 4),
    **dict.fromkeys(FINAL, 5),
    READ: 6,
}


def rank(status: str) -> int:
    """Return how far a status is; one that the provider added since ranks with ENROUTE."""
    return RANKS.get(status, RANKS[ENROUTE])


def is_settled(status: str) -> bool:
    """Return whether the provider is known to have the message, so that it must not be sent again."""
    return rank(status) >= RANKS[ACCEPTED]


class Step(StrEnum):
    """What to do with a message that the queue delivered, in the light of its record."""

    CLAIM = "claim"
    DROP = "drop"
    WAIT = "wait"
    DOUBT = "doubt"
    HOLD = "hold"
    REUSE = "reuse"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A step; `until` is when to come back for WAIT, and `record` what CLAIM, DOUBT and HOLD put in its place."""

    step: Step
    until: datetime | None = None
    record: MessageRecord | None = None


def judge(
    seen: MessageRecord,
    wanted: MessageRecord,
    *,
    reconcile_after: timedelta,
    resend: bool,
) -> Verdict:
    """Return what a delivery has to do, given the record that is there and the one it wants to put.

    `wanted` is SENDING, or LAPSED or INVALID for a message that is not to be sent; its `updated_at` is the time.
    """
    if wanted.status == INVALID:
        # A broken message has no fingerprint: it may replace its own record, or one that nothing depends on.
        own = seen.message_id == wanted.message_id and seen.status in {RETRYING, HELD}
        return _claim(seen, wanted) if own or seen.status in {INVALID, LAPSED} else Verdict(Step.DROP)
    if seen.fingerprint != wanted.fingerprint and seen.status not in {INVALID, LAPSED, HELD}:
        return Verdict(Step.REUSE)
    if seen.status in {SENDING, UNCERTAIN}:
        return _judge_unsettled(seen, wanted, reconcile_after, resend=resend)
    if is_settled(seen.status):
        return Verdict(Step.DROP)
    # What is held lies in the dead-letter queue, and its copy there stands for every twin from before: only what was
    # put on the queue since then is sent, as by a redrive.
    if seen.status == HELD and seen.fingerprint == wanted.fingerprint and wanted.queued_at <= seen.updated_at:
        return Verdict(Step.DROP)
    # It lapsed in the hands of another delivery, which took it off the queue: this one is only behind.
    if seen.status == LAPSED and seen.message_id == wanted.message_id:
        return Verdict(Step.DROP)
    return _claim(seen, wanted)


def _judge_unsettled(
    seen: MessageRecord, wanted: MessageRecord, reconcile_after: timedelta, *, resend: bool
) -> Verdict:
    """Judge a message that was claimed and of which nobody knows yet whether the provider has it."""
    now = wanted.updated_at
    if seen.status == SENDING:
        # Records written by hand may lack a lease: it is over then.
        if seen.lease_until is not None and now < seen.lease_until:
            return Verdict(Step.WAIT, until=seen.lease_until)
        doubtful = replace(seen, status=UNCERTAIN, updated_at=now, lease_until=None, expires_at=wanted.expires_at)
        return Verdict(Step.DOUBT, until=now + reconcile_after, record=doubtful)
    settled_by = seen.updated_at + reconcile_after
    if now < settled_by:
        return Verdict(Step.WAIT, until=settled_by)
    # Once: a second doubt about the same message is not answered with a third SMS.
    if resend and not seen.resent and wanted.status == SENDING:
        return _claim(seen, replace(wanted, resent=True))
    return Verdict(Step.HOLD, record=hold(seen, wanted.message_id, now, UNCERTAIN, UNSETTLED))


def hold(seen: MessageRecord, message_id: str, now: datetime, code: str, details: str) -> MessageRecord:
    """Return the record HELD, as the message that is being copied to the dead-letter queue leaves it."""
    error = {"code": code, "details": details}
    return replace(seen, status=HELD, message_id=message_id, updated_at=now, lease_until=None, error=error)


def accept(seen: MessageRecord, msg_id: str, accepted_at: datetime, expires_at: datetime) -> MessageRecord:
    """Return the record with the provider's acceptance in it, and all that a webhook already said kept."""
    return replace(
        seen,
        status=seen.status if is_settled(seen.status) else ACCEPTED,
        msg_id=seen.msg_id or msg_id,
        accepted_at=seen.accepted_at or accepted_at,
        updated_at=accepted_at,
        expires_at=expires_at,
        lease_until=None,
        error=seen.error if is_settled(seen.status) else None,
    )


def _claim(seen: MessageRecord, wanted: MessageRecord) -> Verdict:
    attempts = seen.attempts + (wanted.status == SENDING)
    # Resent once stays resent through a pause, or each pause would permit another SMS.
    resent = wanted.resent or (seen.resent and seen.status == RETRYING)
    return Verdict(Step.CLAIM, record=replace(wanted, attempts=attempts, resent=resent))
