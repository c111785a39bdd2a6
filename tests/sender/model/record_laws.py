"""The laws of message records: what one may turn into, and what it says of a message.

A record's attributes are those of the design's table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewayapi.clock import to_text
from tests.sender.model.provider import POISON
from tests.sender.model.records import PERSONAL, flag, is_leased, is_promotional, is_settled, may_move, rank, text
from tests.sender.model.webhooks import NEVER_SENT, OPEN, Event, Inbound

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tests.sender.model.expressions import Item
    from tests.sender.model.queue import DeadLetter, Queued
    from tests.sender.model.store import Key
    from tests.sender.model.system import System


class LawError(AssertionError):
    """A run in which a law is broken."""


class BackwardsError(LawError):
    """A record turned into what it must not turn into."""


class FalseError(LawError):
    """A record or a dead letter states what is not so."""


class RecordLaws:
    """What a run has shown so far, and the laws of records over it."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.owed: dict[tuple[str, str], Queued] = {}  # by identity and content, until accepted
        self.texts: dict[str, set[str]] = {}
        self.expiring: set[tuple[str, str]] = set()  # identity and content of messages with a deadline
        self.letters: list[DeadLetter] = []
        self.permitted: dict[str, int] = {}  # how often a reference may have been accepted, by redrives
        self.doubtable: set[str] = set()  # an invocation that had it was killed, or met a failing call
        self.misled: set[str] = set()  # moved by another system's event that could have been ours
        self.damaged: set[str] = set()
        self.over: set[tuple[str, str]] = set()  # what needs no sending, by identity and content
        self.statements: dict[Inbound, bool] = {}  # STOP and START, and whether each is certainly stored
        self.excused: set[DeadLetter] = set()
        self.claimed_in_doubt: set[str] = set()
        self.claimed_at: dict[str, datetime] = {}
        self.claimed_by: dict[str, int] = {}
        self.first: LawError | None = None

    def broken(self, error: LawError) -> None:
        """Keep the first law that is broken; the run ends with it."""
        self.first = self.first or error

    def written(self, key: Key, old: Item, new: Item) -> None:
        """Judge a write."""
        identity, sk = key
        if identity in self.damaged:
            return
        if sk.startswith("EVENT#"):
            self._event_written(identity, old, new)
        elif sk == "MESSAGE":
            self._message_written(identity, old, new)

    def _message_written(self, identity: str, old: Item, new: Item) -> None:
        event = self.system.active.event
        if "forgotten_at" in old or "forgotten_at" in new:
            self._forgotten(identity, old, new)
            return
        if not isinstance(event, Event):
            self._written_by_sender(identity, old, new)
        elif not may_move(old, event):
            self.broken(FalseError(f"an event of {event.msg_id} moved {identity}, which is known not to be its own"))
        elif event.foreign:
            self.misled.add(identity)
        if is_settled(old):
            self._only_forward(identity, old, new)
        elif flag(old, "in_doubt"):
            self._still_in_doubt(identity, old, new)
        if is_settled(new):
            self._settled_truly(identity, new)
        else:
            self._unsettled_truly(identity, new)
        self._queued_once(identity, old, new)

    def _queued_once(self, identity: str, old: Item, new: Item) -> None:
        same = text(old, "fingerprint") and text(old, "fingerprint") == text(new, "fingerprint")
        if same and text(old, "queued_at") != text(new, "queued_at"):
            self.broken(BackwardsError(f"{identity}: queued_at changed, and the content did not"))

    def _event_written(self, identity: str, old: Item, new: Item) -> None:
        """An event of a message that is forgotten has nothing of the person, whatever its status."""
        record = self.system.record(identity)
        ours = not text(record, "msg_id") or text(record, "msg_id") == text(new, "msg_id")
        if old or not text(record, "forgotten_at") or not ours:
            return
        if shown := {name for name in PERSONAL if name in new and new[name] != {"S": ""}}:
            self.broken(FalseError(f"{identity} was forgotten, and an event of it has {sorted(shown)}"))

    def _forgotten(self, identity: str, old: Item, new: Item) -> None:
        """What is forgotten stays forgotten, and nothing of the person returns."""
        if "forgotten_at" not in new:
            self.broken(FalseError(f"{identity} was forgotten, and is no more"))
        if returned := {name for name in PERSONAL if name in new and name not in old}:
            self.broken(FalseError(f"{identity} was forgotten, and has again {sorted(returned)}"))
        if is_settled(old) and rank(text(new, "status")) < rank(text(old, "status")):
            self.broken(BackwardsError(f"{identity}: {text(old, 'status')} became {text(new, 'status')}"))

    def _only_forward(self, identity: str, old: Item, new: Item) -> None:
        before, after = text(old, "status"), text(new, "status")
        if not is_settled(new):
            # An answer that the message was certainly not accepted takes back what another system's event did.
            if identity not in self.misled or self.system.provider.possible(identity):
                self.broken(BackwardsError(f"{identity}: {before} became {after}"))
            self.misled.discard(identity)
        elif rank(after) < rank(before):
            same_id = text(old, "msg_id") == text(new, "msg_id")
            if same_id or self.system.is_own(old):
                self.broken(BackwardsError(f"{identity}: {before} became {after}"))

    def _settled_truly(self, identity: str, new: Item) -> None:
        if self.system.is_own(new):
            self.misled.discard(identity)
        elif identity not in self.misled:
            msg_id = text(new, "msg_id")
            self.broken(FalseError(f"{identity} is {text(new, 'status')} as {msg_id}, which is not its own"))

    def _unsettled_truly(self, identity: str, new: Item) -> None:
        """A claim comes before its request, and anything else after it."""
        after, in_doubt = text(new, "status"), flag(new, "in_doubt")
        if not in_doubt and after in {"SENDING", *NEVER_SENT} and self.system.provider.possible(identity):
            self.broken(FalseError(f"{identity} became {after} without doubt, and may have been accepted"))
        if not in_doubt and after == "UNCERTAIN":
            self.broken(FalseError(f"{identity} is UNCERTAIN, but not in doubt"))

    def _written_by_sender(self, identity: str, old: Item, new: Item) -> None:
        after, invocation, now = text(new, "status"), self.system.active, self.system.clock.wall
        if is_leased(old, now) and self.claimed_by.get(identity) != invocation.number:
            self.broken(BackwardsError(f"{identity}: taken out of the hands of another invocation"))
        if after == "SENDING":
            self.claimed_at[identity], self.claimed_by[identity] = now, invocation.number
            (self.claimed_in_doubt.add if flag(new, "in_doubt") else self.claimed_in_doubt.discard)(identity)
        mine = [message for message in invocation.messages if message.identity == identity]
        if after in {"LAPSED", "SUPPRESSED"} or (after == "HELD" and "DRY_RUN" in str(new.get("error"))):
            self.over |= {(identity, message.text) for message in mine}
        if after == "SUPPRESSED" and not self._may_be_suppressed(mine):
            self.broken(FalseError(f"{identity} is said to be opted out"))
        ended = [message for message in mine if message.deadline and message.deadline <= now + abs(self.system.skew)]
        if after == "LAPSED" and not ended:
            self.broken(FalseError(f"{identity} is said to have expired"))
        begins = flag(new, "in_doubt") and not flag(old, "in_doubt")
        if begins and identity not in self.doubtable and not self.system.provider.possible(identity):
            self.broken(FalseError(f"{identity} is in doubt, and was certainly never accepted"))

    def _still_in_doubt(self, identity: str, old: Item, new: Item) -> None:
        before, after = text(old, "status"), text(new, "status")
        if not is_settled(new):
            if not flag(new, "in_doubt") or after not in {*OPEN, "RETRYING", "HELD"}:
                self.broken(BackwardsError(f"{identity}: {before} in doubt became {after}, and the doubt is gone"))
            if before in {"HELD", "UNCERTAIN"} and after == "RETRYING":
                self.broken(BackwardsError(f"{identity}: {before} in doubt became {after}, without a request"))
            if text(new, "doubt_until") < text(old, "doubt_until"):
                self.broken(BackwardsError(f"{identity}: doubt_until became earlier"))
            if flag(old, "resent") and not flag(new, "resent"):
                self.broken(BackwardsError(f"{identity}: that it was sent again is forgotten"))
        if text(old, "fingerprint") != text(new, "fingerprint"):
            self.broken(BackwardsError(f"{identity}: in doubt, and its content changed"))

    def true_status(self, identity: str, record: Item) -> None:
        """A webhook that was stored has settled its record; and no status came out of nothing."""
        own = {sent.msg_id for sent in self.system.provider.accepted(identity)}
        if "forgotten_at" in record:
            return
        events = [event for event in self.system.stored.get(identity, ()) if event.msg_id in own and event.settles]
        if events and not is_settled(record):
            self.broken(FalseError(f"{identity} is {text(record, 'status')}, and a webhook has settled it"))
        if not is_settled(record) or identity in self.misled:
            return
        status, msg_id = text(record, "status"), text(record, "msg_id")
        highest = max((rank(event.status) for event in events if event.msg_id == msg_id), default=1)
        if rank(status) < highest:
            self.broken(FalseError(f"{identity} is {status}, and a webhook of its own was further"))
        if status not in {"ACCEPTED", *(event.status for event in self.system.told.get(identity, ()))}:
            self.broken(FalseError(f"{identity} is {status}, and no webhook of its own said so"))
        latest = max(
            (event for event in events if event.msg_id == msg_id and rank(event.status) == highest),
            key=lambda event: event.status_at,
            default=None,
        )
        if latest and rank(status) == highest and text(record, "status_at") < to_text(latest.status_at):
            self.broken(FalseError(f"{identity} is {status}, and a later webhook said {latest.status}"))

    def is_healthy(self, message: Queued, content: str | None = None) -> bool:
        """Return whether nothing about a message keeps the provider from accepting it."""
        return not (content or message.text).startswith((POISON, "invalid")) and message.deadline is None

    def is_over(self, message: Queued) -> bool:
        """Return whether a message has a reason not to be sent that its record has shown."""
        return (message.identity, message.text) in self.over

    def opted_out(self) -> bool | None:
        """Return whether the person has opted out; None where a statement may be stored or not."""
        newest = max((statement for statement, stored in self.statements.items() if stored), key=_order, default=None)
        latest = newest is not None and newest.message == "STOP"
        for statement, stored in self.statements.items():
            newer = newest is None or _order(statement) > _order(newest)
            if not stored and newer and (statement.message == "STOP") is not latest:
                return None
        return latest

    def is_forgotten(self, identity: str) -> bool:
        """Return whether a message's personal data was removed, or is being removed."""
        return "forgotten_at" in self.system.record(identity)

    def _may_be_suppressed(self, messages: Sequence[Queued]) -> bool:
        invocation = self.system.active
        enforced = invocation.parameters is not None and invocation.parameters.enforce_opt_outs
        never_out = invocation.opted_out is False and self.opted_out() is False
        return enforced and not never_out and any(is_promotional(message.text) for message in messages)

    def same_content(self, identity: str, content: str) -> bool:
        """Return whether what was sent under a reference has this content."""
        return bool(self.system.provider.possible(identity, content))


def _order(statement: Inbound) -> tuple[datetime, bool]:
    """Return the order of statements: by time, and at the same time STOP is the later one."""
    return statement.sent_at, statement.message == "STOP"
