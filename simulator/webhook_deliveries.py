"""Delivers webhooks when they are due, and repeats every webhook until it is answered with 2xx.

At most `workers` webhooks are in flight. A receiver on the same machine may start a process for each, and more would
only wait there. Connections are reused.
"""

import heapq
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Condition, Lock, Thread
from typing import Any

import urllib3

from simulator.webhook_events import Webhook, moment, sign

DELIVERED = range(200, 300)
ANSWER_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class Pace:
    """When webhooks are sent and repeated."""

    enroute_s: float = 0.3
    final_s: float = 0.6
    workers: int = 4
    retry_s: float = 0.5
    retry_at_most_s: float = 30.0
    answer_timeout_s: float = 5.0

    def pause_s(self, attempt: int) -> float:
        """Return the pause after an attempt. It doubles every time, up to a limit."""
        return min(self.retry_at_most_s, self.retry_s * 2.0 ** min(attempt - 1, 30))


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to deliver a webhook. `answer` is None where there was none, and `error` then has the reason."""

    at: str
    attempt: int
    answer: int | None
    error: str | None
    seconds: float
    webhook: Webhook
    signature: str = ""
    answer_body: str = ""

    def fields(self) -> dict[str, Any]:
        """Return the fields without bodies and signature, for JSON."""
        own = {name: getattr(self, name) for name in ("at", "attempt", "answer", "error", "seconds")}
        names = ("event_id", "event_type", "status", "reference", "msg_id")
        return own | {name: getattr(self.webhook, name) for name in names}


class Deliveries:
    """The webhooks that are not delivered yet, and all attempts so far.

    `attempted` is called after every attempt.
    """

    def __init__(
        self, url: str | None, key: str, pace: Pace, attempted: Callable[[Attempt], None] = lambda _attempt: None
    ) -> None:
        self.url = url
        self.key = key
        self.pace = pace
        self._attempted = attempted
        self._order = itertools.count()
        self._due: list[tuple[float, int, int, Webhook]] = []  # due time, tie-breaker, attempt, webhook
        self._in_flight = 0
        self._attempts: list[Attempt] = []
        self._resets = 0
        self._stopping = False
        lock = Lock()
        self._changed = Condition(lock)
        self._idle = Condition(lock)
        self._pool = urllib3.PoolManager(
            maxsize=pace.workers, retries=False, timeout=urllib3.Timeout(total=pace.answer_timeout_s)
        )
        self._workers = [Thread(target=self._work, daemon=True) for _ in range(pace.workers)]

    def start(self) -> None:
        """Start to deliver."""
        for worker in self._workers:
            worker.start()

    def stop(self) -> None:
        """Drop what is left, and wait for what is in flight: at most the time-out of an answer."""
        with self._changed:
            self._stopping = True
            self._due.clear()
            self._changed.notify_all()
            self._idle.notify_all()
        for worker in self._workers:
            if worker.is_alive():
                worker.join()
        self._pool.clear()

    def send(self, webhooks: Sequence[tuple[float, Webhook]]) -> None:
        """Schedule webhooks, given with the seconds until they are due. Without a URL, they are dropped."""
        if self.url is None or not webhooks:
            return
        now = time.monotonic()
        with self._changed:
            for delay_s, webhook in webhooks:
                heapq.heappush(self._due, (now + delay_s, next(self._order), 1, webhook))
            self._changed.notify(len(webhooks))

    def send_once(self, webhook: Webhook, signature: str) -> Attempt:
        """Send a webhook now with this signature, without repeating it."""
        attempt = self._attempt(webhook, signature, 1)
        with self._changed:
            self._attempts.append(attempt)
        self._attempted(attempt)
        return attempt

    def reset(self) -> None:
        """Drop everything, and ignore the result of what is in flight."""
        with self._changed:
            self._resets += 1
            self._due.clear()
            self._attempts = []
            if not self._in_flight:
                self._idle.notify_all()

    def pending(self) -> int:
        """Return how many webhooks are not delivered yet."""
        with self._changed:
            return len(self._due) + self._in_flight

    def attempts(self, since: int = 0) -> list[Attempt]:
        """Return the attempts from a position on."""
        with self._changed:
            return self._attempts[since:]

    def wait_until_delivered(self, timeout_s: float) -> bool:
        """Wait until no webhook is pending. Return False after the time-out."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._due and not self._in_flight, timeout_s)

    def _work(self) -> None:
        while (due := self._next()) is not None:
            number, webhook, resets = due
            self._finish(self._attempt(webhook, sign(webhook.body, self.key), number), resets)

    def _next(self) -> tuple[int, Webhook, int] | None:
        with self._changed:
            while not self._stopping:
                wait_s = self._due[0][0] - time.monotonic() if self._due else None
                if wait_s is None or wait_s > 0:
                    self._changed.wait(wait_s)
                    continue
                _, _, number, webhook = heapq.heappop(self._due)
                self._in_flight += 1
                self._changed.notify()  # a worker that waits for this webhook must now wait for the next one
                return number, webhook, self._resets
            return None

    def _attempt(self, webhook: Webhook, signature: str, number: int) -> Attempt:
        at, started = moment(datetime.now(UTC)), time.monotonic()
        headers = {"Content-Type": "application/json", "Signature": signature}
        status, error, text = None, None, ""
        try:
            answer = self._pool.request("POST", self.url or "", body=webhook.body, headers=headers)
            status, text = answer.status, answer.data[:ANSWER_CHARACTERS].decode("utf-8", "replace")
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as exception:
            error = type(exception).__name__
        seconds = round(time.monotonic() - started, 3)
        return Attempt(at, number, status, error, seconds, webhook, signature, text)

    def _finish(self, attempt: Attempt, resets: int) -> None:
        with self._changed:
            current = resets == self._resets and not self._stopping
        if current:
            self._attempted(attempt)  # before the webhook counts as delivered, so that whoever waits for that sees it
        with self._changed:
            self._in_flight -= 1
            if resets == self._resets and not self._stopping:
                self._attempts.append(attempt)
                if attempt.answer not in DELIVERED:
                    due = time.monotonic() + self.pace.pause_s(attempt.attempt)
                    heapq.heappush(self._due, (due, next(self._order), attempt.attempt + 1, attempt.webhook))
                    self._changed.notify()
            if not self._due and not self._in_flight:
                self._idle.notify_all()
