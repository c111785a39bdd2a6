"""Turn the result of a request into the outcome of a claimed message."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING

import timing
from gatewayapi import state
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
from gatewayapi.message_table import Write
from last_delivery import retry_or_dead_letter
from outcome import PROVIDER_REFUSED, UNCERTAIN, Acceptance, Acknowledge, DeadLetter, Outcome, OutcomeName, Retry

if TYPE_CHECKING:
    from datetime import datetime

    from claims import Claimed
    from settings import Settings

MAX_DETAILS = 1000
# How far the provider's clock can be ahead of ours.
CLOCK_DIFFERENCE = timedelta(seconds=60)


class Expired:
    """The deadline expired between the claim and the request, so there was no request."""


Result = Accepted | Expired | SendError | SecretError

# For each failure after which the message is sent later: the code in its record, and the outcome's name.
_NOT_SENT_YET: dict[type[Exception], tuple[str, OutcomeName]] = {
    UnreachableError: ("UNREACHABLE", OutcomeName.UNREACHABLE),
    TryLaterError: ("TRY_LATER", OutcomeName.THROTTLED),
    TokenRefusedError: ("TOKEN_REFUSED", OutcomeName.TOKEN_REFUSED),
    SecretError: ("TOKEN_UNREADABLE", OutcomeName.TOKEN_UNREADABLE),
}


def outcome_of(
    claimed: Claimed, result: Result, *, settings: Settings, now: datetime, expires_at: datetime
) -> Outcome:
    """Return the outcome of a claimed message. `now` is the time of the result."""
    delivery, claim = claimed.delivery, claimed.record
    match result:
        case Accepted(msg_id=msg_id):
            record = state.accept(claim, msg_id, now, expires_at, was_in_doubt=claim.in_doubt)
            return Acceptance(delivery, msg_id, Write(record, claim), was_in_doubt=claim.in_doubt)
        case UnknownOutcomeError():
            until = now + settings.reconcile_after
            details = f"{result}; waiting for a webhook until {until:%H:%M:%S} UTC"
            record = state.put_in_doubt(claim, now, now, expires_at, details)
            retry = Retry(delivery, OutcomeName.UNCERTAIN, until, details, Write(record, claim))
        case RefusedError():
            if _expired(claimed, result, now):
                return _lapsed(claimed, now, expires_at)
            return _refused(claimed, result, now, expires_at)
        case Expired():
            return _lapsed(claimed, now, expires_at)
        case _:
            code, name = _NOT_SENT_YET[type(result)]
            retry_after_s = result.retry_after_s if isinstance(result, TryLaterError) else None
            # Each counter can be too high: the receive count also counts deliveries without a request, and a redrive
            # does not reset the attempt count. So use the lower one.
            tries = min(claim.attempts, delivery.receive_count)
            wait = timing.back_off(tries, random.random(), retry_after_s)  # noqa: S311 - jitter
            details = f"not sent yet: {result}; trying again at {now + wait:%H:%M:%S} UTC"
            record = state.retry_later(claim, now, expires_at, code, details)
            retry = Retry(delivery, name, now + wait, details, Write(record, claim))
    return retry_or_dead_letter(retry, record, settings, now)


def _expired(claimed: Claimed, refused: RefusedError, now: datetime) -> bool:
    """Return whether the provider refused the message only because its deadline had expired."""
    deadline = claimed.content.deadline
    fields = {finding.field for finding in refused.findings}
    return deadline is not None and deadline <= now + CLOCK_DIFFERENCE and fields == {"expiration"}


def _lapsed(claimed: Claimed, now: datetime, expires_at: datetime) -> Outcome:
    details = "its deadline expired before the provider accepted it"
    if claimed.record.in_doubt:
        return _held(claimed, details, now, expires_at)
    record = state.end_claim(claimed.record, state.LAPSED, now, expires_at)
    return Acknowledge(claimed.delivery, OutcomeName.LAPSED, details, Write(record, claimed.record))


def _refused(claimed: Claimed, refused: RefusedError, now: datetime, expires_at: datetime) -> Outcome:
    reasons = "; ".join(f"{finding.field}: {finding.reason}" for finding in refused.findings)
    details = storable(reasons) or str(refused)
    if claimed.record.in_doubt:
        return _held(claimed, details, now, expires_at)
    record = state.end_claim(claimed.record, state.INVALID, now, expires_at, PROVIDER_REFUSED, details)
    return DeadLetter(
        claimed.delivery,
        OutcomeName.PROVIDER_REFUSED,
        PROVIDER_REFUSED,
        details,
        Write(record, claimed.record),
        write_if_copy_fails=Write(
            state.retry_later(claimed.record, now, expires_at, PROVIDER_REFUSED, details), claimed.record
        ),
        details_are_ours=False,
    )


def _held(claimed: Claimed, cause: str, now: datetime, expires_at: datetime) -> DeadLetter:
    """Return the dead letter of a message that cannot be sent again and may have been sent before."""
    details = f"an earlier request may have been accepted; the message was not accepted now: {cause}"
    held = state.hold(claimed.record, claimed.delivery.message_id, now, expires_at, UNCERTAIN, details)
    record = state.keep_hold_time(held, claimed.replaced)
    record_if_copy_fails = state.retry_later(claimed.record, now, expires_at, UNCERTAIN, details)
    return DeadLetter(
        claimed.delivery,
        OutcomeName.HELD,
        UNCERTAIN,
        details,
        Write(record, claimed.record),
        write_if_copy_fails=Write(record_if_copy_fails, claimed.record),
        details_are_ours=False,
    )


def storable(text: str) -> str:
    """Return the provider's text in a form that a record can hold: shortened, and without lone surrogates."""
    return text[:MAX_DETAILS].encode("utf-8", "replace").decode()
