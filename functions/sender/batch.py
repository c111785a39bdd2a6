"""One batch through the sender: claim, send, settle."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import timing
from claims import Claimed, Policy, claim
from dispatch import send
from gatewayapi import clock, state
from gatewayapi.client import Accepted
from gatewayapi.errors import (
    RefusedError,
    SecretError,
    SendError,
    TokenRefusedError,
    TryLaterError,
    UnknownOutcomeError,
    UnreachableError,
)
from gatewayapi.table import Write
from outcome import DRY_RUN, PROVIDER_REFUSED, UNCERTAIN, Outcome, dead, quoted
from settlement import settle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from delivery import Delivery
    from gatewayapi.client import Client
    from gatewayapi.record import MessageRecord
    from gatewayapi.secrets import Secret
    from gatewayapi.table import Table
    from queues import Queues


@dataclass(frozen=True, slots=True)
class Means:
    """What a batch is sent with."""

    table: Table
    client: Client
    token: Secret
    queues: Queues
    now: Callable[[], datetime] = clock.now


def process(
    deliveries: Sequence[Delivery], *, policy: Policy, means: Means, remaining_s: Callable[[], float]
) -> list[Outcome]:
    """Take a batch through, and return an outcome for each delivery; those with a `back_at` are to be redelivered.

    It raises for none of them: one message's fault, or all of theirs, is not the invocation's.
    """
    started = means.now()
    claimed, outcomes = claim(deliveries, policy=policy, table=means.table, now=started, remaining_s=remaining_s())
    outcomes += _dry(claimed, started) if policy.dry_run else _sent(claimed, policy, means, remaining_s)
    return settle(
        outcomes,
        table=means.table,
        queues=means.queues,
        max_receive_count=policy.max_receive_count,
        now=means.now(),
    )


def _sent(
    claimed: Sequence[Claimed], policy: Policy, means: Means, remaining_s: Callable[[], float]
) -> list[Outcome]:
    if not claimed:
        return []
    requests = [
        each.message.request(each.reference, policy.default_sender, each.expires_at)
        for each, _ in claimed
        if each.message is not None
    ]
    results = send(requests, client=means.client, token=means.token, remaining_s=remaining_s)
    answered = means.now()
    expires_at = means.table.expiry(answered)
    return [_outcome(each, record, results[each.reference], policy, answered, expires_at) for each, record in claimed]


def _dry(claimed: Sequence[Claimed], now: datetime) -> list[Outcome]:
    details = "SendMode is DryRun: everything was done but the request"
    return [
        Outcome(each, "dry_run", Write(state.hold(record, each.message_id, now, DRY_RUN, details), record))
        for each, record in claimed
    ]


def _outcome(
    delivery: Delivery,
    claimed: MessageRecord,
    result: Accepted | SendError | SecretError,
    policy: Policy,
    now: datetime,
    expires_at: datetime,
) -> Outcome:
    """Return what a request's result makes of a claimed message."""
    if isinstance(result, Accepted):
        return Outcome(delivery, "accepted", Write(state.accept(claimed, result.msg_id, now, expires_at), claimed))
    code, name, status = _MEANING[type(result)]
    details = str(result)
    back_at = None
    if isinstance(result, RefusedError):
        details = quoted("; ".join(f"{finding.field}: {finding.reason}" for finding in result.refusals)) or details
    elif isinstance(result, UnknownOutcomeError):
        back_at = now + policy.reconcile_after
    else:
        retry_after_s = result.retry_after_s if isinstance(result, TryLaterError) else None
        # The lower of two: deliveries count killed workers too, and the count of tries outlasts a redrive.
        tries = min(claimed.attempts, delivery.receive_count)
        back_at = now + timing.pause(tries, retry_after_s, random.random())  # noqa: S311 - jitter
    error = {"code": code, "details": details}
    record = replace(claimed, status=status, updated_at=now, expires_at=expires_at, lease_until=None, error=error)
    write = Write(record, claimed)
    if back_at is None:
        return dead(delivery, name, code, details, write)
    return Outcome(delivery, name, write, back_at=back_at, details=details)


# What each failure makes of a message: the code in its record, the outcome's name, and its status.
_MEANING: dict[type[Exception], tuple[str, str, str]] = {
    RefusedError: (PROVIDER_REFUSED, "provider_refused", state.INVALID),
    UnknownOutcomeError: (UNCERTAIN, "uncertain", state.UNCERTAIN),
    UnreachableError: ("UNREACHABLE", "unreachable", state.RETRYING),
    TryLaterError: ("TRY_LATER", "throttled", state.RETRYING),
    TokenRefusedError: ("TOKEN_REFUSED", "token_refused", state.RETRYING),
    SecretError: ("TOKEN_UNREADABLE", "token_unreadable", state.RETRYING),
}
