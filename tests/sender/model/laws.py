"""Invariants of a simulated run, called laws: which messages are sent, and what happens to each message.

record_laws.py has those of the table's records. Both compare the code's results with facts that only the simulation
knows: what the provider accepted, and what happened to each invocation. RecordLaws.__init__ explains the sets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sender.model.calls import TABLE_FAULTS
from tests.sender.model.record_laws import (
    FalseStatementError,
    ForbiddenChangeError,
    LawError,
    PersonalDataError,
    RecordLaws,
)
from tests.sender.model.records import flag, is_accepted, is_leased, is_promotional, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.sender.model.expressions import Item
    from tests.sender.model.invocation import Invocation
    from tests.sender.model.provider import Sent
    from tests.sender.model.queue import DeadLetter, Queued

__all__ = [
    "FailureSpreadError",
    "FalseStatementError",
    "ForbiddenChangeError",
    "ForbiddenSendError",
    "LawError",
    "Laws",
    "LostError",
    "PersonalDataError",
]

UNCERTAIN = "UNCERTAIN"
# With less time left than this, an invocation does not retry the writing of its results.
MIN_TIME_TO_RECORD_S = 6.0
# With less time left than this, an invocation does not process another copy of a message in its batch.
MIN_TIME_FOR_COPY_S = 10.0


class LostError(LawError):
    """A message, a result or a webhook was lost, or a message ended without a dead letter that says why."""


class ForbiddenSendError(LawError):
    """A message was sent that must not be sent, for example for a second time or against the stack's settings."""


class FailureSpreadError(LawError):
    """A failure affected more than the message that it concerns."""


class Laws(RecordLaws):
    """The laws of one run. The run calls `on_…` when something happens, and `check_…` at certain times."""

    def on_produced(self, message: Queued) -> None:
        """Note a message that a producer enqueued. It does not change how often its reference may be sent."""
        key = (message.identity, message.text)
        self.not_yet_accepted[key] = message
        self.need_no_send.discard(key)
        self.texts.setdefault(message.identity, set()).add(message.text)
        if message.deadline is not None:
            self.with_deadline.add(key)

    def on_redriven(self, letter: DeadLetter) -> None:
        """Allow one more send if the redriven message is held in doubt. Several copies allow only one more."""
        maybe_accepted = self.system.provider.maybe_accepted(letter.identity)
        # An invocation that is processing the message may be about to hold it.
        held = text(self.system.record(letter.identity), "status") == "HELD" or self._is_being_processed(
            letter.identity
        )
        same = bool(maybe_accepted) and maybe_accepted[0].text == letter.text
        if same and held and not self.is_forgotten(letter.identity):
            allowed = self.allowed_sends.get(letter.identity, 1)
            self.allowed_sends[letter.identity] = max(allowed, len(maybe_accepted) + 1)

    def _is_being_processed(self, identity: str, excluding: Invocation | None = None) -> bool:
        """Return whether a running invocation has the message, not counting one invocation."""
        others = (invocation for invocation in self.system.running if invocation is not excluding)
        return any(message.identity == identity for other in others for message in other.messages)

    def on_sent(self, invocation: Invocation, sent_messages: Sequence[Sent]) -> None:
        """Check the messages of a request to the provider."""
        identities = {message.identity for message in invocation.messages}
        for sent in sent_messages:
            if sent.reference not in identities:
                self.report(ForbiddenSendError(f"a message is sent as {sent.reference}, which is not its reference"))
            elif not sent.refused:
                self._check_send_is_allowed(invocation, sent)
                self._check_sent_once(sent)
                self._check_not_dead_lettered_since_claim(sent)
        if self.system.clock.wall >= invocation.deadline:
            self.report(ForbiddenSendError("a request was sent after its invocation's time"))

    def _check_send_is_allowed(self, invocation: Invocation, sent: Sent) -> None:
        """Check a send against the facts when its invocation began: parameters, opt-outs, forgotten messages."""
        parameters = invocation.parameters
        if parameters is None or not parameters.allow(sent.recipient, sent.text):
            self.report(ForbiddenSendError(f"{sent.reference} was sent although the stack's settings forbid it"))
        elif (
            parameters.enforce_opt_outs
            and invocation.opted_out_at_start
            and self.opted_out()
            and is_promotional(sent.text)
        ):
            self.report(ForbiddenSendError(f"{sent.reference} was sent to a person who opted out"))
        if "forgotten_at" in invocation.before[sent.reference]:
            self.report(ForbiddenSendError(f"{sent.reference} was sent although it was forgotten"))

    def _check_sent_once(self, sent: Sent) -> None:
        """Check that a reference is sent once and with one content. Redrives and UncertainSends allow more sends."""
        maybe_accepted = self.system.provider.maybe_accepted(sent.reference)
        allowed_by_policy = 2 if self.system.resend_was_enabled else 1
        if len(maybe_accepted) > max(self.allowed_sends.get(sent.reference, 1), allowed_by_policy):
            self.report(ForbiddenSendError(f"{sent.reference} may have been accepted {len(maybe_accepted)} times"))
        if {other.text for other in maybe_accepted} != {sent.text}:
            self.report(ForbiddenSendError(f"{sent.reference} was sent with two contents"))

    def _check_not_dead_lettered_since_claim(self, sent: Sent) -> None:
        """Check that no dead letter since the claim states that the message was not sent."""
        claimed_at = self.claimed_at.get(sent.reference)
        for letter in self.dead_letters:
            same = (letter.identity, letter.text) == (sent.reference, sent.text) and letter.code != UNCERTAIN
            if same and claimed_at is not None and letter.written_at >= claimed_at:
                self.report(FalseStatementError(f"{sent.reference} is dead as {letter.code}, and is being sent"))

    def on_dead_lettered(self, invocation: Invocation, letter: DeadLetter, sources: Sequence[Queued]) -> None:
        """Check that a dead letter has a true reason. `sources` are the invocation's messages with the same body."""
        identity, code = letter.identity, letter.code
        self.dead_letters.append(letter)
        if self._is_excused(invocation, identity):
            self.excused_dead_letters.add(letter)
        if not sources or not code:
            self.report(LostError(f"a dead letter without a message or a reason: {identity} {code}"))
        if identity in self.with_damaged_record or (self.is_forgotten(identity) and code == "REFERENCE_REUSED"):
            return
        provider = self.system.provider
        if provider.maybe_accepted(identity, letter.text) and code != UNCERTAIN:
            self.report(FalseStatementError(f"{identity} is dead as {code}, and may have been accepted"))
        excused = letter in self.excused_dead_letters
        if code == UNCERTAIN and not self.may_have_been_accepted(identity) and not excused:
            self.report(FalseStatementError(f"{identity} is dead as UNCERTAIN, and was certainly never accepted"))
        if code == "PROVIDER_REFUSED" and (identity, letter.text) not in provider.refused_individually:
            self.report(FalseStatementError(f"{identity} is dead as {code}, and its content was not refused"))
        if code == "TOO_LONG" and not (invocation.parameters and invocation.parameters.is_too_long(letter.text)):
            self.report(FalseStatementError(f"{identity} is dead as TOO_LONG, and MaxSegments allows it"))
        if code == "REFERENCE_REUSED" and len(self.texts[identity]) == 1:
            self.report(FalseStatementError(f"{identity} is dead as {code}, and was used with one content only"))
        was_settled = is_accepted(invocation.before.get(identity, {}))
        if was_settled and self.may_have_been_sent_with(identity, letter.text) and not excused:
            self.report(FalseStatementError(f"{identity} is dead as {code}, and was accepted before"))

    def _is_excused(self, invocation: Invocation, identity: str) -> bool:
        """Return whether a dead letter may be UNCERTAIN although the message was settled or never accepted.

        There are three cases, in which the invocation may not have read the record: another invocation may be
        processing the message, the table failed, or there was no time left to process a copy.
        """
        leased = is_leased(self.system.record(identity), invocation.began)
        table_failed = bool(set(invocation.faults) & set(TABLE_FAULTS)) or self.system.store.had_failure_since(
            (identity, "MESSAGE"), invocation.began
        )
        no_time = invocation.remaining_s(self.system.clock.wall) < MIN_TIME_FOR_COPY_S
        return leased or self._is_being_processed(identity, excluding=invocation) or table_failed or no_time

    def on_finished(self, invocation: Invocation, outcomes: dict[str, str]) -> None:
        """Check an invocation that returned: its results are recorded, and a failure affected only its message."""
        left_s = invocation.remaining_s(self.system.clock.wall)
        for reference, msg_id, doubt_before in invocation.answers:
            unchecked = reference in self.with_damaged_record or self.is_forgotten(reference)
            if unchecked or left_s < MIN_TIME_TO_RECORD_S:
                continue
            record = self.system.record(reference)
            if not is_accepted(record):
                self.report(LostError(f"the sender read that {reference} was accepted, and did not record it"))
            if not doubt_before and text(record, "msg_id") != msg_id and not self.system.has_own_msg_id(record):
                self.report(FalseStatementError(f"{reference} is not recorded with the msg_id of the answer"))
        self._check_copies_of_held_messages(invocation, outcomes)
        if invocation.overlapped:
            return
        if invocation.failed_calls == ["batch_get_item"]:
            self._check_only_promotional_messages_wait_for_opt_outs(invocation, outcomes)
        if invocation.faults and set(invocation.faults) <= {"conflict", "long conflict"}:
            self._check_conflict_affects_one_message(invocation, outcomes)

    def _check_copies_of_held_messages(self, invocation: Invocation, outcomes: dict[str, str]) -> None:
        """Check that a copy of a message that was held in doubt was not dropped.

        Only the delivery that wrote the hold is acknowledged without a change of the record.
        """
        for message in invocation.messages:
            before, now = invocation.before.get(message.identity, {}), self.system.record(message.identity)
            acknowledged = outcomes.get(message.message_id) == "acknowledged"
            if not acknowledged or before != now or message.identity in self.with_damaged_record:
                continue
            if not flag(now, "in_doubt") or text(now, "status") != "HELD" or len(self.texts[message.identity]) > 1:
                continue
            if text(now, "message_id") != message.message_id:
                self.report(LostError(f"a copy of {message.identity}, which is in doubt, was dropped"))

    def _check_conflict_affects_one_message(self, invocation: Invocation, outcomes: dict[str, str]) -> None:
        """Check that a write conflict at one record does not delay the new messages of the batch."""
        if self.system.store.throttled_until is not None or not self.system.parameters.let_all_through():
            return
        if not all(self.is_healthy(message) for message in invocation.messages):
            return
        contended = {pk for (pk, _) in self.system.store.contended}
        for message in invocation.messages:
            is_new = not invocation.before.get(message.identity)
            if is_new and message.identity not in contended and outcomes[message.message_id] == "retried":
                self.report(FailureSpreadError(f"{message.identity} waits because another record is contended"))

    def _check_only_promotional_messages_wait_for_opt_outs(
        self, invocation: Invocation, outcomes: dict[str, str]
    ) -> None:
        """Check that only promotional messages wait if the opt-outs cannot be read."""
        if self.system.store.throttled_until is not None or not self.system.parameters.let_all_through():
            return
        for message in invocation.messages:
            is_new = not invocation.before.get(message.identity) and self.is_healthy(message)
            if is_new and not is_promotional(message.text) and outcomes[message.message_id] == "retried":
                self.report(FailureSpreadError(f"{message.identity} waits because opt-outs cannot be read"))

    def check_when_idle(self) -> None:
        """Check, while no invocation runs, that no message is lost and that each record has a true status."""
        self._check_no_message_is_lost()
        letters = self.system.queue.dead
        in_queue = {message.identity for message in self.system.queue.messages.values()}
        dead = {letter.identity for letter in letters}
        moved_by_sqs = {letter.identity for letter in letters if letter.moved_by_sqs}
        # An excused dead letter can be UNCERTAIN while its record still has an earlier status.
        uncertain = {letter.identity for letter in letters if letter.code == UNCERTAIN}
        excused_as_uncertain = uncertain & {letter.identity for letter in self.excused_dead_letters}
        elsewhere = in_queue | moved_by_sqs | excused_as_uncertain
        for (identity, sk), record in self.system.store.items.items():
            if sk != "MESSAGE" or identity in self.with_damaged_record or "forgotten_at" in record:
                continue
            status = text(record, "status")
            unfinished = status in {"SENDING", "UNCERTAIN", "RETRYING"}
            if unfinished and identity not in elsewhere and not self._is_claimed_after_its_copy(record):
                self.report(LostError(f"{identity} is {status}, and is in no queue"))
            dry_run = "DRY_RUN" in str(record.get("error")) and not flag(record, "in_doubt")
            if status in {"HELD", "INVALID"} and not dry_run and identity not in in_queue | dead:
                self.report(LostError(f"{identity} is {status}, and has no dead letter"))
            self.check_against_webhooks(identity, record)

    def _is_claimed_after_its_copy(self, record: Item) -> bool:
        """Return whether the content of a record is in the dead-letter queue, and its reference was reused.

        Two invocations can have the same two messages, with one reference and different contents. The first
        invocation copies one to the dead-letter queue and records the other, so that the second invocation claims the
        one again.
        """
        identity = text(record, "pk")
        copied = {letter.fingerprint for letter in self.system.queue.dead if letter.identity == identity}
        return len(self.texts[identity]) > 1 and text(record, "fingerprint") in copied

    def _check_no_message_is_lost(self) -> None:
        """Check that each enqueued message is in a queue, was accepted, or need not be sent."""
        in_a_queue = {(message.identity, message.text) for message in self.system.queue.messages.values()}
        in_a_queue |= {
            (letter.identity, letter.text) for letter in self.system.queue.dead if letter.code or letter.moved_by_sqs
        }
        unchecked = self.with_damaged_record | self.changed_by_foreign_event
        for (identity, content), message in list(self.not_yet_accepted.items()):
            if self.system.provider.accepted(identity, content) or identity in unchecked:
                del self.not_yet_accepted[identity, content]
            elif (identity, content) not in in_a_queue and not self.needs_no_send(message):
                status = text(self.system.record(identity), "status")
                self.report(LostError(f"{identity} is {status}, and is in no queue"))

    def check_at_end(self) -> None:
        """Check that, when the faults have ended and dead letters were redriven, healthy messages are accepted.

        Of several messages with one reference, one must be accepted.
        """
        for message in self.unsent():
            self.report(FailureSpreadError(f"{message.identity} is healthy, and is never accepted"))

    def unsent(self) -> list[Queued]:
        """Return the healthy messages that were not accepted and could have been."""
        return [message for message in self.not_yet_accepted.values() if self._could_be_sent(message)]

    def _could_be_sent(self, message: Queued) -> bool:
        identity = message.identity
        unchecked = identity in self.with_damaged_record | self.changed_by_foreign_event
        if unchecked or self.is_forgotten(identity) or self.needs_no_send(message):
            return False
        others = self.texts[identity] - {message.text}
        # Another message with this reference may be held in doubt. If its deadline has passed, no redrive can send
        # it. So it blocks the reference for this message.
        if any((identity, content) in self.with_deadline for content in others):
            return False
        healthy = all(self.is_healthy(message, content) for content in self.texts[identity])
        return healthy and not self.system.provider.accepted(identity)
