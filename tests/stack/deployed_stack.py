"""The deployed sender's surroundings: what a test puts on the queues, and what it asks about what became of it.

What became of a message is read from the table's stream, where every state that its record passed is found, however
briefly it stood there. That nothing more will be sent is known when the queues are empty.
"""

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gatewayapi.record import MessageRecord
from local.stack import Stack
from local.tail import follow
from local.waiting import wait_for
from tests.stack.aws_proxy import Gate
from tests.stack.direct_invocations import Lever
from tests.stack.simulator_control import Desk

Fields = dict[str, Any]
DRAINED_WITHIN_S = 150
SHOWN = 3  # digits of a number that a log may hold
HIDDEN_S = 600  # longer than the run looks at the dead-letter queue
COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


@dataclass(frozen=True, slots=True)
class Letter:
    """A message in the dead-letter queue, with its attributes as SQS takes them back."""

    body: str
    attributes: Fields
    receipt: str

    def said(self) -> dict[str, str]:
        """Return the attributes' values by name."""
        return {name: value["StringValue"] for name, value in self.attributes.items()}


class World:
    """Everything around the sender of one stack."""

    def __init__(self, stack: Stack, gate: Gate, lever: Lever) -> None:
        self.stack, self.gate, self.lever = stack, gate, lever
        self.desk = Desk(stack.provider_url)
        self.texts: list[str] = []
        self.numbers: list[str] = []
        self.tokens = [stack.token]
        self._count = itertools.count(1)
        self._letters: list[Letter] = []
        self._stream = follow(stack.client("dynamodbstreams"), stack.outputs["StreamArn"])
        self._lives: dict[str, list[MessageRecord]] = {}

    def begin(self) -> None:
        """Wait for the end of what other tests have sent, and forget their faults."""
        self.drain()
        self.desk.ask("faults", method="DELETE")

    def message(self, reference: str | None = None, **fields: object) -> Fields:
        """Return a message with a text and a number that no other has; the logs are searched for them."""
        index = next(self._count)
        message: Fields = {
            "sender": "Example",
            "recipient": 4520_000_000 + index,
            "message": f"The word is abracadabra-{index}",
            **({} if reference is None else {"reference": reference}),
            **fields,
        }
        self.texts.append(str(message["message"]))
        number = str(message["recipient"]).removeprefix("+").replace(" ", "")
        self.numbers += [number] if len(number) > SHOWN else []
        return message

    def send(
        self, message: Fields | str, *, urgent: bool = False, delay_s: int = 0, attributes: Fields | None = None
    ) -> str:
        """Put a message on a queue, and return the queue's id for it."""
        sent = self.stack.client("sqs").send_message(
            QueueUrl=self.stack.outputs["UrgentQueueUrl" if urgent else "QueueUrl"],
            MessageBody=message if isinstance(message, str) else json.dumps(message, ensure_ascii=False),
            DelaySeconds=delay_s,
            MessageAttributes=attributes or {},
        )
        return str(sent["MessageId"])

    def send_batch(self, *messages: Fields) -> None:
        """Put messages on the urgent queue, whose batches are of 10, so that they are delivered together."""
        with self.lever.paused():
            for message in messages:
                self.send(message, urgent=True)
        # Or those of the next batch would come with them.
        wait_for(lambda: self._count_of("UrgentQueueUrl", COUNTS[:1]) == {"0"}, "the batch to be taken")

    def rotate_token(self, token: str) -> None:
        """Give the provider another token, and write it into the secret."""
        self.desk.ask("token", {"token": token})
        secrets = self.stack.client("secretsmanager")
        secrets.put_secret_value(SecretId=self.stack.outputs["ApiTokenSecretArn"], SecretString=token)
        self.tokens.append(token)

    def look(self) -> None:
        """Read the stream up to now."""
        for change in self._stream:
            if change is None:
                break
            if isinstance(change.record, MessageRecord):
                self._lives.setdefault(change.record.reference, []).append(change.record)

    def life(self, reference: str) -> list[MessageRecord]:
        """Return every state of a message's record, as of the last look at the stream."""
        return self._lives.get(reference, [])

    def statuses(self, reference: str) -> list[str]:
        """Return the statuses of a message's record, as of the last look at the stream."""
        return [record.status for record in self.life(reference)]

    def told(self, reference: str) -> list[str]:
        """Return the statuses without ENROUTE, whose webhook the next one overtakes where the machine is busy."""
        return [status for status in self.statuses(reference) if status != "ENROUTE"]

    def wait_for_status(self, reference: str, status: str) -> None:
        """Wait until a message's record has had this status."""

        def seen() -> bool:
            self.look()
            return status in self.statuses(reference)

        wait_for(seen, f"{reference} to be {status}")

    def letters(self, reference: str) -> list[Letter]:
        """Return what the dead-letter queue holds of a message so far."""
        while found := self._receive_letters():
            self._letters += found
        return [letter for letter in self._letters if letter.said().get("Reference") == reference]

    def redrive(self, reference: str) -> None:
        """Put a message back on the queue as an operator does: body and attributes as they are."""
        (letter,) = self.letters(reference)
        self.send(letter.body, attributes=letter.attributes)
        sqs, url = self.stack.client("sqs"), self.stack.outputs["DeadLetterQueueUrl"]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=letter.receipt)
        self._letters.remove(letter)

    def drain(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Wait until every message has come to its end: the queues are empty, and the webhooks are taken."""

        def ended() -> bool:
            self.look()
            meanwhile()
            return self._is_empty() and self.desk.is_quiet()

        wait_for(ended, "the queues to be empty", DRAINED_WITHIN_S)
        self.look()

    def _is_empty(self) -> bool:
        return all(self._count_of(queue, COUNTS) == {"0"} for queue in ("QueueUrl", "UrgentQueueUrl"))

    def _count_of(self, queue: str, names: Sequence[str]) -> set[str]:
        sqs, url = self.stack.client("sqs"), self.stack.outputs[queue]
        return set(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values())

    def _receive_letters(self) -> list[Letter]:
        answer = self.stack.client("sqs").receive_message(
            QueueUrl=self.stack.outputs["DeadLetterQueueUrl"],
            MaxNumberOfMessages=10,
            VisibilityTimeout=HIDDEN_S,
            MessageAttributeNames=["All"],
        )
        return [
            Letter(letter["Body"], letter.get("MessageAttributes", {}), letter["ReceiptHandle"])
            for letter in answer.get("Messages", [])
        ]
