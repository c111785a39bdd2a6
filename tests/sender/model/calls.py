"""The calls that the code makes. At each, the run can pause the code, make the call fail, or kill the invocation."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from botocore.exceptions import ReadTimeoutError as AwsTimeoutError
from urllib3.exceptions import ReadTimeoutError

from tests.sender.model.provider import (
    CERTAIN_FAULTS,
    FAULTS_OF_SEVERAL,
    REFUSALS_OF_SEVERAL,
    UNCERTAIN_FAULTS,
    Answer,
)
from tests.sender.model.queue import DEAD_LETTER_URL, URL, Attributes, DeadLetter
from tests.sender.model.store import Store, error

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from tests.sender.model.provider import Sent
    from tests.sender.model.system import System

AWS_FAULTS = ("unavailable", "answer lost")
TABLE_FAULTS = (*AWS_FAULTS, "request throttled", "throttled", "long throttled", "conflict", "long conflict")
READ_FAULTS = ("unavailable", "request throttled", "half processed")
A_WHILE_S = 0.6
AWS_CALL_S = 0.01
NO_ANSWER_S = 4.0  # until botocore stops waiting for an answer
REQUEST_S = 0.2
ACCEPTED = 202


class Calls:
    """The clients that the code is given."""

    def __init__(self, system: System) -> None:
        self._system = system
        self.dynamodb = SimpleNamespace(
            transact_write_items=self._table("transact_write_items"),
            update_item=self._table("update_item"),
            query=self._table("query"),
            batch_get_item=self._table("batch_get_item"),
            get_paginator=self._paginator,
            exceptions=Store.exceptions,
        )
        self.sqs = SimpleNamespace(
            send_message=self._send_to_dead_letters, change_message_visibility=self._set_visibility
        )

    def sleep(self, seconds: float) -> None:
        """Sleep in the code's thread. Other invocations can run meanwhile."""
        self._pause("sleep")
        self._system.clock.run(seconds)

    def secret(self, values: Callable[[str], str]) -> SimpleNamespace:
        """Return a client of Secrets Manager that reads the value of a version stage."""

        def get_secret_value(*, VersionStage: str, **_: object) -> dict[str, str]:  # noqa: N803 - botocore's
            if not (value := values(VersionStage)):
                raise error("ResourceNotFoundException", 400, "GetSecretValue", kind=_NotFoundError)
            return {"SecretString": value}

        return SimpleNamespace(
            get_secret_value=get_secret_value, exceptions=SimpleNamespace(ResourceNotFoundException=_NotFoundError)
        )

    def post(self, body: Any, timeout_s: float, several: bool) -> Answer:  # noqa: ANN401, FBT001 - as urllib3 takes it
        """Make a request to the provider."""
        system, invocation = self._system, self._system.active
        faults = (*CERTAIN_FAULTS, *UNCERTAIN_FAULTS, *REFUSALS_OF_SEVERAL, *(FAULTS_OF_SEVERAL if several else ()))
        fault = self._pause("request", faults)
        if fault != "refused":
            raw = body if isinstance(body, bytes) else b"".join(body)
        else:
            raw = body if isinstance(body, bytes) else body.data
        began = system.clock.wall
        if "new token" in fault:
            system.tokens += 1
        sent, answer = system.provider.answer(raw, fault)
        system.laws.on_sent(invocation, sent)
        read = _read(sent, answer, system.laws.claimed_in_doubt)
        self._pause("answer")
        if isinstance(answer, ReadTimeoutError):
            system.clock.run(timeout_s)
        system.clock.run(REQUEST_S)
        if (system.clock.wall - began).total_seconds() > timeout_s:
            self._end_if_overdue()
            system.laws.may_have_unknown_outcome |= {message.reference for message in sent}
            raise ReadTimeoutError(None, "", "the answer came too late")  # type: ignore[arg-type] # no pool
        self._end_if_overdue()
        if isinstance(answer, Exception):
            raise answer
        invocation.answers += read
        return answer

    def _table(self, name: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:  # noqa: ANN401 - botocore's parameters
            system, store = self._system, self._system.store
            fault = self._pause(name, READ_FAULTS if name == "batch_get_item" else TABLE_FAULTS)
            now, deadline = system.clock.now(), system.active.deadline
            if "conflict" in fault:
                until = deadline if "long" in fault else now + timedelta(seconds=A_WHILE_S)
                store.contended[store.key_to_contend(request)] = until
            elif fault in {"throttled", "long throttled"}:
                store.throttled_until = deadline if "long" in fault else now + timedelta(seconds=A_WHILE_S)
            elif fault == "half processed":
                store.half_processed = True
            elif fault == "request throttled":
                raise error("ThrottlingException", 400, name)
            return self._aws(fault, name, lambda: getattr(store, name)(**request))

        return call

    def _paginator(self, name: str) -> SimpleNamespace:
        def paginate(**request: Any) -> Iterator[Any]:  # noqa: ANN401 - botocore's parameters
            page = getattr(self.dynamodb, name)(**request)
            yield page
            while "LastEvaluatedKey" in page:
                page = getattr(self.dynamodb, name)(**request, ExclusiveStartKey=page["LastEvaluatedKey"])
                yield page

        return SimpleNamespace(paginate=paginate)

    def _send_to_dead_letters(self, *, QueueUrl: str, MessageBody: str, MessageAttributes: Attributes) -> None:  # noqa: N803 - botocore's
        assert QueueUrl == DEAD_LETTER_URL
        fault = self._pause("dead-letter queue", AWS_FAULTS)

        def send() -> None:
            identity = MessageAttributes["Reference"]["StringValue"]
            system = self._system
            sources = [
                message
                for message in system.active.messages
                if message.body == MessageBody and message.identity == identity
            ]
            text = sources[0].text if sources else "?"
            letter = DeadLetter(MessageBody, MessageAttributes, identity, text, system.clock.wall)
            system.queue.dead.append(letter)
            system.note(f"dead letter for {identity}: {letter.code}")
            system.laws.on_dead_lettered(system.active, letter, sources)

        self._aws(fault, "SendMessage", send)

    def _set_visibility(self, *, QueueUrl: str, ReceiptHandle: str, VisibilityTimeout: int) -> None:  # noqa: N803 - botocore's
        assert QueueUrl == URL
        assert 0 <= VisibilityTimeout <= 43_200
        fault = self._pause("visibility", AWS_FAULTS)
        system = self._system
        self._aws(
            fault,
            "ChangeMessageVisibility",
            lambda: system.queue.set_visibility(ReceiptHandle, VisibilityTimeout, system.clock.wall),
        )

    def _aws(self, fault: str, name: str, make: Callable[[], Any]) -> Any:  # noqa: ANN401 - the call's own answer
        clock = self._system.clock
        clock.run(AWS_CALL_S)
        if fault == "unavailable":
            raise error("InternalServerError", 500, name)
        answer = make()
        if fault == "answer lost":
            clock.run(NO_ANSWER_S)
            self._end_if_overdue()
            raise AwsTimeoutError(endpoint_url="http://model.invalid")
        return answer

    def _pause(self, name: str, faults: tuple[str, ...] = ()) -> str:
        self._end_if_overdue()
        return self._system.active.pause(name, faults)

    def _end_if_overdue(self) -> None:
        self._system.active.end_at(self._system.clock.wall)


def _read(sent: Sequence[Sent], answer: Answer | Exception, in_doubt: Collection[str]) -> list[tuple[str, str, bool]]:
    """Return the acceptances that the code can read: reference, msg_id, and if the message was in doubt before."""
    if not isinstance(answer, Answer) or answer.status != ACCEPTED or not answer.text.startswith("{"):
        return []
    fields = answer.json()
    read = {entry["msg_id"] for entry in fields.get("responses", [fields])}
    return [
        (message.reference, message.msg_id, message.reference in in_doubt)
        for message in sent
        if message.msg_id in read
    ]


class _NotFoundError(ClientError):
    """A secret has no version of this stage."""
