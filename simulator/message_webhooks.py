"""Plans the status webhooks of an accepted message, with the injected webhook faults."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from simulator.conversations import Step
from simulator.faults import Fault
from simulator.history import AcceptedMessage
from simulator.phones import Outcome
from simulator.webhook_deliveries import Pace
from simulator.webhook_events import Webhook, status_event, to_text, ulid


@dataclass(frozen=True, slots=True)
class Plan:
    """The statuses that a message will have, and the webhooks to send, with the seconds until they are due."""

    steps: tuple[Step, ...]
    due: tuple[tuple[float, Webhook], ...]


def plan(entry: AcceptedMessage, outcome: Outcome, faults: Sequence[Fault], pace: Pace, now: datetime) -> Plan:
    """Return the plan for one message."""
    message = entry.message
    delays_s = [pace.enroute_s + index * (pace.final_s - pace.enroute_s) for index in range(len(outcome.statuses))]
    steps = tuple(
        Step(status, to_text(now + timedelta(seconds=delay_s)), error)
        for (status, error), delay_s in zip(outcome.statuses, delays_s, strict=True)
    )
    webhooks = [
        status_event(
            step.status,
            msg_id=entry.msg_id,
            recipient=message.recipient,
            reference=message.reference,
            at=datetime.fromisoformat(step.at),
            error=step.error,
            event_type=outcome.event_type,
        )
        for step in steps
    ]
    if any(fault.kind == "webhook-reorder" for fault in faults):
        webhooks.reverse()
    due: list[tuple[float, Webhook]] = []
    for webhook, delay_s in zip(webhooks, delays_s, strict=True):
        matching = [fault for fault in faults if fault.only in (None, webhook.status)]
        late_s = sum(fault.seconds for fault in matching if fault.kind == "webhook-late")
        copies = 0 if any(fault.kind == "webhook-drop" for fault in matching) else 1
        for fault in matching:
            copies *= fault.copies if fault.kind == "webhook-duplicate" else 1
        due += [(delay_s + late_s, webhook)] * copies
    foreign = [
        (pace.enroute_s + fault.seconds, _foreign(entry, fault, now))
        for fault in faults
        if fault.kind == "webhook-foreign"
    ]
    return Plan(steps, (*due, *foreign))


def _foreign(entry: AcceptedMessage, fault: Fault, now: datetime) -> Webhook:
    """Return a webhook as another system of the same account would cause it, with an id that is not ours."""
    message = entry.message
    return status_event(
        fault.foreign_status,
        msg_id=ulid(now - timedelta(seconds=fault.foreign_age_s)),
        recipient=message.recipient if fault.foreign_recipient is None else fault.foreign_recipient,
        reference=message.reference,
        at=now,
    )
