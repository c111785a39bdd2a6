"""`make redrive [REFERENCE=…]`: put dead letters back on the queue, one after the other.

Each letter is sent to the queue with its attributes first, and deleted from the dead-letter queue then. An
interruption between the two leaves a copy in both, which is harmless: the reference is the idempotency key.

SQS's own `StartMessageMoveTask` does not fit letters that SQS itself moved. They have no attributes, and without the
attribute `Reference` a message that names no reference would get another identity, and so a second SMS.
"""

from datetime import datetime
from typing import Any

from gatewayapi.clock import now
from tools.command import FAILED, MISUSED, CommandError, run
from tools.dead_letters import DeadLetter, DeadLetterQueue
from tools.deployed import Deployed, parser

LIVE = "Live"
UNCERTAIN = "UNCERTAIN"


def main(arguments: list[str] | None = None) -> int:
    """Redrive all dead letters, or those of one reference."""
    given = parser("redrive", "Put dead letters back on the queue")
    given.add_argument("--reference", help="only the letters of this reference")
    given.add_argument("--urgent", action="store_true", help="put them on the urgent queue")
    settings = given.parse_args(arguments)
    stack = Deployed(settings.stack)
    refuse_without_sending(stack)
    count = redrive(stack, settings.reference, urgent=settings.urgent)
    if settings.reference and not count:
        print(
            f"The dead-letter queue has nothing under {settings.reference!r}. `make dead-letters` lists what it has."
        )
        return FAILED
    print(f"{count} put back on the queue")
    return 0


def refuse_without_sending(stack: Deployed) -> None:
    """Raise CommandError unless the stack sends what is redriven."""
    mode = stack.parameters.get("SendMode")
    if mode != LIVE:
        raise CommandError(
            f"The stack's SendMode is {mode}. A redrive now would use the dead letters up without sending them. "
            "Set SendMode to Live first.",
            MISUSED,
        )


def redrive(stack: Deployed, reference: str | None = None, *, urgent: bool = False) -> int:
    """Move the letters that wait now, and return how many; a letter that comes back meanwhile is not moved again."""
    sqs = stack.client("sqs")
    began, count = now(), 0
    with DeadLetterQueue(stack) as queue:
        for letter in queue.letters():
            if not _is_wanted(letter, reference, began):
                continue
            sent = sqs.send_message(
                QueueUrl=stack.output("UrgentQueueUrl" if urgent else "QueueUrl"),
                MessageBody=letter.body,
                MessageAttributes=attributes(letter),
            )
            queue.delete(letter)
            code = letter.attribute("ErrorCode") or f"no ErrorCode, now {UNCERTAIN}"
            print(f"{letter.reference}  ({code})  is on the queue as {sent['MessageId']}", flush=True)
            count += 1
    return count


def _is_wanted(letter: DeadLetter, reference: str | None, began: datetime) -> bool:
    return letter.sent_at < began and reference in {None, letter.reference}


def attributes(letter: DeadLetter) -> dict[str, Any]:
    """Return the attributes to send: the letter's own, or for one that SQS moved, an identity and a code.

    UNCERTAIN, because nobody knows what its last deliveries did: the sender checks the record before it sends.
    """
    kept = {
        name: {part: value[part] for part in ("DataType", "StringValue", "BinaryValue") if part in value}
        for name, value in letter.attributes.items()
    }
    added = {"Reference": letter.reference, "ErrorCode": UNCERTAIN}
    return {name: {"DataType": "String", "StringValue": value} for name, value in added.items()} | kept


if __name__ == "__main__":
    run(main)
