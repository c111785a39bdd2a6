"""The code of both functions and of `make forget`, as a run invokes it. Only this module calls it."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import patch

import batch
import delivery
import intake
import stop_words
from batch import Clients
from gatewayapi.client import Client
from gatewayapi.event_table import EventTable
from gatewayapi.message import StackRules
from gatewayapi.message_table import MessageTable
from gatewayapi.secrets import Secret
from gatewayapi.signature import sign
from outcome import DeadLetter, Retry
from queues import Queues
from settings import Settings
from tests.sender.model.provider import Pool
from tests.sender.model.queue import DEAD_LETTER_URL, URL
from tools.forget import IN_QUEUES, forget, forgettable_from
from tools.people import find

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from outcome import Outcome
    from tests.sender.model.calls import Calls
    from tests.sender.model.clock import Clock
    from tests.sender.model.parameters import Parameters

MODULES_WITH_TIME = ("gatewayapi.message_table", "gatewayapi.client", "gatewayapi.opt_outs")
WEBHOOK_SETTINGS = intake.Settings(timedelta(days=7), stop_words.words("STOP", "START", ""))
TABLE = "model"


class Functions:
    """One process of each function, with the simulated clients of a run."""

    def __init__(self, calls: Calls, clock: Clock, token: Callable[[], str], key: Callable[[str], str]) -> None:
        self._clock = clock
        self._patches = ExitStack()
        time = SimpleNamespace(time=clock.time_s, monotonic=lambda: clock.monotonic_s, sleep=calls.sleep)
        for module in MODULES_WITH_TIME:
            self._patches.enter_context(patch(f"{module}.time", time))
        self._patches.enter_context(patch("tools.forget.now", clock.now))
        tokens, keys = calls.secret(lambda _stage: token()), calls.secret(key)
        self._clients = Clients(
            table=MessageTable(cast("Any", calls.dynamodb), TABLE, 90, sleep=calls.sleep),
            provider=_Client(Pool(calls.post)),
            token=Secret("token", client=lambda: cast("Any", tokens), now_s=clock.time_s),
            queues=Queues(client=lambda: cast("Any", calls.sqs), urls=(URL,), dead_letter_url=DEAD_LETTER_URL),
            now=clock.now,
        )
        self._events = EventTable(cast("Any", calls.dynamodb), TABLE, 90, sleep=calls.sleep)
        self._keys = Secret("key", client=lambda: cast("Any", keys), now_s=clock.time_s)
        self._stack = cast("Any", SimpleNamespace(client=lambda _: calls.dynamodb, output=lambda _: TABLE))

    def send(
        self, records: list[dict[str, Any]], parameters: Parameters, remaining_s: Callable[[], float]
    ) -> dict[str, str]:
        """Process a batch with the sender's code. Return for each message id: acknowledged, retried or dead."""
        settings = Settings(
            rules=StackRules(
                default_sender=parameters.default_sender,
                allowed_prefixes=parameters.allowed_prefixes,
                max_segments=parameters.max_segments,
                require_message_type=parameters.enforce_opt_outs,
            ),
            send_mode=parameters.send_mode,
            listed_recipients=parameters.listed_recipients,
            reconcile_after=timedelta(seconds=parameters.reconcile_after_s),
            resend=parameters.resend,
            max_receive_count=parameters.max_receive_count,
            enforce_opt_outs=parameters.enforce_opt_outs,
        )
        deliveries = [delivery.from_record(record) for record in records]
        outcomes = batch.process(deliveries, settings=settings, clients=self._clients, remaining_s=remaining_s)
        return {outcome.delivery.message_id: _word(outcome) for outcome in outcomes}

    def receive(self, body: bytes, key: str, now: datetime) -> str:
        """Receive a webhook that is signed with this key. Return the status of its receipt."""
        receipt = intake.receive(
            body, sign(body, key), settings=WEBHOOK_SETTINGS, keys=self._keys, table=self._events, now=now
        )
        return receipt.status

    def forget(self, number: int) -> None:
        """Forget the messages of a number, as the operator's command does.

        A message can be forgotten after a minute instead of 21 days. So copies of forgotten messages are still in the
        queues, and the code must handle them.
        """
        for entry in find(self._stack, str(number)).entries:
            from_ = forgettable_from(entry)
            if from_ is None or from_ - IN_QUEUES + timedelta(minutes=1) <= self._clock.wall:
                forget(self._stack, entry, str(number))

    def close(self) -> None:
        """Restore the real clock."""
        self._patches.close()


class _Client(Client):
    """The real client with a connection to the simulated provider."""

    def __init__(self, pool: Pool) -> None:
        self._simulated_pool = pool
        super().__init__("", "http://provider.invalid")

    def _connect(self) -> Any:  # noqa: ANN401 - in place of urllib3's pool
        return self._simulated_pool


def _word(outcome: Outcome) -> str:
    if isinstance(outcome, Retry):
        return "retried"
    return "dead" if isinstance(outcome, DeadLetter) else "acknowledged"
