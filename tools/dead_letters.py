"""`make dead-letters`: list the dead-letter queue with advice about each message. The messages stay there."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from gatewayapi.clock import from_epoch_ms
from gatewayapi.errors import MessageError
from gatewayapi.message import from_body, reference_of
from tools import explanations
from tools.command import run
from tools.deployed import Deployed, command_parser

BATCH = 10  # the most that SQS gives at once
WAIT_S = 1  # a short poll asks only some of SQS's servers, and can miss messages
VISIBILITY_S = 600  # a command that is killed leaves the dead letters invisible for this long


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message in the dead-letter queue. `attributes` is empty if SQS itself moved it there."""

    message_id: str
    body: str
    sent_at: datetime
    receipt: str
    attributes: dict[str, Any] = field(default_factory=dict)

    def attribute(self, name: str) -> str | None:
        """Return the text of a message attribute."""
        value = self.attributes.get(name, {}).get("StringValue")
        return str(value) if value is not None else None

    @property
    def reference(self) -> str:
        """The reference of its record: the body's, else the attribute's, else the SQS message id.

        SQS keeps the message id when it moves a message. What the sender moves has the attribute.
        """
        try:
            own = reference_of(from_body(self.body))
        except MessageError:
            own = None
        return own or self.attribute("Reference") or self.message_id


class DeadLetterQueue:
    """The dead-letter queue of a stack, read once in a `with` block.

    Within the block, the dead letters that were read are invisible to others. At its end, those that were not deleted
    are visible again.
    """

    def __init__(self, stack: Deployed, *, wait_s: int = WAIT_S, visibility_s: int = VISIBILITY_S) -> None:
        self._wait_s, self._visibility_s = wait_s, visibility_s
        self._sqs: Any = stack.client("sqs")
        self._url = stack.output("DeadLetterQueueUrl")
        self._receipts: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for receipt in self._receipts.values():
            # Where this is not allowed, the visibility timeout does the same later.
            with suppress(self._sqs.exceptions.ClientError):
                self._sqs.change_message_visibility(QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=0)

    def dead_letters(self) -> Iterator[DeadLetter]:
        """Yield each dead letter once."""
        known: set[str] = set()
        while page := self._receive():
            self._receipts |= {dead_letter.message_id: dead_letter.receipt for dead_letter in page}
            new = [dead_letter for dead_letter in page if dead_letter.message_id not in known]
            if not new:  # the first ones are visible again, so all were read
                return
            known |= {dead_letter.message_id for dead_letter in new}
            yield from new

    def delete(self, dead_letter: DeadLetter) -> None:
        """Delete a dead letter that was read."""
        self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=self._receipts[dead_letter.message_id])
        del self._receipts[dead_letter.message_id]

    def _receive(self) -> list[DeadLetter]:
        answer = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=BATCH,
            WaitTimeSeconds=self._wait_s,
            VisibilityTimeout=self._visibility_s,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["SentTimestamp"],
        )
        return [
            DeadLetter(
                message_id=dead_letter["MessageId"],
                body=dead_letter["Body"],
                sent_at=from_epoch_ms(dead_letter["Attributes"]["SentTimestamp"]),
                receipt=dead_letter["ReceiptHandle"],
                attributes=dead_letter.get("MessageAttributes", {}),
            )
            for dead_letter in answer.get("Messages", [])
        ]


def main(arguments: list[str] | None = None) -> int:
    """List the dead letters."""
    settings = command_parser("dead-letters", "List what waits in the dead-letter queue").parse_args(arguments)
    stack = Deployed(settings.stack)
    count = 0
    with DeadLetterQueue(stack) as queue:
        for dead_letter in queue.dead_letters():
            print("\n".join(described(dead_letter)), flush=True)
            count += 1
    print(f"{count} in the dead-letter queue" if count else "The dead-letter queue is empty.")
    return 0


def described(dead_letter: DeadLetter) -> list[str]:
    """Return what is known of a dead letter, without its text and number."""
    code = dead_letter.attribute("ErrorCode")
    reason = dead_letter.attribute("ErrorMessage")
    meaning = explanations.CODES.get(code or "", "")
    return [
        f"{dead_letter.reference}",
        f"  there since {dead_letter.sent_at:%Y-%m-%d %H:%M:%S} UTC",
        f"  {code}: {meaning}" if code else "  no ErrorCode",
        # One line for each mistake of a message.
        *(f"  {line}" for line in (reason or "").replace("; $.", "\n$.").splitlines()),
        f"  {explanations.ADVICE.get(code, '')}" if code else f"  {explanations.NO_ATTRIBUTES}",
        "",
    ]


if __name__ == "__main__":
    run(main)
