"""The laws that every run must keep: those of what is sent and what becomes of it.

They follow the project's design and were written without the code that they judge. What they compare with is the
truth, which the code does not have: what the provider accepted, and what happened to an invocation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sender.model.calls import TABLE_FAULTS
from tests.sender.model.record_laws import (
    BackwardsError,
    FalseError,
    LawError,
    RecordLaws,
)
from tests.sender.model.records import flag, is_leased, is_promotional, is_settled, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.sender.model.invocation import Invocation
    from tests.sender.model.provider import Sent
    from tests.sender.model.queue import DeadLetter, Queued

__all__ = ["BackwardsError", "FalseError", "HarmedError", "LawError", "Laws", "LostError", "TwiceError"]

UNCERTAIN = "UNCERTAIN"
TIME_TO_RECORD_S = 6.0  # before the end of an invocation, its results are no longer written again
TIME_TO_SEND_S = 10.0  # before the end of an invocation, it no longer begins with another copy


class LostError(LawError):
    """A message is nowhere, or where nobody is told why."""


class TwiceError(LawError):
    """A message was sent once more than anybody allowed."""


class HarmedError(LawError):
    """One message's trouble is paid for by another."""


class Laws(RecordLaws):
    """The laws over one run."""

    def produced(self, message: Queued) -> None:
        """A producer puts this on the queue. The same reference once more permits no second SMS."""
        self.owed[message.identity, message.text] = message
        self.over.discard((message.identity, message.text))
        self.texts.setdefault(message.identity, set()).add(message.text)
        if message.deadline is not None:
            self.expiring.add((message.identity, message.text))

    def redriven(self, letter: DeadLetter) -> None:
        """The operator wants this sent: once more if its record is held in doubt, and not once for each copy."""
        possible = self.system.provider.possible(letter.identity)
        # An invocation that has the message may be about to hold it, as of a moment before this one.
        held = text(self.system.record(letter.identity), "status") == "HELD" or self._is_in_hand(letter.identity)
        same = bool(possible) and possible[0].text == letter.text
        if same and held and not self.is_forgotten(letter.identity):
            permitted = self.permitted.get(letter.identity, 1)
            self.permitted[letter.identity] = max(permitted, len(possible) + 1)

    def _is_in_hand(self, identity: str, but: Invocation | None = None) -> bool:
        """Return whether a running invocation has a message, not counting one."""
        others = (invocation for invocation in self.system.running if invocation is not but)
        return any(message.identity == identity for other in others for message in other.messages)

    def sent(self, invocation: Invocation, sent: Sequence[Sent]) -> None:
        """A request has left: nobody forbade it, and what may have been accepted once is not sent again."""
        identities = {message.identity for message in invocation.messages}
        for each in sent:
            if each.reference not in identities:
                self.broken(FalseError(f"a message is sent as {each.reference}, which is not its reference"))
            elif not each.refused:
                self._allowed(invocation, each)
                self._not_twice(each)
                self._not_dead_meanwhile(each)
        if self.system.clock.wall >= invocation.deadline:
            self.broken(TwiceError("a request left after its invocation's time"))

    def _allowed(self, invocation: Invocation, sent: Sent) -> None:
        """The parameters that the invocation began with, and what was certainly stored by then, let it through."""
        parameters = invocation.parameters
        if parameters is None or not parameters.allow(sent.recipient, sent.text):
            self.broken(FalseError(f"{sent.reference} was sent although the stack's settings forbid it"))
        elif parameters.enforce_opt_outs and invocation.opted_out and self.opted_out() and is_promotional(sent.text):
            self.broken(FalseError(f"{sent.reference} was sent to a person who opted out"))
        if "forgotten_at" in invocation.before[sent.reference]:
            self.broken(TwiceError(f"{sent.reference} was forgotten, and is sent"))

    def _not_twice(self, sent: Sent) -> None:
        """A reference is sent once, but for the operator's redrives and policy, and with one content."""
        possible = self.system.provider.possible(sent.reference)
        by_policy = 2 if self.system.resent_by_policy else 1
        if len(possible) > max(self.permitted.get(sent.reference, 1), by_policy):
            self.broken(TwiceError(f"{sent.reference} may have been accepted {len(possible)} times"))
        if {other.text for other in possible} != {sent.text}:
            self.broken(TwiceError(f"{sent.reference} was sent with two contents"))

    def _not_dead_meanwhile(self, sent: Sent) -> None:
        """Since the claim, no dead letter has stated that the message was not sent."""
        claimed_at = self.claimed_at.get(sent.reference)
        for letter in self.letters:
            same = (letter.identity, letter.text) == (sent.reference, sent.text) and letter.code != UNCERTAIN
            if same and claimed_at is not None and letter.written_at >= claimed_at:
                self.broken(FalseError(f"{sent.reference} is said to be {letter.code} while it is being sent"))

    def dead_lettered(self, invocation: Invocation, letter: DeadLetter, known: Sequence[Queued]) -> None:
        """A dead letter has the message's identity, and a reason that is true."""
        identity, code = letter.identity, letter.code
        leased = is_leased(self.system.record(identity), invocation.began)
        in_hand = leased or self._is_in_hand(identity, invocation)
        self.letters.append(letter)
        # Its record could not be read or written, or may still be in another invocation's hands.
        left_s = invocation.remaining_s(self.system.clock.wall)
        troubled = set(invocation.faults) & set(TABLE_FAULTS) or self.system.store.was_troubled(
            (identity, "MESSAGE"), invocation.began
        )
        if in_hand or troubled or left_s < TIME_TO_SEND_S:
            self.excused.add(letter)
        if not known or not code:
            self.broken(LostError(f"a dead letter of no message, or without a reason: {identity} {code}"))
        if identity in self.damaged or (self.is_forgotten(identity) and code == "REFERENCE_REUSED"):
            return
        provider = self.system.provider
        if provider.possible(identity, letter.text) and code != UNCERTAIN:
            self.broken(FalseError(f"{identity} is said to be {code}, and may have been accepted"))
        known_doubt = provider.possible(identity) or identity in self.doubtable
        if code == UNCERTAIN and not known_doubt and letter not in self.excused:
            self.broken(FalseError(f"{identity} is said to be uncertain, and was certainly never accepted"))
        if code == "PROVIDER_REFUSED" and (identity, letter.text) not in provider.refused_by_name:
            self.broken(FalseError(f"{identity} is said to be refused by the provider for what is in it"))
        if code == "TOO_LONG" and not (invocation.parameters and invocation.parameters.is_too_long(letter.text)):
            self.broken(FalseError(f"{identity} is said to be too long, and MaxSegments allows it"))
        if code == "REFERENCE_REUSED" and len(self.texts[identity]) == 1:
            self.broken(FalseError(f"{identity} was used with one content only"))
        if (
            is_settled(invocation.before.get(identity, {}))
            and self.same_content(identity, letter.text)
            and letter not in self.excused
        ):
            self.broken(FalseError(f"{identity} was accepted, and is a dead letter all the same"))

    def finished(self, invocation: Invocation, outcomes: dict[str, str]) -> None:
        """An invocation returned: what it learned is recorded, and one message's trouble is its own."""
        now = self.system.clock.wall
        left_s = invocation.remaining_s(now)
        for reference, msg_id, doubt_before in invocation.answers:
            if reference in self.damaged or self.is_forgotten(reference) or left_s < TIME_TO_RECORD_S:
                continue
            record = self.system.record(reference)
            if not is_settled(record):
                self.broken(LostError(f"the acceptance of {reference} was read, and is not recorded"))
            if not doubt_before and text(record, "msg_id") != msg_id and not self.system.is_own(record):
                self.broken(FalseError(f"{reference} is not recorded with the msg_id of the answer"))
        self._copies_of_the_held(invocation, outcomes)
        if invocation.failed_calls == ["batch_get_item"] and not invocation.interrupted:
            self._neighbours_of_the_unchecked(invocation, outcomes)
        if (
            set(invocation.faults) <= {"conflict", "long conflict"}
            and invocation.faults
            and not invocation.interrupted
        ):
            self._neighbours_of_the_contended(invocation, outcomes)

    def _copies_of_the_held(self, invocation: Invocation, outcomes: dict[str, str]) -> None:
        """What is held in doubt is acknowledged only to the message that wrote the hold."""
        for message in invocation.messages:
            before, now = invocation.before.get(message.identity, {}), self.system.record(message.identity)
            if (
                outcomes.get(message.message_id) != "acknowledged"
                or before != now
                or message.identity in self.damaged
            ):
                continue
            if not flag(now, "in_doubt") or text(now, "status") != "HELD" or len(self.texts[message.identity]) > 1:
                continue
            if text(now, "message_id") != message.message_id:
                self.broken(LostError(f"a copy of {message.identity}, which is in doubt, was dropped"))

    def _neighbours_of_the_contended(self, invocation: Invocation, outcomes: dict[str, str]) -> None:
        """One contended record costs the others neither their turn nor a delivery."""
        if self.system.store.throttled_until is not None or not self.system.parameters.let_all_through():
            return
        if not all(self.is_healthy(message) for message in invocation.messages):
            return
        contended = {pk for (pk, _) in self.system.store.contended}
        for message in invocation.messages:
            fresh = not invocation.before.get(message.identity)
            if fresh and message.identity not in contended and outcomes[message.message_id] == "retried":
                self.broken(HarmedError(f"{message.identity} waits because another record is contended"))

    def _neighbours_of_the_unchecked(self, invocation: Invocation, outcomes: dict[str, str]) -> None:
        """Opt-outs that cannot be read keep promotional messages waiting, and no others."""
        for message in invocation.messages:
            fresh = not invocation.before.get(message.identity) and self.is_healthy(message)
            live = self.system.parameters.let_all_through() and self.system.store.throttled_until is None
            if live and fresh and not is_promotional(message.text) and outcomes[message.message_id] == "retried":
                self.broken(HarmedError(f"{message.identity} waits because opt-outs cannot be read"))

    def quiet(self) -> None:
        """While nothing runs, all that was put on the queue is there, accepted, dead with its reason, or over."""
        in_queue = {message.identity for message in self.system.queue.messages.values()}
        dead = {letter.identity for letter in self.system.queue.dead}
        uncertain = {letter.identity for letter in self.system.queue.dead if letter.code == UNCERTAIN}
        excused = {letter.identity for letter in self.letters if letter in self.excused}
        moved = {letter.identity for letter in self.system.queue.dead if letter.moved_by_sqs}
        here = {(each.identity, each.text) for each in self.system.queue.messages.values()}
        here |= {
            (letter.identity, letter.text) for letter in self.system.queue.dead if letter.code or letter.moved_by_sqs
        }
        for (identity, content), message in list(self.owed.items()):
            if self.system.provider.accepted(identity, content) or identity in self.damaged | self.misled:
                del self.owed[identity, content]
            elif (identity, content) not in here and not self.is_over(message):
                status = text(self.system.record(identity), "status")
                self.broken(LostError(f"{identity} is {status}, and nowhere"))
        for (pk, sk), record in self.system.store.items.items():
            if sk != "MESSAGE" or pk in self.damaged or "forgotten_at" in record:
                continue
            status = text(record, "status")
            told = pk in excused & uncertain
            if status in {"SENDING", "UNCERTAIN", "RETRYING"} and pk not in in_queue | moved and not told:
                self.broken(LostError(f"{pk} is left {status}, and nobody is told"))
            held = status in {"HELD", "INVALID"} and not (
                "DRY_RUN" in str(record.get("error")) and not flag(record, "in_doubt")
            )
            if held and pk not in in_queue | dead:
                self.broken(LostError(f"{pk} is {status}, and there is no dead letter"))
            self.true_status(pk, record)

    def ended(self) -> None:
        """After the trouble and enough redrives, each healthy message was accepted, or another with its reference."""
        for message in self.unsent():
            self.broken(HarmedError(f"{message.identity} is healthy, and is never accepted"))

    def unsent(self) -> list[Queued]:
        """Return the healthy messages that were not accepted and could have been."""
        return [message for message in self.owed.values() if self._could_be_sent(message)]

    def _could_be_sent(self, message: Queued) -> bool:
        identity = message.identity
        if identity in self.damaged | self.misled or self.is_forgotten(identity) or self.is_over(message):
            return False
        others = self.texts[identity] - {message.text}
        # Other content that is held in doubt and expires before each redrive is sent keeps the reference.
        if any((identity, content) in self.expiring for content in others):
            return False
        healthy = all(self.is_healthy(message, content) for content in self.texts[identity])
        return healthy and not self.system.provider.accepted(identity)
