"""What must hold in every run of the model, said without a word of the code that it is held against."""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from tests.sender.model_provider import Acceptance
from tests.sender.model_queue import Queue, Queued
from tests.sender.model_store import Item, Store

# What a message's record may turn into without the provider's word.
STEPS: dict[str | None, set[str]] = {
    None: {"SENDING", "INVALID", "LAPSED"},
    "SENDING": {"UNCERTAIN", "RETRYING", "INVALID", "HELD"},
    "UNCERTAIN": {"HELD"},
    "RETRYING": {"SENDING", "INVALID", "LAPSED", "HELD"},
    "INVALID": {"SENDING", "INVALID", "LAPSED"},
    "LAPSED": {"SENDING", "INVALID", "LAPSED"},
}
# The provider's word settles any of them, and then moves forward only.
SETTLED = ("ACCEPTED", "ENROUTE", "DELIVERED")


class LostError(AssertionError):
    """A message is nowhere, or where nobody is told why."""


class TwiceError(AssertionError):
    """A message was sent once more than anybody allowed."""


class BackwardsError(AssertionError):
    """A record turned into what it must not turn into."""


class FalseError(AssertionError):
    """A record says what is not so."""


class Laws:
    """The laws over one run; `allow` notes what the operator permits."""

    def __init__(self, *, resend: bool) -> None:
        self._per_round = 2 if resend else 1
        self._resend = resend
        self._allowed: Counter[tuple[str, str]] = Counter()
        self._produced: list[str] = []
        self._redriven: set[str] = set()

    def produced(self, body: str) -> None:
        """A producer put this on the queue. The same reference once more permits no second SMS."""
        self._produced.append(body)
        self._allowed.setdefault(_content(body), self._per_round)

    def redriven(self, messages: Collection[Queued]) -> None:
        """The operator wants these sent, in one go, however many copies there are of each."""
        self._redriven |= {each.message_id for each in messages}
        for each in {_content(each.body) for each in messages}:
            self._allowed[each] += self._per_round

    def not_sent_twice(self, accepted: Sequence[Acceptance]) -> None:
        """One SMS for each reference and its text, but for what the operator permits."""
        for each, times in Counter((acceptance.reference, acceptance.text) for acceptance in accepted).items():
            if times > self._allowed[each]:
                raise TwiceError(f"{each} was accepted {times} times, of {self._allowed[each]} permitted")

    def forward_only(self, old: Item, new: Item) -> None:
        """Only the steps above."""
        if new["record_type"]["S"] != "message":
            return
        before, after = _text(old, "status"), str(_text(new, "status"))
        if after in SETTLED:
            if before in SETTLED and SETTLED.index(after) < SETTLED.index(before):
                raise BackwardsError(f"{before} became {after}")
            return
        steps = STEPS.get(before, set())
        if before == "UNCERTAIN" and self._resend and "resent" not in old:
            steps = steps | {"SENDING"}
        if before == "HELD":
            steps = self._after_held(old, new)
        if after not in steps:
            raise BackwardsError(f"{before} became {after}")

    def _after_held(self, old: Item, new: Item) -> set[str]:
        """What may become of one that is held depends on when its message was put on the queue."""
        other = _text(old, "fingerprint") != _text(new, "fingerprint")
        queued_since = str(_text(new, "queued_at")) > str(_text(old, "updated_at"))
        if queued_since and _text(new, "message_id") not in self._redriven:
            # Somebody who is told that it is held, and puts it on the queue once more, wants it sent.
            for each in [each for each in self._allowed if each[0] == _text(new, "pk")]:
                self._allowed[each] += self._per_round
        return {"SENDING", "INVALID", "LAPSED"} if other or queued_since else set()

    def nothing_lost(self, queue: Queue, store: Store, accepted: Sequence[Acceptance]) -> None:
        """With the queue empty, each message was accepted, or is dead with its reason, or lapsed."""
        dead = {_content(each.body) for each in queue.dead if each.code or each in queue.moved}
        known_dead = {reference for reference, _ in dead}
        sent = {(each.reference, each.text) for each in accepted}
        lapsing = {_content(body) for body in self._produced if "expiration" in body}
        records = {pk: item for (pk, sk), item in store.items.items() if sk == "MESSAGE"}
        for body in self._produced:
            reference, _ = content = _content(body)
            status = _text(records.get(reference, {}), "status")
            lapsed = status == "LAPSED" and content in lapsing
            if content not in sent and content not in dead and not lapsed:
                raise LostError(f"{reference} is {status}, and nowhere")
        for each, record in records.items():
            status = _text(record, "status")
            if status in {"SENDING", "UNCERTAIN", "RETRYING", "HELD", "INVALID"} and each not in known_dead:
                raise LostError(f"{each} is left {status}, and nobody is told")

    def nothing_false(self, store: Store, accepted: Sequence[Acceptance], *, settled: bool) -> None:
        """What a record says of the provider is so; `settled` says that each webhook has come."""
        ids: dict[str, set[str]] = {}
        for each in accepted:
            ids.setdefault(each.reference, set()).add(each.msg_id)
        for (pk, sk), record in store.items.items():
            if sk != "MESSAGE":
                continue
            status, msg_id = _text(record, "status"), _text(record, "msg_id")
            if (status in SETTLED or msg_id) and msg_id not in ids.get(pk, set()):
                raise FalseError(f"{pk} is {status} as {msg_id}, which is not its own")
            if settled and pk in ids and status != "DELIVERED":
                raise FalseError(f"{pk} was delivered and is {status}")


def _content(body: str) -> tuple[str, str]:
    """The reference of a producer's message, which all of the model's have, and its text."""
    fields = json.loads(body)
    return fields["reference"], fields["message"]


def _text(item: Item, name: str) -> str | None:
    value: dict[str, Any] | None = item.get(name)
    return None if value is None else str(value["S"])
