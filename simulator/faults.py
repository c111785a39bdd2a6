"""The faults that can be injected, and the requests and messages that they apply to.

Every latency that matches a request is applied. Of the other kinds, only the first that matches is applied.
The webhook faults of one message add up.
"""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from simulator.control_bodies import ControlBody
from simulator.submission import Target

BEFORE, AFTER = "before", "after"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault, and the fields that it takes beside the conditions.

    `when` is relative to accepting the messages. With `either`, whoever injects the fault can choose it. `seconds` is
    a default.
    """

    name: str
    text: str
    when: str = ""
    fields: tuple[str, ...] = ()
    either: bool = False
    seconds: float = 0.0


_REFUSE = "The request is not accepted. The answer is"
_LOST = "The messages are accepted, but the answer is"
KINDS = {
    kind.name: kind
    for kind in (
        Kind("latency", "The answer is delayed.", BEFORE, ("seconds",), either=True, seconds=1.0),
        Kind("400", f"{_REFUSE} 400.", BEFORE),
        Kind("401", f"{_REFUSE} 401, as for a missing token.", BEFORE),
        Kind("403", f"{_REFUSE} 403, as for a wrong token.", BEFORE),
        Kind("413", f"{_REFUSE} 413, as for a body that is too large.", BEFORE),
        Kind("422", f"{_REFUSE} 422. It names the given messages, or none.", BEFORE, ("indexes", "references")),
        Kind("429", f"{_REFUSE} 429.", BEFORE, ("retry_after", "as_date")),
        Kind("503", f"{_REFUSE} 503.", BEFORE, ("retry_after", "as_date")),
        Kind("status", "The answer is the given status.", BEFORE, ("status",), either=True),
        Kind("500", f"{_LOST} 500.", AFTER, either=True),
        Kind("502", f"{_LOST} 502.", AFTER, either=True),
        Kind("504", f"{_LOST} 504.", AFTER, either=True),
        Kind("hang", "There is no answer until the connection closes.", AFTER, ("seconds",), either=True, seconds=30),
        Kind("reset", "There is no answer. The connection is reset.", AFTER, either=True),
        Kind("rubbish", f"{_LOST} a 202 whose body is unreadable.", AFTER, ("body",)),
        Kind("omit", f"{_LOST} missing the first message that matches.", AFTER),
        Kind("reorder", f"{_LOST} in reverse order.", AFTER),
        Kind("webhook-duplicate", "Every status webhook is sent several times.", fields=("copies", "only")),
        Kind("webhook-reorder", "The status webhooks are sent in reverse order."),
        Kind("webhook-late", "The status webhooks are sent later.", fields=("seconds", "only"), seconds=1.0),
        Kind("webhook-drop", "The status webhooks are never sent.", fields=("only",)),
        Kind(
            "webhook-foreign",
            "One more status webhook is sent for the same reference, but for a message of another system.",
            fields=("foreign_status", "foreign_recipient", "foreign_age_s", "seconds"),
        ),
    )
}
WEBHOOK_KINDS = tuple(name for name in KINDS if name.startswith("webhook-"))


class Fault(ControlBody):
    """One fault as it was injected."""

    kind: str
    # How often it applies. None: until it is cleared.
    count: Annotated[int, Field(ge=0)] | None = 1
    probability: Annotated[float, Field(ge=0, le=1)] = 1.0

    # The conditions. One message of the request must meet the first four; min_messages counts them all.
    reference: str | None = None
    reference_contains: str | None = None
    recipient: int | None = None
    text_contains: str | None = None
    min_messages: Annotated[int, Field(ge=1)] = 1

    # What the kinds take. `when` is relative to accepting the messages.
    when: Literal["", "before", "after"] = ""
    seconds: Annotated[float, Field(ge=0)] = 0.0
    status: Annotated[int, Field(ge=200, le=599)] = 500
    retry_after: int | str | None = None
    as_date: bool = False
    indexes: Annotated[tuple[int, ...], Field(strict=False)] = ()
    references: Annotated[tuple[str, ...], Field(strict=False)] = ()
    body: str = '{"responses": [{"msg_id"'
    copies: Annotated[int, Field(ge=0)] = 2
    only: str | None = None
    foreign_status: str = "UNDELIVERABLE"
    foreign_recipient: int | None = None
    foreign_age_s: Annotated[float, Field(ge=0, le=10**9)] = 0.0

    @model_validator(mode="before")
    @classmethod
    def _with_defaults(cls, given: object) -> object:
        if not isinstance(given, dict):
            raise ValueError("a fault is an object")  # noqa: TRY004 - pydantic reports only ValueError
        kind = KINDS.get(str(given.get("kind")))
        if kind is None:
            raise ValueError(f"kind: use one of {', '.join(KINDS)}")
        return {"when": kind.when, "seconds": kind.seconds, **given, "kind": kind.name}

    @model_validator(mode="after")
    def _when_fits(self) -> Self:
        kind = KINDS[self.kind]
        if self.when != kind.when and not (kind.either and self.when):
            raise ValueError(f"when: {self.kind} does not take {self.when!r}")
        return self

    def matches(self, target: Target) -> bool:
        """Return whether a message meets all the conditions."""
        return (
            (self.reference is None or target.reference == self.reference)
            and (self.reference_contains is None or self.reference_contains in (target.reference or ""))
            and (self.recipient is None or target.recipient == self.recipient)
            and (self.text_contains is None or self.text_contains in target.text)
            and (not self.references or target.reference in self.references)
        )


class Faults:
    """The injected faults, oldest first, with the number of times that each was applied."""

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a run must be repeatable
        self._lock = Lock()
        self._faults: list[Fault] = []
        self._hits: Counter[int] = Counter()  # by the position in the list

    def add(self, faults: Iterable[Fault]) -> None:
        """Add faults after the existing ones."""
        with self._lock:
            self._faults.extend(faults)

    def clear(self) -> None:
        """Remove all faults. A request that is already delayed stays delayed."""
        with self._lock:
            self._faults, self._hits = [], Counter()

    def listing(self) -> list[tuple[Fault, int]]:
        """Return every fault with the number of times it was applied."""
        with self._lock:
            return [(fault, self._hits[index]) for index, fault in enumerate(self._faults)]

    def fields(self) -> list[dict[str, Any]]:
        """Return the same for JSON."""
        return [fault.model_dump() | {"hits": hits} for fault, hits in self.listing()]

    def for_request(self, targets: Sequence[Target], *, valid: bool) -> list[Fault]:
        """Return and count the faults of one request: every latency, and at most one other.

        An invalid request is never accepted, so faults that follow acceptance are skipped.
        """
        # A fault without conditions also applies to a request whose messages are unreadable.
        targets = targets or [Target(None, None)]
        applied: list[Fault] = []
        with self._lock:
            for index, fault in enumerate(self._faults):
                if fault.kind in WEBHOOK_KINDS or (fault.when == AFTER and not valid):
                    continue
                if len(targets) < fault.min_messages:
                    continue
                only_latency = all(earlier.kind == "latency" for earlier in applied)
                if (fault.kind == "latency" or only_latency) and self._applies(index, targets):
                    applied.append(fault)
        return applied

    def for_webhooks(self, target: Target) -> list[Fault]:
        """Return and count the faults of one message's status webhooks."""
        with self._lock:
            return [
                fault
                for index, fault in enumerate(self._faults)
                if fault.kind in WEBHOOK_KINDS and self._applies(index, [target])
            ]

    def _applies(self, index: int, targets: Sequence[Target]) -> bool:
        fault = self._faults[index]
        if fault.count is not None and self._hits[index] >= fault.count:
            return False
        if not any(fault.matches(target) for target in targets):
            return False
        if fault.probability < 1 and self._random.random() >= fault.probability:
            return False
        self._hits[index] += 1
        return True


def kinds() -> list[dict[str, Any]]:
    """Return the kinds with their defaults, for the page's form."""
    return [
        {
            "name": kind.name,
            "text": kind.text,
            "when": kind.when,
            "either": kind.either,
            "fields": [{"name": name, "default": _default(kind, name)} for name in kind.fields],
        }
        for kind in KINDS.values()
    ]


def _default(kind: Kind, name: str) -> object:
    return kind.seconds if name == "seconds" else Fault.model_fields[name].default
