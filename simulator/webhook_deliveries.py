"""Delivers webhooks: when each is due, from a few threads, again and again until the other side takes it.

At most `workers` are on their way at once: what receives them on one machine may start a process for each,
and too many at once would only queue there. The connections are kept.
"""

import heapq
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Condition, Lock, Thread

import urllib3

from simulator.webhook_events import Webhook, moment, sign

TAKEN = range(200, 300)


@dataclass(frozen=True, slots=True)
class Pace:
    """How soon, how often and how patiently webhooks are sent."""

    enroute_s: float = 0.3
    final_s: float = 0.6
    workers: int = 4
    retry_s: float = 0.5
    retry_at_most_s: float = 30.0
    answer_timeout_s: float = 5.0

    def pause_s(self, attempt: int) -> float:
        """The pause after this attempt: each is twice the last, up to a limit."""
        return min(self.retry_at_most_s, self.retry_s * 2.0 ** min(attempt - 1, 30))


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to deliver one webhook; `answer` is None where there was none, and `error` says why."""

    at: str
    attempt: int
    answer: int | None
    error: str | None
    seconds: float
    event_id: str | None
    event_type: str | None
    status: str | None
    reference: str | None
    msg_id: str | None


class Deliveries:
    """The webhooks still to be delivered, and every attempt so far."""

    def __init__(self, url: str | None, key: str, pace: Pace) -> None:
        self.url = url
        self.key = key
        self.pace = pace
        self._order = itertools.count()
        self._due: list[tuple[float, int, int, Webhook]] = []  # when, tie-breaker, attempt, what
        self._in_flight = 0
        self._attempts: list[Attempt] = []
        self._era = 0
        self._stopping = False
        lock = Lock()
        self._changed = Condition(lock)
        self._quiet = Condition(lock)
        self._pool = urllib3.PoolManager(
            maxsize=pace.workers, retries=False, timeout=urllib3.Timeout(total=pace.answer_timeout_s)
        )
        self._workers = [Thread(target=self._work, daemon=True) for _ in range(pace.workers)]

    def start(self) -> None:
        """Deliver from now on."""
        for worker in self._workers:
            worker.start()

    def stop(self) -> None:
        """Forget what is left, and wait for what is on its way: at most the answer's time-out."""
        with self._changed:
            self._stopping = True
            self._due.clear()
            self._changed.notify_all()
            self._quiet.notify_all()
        for worker in self._workers:
            if worker.is_alive():
                worker.join()
        self._pool.clear()

    def send(self, webhooks: Sequence[tuple[float, Webhook]]) -> None:
        """Take webhooks, each with the seconds until it is due. Without a URL there is nobody to tell."""
        if self.url is None or not webhooks:
            return
        now = time.monotonic()
        with self._changed:
            for delay_s, webhook in webhooks:
                heapq.heappush(self._due, (now + delay_s, next(self._order), 1, webhook))
            self._changed.notify(len(webhooks))

    def reset(self) -> None:
        """Forget all of it, also what becomes of the webhooks on their way."""
        with self._changed:
            self._era += 1
            self._due.clear()
            self._attempts = []
            if not self._in_flight:
                self._quiet.notify_all()

    def pending(self) -> int:
        """How many webhooks have not been taken yet."""
        with self._changed:
            return len(self._due) + self._in_flight

    def attempts(self, since: int = 0) -> list[Attempt]:
        """Every attempt from the given position on."""
        with self._changed:
            return self._attempts[since:]

    def wait_until_quiet(self, timeout_s: float) -> bool:
        """Wait until nothing is pending; False if it still is after the given time."""
        with self._quiet:
            return self._quiet.wait_for(lambda: not self._due and not self._in_flight, timeout_s)

    def _work(self) -> None:
        while (turn := self._next()) is not None:
            attempt, webhook, era = turn
            at, started = datetime.now(UTC), time.monotonic()
            answer, error = self._post(webhook.body)
            tried = Attempt(
                at=moment(at),
                attempt=attempt,
                answer=answer,
                error=error,
                seconds=round(time.monotonic() - started, 3),
                event_id=webhook.event_id,
                event_type=webhook.event_type,
                status=webhook.status,
                reference=webhook.reference,
                msg_id=webhook.msg_id,
            )
            self._settle(tried, webhook, era)

    def _next(self) -> tuple[int, Webhook, int] | None:
        with self._changed:
            while not self._stopping:
                wait_s = self._due[0][0] - time.monotonic() if self._due else None
                if wait_s is None or wait_s > 0:
                    self._changed.wait(wait_s)
                    continue
                _, _, attempt, webhook = heapq.heappop(self._due)
                self._in_flight += 1
                self._changed.notify()  # whoever still sleeps for this one is to look at the next
                return attempt, webhook, self._era
            return None

    def _post(self, body: bytes) -> tuple[int | None, str | None]:
        headers = {"Content-Type": "application/json", "Signature": sign(body, self.key)}
        try:
            answer = self._pool.request("POST", self.url or "", body=body, headers=headers)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            return None, type(error).__name__
        return answer.status, None

    def _settle(self, tried: Attempt, webhook: Webhook, era: int) -> None:
        with self._changed:
            self._in_flight -= 1
            if era == self._era and not self._stopping:
                self._attempts.append(tried)
                if tried.answer not in TAKEN:
                    due = time.monotonic() + self.pace.pause_s(tried.attempt)
                    heapq.heappush(self._due, (due, next(self._order), tried.attempt + 1, webhook))
                    self._changed.notify()
            if not self._due and not self._in_flight:
                self._quiet.notify_all()
