"""The faults that the simulator was ordered to have: which of them strikes which request or message.

A fault is ordered as a rule. It strikes `count` times (once, if not given; null: until it is cleared), each
time with `probability`, and only where one message of the request has its `reference`, `reference_contains`
and `recipient`, as far as these are given. `kind` says what happens:

    latency             wait `seconds` before accepting (`when: after`: between accepting and answering)
    429, 503            refuse, with `retry_after`: whole seconds, any text, or none; with `as_date` the
                        seconds are sent as the HTTP date that far ahead
    401, 403            refuse the token
    422                 refuse the messages at `indexes` and those with `references` (then it strikes only
                        requests that have one of them); given neither, refuse without naming any
    status              answer `status`, before accepting (`when: after`: after accepting)
    500, 502, 504       accept, then answer so (`when: before`: do not accept)
    hang                accept, hold the connection for `seconds`, and close it without an answer
                        (`when: before`: do not accept)
    reset               accept, then reset the connection (`when: before`: do not accept)
    rubbish             accept, then answer 202 with an unreadable `body`
    omit                accept, but leave the first matching message out of the answer
    reorder             accept, and answer in reversed order
    webhook-duplicate   send each status webhook of the message `copies` times
    webhook-reorder     send the message's status webhooks in reversed order
    webhook-late        send them `seconds` later
    webhook-drop        never send them

`only` limits a webhook fault other than webhook-reorder to one status. Every latency that strikes a request
counts, and of the other kinds the first alone, which alone is used up. Webhook faults of a message add up.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from threading import Lock
from typing import Any

BEFORE, AFTER = "before", "after"
WEBHOOK_KINDS = ("webhook-duplicate", "webhook-reorder", "webhook-late", "webhook-drop")
MOMENTS = {
    **dict.fromkeys(("latency", "status", "401", "403", "422", "429", "503"), BEFORE),
    **dict.fromkeys(("500", "502", "504", "hang", "reset", "rubbish", "omit", "reorder"), AFTER),
}
MOVABLE = ("latency", "status", "500", "502", "504", "hang", "reset")
SECONDS = {"latency": 1.0, "hang": 30.0, "webhook-late": 1.0}

Target = tuple[str | None, int | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """One fault as it was ordered."""

    kind: str
    count: int | None = 1
    probability: float = 1.0
    reference: str | None = None
    reference_contains: str | None = None
    recipient: int | None = None
    when: str = ""
    seconds: float = 0.0
    status: int = 500
    retry_after: int | str | None = None
    as_date: bool = False
    indexes: tuple[int, ...] = ()
    references: tuple[str, ...] = ()
    body: str = '{"responses": [{"msg_id"'
    copies: int = 2
    only: str | None = None

    @property
    def selective(self) -> bool:
        """Whether the rule asks for certain messages."""
        wanted = (self.reference, self.reference_contains, self.recipient)
        return bool(self.references) or wanted != (None, None, None)

    def matches(self, target: Target) -> bool:
        """Whether the rule is meant for this message."""
        reference, recipient = target
        return (
            (self.reference is None or reference == self.reference)
            and (self.reference_contains is None or self.reference_contains in (reference or ""))
            and (self.recipient is None or recipient == self.recipient)
            and (not self.references or reference in self.references)
        )


class OrderError(ValueError):
    """An order that makes no sense, in words for whoever gave it."""


def parse(order: object) -> Rule:
    """Make a rule of its JSON form; what does not fit is refused, for a misspelt fault tests nothing."""
    if not isinstance(order, Mapping):
        raise OrderError("a fault is an object")
    given: dict[str, Any] = dict(order)
    kind = given["kind"] = str(given.get("kind", ""))
    if kind not in MOMENTS and kind not in WEBHOOK_KINDS:
        raise OrderError(f"kind: {kind!r} is none of {', '.join((*MOMENTS, *WEBHOOK_KINDS))}")
    for name, value in given.items():
        if name not in _FITTING:
            raise OrderError(f"{name}: no such field")
        if not isinstance(value, _FITTING[name]) or (isinstance(value, bool) and name != "as_date"):
            raise OrderError(f"{name}: {value!r} does not fit")
    for name, item_type in (("indexes", int), ("references", str)):
        given[name] = tuple(given.get(name, ()))
        if not all(isinstance(item, item_type) for item in given[name]):
            raise OrderError(f"{name}: a list of {item_type.__name__}")
    return _checked(Rule(**{"seconds": SECONDS.get(kind, 0.0), "when": MOMENTS.get(kind, ""), **given}))


def _checked(rule: Rule) -> Rule:
    movable = rule.kind in MOVABLE and rule.when in (BEFORE, AFTER)
    if rule.when != MOMENTS.get(rule.kind, "") and not movable:
        raise OrderError(f"when: {rule.when!r} does not fit {rule.kind}")
    if not 0 <= rule.probability <= 1 or rule.seconds < 0 or rule.copies < 0 or (rule.count or 0) < 0:
        raise OrderError("count, seconds and copies are at least 0, probability is 0 to 1")
    if not 200 <= rule.status <= 599:  # noqa: PLR2004 - the statuses that end an exchange
        raise OrderError("status: 200 to 599")
    return rule


_FITTING: dict[str, tuple[type, ...]] = {
    **dict.fromkeys((field.name for field in fields(Rule)), (str,)),
    **dict.fromkeys(("reference", "reference_contains", "only"), (str, type(None))),
    **dict.fromkeys(("count", "recipient"), (int, type(None))),
    **dict.fromkeys(("probability", "seconds"), (int, float)),
    **dict.fromkeys(("status", "copies"), (int,)),
    **dict.fromkeys(("indexes", "references"), (list, tuple)),
    "as_date": (bool,),
    "retry_after": (int, str, type(None)),
}


class Faults:
    """The rules in the order they came, each with the number of times it struck."""

    def __init__(self, seed: int | None = None) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - a run is to be repeatable
        self._lock = Lock()
        self._rules: list[Rule] = []
        self._hits: list[int] = []

    def order(self, rules: Iterable[Rule]) -> None:
        """Add rules behind those that are there."""
        with self._lock:
            for rule in rules:
                self._rules.append(rule)
                self._hits.append(0)

    def clear(self) -> None:
        """Forget all rules; an answer that a fault holds already stays held."""
        with self._lock:
            self._rules, self._hits = [], []

    def listing(self) -> list[tuple[Rule, int]]:
        """Each rule with the number of times it struck so far."""
        with self._lock:
            return list(zip(self._rules, self._hits, strict=True))

    def strike_request(self, targets: Sequence[Target], *, valid: bool) -> list[Rule]:
        """The faults of one request, used up by this call: any latency, and at most one other.

        A request that breaks the provider's rules is never accepted: what comes after accepting passes it by.
        """
        struck: list[Rule] = []
        with self._lock:
            settled = False
            for index, rule in enumerate(self._rules):
                if rule.kind in WEBHOOK_KINDS or (rule.when == AFTER and not valid):
                    continue
                if (rule.kind == "latency" or not settled) and self._strikes(index, targets):
                    settled = settled or rule.kind != "latency"
                    struck.append(rule)
        return struck

    def strike_webhooks(self, target: Target) -> list[Rule]:
        """The faults of one message's status webhooks, used up by this call."""
        with self._lock:
            return [
                rule
                for index, rule in enumerate(self._rules)
                if rule.kind in WEBHOOK_KINDS and self._strikes(index, [target])
            ]

    def _strikes(self, index: int, targets: Sequence[Target]) -> bool:
        rule = self._rules[index]
        if rule.count is not None and self._hits[index] >= rule.count:
            return False
        if rule.selective and not any(rule.matches(target) for target in targets):
            return False
        if rule.probability < 1 and self._chance.random() >= rule.probability:
            return False
        self._hits[index] += 1
        return True
