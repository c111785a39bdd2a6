"""The newest texts to and from the simulated phones, for the page.

The page polls with a cursor. The cursor counts changes, so a poll returns only what is new or has changed.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from itertools import takewhile
from threading import Lock
from typing import Any, Literal
from uuid import uuid4

from simulator.history import AcceptedMessage, SendRequest
from simulator.segments import count
from simulator.submission import Target
from simulator.webhook_deliveries import DELIVERED, Attempt
from simulator.webhook_events import EventError

NEWEST = 2000


@dataclass(frozen=True, slots=True)
class Step:
    """One status of a message, and when the message has it."""

    status: str
    at: str
    error: EventError | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One text of a conversation: accepted from a client, refused, or received from a person."""

    id: str
    kind: Literal["sent", "refused", "received"]
    number: int
    at: str
    text: str
    sender: str = ""
    reference: str | None = None
    encoding: str = ""
    segments: int = 0
    label: str | None = None
    priority: str = "normal"
    request: int | None = None
    outcome: int | str | None = None
    faults: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    attempts: int = 0
    delivered: int = 0
    last_answer: int | str | None = None


def sent(accepted: AcceptedMessage, steps: Iterable[Step], faults: Iterable[str]) -> Entry:
    """Return the entry of an accepted message."""
    message, segments = accepted.message, count(accepted.message.message)
    return Entry(
        id=accepted.msg_id,
        kind="sent",
        number=message.recipient,
        at=accepted.accepted_at,
        text=message.message,
        sender=message.sender,
        reference=message.reference,
        encoding=segments.encoding,
        segments=segments.count,
        label=message.label,
        priority=message.priority,
        request=accepted.request,
        faults=tuple(faults),
        steps=tuple(steps),
    )


def refused(request: SendRequest, targets: Iterable[Target]) -> list[Entry]:
    """Return an entry for every message of a request that was not accepted, where its recipient is known."""
    return [
        Entry(
            id=f"request-{request.number}-{index}",
            kind="refused",
            number=target.recipient,
            at=request.at,
            text=target.text,
            reference=target.reference,
            request=request.number,
            outcome=request.outcome,
            faults=request.faults,
        )
        for index, target in enumerate(targets)
        if target.recipient is not None
    ]


def received(msg_id: str, number: int, text: str, at: str) -> Entry:
    """Return the entry of a text that a person sent."""
    segments = count(text)
    return Entry(msg_id, "received", number, at, text, encoding=segments.encoding, segments=segments.count)


class Conversations:
    """The newest entries, in the order of their last change."""

    def __init__(self) -> None:
        self.run = uuid4().hex  # the page drops what it has when this changes
        self._lock = Lock()
        self._cursor = 0
        self._entries: dict[str, tuple[int, Entry]] = {}

    def add(self, entries: Iterable[Entry]) -> None:
        """Add entries, and drop the oldest if there are too many."""
        with self._lock:
            for entry in entries:
                self._put(entry)
            while len(self._entries) > NEWEST:
                del self._entries[next(iter(self._entries))]

    def attempted(self, attempt: Attempt) -> None:
        """Count an attempt to deliver a webhook about one of the entries."""
        with self._lock:
            _, entry = self._entries.get(attempt.webhook.msg_id or "", (0, None))
            if entry is None:
                return
            self._put(
                replace(
                    entry,
                    attempts=entry.attempts + 1,
                    delivered=entry.delivered + (attempt.answer in DELIVERED),
                    last_answer=attempt.answer if attempt.answer is not None else attempt.error,
                )
            )

    def get(self, entry_id: str) -> Entry | None:
        """Return an entry, if it is still there."""
        with self._lock:
            return self._entries.get(entry_id, (0, None))[1]

    def since(self, cursor: int) -> tuple[int, list[dict[str, Any]]]:
        """Return the present cursor, and the entries that changed after the given one."""
        with self._lock:
            newest_first = takewhile(lambda stored: stored[0] > cursor, reversed(self._entries.values()))
            changed = [asdict(entry) for _, entry in newest_first]
            return self._cursor, changed[::-1]

    def reset(self) -> None:
        """Drop all entries. The cursor goes on, so an older cursor stays valid."""
        with self._lock:
            self.run = uuid4().hex
            self._entries = {}

    def _put(self, entry: Entry) -> None:
        self._cursor += 1
        self._entries.pop(entry.id, None)
        self._entries[entry.id] = (self._cursor, entry)
