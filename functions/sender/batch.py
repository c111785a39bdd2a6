"""One batch of messages through the sender: claim, send, complete."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import dispatch
import timing
from claims import Claimed, claim
from completion import complete
from gatewayapi import clock
from last_delivery import retry_or_dead_letter
from opt_out_check import check_opt_outs
from outcome import OutcomeName, Retry
from result import Expired, Result, outcome_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from delivery import Delivery
    from gatewayapi.client import Client
    from gatewayapi.message_table import MessageTable
    from gatewayapi.secrets import Secret
    from outcome import Outcome
    from queues import Queues
    from settings import Settings


class Clients(NamedTuple):
    """The clients and the clock that a batch uses."""

    table: MessageTable
    provider: Client
    token: Secret
    queues: Queues
    now: Callable[[], datetime] = clock.now


def process(
    deliveries: Sequence[Delivery], *, settings: Settings, clients: Clients, remaining_s: Callable[[], float]
) -> list[Outcome]:
    """Send a batch, and return the outcome of each delivery. The caller reports each `Retry` to SQS as failed.

    Messages with the same reference are handled one after the other, so that each finds the result of the previous
    one. A message that cannot be handled raises no error, because it must not stop the others.
    """
    outcomes: list[Outcome] = []
    pending, opted_out, postponed = check_opt_outs(
        deliveries, settings=settings, table=clients.table, now=clients.now()
    )
    while pending:
        group, later = _distinct(pending)
        # The first round runs even if no time is left for a request: it also handles messages that need none.
        if outcomes and timing.request_timeout_s(remaining_s()) is None:
            postponed += [_retry_without_time(delivery, settings, clients.now()) for delivery in pending]
            break
        claimed, group_outcomes = claim(
            group,
            settings=settings,
            table=clients.table,
            now=clients.now(),
            remaining_s=remaining_s(),
            opted_out=opted_out,
        )
        group_outcomes += _send(claimed, settings, clients, remaining_s)
        group_outcomes = _complete(group_outcomes, settings, clients, remaining_s)
        outcomes += group_outcomes
        retries = {outcome.delivery.reference: outcome for outcome in group_outcomes if isinstance(outcome, Retry)}
        postponed += [
            _retry_with_first(delivery, retries[delivery.reference], settings, clients.now())
            for delivery in later
            if delivery.reference in retries
        ]
        pending = [delivery for delivery in later if delivery.reference not in retries]
    return outcomes + _complete(postponed, settings, clients, remaining_s)


def _distinct(deliveries: Sequence[Delivery]) -> tuple[list[Delivery], list[Delivery]]:
    """Return the first delivery of each reference, and the other deliveries.

    A transaction can contain a key only once.
    """
    first: dict[str, Delivery] = {}
    later = [delivery for delivery in deliveries if first.setdefault(delivery.reference, delivery) is not delivery]
    return list(first.values()), later


def _send(
    claimed: Sequence[Claimed], settings: Settings, clients: Clients, remaining_s: Callable[[], float]
) -> list[Outcome]:
    """Send claimed messages, and return their outcomes. A message whose deadline has expired is not sent."""
    if not claimed:
        return []
    now = clients.now()
    results: dict[str, Result] = {}
    not_in_doubt: list[dispatch.Fields] = []
    in_doubt: list[dispatch.Fields] = []
    for item in claimed:
        reference, content = item.delivery.reference, item.content
        if content.deadline is not None and content.deadline <= now:
            results[reference] = Expired()
            continue
        fields = content.message.request(reference, settings.rules.default_sender, content.deadline, now)
        (in_doubt if item.record.in_doubt else not_in_doubt).append(fields)
    results |= dispatch.send(
        not_in_doubt, in_doubt, provider=clients.provider, token=clients.token, remaining_s=remaining_s
    )
    answered_at = clients.now()
    expires_at = clients.table.expiry(answered_at)
    return [
        outcome_of(item, results[item.delivery.reference], settings=settings, now=answered_at, expires_at=expires_at)
        for item in claimed
    ]


def _retry_with_first(delivery: Delivery, first: Retry, settings: Settings, now: datetime) -> Outcome:
    """Retry a message at the same time as the first message with its reference, which is retried too."""
    details = f"another message with the reference came first: {first.details}"
    record = first.write.record if first.write else None
    return retry_or_dead_letter(Retry(delivery, OutcomeName.WAITING, first.at, details), record, settings, now)


def _retry_without_time(delivery: Delivery, settings: Settings, now: datetime) -> Outcome:
    details = "the invocation has no time left for another message with the reference"
    retry = Retry(delivery, OutcomeName.WAITING, now + timing.BUSY_PAUSE, details)
    return retry_or_dead_letter(retry, None, settings, now)


def _complete(
    outcomes: Sequence[Outcome], settings: Settings, clients: Clients, remaining_s: Callable[[], float]
) -> list[Outcome]:
    return complete(
        outcomes,
        settings=settings,
        table=clients.table,
        queues=clients.queues,
        now=clients.now(),
        remaining_s=remaining_s,
    )
