"""The search finds what it is for: each of these mistakes, seeded into the real code, breaks a law in some run.

Two of them stood in this code until the model found them: the twins of what is held, and the pause that forgets.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pytest

import batch
import dispatch
import settlement
from delivery import Delivery
from gatewayapi import state
from gatewayapi.client import Accepted, Client
from gatewayapi.client import _accepted as read_entry
from gatewayapi.errors import UnknownOutcomeError
from gatewayapi.record import MessageRecord
from gatewayapi.state import Step, Verdict
from gatewayapi.table import Table
from outcome import Outcome, at_last_delivery
from queues import Queues
from tests.sender.model import NUMBER, Setting
from tests.sender.model_laws import BackwardsError, FalseError, LostError, TwiceError
from tests.sender.model_search import Prepare, a_pair, explore, one, twins_apart

pytestmark = pytest.mark.usefixtures("no_log")

Plant = Callable[[pytest.MonkeyPatch], None]
Given = Any  # whatever the code under test is called with


def claim_after_the_request(patch: pytest.MonkeyPatch) -> None:
    real_process = batch.process

    def process(deliveries: Sequence[Delivery], **given: Given) -> list[Outcome]:
        means = given["means"]
        requests = [each.message.request(each.reference, "", None) for each in deliveries if each.message]
        answers = dispatch.send(requests, client=means.client, token=means.token, remaining_s=given["remaining_s"])
        patch.setattr(batch, "send", lambda *_, **__: answers)
        return real_process(deliveries, **given)

    patch.setattr(batch, "process", process)


def uncertain_as_retrying(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(vars(batch)["_MEANING"], UnknownOutcomeError, ("UNCERTAIN", "uncertain", state.RETRYING))


def held_recorded_before_the_copy(patch: pytest.MonkeyPatch) -> None:
    record, bury = vars(settlement)["_record"], vars(settlement)["_bury"]

    def settle(
        outcomes: Sequence[Outcome], *, table: Given, queues: Queues, max_receive_count: int, now: datetime
    ) -> list[Outcome]:
        settled, unrecorded = record(
            [at_last_delivery(each, max_receive_count, now) for each in outcomes], table, now
        )
        settled = bury([*settled, *unrecorded], queues, now)
        queues.hide([each for each in settled if each.back_at is not None], now)
        return list(settled)

    patch.setattr(batch, "settle", settle)


def a_copy_that_failed_is_acknowledged(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(settlement, "undead", lambda outcome, _until: replace(outcome, code=None))


def an_unrecorded_result_is_acknowledged(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(settlement, "_unrecorded", lambda outcome, _now: Outcome(outcome.delivery, "not_recorded"))


def judged(patch: pytest.MonkeyPatch, other: Callable[[MessageRecord, MessageRecord], Verdict | None]) -> None:
    """Have the verdict on a record be another one, where there is one."""
    real = state.judge
    patch.setattr(state, "judge", lambda seen, wanted, **given: other(seen, wanted) or real(seen, wanted, **given))


def claimed(seen: MessageRecord, wanted: MessageRecord) -> Verdict:
    return Verdict(Step.CLAIM, record=replace(wanted, attempts=seen.attempts + 1))


def a_running_lease_is_ignored(patch: pytest.MonkeyPatch) -> None:
    judged(patch, lambda seen, wanted: claimed(seen, wanted) if seen.status == state.SENDING else None)


def an_ended_lease_means_not_sent(patch: pytest.MonkeyPatch) -> None:
    def other(seen: MessageRecord, wanted: MessageRecord) -> Verdict | None:
        over = seen.status == state.SENDING and seen.lease_until is not None and seen.lease_until <= wanted.updated_at
        return claimed(seen, wanted) if over else None

    judged(patch, other)


def an_uncertain_message_is_dropped(patch: pytest.MonkeyPatch) -> None:
    judged(patch, lambda seen, _: Verdict(Step.DROP) if seen.status == state.UNCERTAIN else None)


def twins_of_what_is_held_are_sent(patch: pytest.MonkeyPatch) -> None:
    def other(seen: MessageRecord, wanted: MessageRecord) -> Verdict | None:
        return claimed(seen, wanted) if seen.status == state.HELD and seen.message_id != wanted.message_id else None

    judged(patch, other)


def a_pause_forgets_that_a_message_was_resent(patch: pytest.MonkeyPatch) -> None:
    judged(patch, lambda seen, wanted: claimed(seen, wanted) if seen.status == state.RETRYING else None)


def answers_are_matched_by_position(patch: pytest.MonkeyPatch) -> None:
    def send_many(client: Client, messages: Sequence[Given], *, timeout_s: float) -> list[Accepted | None]:
        entries = vars(Client)["_post"](client, "/mobile/multi", {"messages": list(messages)}, timeout_s)["responses"]
        return [read_entry(entries[place]) if place < len(entries) else None for place in range(len(messages))]

    patch.setattr(Client, "send_many", send_many)


def a_result_overwrites_a_webhook(patch: pytest.MonkeyPatch) -> None:
    def accept(seen: MessageRecord, msg_id: str, accepted_at: datetime, expires_at: datetime) -> MessageRecord:
        return replace(
            seen,
            status=state.ACCEPTED,
            msg_id=msg_id,
            updated_at=accepted_at,
            expires_at=expires_at,
            lease_until=None,
        )

    patch.setattr(state, "accept", accept)


def a_strangers_webhook_counts(patch: pytest.MonkeyPatch) -> None:
    real = Table.store
    patch.setattr(Table, "store", lambda table, event: real(table, replace(event, recipient=NUMBER)))


@dataclass(frozen=True, slots=True)
class Seed:
    """A mistake, the law that it breaks, and what kind of run shows it."""

    plant: Plant
    law: type[AssertionError]
    setting: Setting = field(default_factory=Setting)
    prepare: Prepare = one
    invocations: int = 1
    only: frozenset[str] | None = None


SEEDS = [
    Seed(claim_after_the_request, TwiceError),
    Seed(uncertain_as_retrying, TwiceError),
    Seed(held_recorded_before_the_copy, LostError, invocations=2),
    Seed(a_copy_that_failed_is_acknowledged, LostError, invocations=2),
    Seed(an_unrecorded_result_is_acknowledged, LostError),
    Seed(a_running_lease_is_ignored, BackwardsError),
    Seed(an_ended_lease_means_not_sent, BackwardsError),
    Seed(an_uncertain_message_is_dropped, LostError),
    Seed(twins_of_what_is_held_are_sent, BackwardsError, prepare=twins_apart),
    Seed(
        a_pause_forgets_that_a_message_was_resent,
        TwiceError,
        Setting(resend=True),
        invocations=6,
        only=frozenset({"429", "reset+"}),
    ),
    Seed(answers_are_matched_by_position, FalseError, prepare=a_pair),
    Seed(a_result_overwrites_a_webhook, BackwardsError, Setting(webhooks="fast")),
    Seed(a_strangers_webhook_counts, LostError, Setting(webhooks="late"), only=frozenset({"429"})),
]


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.plant.__name__)
def test_a_seeded_mistake_breaks_a_law(monkeypatch: pytest.MonkeyPatch, seed: Seed) -> None:
    seed.plant(monkeypatch)
    with pytest.raises(seed.law) as broken:
        explore(seed.setting, seed.prepare, seed.invocations, seed.only)
    print(seed.plant.__name__, broken.value, *broken.value.__notes__, sep="\n")  # noqa: T201 - the counterexample
