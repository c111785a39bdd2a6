"""The exhaustive search finds mistakes: with each of these mistakes in the code, at least one run breaks a law.

Most of them were real bugs of this code.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest

import batch
import claims
import completion
import dispatch
import judgement
import result
import timing
from gatewayapi import client, event_move, event_table, message_table, record, segments, state
from gatewayapi.client import Client
from gatewayapi.message_record import MessageRecord
from gatewayapi.message_table import MessageTable, PutFailure, Write
from gatewayapi.secrets import Secret
from judgement import Duplicate, Judgement, Proceed
from outcome import RETRIES_EXHAUSTED, Acknowledge, DeadLetter, OutcomeName, Retry
from queues import Queues
from settings import Settings
from tests.sender.model import scenarios
from tests.sender.model.exhaustive import Setting, explore
from tests.sender.model.laws import (
    FailureSpreadError,
    FalseStatementError,
    ForbiddenChangeError,
    ForbiddenSendError,
    LawError,
    LostError,
    PersonalDataError,
)
from tests.sender.model.queue import Queue
from tests.sender.model.system import System

pytestmark = pytest.mark.usefixtures("no_log")

Patch = pytest.MonkeyPatch
Given = Any  # whatever the code under test is called with


def replace_judgement(patch: Patch, other: Callable[..., Judgement | None]) -> None:
    """Replace the judgement of a delivery by `other`, unless that returns None."""
    real = judgement.judge

    def judge(existing: MessageRecord, claim: MessageRecord, delivery: Given, **given: Given) -> Judgement:
        return other(existing, claim, delivery) or real(existing, claim, delivery, **given)

    patch.setattr(claims, "judge", judge)


def claimed(existing: MessageRecord, claim: MessageRecord) -> Proceed:
    return Proceed(claim._replace(attempts=existing.attempts + 1, queued_at=existing.queued_at))


def claim_after_the_request(patch: Patch) -> None:
    real_claim = claims.claim

    def claim(deliveries: Sequence[Given], **given: Given) -> Given:
        fields = [
            delivery.content.message.request(delivery.reference, "Shop", None, given["now"])
            for delivery in deliveries
        ]
        clients = planted["clients"]
        results = dispatch.send(fields, [], provider=clients.provider, token=clients.token, remaining_s=lambda: 30.0)
        patch.setattr(dispatch, "send", lambda *_, **__: results)
        return real_claim(deliveries, **given)

    planted: dict[str, Given] = {}
    real_process = batch.process

    def process(deliveries: Sequence[Given], **given: Given) -> Given:
        planted["clients"] = given["clients"]
        patch.setattr(dispatch, "send", real_send)
        return real_process(deliveries, **given)

    real_send = dispatch.send
    patch.setattr(batch, "claim", claim)
    patch.setattr(batch, "process", process)


def an_unknown_outcome_means_not_sent(patch: Patch) -> None:
    patch.setattr(
        state,
        "put_in_doubt",
        lambda record, _until, now, *_: record._replace(status=state.RETRYING, updated_at=now, lease_until=None),
    )


def a_hold_is_recorded_before_its_dead_letter(patch: Patch) -> None:
    def complete(outcomes: Given, *, table: MessageTable, queues: Queues, now: datetime, **given: Given) -> Given:
        recorded, unrecorded = vars(completion)["_record"](outcomes, table, now, given["remaining_s"])
        ended = [*recorded, *unrecorded]
        dead_letters = [outcome for outcome in ended if isinstance(outcome, DeadLetter)]
        completed = [outcome for outcome in ended if not isinstance(outcome, DeadLetter)]
        completed += vars(completion)["_send_dead_letters"](dead_letters, queues, now, given["remaining_s"])
        retries = [outcome for outcome in completed if isinstance(outcome, Retry)]
        queues.set_visibility_timeouts(retries, now, given["remaining_s"])
        return completed

    patch.setattr(batch, "complete", complete)


def a_message_whose_dead_letter_failed_is_acknowledged(patch: Patch) -> None:
    def send_dead_letters(dead_letters: Given, queues: Queues, _now: datetime, remaining_s: Given) -> Given:
        queues.send_to_dead_letter_queue(dead_letters, remaining_s)
        return list(dead_letters)

    patch.setattr(completion, "_send_dead_letters", send_dead_letters)


def an_unrecorded_result_is_acknowledged(patch: Patch) -> None:
    patch.setattr(
        completion, "_not_recorded", lambda outcome, *_: Acknowledge(outcome.delivery, OutcomeName.NOT_RECORDED)
    )


def a_lease_that_has_not_ended_is_ignored(patch: Patch) -> None:
    replace_judgement(
        patch, lambda existing, claim, _: claimed(existing, claim) if existing.status == state.SENDING else None
    )


def an_ended_lease_means_not_sent(patch: Patch) -> None:
    def other(existing: MessageRecord, claim: MessageRecord, _delivery: Given) -> Judgement | None:
        lease = existing.lease_until if existing.status == state.SENDING else None
        return claimed(existing, claim) if lease and lease <= claim.updated_at else None

    replace_judgement(patch, other)


def an_uncertain_message_is_dropped(patch: Patch) -> None:
    replace_judgement(patch, lambda existing, _claim, _: Duplicate() if existing.status == state.UNCERTAIN else None)


def copies_of_a_held_message_are_sent(patch: Patch) -> None:
    def other(existing: MessageRecord, claim: MessageRecord, delivery: Given) -> Judgement | None:
        copy = existing.status == state.HELD and existing.message_id != delivery.message_id
        return claimed(existing, claim) if copy else None

    replace_judgement(patch, other)


def a_retry_does_not_keep_resent(patch: Patch) -> None:
    def other(existing: MessageRecord, claim: MessageRecord, _delivery: Given) -> Judgement | None:
        if existing.status != state.RETRYING:
            return None
        again = claimed(existing, claim).claim
        return Proceed(again._replace(in_doubt=existing.in_doubt, doubt_until=existing.doubt_until))

    replace_judgement(patch, other)


def a_retry_does_not_keep_in_doubt(patch: Patch) -> None:
    replace_judgement(
        patch, lambda existing, claim, _: claimed(existing, claim) if existing.status == state.RETRYING else None
    )


def answers_are_matched_by_position(patch: Patch) -> None:
    def send_many(self: Client, messages: Sequence[Given], **given: Given) -> Given:
        fields = {"messages": list(messages)}
        answer = vars(Client)["_post"](self, "/mobile/multi", fields, given["token"], given["timeout_s"])
        entries = [vars(client)["_accepted"](entry) for entry in answer["responses"]]
        return [entries[place] if place < len(entries) else None for place in range(len(messages))]

    patch.setattr(Client, "send_many", send_many)


def a_result_overwrites_an_event(patch: Patch) -> None:
    real = state.accept

    def accept(record: MessageRecord, *given: Given, **named: Given) -> MessageRecord:
        return real(record._replace(status=state.SENDING, msg_id=None), *given, **named)

    patch.setattr(state, "accept", accept)


def an_event_belongs_by(patch: Patch, condition: str) -> None:
    """Have an event move a record under another condition."""
    real = event_move.update

    def update(table_name: str, event: Given) -> Given:
        item = real(table_name, event)
        values = item["Update"]["ExpressionAttributeValues"]
        belongs, values[":recipient"] = vars(event_move)["_belongs"](event, {}), {"N": str(event.recipient)}
        text = item["Update"]["ConditionExpression"]
        assert belongs in text
        item["Update"]["ConditionExpression"] = text.replace(belongs, condition)
        return item

    patch.setattr(event_move, "update", update)


def an_event_for_another_number_moves_a_record(patch: Patch) -> None:
    an_event_belongs_by(patch, "attribute_not_exists(msg_id) OR msg_id = :msg_id")


def an_event_with_our_number_moves_a_record_that_was_never_sent(patch: Patch) -> None:
    an_event_belongs_by(patch, "msg_id = :msg_id OR (attribute_not_exists(msg_id) AND recipient = :recipient)")


def an_event_with_our_number_moves_a_record_with_another_msg_id(patch: Patch) -> None:
    an_event_belongs_by(patch, "msg_id = :msg_id OR recipient = :recipient")


def the_first_msg_id_stays(patch: Patch) -> None:
    real = state.accept

    def accept(record: MessageRecord, msg_id: str, *given: Given, **named: Given) -> MessageRecord:
        return real(record, record.msg_id or msg_id, *given, **named)

    patch.setattr(state, "accept", accept)


def stored_events_are_not_applied(patch: Patch) -> None:
    patch.setattr(completion, "_apply_stored_events", lambda *_: None)


def other_content_takes_over_a_message_in_doubt(patch: Patch) -> None:
    def other(existing: MessageRecord, claim: MessageRecord, _delivery: Given) -> Judgement | None:
        taken = existing.status == state.HELD and existing.fingerprint != claim.fingerprint
        return Proceed(claim) if taken else None

    replace_judgement(patch, other)


def writing_results_is_not_retried(patch: Patch) -> None:
    patch.setattr(timing, "recording_s", lambda _remaining_s: 0.3)


def one_contended_record_stops_all(patch: Patch) -> None:
    real = vars(MessageTable)["_put_group"]

    def put_group(self: MessageTable, group: Sequence[Write], obstacles: Given) -> Given:
        done, conflicts, reason = real(self, group, obstacles)
        if not conflicts:
            return done, conflicts, reason
        obstacles |= {write.record.reference: PutFailure.CONTENDED for write in group}
        return [write.record.reference for write in group], set(), reason

    patch.setattr(MessageTable, "_put_group", put_group)


def keys_are_read_again_by_a_monotonic_clock(patch: Patch) -> None:
    real = Secret.refresh

    def refresh(self: Secret) -> bool:
        self._now_s = lambda: 1000.0  # a monotonic clock stops while the process is frozen
        return real(self)

    patch.setattr(Secret, "refresh", refresh)


def a_held_message_is_sent_when_enqueued_again(patch: Patch) -> None:
    def other(existing: MessageRecord, claim: MessageRecord, delivery: Given) -> Judgement | None:
        if existing.status != state.HELD or delivery.sent_at <= existing.updated_at:
            return None
        again = claimed(existing, claim).claim
        return Proceed(again._replace(in_doubt=existing.in_doubt, doubt_until=existing.doubt_until, resent=True))

    replace_judgement(patch, other)


def a_redrive_is_recognised_by_its_attribute_alone(patch: Patch) -> None:
    def other(existing: MessageRecord, claim: MessageRecord, delivery: Given) -> Judgement | None:
        if existing.status != state.HELD or not delivery.from_dead_letter_queue:
            return None
        again = claimed(existing, claim).claim
        return Proceed(again._replace(in_doubt=existing.in_doubt, doubt_until=existing.doubt_until, resent=True))

    replace_judgement(patch, other)


def the_last_delivery_of_a_message_in_doubt_is_exhausted(patch: Patch) -> None:
    real = vars(result)["retry_or_dead_letter"]

    def retry_or_dead_letter(retry: Retry, record: Given, *given: Given) -> Given:
        ended = real(retry, record, *given)
        if isinstance(ended, DeadLetter) and record is not None and record.status == state.RETRYING:
            return ended._replace(code=RETRIES_EXHAUSTED)
        return ended

    patch.setattr(result, "retry_or_dead_letter", retry_or_dead_letter)


def a_refused_message_in_doubt_is_invalid(patch: Patch) -> None:
    real = vars(result)["_refused"]

    def refused(claimed: Given, *given: Given) -> Given:
        return real(claimed._replace(record=claimed.record._replace(in_doubt=False)), *given)

    patch.setattr(result, "_refused", refused)


def an_expired_message_is_refused(patch: Patch) -> None:
    patch.setattr(result, "_expired", lambda *_: False)


def the_longest_expiration_is_sent_unchanged(patch: Patch) -> None:
    real = vars(batch)["_send"]

    def send(claimed: Given, settings: Given, clients: Given, remaining_s: Given) -> Given:
        for message in claimed:
            patch.setattr(
                type(message.content.message),
                "request",
                lambda self, reference, sender, deadline, _now: {
                    "message": self.message,
                    "recipient": self.recipient,
                    "sender": sender,
                    "reference": reference,
                    "expiration": deadline.isoformat(),
                },
            )
        return real(claimed, settings, clients, remaining_s)

    patch.setattr(batch, "_send", send)


def a_second_copy_in_a_batch_is_exhausted(patch: Patch) -> None:
    patch.setattr(batch, "timing", SimpleNamespace(**{**vars(timing), "request_timeout_s": lambda _: None}))
    patch.setattr(
        batch,
        "_retry_without_time",
        lambda copy, *_: DeadLetter(copy, OutcomeName.HELD, RETRIES_EXHAUSTED, "delivered too often"),
    )


def a_stop_overwrites_a_message_in_doubt(patch: Patch) -> None:
    real = vars(claims)["_decide"]

    def decide(candidate: Given, obstacle: Given, settings: Given) -> Given:
        if candidate.reason is None or not isinstance(obstacle, MessageRecord):
            return real(candidate, obstacle, settings)
        return Write(vars(claims)["_record_to_write"](candidate.record, candidate.reason), obstacle)

    patch.setattr(claims, "_decide", decide)


def a_message_in_doubt_gets_a_dead_letter_of_another_code(patch: Patch) -> None:
    real = vars(claims)["_decide"]

    def decide(candidate: Given, obstacle: Given, settings: Given) -> Given:
        if candidate.reason is None or not isinstance(obstacle, MessageRecord):
            return real(candidate, obstacle, settings)
        return vars(claims)["_outcome_of_reason"](candidate.delivery, candidate.reason)

    patch.setattr(claims, "_decide", decide)


def messages_in_doubt_are_sent_together(patch: Patch) -> None:
    real = dispatch.send
    patch.setattr(dispatch, "send", lambda messages, in_doubt, **given: real([*messages, *in_doubt], [], **given))


def a_refusal_of_a_batch_refuses_all(patch: Patch) -> None:
    patch.setattr(dispatch, "_named", lambda messages, refused: {fields["reference"]: refused for fields in messages})


def a_damaged_record_raises(patch: Patch) -> None:
    for module in (event_table, message_table):
        patch.setattr(module, "record_or_none", lambda item: record.from_item(item) if item else None)


def an_unreadable_retry_after_raises(patch: Patch) -> None:
    patch.setattr(client, "_retry_after_s", lambda header: None if header is None else float(header[:12]))


def an_sqs_move_is_redriven_without_attributes(patch: Patch) -> None:
    real = Queue.redrive
    patch.setattr(Queue, "redrive", lambda queue, letter, now: real(queue, replace(letter, moved_by_sqs=False), now))
    patch.setattr(System, "redrive", plain_redrive)


def plain_redrive(system: System, letters: Sequence[Given]) -> None:
    for letter in list(letters):
        system.laws.on_redriven(letter)
        system.queue.dead.remove(letter)
        system.queue.send(letter.body, system.clock.now(), letter.identity, letter.attributes)


def opt_outs_are_not_read(patch: Patch) -> None:
    patch.setattr(MessageTable, "opted_out", lambda *_: set())


def a_suppressed_message_is_never_sent_again(patch: Patch) -> None:
    replace_judgement(patch, lambda existing, _claim, _: Duplicate() if existing.status == state.SUPPRESSED else None)


def messages_that_need_no_check_wait_for_the_opt_outs(patch: Patch) -> None:
    real = vars(batch)["check_opt_outs"]

    def check_opt_outs(deliveries: Given, **given: Given) -> Given:
        others, opted_out, waiting = real(deliveries, **given)
        if not waiting:
            return others, opted_out, waiting
        return [], opted_out, [*waiting, *(waiting[0]._replace(delivery=delivery) for delivery in others)]

    patch.setattr(batch, "check_opt_outs", check_opt_outs)


def a_forgotten_message_is_sent_again(patch: Patch) -> None:
    replace_judgement(patch, lambda existing, claim, _: claimed(existing, claim) if existing.forgotten_at else None)


def an_event_of_a_forgotten_message_is_stored_with_its_number(patch: Patch) -> None:
    patch.setattr(event_table, "_unmoved", lambda event, _existing, **_: event)


def a_copy_that_is_not_sent_makes_the_hold_newer(patch: Patch) -> None:
    patch.setattr(state, "keep_hold_time", lambda record, _previous: record)


def max_segments_is_ignored(patch: Patch) -> None:
    patch.setattr(segments, "count", lambda _text: segments.Segments(1, "GSM-7", 1))


def listed_recipients_are_ignored(patch: Patch) -> None:
    patch.setattr(Settings, "may_send_to", lambda self, _recipient: self.send_mode != "DryRun")


@dataclass(frozen=True, slots=True)
class Seed:
    """A mistake, the law that it breaks, and the runs in which it does."""

    plant: Callable[[Patch], None]
    law: type[LawError]
    setting: Setting = field(default_factory=Setting)
    prepare: Callable[[System], object] = scenarios.one
    invocations: int = 1
    only: Sequence[str] | None = None


RESEND = Setting(resend=True)
LATE = Setting(webhooks="late")
FOREIGN = "another system's webhook"

SEEDS = [
    Seed(claim_after_the_request, FalseStatementError),
    Seed(an_unknown_outcome_means_not_sent, FalseStatementError),
    Seed(a_hold_is_recorded_before_its_dead_letter, LostError, invocations=2, only=("reset+", "killed")),
    Seed(
        a_message_whose_dead_letter_failed_is_acknowledged, LostError, invocations=2, only=("reset+", "unavailable")
    ),
    Seed(an_unrecorded_result_is_acknowledged, LostError),
    Seed(a_lease_that_has_not_ended_is_ignored, ForbiddenChangeError),
    Seed(an_ended_lease_means_not_sent, FalseStatementError),
    Seed(an_uncertain_message_is_dropped, LostError),
    Seed(copies_of_a_held_message_are_sent, LawError, prepare=scenarios.duplicates_apart),
    Seed(a_retry_does_not_keep_resent, ForbiddenChangeError, RESEND, invocations=3, only=("429", "reset+")),
    Seed(a_retry_does_not_keep_in_doubt, LawError, RESEND, invocations=3, only=("429", "reset+")),
    Seed(answers_are_matched_by_position, FalseStatementError, prepare=scenarios.a_pair),
    Seed(a_result_overwrites_an_event, ForbiddenChangeError, Setting(webhooks="fast")),
    Seed(an_event_for_another_number_moves_a_record, FalseStatementError, only=("429", FOREIGN), invocations=2),
    Seed(other_content_takes_over_a_message_in_doubt, ForbiddenChangeError, prepare=scenarios.another_content_later),
    Seed(
        an_event_with_our_number_moves_a_record_that_was_never_sent,
        FalseStatementError,
        only=("429", FOREIGN),
        invocations=2,
    ),
    Seed(writing_results_is_not_retried, LostError, only=("throttled",)),
    Seed(one_contended_record_stops_all, FailureSpreadError, prepare=scenarios.several),
    Seed(keys_are_read_again_by_a_monotonic_clock, LostError, LATE, scenarios.a_rotated_key),
    Seed(a_held_message_is_sent_when_enqueued_again, ForbiddenSendError, prepare=scenarios.once_more_later),
    Seed(
        the_last_delivery_of_a_message_in_doubt_is_exhausted,
        FalseStatementError,
        Setting(resend=True, max_receive_count=3),
        invocations=3,
        only=("429", "reset+"),
    ),
    Seed(a_refused_message_in_doubt_is_invalid, LawError, RESEND, invocations=3, only=("reset+", "422 naming none")),
    Seed(
        an_event_with_our_number_moves_a_record_with_another_msg_id,
        FalseStatementError,
        prepare=scenarios.duplicates_apart,
        invocations=2,
        only=(FOREIGN,),
    ),
    Seed(the_first_msg_id_stays, FalseStatementError, only=(FOREIGN,)),
    Seed(stored_events_are_not_applied, FalseStatementError, Setting(webhooks="fast"), only=(FOREIGN,)),
    Seed(
        an_expired_message_is_refused,
        FalseStatementError,
        Setting(skew_s=0.5),
        scenarios.one_about_to_expire_at_the_provider,
    ),
    Seed(
        the_longest_expiration_is_sent_unchanged,
        FalseStatementError,
        Setting(skew_s=-0.5),
        scenarios.the_longest_expiration,
    ),
    Seed(
        a_second_copy_in_a_batch_is_exhausted,
        FalseStatementError,
        Setting(max_receive_count=1),
        scenarios.duplicates,
    ),
    Seed(
        a_message_in_doubt_gets_a_dead_letter_of_another_code,
        LawError,
        invocations=2,
        only=("reset+", "the rules change"),
    ),
    Seed(messages_in_doubt_are_sent_together, FailureSpreadError, prepare=scenarios.a_poisonous_one),
    Seed(a_refusal_of_a_batch_refuses_all, FalseStatementError, prepare=scenarios.several),
    Seed(a_damaged_record_raises, FailureSpreadError, prepare=scenarios.a_damaged_record),
    Seed(an_unreadable_retry_after_raises, FailureSpreadError),
    Seed(
        a_redrive_is_recognised_by_its_attribute_alone,
        ForbiddenSendError,
        Setting(max_receive_count=2),
        invocations=4,
        only=("reset+", "killed"),
    ),
    Seed(
        an_sqs_move_is_redriven_without_attributes,
        ForbiddenSendError,
        Setting(max_receive_count=2),
        scenarios.one_without_a_reference,
        invocations=2,
        only=("killed",),
    ),
    Seed(a_stop_overwrites_a_message_in_doubt, ForbiddenChangeError, prepare=scenarios.an_expiring_one),
]

SEEDS += [
    Seed(opt_outs_are_not_read, ForbiddenSendError, prepare=scenarios.an_offer_after_stop),
    Seed(a_suppressed_message_is_never_sent_again, LostError, prepare=scenarios.an_offer_once_more_after_start),
    Seed(
        messages_that_need_no_check_wait_for_the_opt_outs,
        FailureSpreadError,
        prepare=scenarios.an_offer_after_stop,
        only=("unavailable",),
    ),
    Seed(
        a_copy_that_is_not_sent_makes_the_hold_newer,
        FailureSpreadError,
        prepare=scenarios.a_copy_that_expires,
        only=("hang",),
    ),
    Seed(max_segments_is_ignored, ForbiddenSendError, prepare=scenarios.a_long_one),
    Seed(listed_recipients_are_ignored, ForbiddenSendError, prepare=scenarios.one_to_a_person_who_is_not_listed),
    Seed(a_forgotten_message_is_sent_again, LawError, prepare=scenarios.a_forgotten_one),
    Seed(
        an_event_of_a_forgotten_message_is_stored_with_its_number, PersonalDataError, LATE, scenarios.a_forgotten_one
    ),
]


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.plant.__name__)
def test_a_planted_mistake_breaks_a_law(monkeypatch: Patch, seed: Seed) -> None:
    seed.plant(monkeypatch)
    with pytest.raises(seed.law) as broken:
        explore(seed.setting, seed.prepare, seed.invocations, frozenset(seed.only) if seed.only else None)
    print(seed.plant.__name__, broken.value, *broken.value.__notes__, sep="\n")  # noqa: T201 - the counterexample


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.plant.__name__)
def test_without_the_mistake_the_same_runs_keep_every_law(seed: Seed) -> None:
    if seed.only:
        explore(seed.setting, seed.prepare, seed.invocations, frozenset(seed.only))
    else:  # test_model.py plays the runs with all faults
        explore(seed.setting, seed.prepare, invocations=0)
