"""The requests that the simulator received, and the messages that it accepted.

Tests count lost and duplicated messages here. Nothing is merged: a reference that was accepted twice is listed twice.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Condition
from typing import Any

from simulator.submission import Message
from simulator.webhook_events import ulid


@dataclass(frozen=True, slots=True)
class AcceptedMessage:
    """One accepted message, with the number of the request that contained it."""

    msg_id: str
    request: int
    accepted_at: str
    message: Message

    def fields(self) -> dict[str, Any]:
        """Return all fields in one object, for JSON."""
        own = {"msg_id": self.msg_id, "request": self.request, "accepted_at": self.accepted_at}
        return own | self.message.model_dump()


@dataclass(frozen=True, slots=True)
class SendRequest:
    """One request to send. `outcome` is the status of the answer, or `hang` or `reset`."""

    number: int
    at: str
    path: str
    connection: int
    messages: int = 0
    references: tuple[str | None, ...] = ()
    accepted: int = 0
    outcome: int | str = 0
    faults: tuple[str, ...] = ()
    body: bytes = b""
    answer: bytes = b""

    def fields(self) -> dict[str, Any]:
        """Return the fields without the two bodies, for JSON."""
        names = ("number", "at", "path", "connection", "messages", "references", "accepted", "outcome", "faults")
        return {name: getattr(self, name) for name in names}


class History:
    """All requests and messages since the start or the last reset."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._last_number = 0
        self._requests: list[SendRequest] = []
        self._accepted: list[AcceptedMessage] = []

    def next_number(self) -> int:
        """Return the number of the next request. The first is 1."""
        with self._changed:
            self._last_number += 1
            return self._last_number

    def accept(self, messages: Sequence[Message], request: int, at: str) -> list[AcceptedMessage]:
        """Store messages as accepted, with a new id for every one."""
        accepted = [AcceptedMessage(ulid(), request, at, message) for message in messages]
        with self._changed:
            self._accepted.extend(accepted)
        return accepted

    def add(self, request: SendRequest) -> None:
        """Store a request with its outcome. This happens before the answer is sent."""
        with self._changed:
            self._requests.append(request)
            self._changed.notify_all()

    def accepted(self) -> list[AcceptedMessage]:
        """Return every accepted message, in order."""
        with self._changed:
            return list(self._accepted)

    def requests(self) -> list[SendRequest]:
        """Return every request to send with its outcome, in order."""
        with self._changed:
            return list(self._requests)

    def wait_for(self, count: int, timeout_s: float = 60.0) -> bool:
        """Wait until at least `count` requests were stored. Return False after the time-out."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._requests) >= count, timeout_s)

    def counts(self) -> Counter[str | None]:
        """Return how often each reference was accepted. None counts the messages without one."""
        return Counter(entry.message.reference for entry in self.accepted())

    def reset(self) -> None:
        """Delete everything. Request numbers start at 1 again."""
        with self._changed:
            self._last_number, self._requests, self._accepted = 0, [], []
