"""Invariants of the table's records, called laws: how a record may change, and that it states only what is true.

laws.py has those of sending. Both compare the code's results with facts that only the simulation knows: what the
provider accepted, and what happened to each invocation. RecordLaws.__init__ explains the sets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewayapi.clock import to_text
from tests.sender.model.provider import POISON
from tests.sender.model.records import PERSONAL, flag, is_accepted, is_leased, is_promotional, may_move, rank, text
from tests.sender.model.webhooks import NEVER_SENT, OPEN, Event, Inbound

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tests.sender.model.expressions import Item
    from tests.sender.model.queue import DeadLetter, Queued
    from tests.sender.model.store import Key
    from tests.sender.model.system import System


class LawError(AssertionError):
    """A run broke an invariant."""


class ForbiddenChangeError(LawError):
    """A record was changed in a way that no record may change."""


class FalseStatementError(LawError):
    """A record, a dead letter or a response states something that is not true."""


class PersonalDataError(LawError):
    """Personal data was stored for a message that was forgotten."""


class RecordLaws:
    """The facts that a run has shown so far, and the invariants of records."""

    def __init__(self, system: System) -> None:
        self.system = system
        # A message is known by its identity, which is its reference, or its message id if it has none. Two contents
        # can be enqueued under one reference, so some sets have pairs of identity and text.
        #
        # The texts that were enqueued under an identity.
        self.texts: dict[str, set[str]] = {}
        # Enqueued messages that the provider has not accepted, by identity and text.
        self.not_yet_accepted: dict[tuple[str, str], Queued] = {}
        # The identity and text of messages with a deadline.
        self.with_deadline: set[tuple[str, str]] = set()
        # The identity and text of messages that need not be sent: they expired, were suppressed, or met DryRun.
        self.need_no_send: set[tuple[str, str]] = set()
        # How many requests for an identity may have been accepted. A missing entry means one. A redrive can add one.
        self.allowed_sends: dict[str, int] = {}
        # The code may not know whether these messages were accepted: an invocation with them was killed, had a
        # failing call, or got no answer in time.
        self.may_have_unknown_outcome: set[str] = set()
        # An event of another system changed these records, and the code could not tell that it was not ours.
        self.changed_by_foreign_event: set[str] = set()
        # These records were edited by hand. Most laws do not apply to them.
        self.with_damaged_record: set[str] = set()
        # When the record was last claimed for a request, by which invocation, and if it was already in doubt.
        self.claimed_at: dict[str, datetime] = {}
        self.claimed_by: dict[str, int] = {}
        self.claimed_in_doubt: set[str] = set()
        # All dead letters of the sender. Those that redrives have removed stay in this list.
        self.dead_letters: list[DeadLetter] = []
        # Dead letters to which some checks do not apply. See Laws.on_dead_lettered.
        self.excused_dead_letters: set[DeadLetter] = set()
        # The STOP and START texts of the person, and whether each is certainly stored.
        self.opt_out_texts: dict[Inbound, bool] = {}
        self.first_error: LawError | None = None

    def report(self, error: LawError) -> None:
        """Keep the first broken law. The run ends with it."""
        self.first_error = self.first_error or error

    def on_written(self, key: Key, old: Item, new: Item) -> None:
        """Check a write to the table."""
        identity, sk = key
        if identity in self.with_damaged_record:
            return
        if sk.startswith("EVENT#"):
            self._check_event(identity, old, new)
        elif sk == "MESSAGE":
            self._check_message(identity, old, new)

    def _check_message(self, identity: str, old: Item, new: Item) -> None:
        event = self.system.active.event
        if "forgotten_at" in old or "forgotten_at" in new:
            self._check_forgotten(identity, old, new)
            return
        if not isinstance(event, Event):
            self._check_write_of_sender(identity, old, new)
        elif not may_move(old, event):
            self.report(
                FalseStatementError(
                    f"an event of {event.msg_id} changed {identity}, although it is of another message"
                )
            )
        elif event.foreign:
            self.changed_by_foreign_event.add(identity)
        if is_accepted(old):
            self._check_change_of_settled(identity, old, new)
        elif flag(old, "in_doubt"):
            self._check_change_in_doubt(identity, old, new)
        if is_accepted(new):
            self._check_settled(identity, new)
        else:
            self._check_unsettled(identity, new)
        self._check_queued_at(identity, old, new)

    def _check_queued_at(self, identity: str, old: Item, new: Item) -> None:
        same = text(old, "fingerprint") and text(old, "fingerprint") == text(new, "fingerprint")
        if same and text(old, "queued_at") != text(new, "queued_at"):
            self.report(ForbiddenChangeError(f"{identity}: queued_at changed, and the content did not"))

    def _check_event(self, identity: str, old: Item, new: Item) -> None:
        """Check that an event of a forgotten message is stored without personal data, whatever its status."""
        record = self.system.record(identity)
        ours = not text(record, "msg_id") or text(record, "msg_id") == text(new, "msg_id")
        if old or not text(record, "forgotten_at") or not ours:
            return
        if stored := {name for name in PERSONAL if name in new and new[name] != {"S": ""}}:
            self.report(PersonalDataError(f"{identity} was forgotten, and an event of it has {sorted(stored)}"))

    def _check_forgotten(self, identity: str, old: Item, new: Item) -> None:
        """Check that a forgotten message stays forgotten, without personal data, and keeps its status."""
        if "forgotten_at" not in new:
            self.report(ForbiddenChangeError(f"{identity} was forgotten, and forgotten_at was removed"))
        if returned := {name for name in PERSONAL if name in new and name not in old}:
            self.report(PersonalDataError(f"{identity} was forgotten, and has again {sorted(returned)}"))
        if is_accepted(old) and rank(text(new, "status")) < rank(text(old, "status")):
            self.report(ForbiddenChangeError(f"{identity}: {text(old, 'status')} became {text(new, 'status')}"))

    def _check_change_of_settled(self, identity: str, old: Item, new: Item) -> None:
        """Check that the status of a settled message only moves forward, with two exceptions.

        The provider's answer corrects what another system's event changed: the message was not accepted, or it has
        another msg_id.
        """
        before, after = text(old, "status"), text(new, "status")
        if not is_accepted(new):
            if identity not in self.changed_by_foreign_event or self.system.provider.maybe_accepted(identity):
                self.report(ForbiddenChangeError(f"{identity}: {before} became {after}"))
            self.changed_by_foreign_event.discard(identity)
        elif rank(after) < rank(before):
            same_id = text(old, "msg_id") == text(new, "msg_id")
            if same_id or self.system.has_own_msg_id(old):
                self.report(ForbiddenChangeError(f"{identity}: {before} became {after}"))

    def _check_settled(self, identity: str, new: Item) -> None:
        """Check that a settled record has a msg_id that the provider gave to this message."""
        if self.system.has_own_msg_id(new):
            self.changed_by_foreign_event.discard(identity)
        elif identity not in self.changed_by_foreign_event:
            msg_id = text(new, "msg_id")
            self.report(
                FalseStatementError(f"{identity} is {text(new, 'status')} as {msg_id}, which is not its msg_id")
            )

    def _check_unsettled(self, identity: str, new: Item) -> None:
        """Check that a record is in doubt if the message may have been accepted.

        A claim is written before its request. The results are written after it.
        """
        after, in_doubt = text(new, "status"), flag(new, "in_doubt")
        if not in_doubt and after in {"SENDING", *NEVER_SENT} and self.system.provider.maybe_accepted(identity):
            self.report(FalseStatementError(f"{identity} became {after} without doubt, and may have been accepted"))
        if not in_doubt and after == "UNCERTAIN":
            self.report(FalseStatementError(f"{identity} is UNCERTAIN, but not in doubt"))

    def _check_write_of_sender(self, identity: str, old: Item, new: Item) -> None:
        after, invocation, now = text(new, "status"), self.system.active, self.system.clock.wall
        if is_leased(old, now) and self.claimed_by.get(identity) != invocation.number:
            self.report(ForbiddenChangeError(f"{identity} was changed during the lease of another invocation"))
        if after == "SENDING":
            self.claimed_at[identity], self.claimed_by[identity] = now, invocation.number
            (self.claimed_in_doubt.add if flag(new, "in_doubt") else self.claimed_in_doubt.discard)(identity)
        messages = [message for message in invocation.messages if message.identity == identity]
        if after in {"LAPSED", "SUPPRESSED"} or (after == "HELD" and "DRY_RUN" in str(new.get("error"))):
            self.need_no_send |= {(identity, message.text) for message in messages}
        if after == "SUPPRESSED" and not self._may_be_suppressed(messages):
            self.report(FalseStatementError(f"{identity} is SUPPRESSED, and the person has not opted out"))
        latest = now + abs(self.system.skew)
        expired = [message for message in messages if message.deadline and message.deadline <= latest]
        if after == "LAPSED" and not expired:
            self.report(FalseStatementError(f"{identity} is LAPSED, and has not expired"))
        doubt_begins = flag(new, "in_doubt") and not flag(old, "in_doubt")
        if doubt_begins and not self.may_have_been_accepted(identity):
            self.report(FalseStatementError(f"{identity} is in doubt, and was certainly never accepted"))

    def _check_change_in_doubt(self, identity: str, old: Item, new: Item) -> None:
        """Check that a record stays in doubt until it is settled, and keeps what depends on the doubt."""
        before, after = text(old, "status"), text(new, "status")
        if not is_accepted(new):
            if not flag(new, "in_doubt") or after not in {*OPEN, "RETRYING", "HELD"}:
                self.report(ForbiddenChangeError(f"{identity}: {before} in doubt became {after}, without doubt"))
            if before in {"HELD", "UNCERTAIN"} and after == "RETRYING":
                self.report(ForbiddenChangeError(f"{identity}: {before} in doubt became {after}, without a request"))
            if text(new, "doubt_until") < text(old, "doubt_until"):
                self.report(ForbiddenChangeError(f"{identity}: doubt_until became earlier"))
            if flag(old, "resent") and not flag(new, "resent"):
                self.report(ForbiddenChangeError(f"{identity}: resent was removed"))
        if text(old, "fingerprint") != text(new, "fingerprint"):
            self.report(ForbiddenChangeError(f"{identity}: its content changed while it was in doubt"))

    def check_against_webhooks(self, identity: str, record: Item) -> None:
        """Check that a record has the status of the message's webhooks.

        A stored webhook settles the record. The record's status is ACCEPTED or that of one of its webhooks.
        """
        own_ids = {sent.msg_id for sent in self.system.provider.accepted(identity)}
        if "forgotten_at" in record:
            return
        stored = self.system.stored_events.get(identity, ())
        events = [event for event in stored if event.msg_id in own_ids and event.settles]
        if events and not is_accepted(record):
            self.report(FalseStatementError(f"{identity} is {text(record, 'status')}, and a webhook has settled it"))
        if not is_accepted(record) or identity in self.changed_by_foreign_event:
            return
        status, msg_id = text(record, "status"), text(record, "msg_id")
        highest = max((rank(event.status) for event in events if event.msg_id == msg_id), default=1)
        if rank(status) < highest:
            self.report(FalseStatementError(f"{identity} is {status}, and a webhook of it has a higher status"))
        if status not in {"ACCEPTED", *(event.status for event in self.system.received_events.get(identity, ()))}:
            self.report(FalseStatementError(f"{identity} is {status}, and no webhook of it has this status"))
        latest = max(
            (event for event in events if event.msg_id == msg_id and rank(event.status) == highest),
            key=lambda event: event.status_at,
            default=None,
        )
        if latest and rank(status) == highest and text(record, "status_at") < to_text(latest.status_at):
            self.report(FalseStatementError(f"{identity} is {status}, and a later webhook has {latest.status}"))

    def may_have_been_accepted(self, identity: str) -> bool:
        """Return whether the provider may have accepted the message, as far as the code can know."""
        return identity in self.may_have_unknown_outcome or bool(self.system.provider.maybe_accepted(identity))

    def is_healthy(self, message: Queued, content: str | None = None) -> bool:
        """Return whether the provider can accept the message at any time, with its own or with other content."""
        return not (content or message.text).startswith((POISON, "invalid")) and message.deadline is None

    def needs_no_send(self, message: Queued) -> bool:
        """Return whether the message's record has shown a reason not to send it."""
        return (message.identity, message.text) in self.need_no_send

    def opted_out(self) -> bool | None:
        """Return whether the person has opted out. None if the newest text may be stored or not."""
        newest = max((sent for sent, stored in self.opt_out_texts.items() if stored), key=_order, default=None)
        latest = newest is not None and newest.message == "STOP"
        for sent, stored in self.opt_out_texts.items():
            newer = newest is None or _order(sent) > _order(newest)
            if not stored and newer and (sent.message == "STOP") is not latest:
                return None
        return latest

    def is_forgotten(self, identity: str) -> bool:
        """Return whether a message's personal data was removed, or is being removed."""
        return "forgotten_at" in self.system.record(identity)

    def _may_be_suppressed(self, messages: Sequence[Queued]) -> bool:
        invocation = self.system.active
        enforced = invocation.parameters is not None and invocation.parameters.enforce_opt_outs
        never_out = invocation.opted_out_at_start is False and self.opted_out() is False
        return enforced and not never_out and any(is_promotional(message.text) for message in messages)

    def may_have_been_sent_with(self, identity: str, content: str) -> bool:
        """Return whether a message with this identity and content may have been accepted."""
        return bool(self.system.provider.maybe_accepted(identity, content))


def _order(sent: Inbound) -> tuple[datetime, bool]:
    """Return the sort key of a STOP or START: its time. At the same time, STOP counts as the later one."""
    return sent.sent_at, sent.message == "STOP"
