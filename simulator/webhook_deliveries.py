"""Delivers webhooks when they are due, and repeats every webhook until it is answered with 2xx.

At most `workers` webhooks are in flight. A receiver on the same machine may start a process for each, and more would
only wait there. Connections are reused.
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Thread
from typing import Any

import urllib3

from simulator.webhook_events import Webhook, sign, to_text

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
    """One attempt to deliver a webhook. `answer` is the status, or None if `error` prevented one."""

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

    def details(self) -> dict[str, Any]:
        """Return the fields with the signature and the body of the answer, for JSON."""
        return self.fields() | {"signature": self.signature, "answer_body": self.answer_body}


class Deliveries:
    """The webhooks that are not delivered yet, and all attempts so far. `attempted` is called after every attempt.

    The delivery of a webhook is a task on an event loop, which has a thread of its own. The task waits until the
    webhook is due, sends it, and does so again until it is delivered.
    """

    def __init__(self, url: str | None, key: str, pace: Pace, attempted: Callable[[Attempt], None]) -> None:
        self.url = url
        self.key = key
        self.pace = pace
        self._attempted = attempted
        self._attempts: list[Attempt] = []
        self._pending: set[Future[None]] = set()
        self._pool = urllib3.PoolManager(
            maxsize=pace.workers, retries=False, timeout=urllib3.Timeout(total=pace.answer_timeout_s)
        )
        self._loop = asyncio.new_event_loop()
        self._workers = ThreadPoolExecutor(pace.workers)
        self._stopped = asyncio.Event()
        self._thread = Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Start to deliver."""
        self._thread.start()

    def stop(self) -> None:
        """Drop what is left, and wait for what is in flight: at most the time-out of an answer."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join()
        self._loop.close()  # it is still open if it never ran
        self._workers.shutdown(cancel_futures=True)
        self._pool.clear()

    def send(self, webhooks: Sequence[tuple[float, Webhook]]) -> None:
        """Schedule webhooks, given with the seconds until they are due. Without a URL, they are dropped."""
        if self.url is None:
            return
        now = self._loop.time()
        for delay_s, webhook in webhooks:
            delivery = asyncio.run_coroutine_threadsafe(self._deliver(webhook, now + delay_s), self._loop)
            self._pending.add(delivery)
            delivery.add_done_callback(self._pending.discard)

    def send_once(self, webhook: Webhook, signature: str) -> Attempt:
        """Send a webhook now with this signature, without repeating it."""
        attempt = self._attempt(webhook, signature, 1)
        self._add(attempt)
        return attempt

    def reset(self) -> None:
        """Drop everything, and wait for what is in flight, so that nothing arrives afterwards."""
        for delivery in list(self._pending):
            delivery.cancel()
        workers, self._workers = self._workers, ThreadPoolExecutor(self.pace.workers)
        workers.shutdown(cancel_futures=True)
        self._attempts = []

    def pending(self) -> int:
        """Return how many webhooks are not delivered yet."""
        return len(self._pending)

    def attempts(self) -> list[Attempt]:
        """Return all attempts, in the order in which they ended."""
        return list(self._attempts)

    def wait_for_webhooks(self, timeout_s: float = 60.0) -> bool:
        """Wait until no webhook is pending. Return False after the time-out."""
        return not wait(list(self._pending), timeout_s).not_done

    def _run(self) -> None:
        # At its end, the runner cancels all deliveries.
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._stopped.wait())

    async def _deliver(self, webhook: Webhook, due: float) -> None:
        for number in itertools.count(1):
            await asyncio.sleep(due - self._loop.time())
            attempt = await self._loop.run_in_executor(self._workers, self._attempt, webhook, None, number)
            self._add(attempt)
            if attempt.answer in DELIVERED:
                return
            due = self._loop.time() + self.pace.pause_s(number)

    def _add(self, attempt: Attempt) -> None:
        self._attempts.append(attempt)
        self._attempted(attempt)

    def _attempt(self, webhook: Webhook, signature: str | None, number: int) -> Attempt:
        at, started = to_text(datetime.now(UTC)), time.monotonic()
        signature = signature or sign(webhook.body, self.key)
        headers = {"Content-Type": "application/json", "Signature": signature}
        status, error, text = None, None, ""
        try:
            answer = self._pool.request("POST", self.url or "", body=webhook.body, headers=headers)
            status, text = answer.status, answer.data[:ANSWER_CHARACTERS].decode("utf-8", "replace")
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as exception:
            error = type(exception).__name__
        seconds = round(time.monotonic() - started, 3)
        return Attempt(at, number, status, error, seconds, webhook, signature, text)
