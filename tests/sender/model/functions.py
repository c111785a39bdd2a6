"""The code of both functions as a run invokes it: the only module of the model that names parts of it."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import patch

import batch
import delivery
import intake
from claims import Policy
from gatewayapi.client import Client
from gatewayapi.secrets import Secret
from gatewayapi.signature import sign
from gatewayapi.table import Table
from queues import Queues
from tests.sender.model.provider import Pool
from tests.sender.model.queue import DEAD_LETTER_URL, URL

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from outcome import Outcome
    from tests.sender.model.calls import Calls
    from tests.sender.model.clock import Clock
    from tests.sender.model.parameters import Parameters

MODULES_WITH_TIME = ("gatewayapi.secrets", "gatewayapi.table", "gatewayapi.client")
MAX_EVENT_AGE = timedelta(days=7)
TABLE = "model"


class Functions:
    """One process of either function, with the clients of a run."""

    def __init__(self, calls: Calls, clock: Clock, token: Callable[[], str], key: Callable[[str], str]) -> None:
        self._patches = ExitStack()
        for module in MODULES_WITH_TIME:
            self._patches.enter_context(patch(f"{module}.time", clock.module()))
        self._patches.enter_context(patch("gatewayapi.table.time.sleep", calls.sleep))
        self._clock = clock
        self._clients = batch.Means(
            table=Table(cast("Any", calls.dynamodb), TABLE, 90),
            client=_Client(Pool(calls.post)),
            token=Secret("token", client=lambda: cast("Any", calls.secret(lambda _stage: token()))),
            queues=Queues(client=lambda: cast("Any", calls.sqs), urls=(URL,), dead_letter_url=DEAD_LETTER_URL),
            now=clock.now,
        )
        self._keys = Secret("key", client=lambda: cast("Any", calls.secret(key)))

    def send(
        self, records: list[dict[str, Any]], parameters: Parameters, remaining_s: Callable[[], float]
    ) -> dict[str, str]:
        """Take a batch through the sender; return by message id if it was acknowledged, retried or dead."""
        policy = Policy(
            default_sender=parameters.default_sender,
            allowed_prefixes=parameters.allowed_prefixes,
            reconcile_after=timedelta(seconds=parameters.reconcile_after_s),
            resend=parameters.resend,
            dry_run=parameters.dry_run,
            max_receive_count=parameters.max_receive_count,
        )
        deliveries = [
            delivery.from_record(
                record, default_sender=policy.default_sender, allowed_prefixes=policy.allowed_prefixes
            )
            for record in records
        ]
        outcomes = batch.process(deliveries, policy=policy, means=self._clients, remaining_s=remaining_s)
        return {outcome.delivery.message_id: _word(outcome) for outcome in outcomes}

    def receive(self, body: bytes, key: str, now: datetime) -> str:
        """Take a webhook that is signed with this key; return what became of it."""
        table = self._clients.table
        receipt = intake.receive(body, sign(body, key), keys=self._keys, table=table, max_age=MAX_EVENT_AGE, now=now)
        return receipt.status

    def close(self) -> None:
        """Give the code its own time back."""
        self._patches.close()


class _Client(Client):
    """The real client, whose connection ends in the model."""

    def __init__(self, pool: Pool) -> None:
        self._model = pool
        super().__init__("", "http://provider.invalid")

    def _connect(self) -> Any:  # noqa: ANN401 - what stands in for urllib3's pool
        return self._model


def _word(outcome: Outcome) -> str:
    if outcome.back_at is not None:
        return "retried"
    return "dead" if outcome.code else "acknowledged"
