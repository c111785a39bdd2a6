"""The deployed stack for tests of the sender: send messages, and read their records and dead letters.

Records are read from the table's stream, which has every status, however short. Nothing more will be sent when the
queues are empty.
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
from tests.stack.aws_proxy import AwsProxy
from tests.stack.direct_invocations import SenderFunctionControl
from tests.stack.simulator_control import SimulatorControl

Fields = dict[str, Any]
DRAINED_WITHIN_S = 150
SHOWN = 3  # digits of a phone number that a log may contain
HIDDEN_S = 600  # longer than the tests of one file
COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message in the dead-letter queue, with its attributes in the form of SendMessage."""

    body: str
    attributes: Fields
    receipt: str

    def attribute_values(self) -> dict[str, str]:
        """Return the values of the attributes by name."""
        return {name: value["StringValue"] for name, value in self.attributes.items()}


class DeployedStack:
    """One deployed stack, with the simulator's control API and the proxy in front of AWS."""

    def __init__(self, stack: Stack, aws_proxy: AwsProxy, sender_function: SenderFunctionControl) -> None:
        self.stack, self.aws_proxy, self.sender_function = stack, aws_proxy, sender_function
        self.simulator = SimulatorControl(stack.provider_url)
        self.texts: list[str] = []
        self.numbers: list[str] = []
        self.tokens = [stack.token]
        self._count = itertools.count(1)
        self._dead_letters: list[DeadLetter] = []
        self._stream = follow(stack.client("dynamodbstreams"), stack.outputs["StreamArn"])
        self._histories: dict[str, list[MessageRecord]] = {}

    def begin(self) -> None:
        """Wait until the messages of other tests have ended, and remove their faults."""
        self.drain()
        self.simulator.ask("faults", method="DELETE")

    def message(self, reference: str | None = None, **fields: object) -> Fields:
        """Return a message with a text and a number of its own, for which the logs are searched later."""
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
        """Put a message on a queue, and return its SQS message id."""
        sent = self.stack.client("sqs").send_message(
            QueueUrl=self.stack.outputs["UrgentQueueUrl" if urgent else "QueueUrl"],
            MessageBody=message if isinstance(message, str) else json.dumps(message, ensure_ascii=False),
            DelaySeconds=delay_s,
            MessageAttributes=attributes or {},
        )
        return str(sent["MessageId"])

    def send_batch(self, *messages: Fields) -> None:
        """Put messages on the urgent queue, which has batches of 10, so that they are delivered together."""
        with self.sender_function.paused():
            for message in messages:
                self.send(message, urgent=True)
        # Otherwise messages of the next batch could be delivered with them.
        wait_for(lambda: self._count_of("UrgentQueueUrl", COUNTS[:1]) == {"0"}, "the batch to be received")

    def rotate_token(self, token: str) -> None:
        """Change the provider's token, and store it in the secret."""
        self.simulator.ask("token", {"token": token})
        secrets = self.stack.client("secretsmanager")
        secrets.put_secret_value(SecretId=self.stack.outputs["ApiTokenSecretArn"], SecretString=token)
        self.tokens.append(token)

    def read_stream(self) -> None:
        """Read the stream up to now."""
        for change in self._stream:
            if change is None:
                break
            if isinstance(change.record, MessageRecord):
                self._histories.setdefault(change.record.reference, []).append(change.record)

    def history(self, reference: str) -> list[MessageRecord]:
        """Return every version of a message's record that was read from the stream."""
        return self._histories.get(reference, [])

    def statuses(self, reference: str) -> list[str]:
        """Return the statuses of a message's record that were read from the stream."""
        return [record.status for record in self.history(reference)]

    def statuses_without_enroute(self, reference: str) -> list[str]:
        """Return the statuses without ENROUTE, whose webhook can be late on a busy machine."""
        return [status for status in self.statuses(reference) if status != "ENROUTE"]

    def wait_for_status(self, reference: str, status: str) -> None:
        """Wait until a message's record has had this status."""

        def seen() -> bool:
            self.read_stream()
            return status in self.statuses(reference)

        wait_for(seen, f"{reference} to be {status}")

    def dead_letters(self, reference: str) -> list[DeadLetter]:
        """Return the dead letters of a message so far."""
        while found := self._receive_dead_letters():
            self._dead_letters += found
        return [
            dead_letter
            for dead_letter in self._dead_letters
            if dead_letter.attribute_values().get("Reference") == reference
        ]

    def redrive(self, reference: str) -> None:
        """Put a dead letter back on the queue with its body and attributes."""
        (dead_letter,) = self.dead_letters(reference)
        self.send(dead_letter.body, attributes=dead_letter.attributes)
        sqs, url = self.stack.client("sqs"), self.stack.outputs["DeadLetterQueueUrl"]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=dead_letter.receipt)
        self._dead_letters.remove(dead_letter)

    def drain(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Wait until the queues are empty, and all webhooks were answered."""

        def ended() -> bool:
            self.read_stream()
            meanwhile()
            return self._is_empty() and self.simulator.is_quiet()

        wait_for(ended, "the queues to be empty", DRAINED_WITHIN_S)
        self.read_stream()

    def _is_empty(self) -> bool:
        return all(self._count_of(queue, COUNTS) == {"0"} for queue in ("QueueUrl", "UrgentQueueUrl"))

    def _count_of(self, queue: str, names: Sequence[str]) -> set[str]:
        sqs, url = self.stack.client("sqs"), self.stack.outputs[queue]
        return set(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values())

    def _receive_dead_letters(self) -> list[DeadLetter]:
        answer = self.stack.client("sqs").receive_message(
            QueueUrl=self.stack.outputs["DeadLetterQueueUrl"],
            MaxNumberOfMessages=10,
            VisibilityTimeout=HIDDEN_S,
            MessageAttributeNames=["All"],
        )
        return [
            DeadLetter(dead_letter["Body"], dead_letter.get("MessageAttributes", {}), dead_letter["ReceiptHandle"])
            for dead_letter in answer.get("Messages", [])
        ]
