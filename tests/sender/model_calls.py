"""Everything that the sender calls, with everything that can happen at a call.

Each call asks `choose` what is to go wrong with it, so that whoever holds the choice decides the whole run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from botocore.exceptions import ClientError, ReadTimeoutError

import batch
from gatewayapi.secrets import Secret
from gatewayapi.table import Table
from queues import Queues
from tests.sender.model_provider import FAULTS, FAULTS_OF_SEVERAL, Answer, Wire
from tests.sender.model_queue import DEAD_LETTER_URL, URL, Attributes, Queued
from tests.sender.model_store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from tests.sender.model import World

T = TypeVar("T")

# Whatever is called, the sender can die at it, and others can be at work: at once, or when its time is almost over.
KILLED = ("killed before", "killed after")
OTHERS = ("others before", "others after", "others much later, before", "others much later, after")
OF_AWS = ("unavailable", "answer lost")


class Killed(BaseException):
    """The invocation is over: nothing that its code could handle."""


@dataclass(slots=True)
class Invocation:
    """One run of the function: which one it is, what it was given, when Lambda ends it, and how it went."""

    number: int
    messages: list[Queued]
    deadline: datetime
    calls: int = 0
    faults: list[str] = field(default_factory=list)


class Outside:
    """The sender's means, all of them leading into the world."""

    def __init__(self, world: World, choose: Callable[[Invocation, str, Sequence[str]], str]) -> None:
        self.running: list[Invocation] = []
        self._world = world
        self._choose = choose
        self._tokens = 1
        dynamodb = SimpleNamespace(transact_write_items=self._transact, exceptions=Store.exceptions)
        sqs = SimpleNamespace(send_message=self._bury, change_message_visibility=self._hide)
        self.means = batch.Means(
            table=Table(cast("Any", dynamodb), "model", 90),
            client=Wire(self._post),
            token=secret(lambda: f"token-{self._tokens}"),
            queues=Queues(client=lambda: cast("Any", sqs), urls=(URL,), dead_letter_url=DEAD_LETTER_URL),
            now=world.tick,
        )

    def _call(self, name: str, faults: Sequence[str], make: Callable[[str], T]) -> T:
        """Make one call, with the fault that is chosen for it."""
        invocation = self.running[-1]
        ends = [*KILLED, *(OTHERS if len(self.running) == 1 else ())]
        if invocation.calls:  # before this one is after the last: between them nothing leaves the code
            ends = [each for each in ends if each.endswith("after")]
        fault = self._choose(invocation, name, (*faults, *ends))
        invocation.calls += 1
        if fault:
            self._world.note(f"{invocation.number}: {name}: {fault}")
            invocation.faults.append(fault)
        if fault == "killed before":
            raise Killed
        if fault.endswith("before"):
            self._others(fault)
        try:
            return make(fault if fault in faults else "")
        finally:
            if fault.endswith("after") and fault != "killed after":
                self._others(fault)
            if fault == "killed after" or self._world.now >= invocation.deadline:
                raise Killed

    def _others(self, fault: str) -> None:
        """Deliver the same messages once more, as SQS may, and whatever else there is, to other invocations."""
        invocation, world = self.running[-1], self._world
        if "much later" in fault:
            world.now = max(world.now, invocation.deadline - timedelta(seconds=1))
        again = [each for each in invocation.messages if each.receives < world.setting.max_receive_count]
        for message in [*again, *world.queue.visible(world.now)]:
            world.deliver([message])

    def _aws(self, name: str, do: Callable[[], None]) -> None:
        def make(fault: str) -> None:
            if fault == "unavailable":
                answer: Any = {"Error": {"Code": "InternalServerError", "Message": fault}}
                raise ClientError(answer | {"ResponseMetadata": {"HTTPStatusCode": 500}}, name)
            do()
            if fault == "answer lost":
                raise ReadTimeoutError(endpoint_url="http://model.invalid")

        self._call(name, OF_AWS, make)

    def _transact(self, **request: Any) -> None:  # noqa: ANN401 - botocore's parameters
        self._aws("table", lambda: self._world.store.transact_write_items(**request))

    def _bury(self, *, QueueUrl: str, MessageBody: str, MessageAttributes: Attributes) -> None:  # noqa: N803 - botocore's
        assert QueueUrl == DEAD_LETTER_URL
        self._aws("dead-letter queue", lambda: self._world.queue.bury(MessageBody, MessageAttributes))

    def _hide(self, *, QueueUrl: str, ReceiptHandle: str, VisibilityTimeout: int) -> None:  # noqa: N803 - botocore's
        assert QueueUrl == URL
        world = self._world
        self._aws("visibility", lambda: world.queue.hide(ReceiptHandle, VisibilityTimeout, world.now))

    def _post(self, body: Iterable[bytes], timeout_s: float, several: bool) -> Answer:  # noqa: FBT001 - as it is carried
        def make(fault: str) -> Answer:
            if fault.startswith("hang"):
                self._world.now += timedelta(seconds=timeout_s)
            self._tokens += fault == "403 and a new token"
            return self._world.provider.answer(body, fault)

        return self._call("request", (*FAULTS, *(FAULTS_OF_SEVERAL if several else ())), make)


def secret(value: Callable[[], str]) -> Secret:
    """Return a secret that holds this now."""
    client = SimpleNamespace(get_secret_value=lambda **_: {"SecretString": value()})
    return Secret("model", client=lambda: cast("Any", client))
