"""What the simulator saw: every request, and every message it accepted.

Tests count here what was lost and what was sent twice, so nothing is ever merged: a reference that was
accepted twice is there twice.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Condition

from simulator.submission import Message
from simulator.webhook_events import ulid


@dataclass(frozen=True, slots=True)
class Accepted:
    """One message that was accepted, with the number of the request that brought it."""

    msg_id: str
    request: int
    accepted_at: str
    message: Message


@dataclass(frozen=True, slots=True)
class Seen:
    """One request to send. `outcome` is the status answered, or `hang` or `reset`."""

    number: int
    at: str
    path: str
    connection: int
    messages: int
    references: tuple[str | None, ...]
    accepted: int
    outcome: int | str
    faults: tuple[str, ...]


class Ledger:
    """All requests and messages since the start or the last reset."""

    def __init__(self) -> None:
        self._lock = Condition()
        self._numbered = 0
        self._seen: list[Seen] = []
        self._accepted: list[Accepted] = []

    def number(self) -> int:
        """The next request's number, counted from 1 in the order of arrival."""
        with self._lock:
            self._numbered += 1
            return self._numbered

    def accept(self, messages: Sequence[Message], request: int, at: str) -> list[Accepted]:
        """Give each message its id and keep it."""
        accepted = [Accepted(ulid(), request, at, message) for message in messages]
        with self._lock:
            self._accepted.extend(accepted)
        return accepted

    def note(self, seen: Seen) -> None:
        """Keep what became of a request, written before the answer leaves."""
        with self._lock:
            self._seen.append(seen)
            self._lock.notify_all()

    def accepted(self, since: int = 0) -> list[Accepted]:
        """The accepted messages from the given position on."""
        with self._lock:
            return self._accepted[since:]

    def seen(self, since: int = 0) -> list[Seen]:
        """The requests from the given position on."""
        with self._lock:
            return self._seen[since:]

    def wait_for(self, count: int, timeout_s: float) -> bool:
        """Wait until so many requests have come; False if fewer have after the given time."""
        with self._lock:
            return self._lock.wait_for(lambda: len(self._seen) >= count, timeout_s)

    def counts(self) -> Counter[str | None]:
        """How often each reference was accepted; None counts the messages without one."""
        return Counter(accepted.message.reference for accepted in self.accepted())

    def reset(self) -> None:
        """Forget everything; request numbers start again at 1."""
        with self._lock:
            self._numbered, self._seen, self._accepted = 0, [], []
