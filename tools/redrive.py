"""`make redrive [REFERENCE=…]`: put dead letters back on the queue, one after the other.

Each dead letter is sent to the queue first, and then deleted from the dead-letter queue. An interruption between the
two leaves a copy in both, which is harmless: the reference is the idempotency key.

SQS's own `StartMessageMoveTask` does not fit dead letters that SQS itself moved. They have no attributes. Without the
attribute `Reference`, a message that names no reference would get another one, and so a second SMS.
"""

import sys
from datetime import datetime
from typing import Any

from gatewayapi.clock import now
from tools.command import FAILED, MISUSED, CommandError, run
from tools.dead_letters import DeadLetter, DeadLetterQueue
from tools.deployed import Deployed, command_parser

LIVE = "Live"
UNCERTAIN = "UNCERTAIN"


def main(arguments: list[str] | None = None) -> int:
    """Redrive all dead letters, or those of one reference."""
    parser = command_parser("redrive", "Put dead letters back on the queue")
    parser.add_argument("--reference", help="only the letters of this reference")
    parser.add_argument("--urgent", action="store_true", help="put them on the urgent queue")
    settings = parser.parse_args(arguments)
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
    """Move the dead letters that wait now, and return how many. One that returns meanwhile is not moved again.

    If the queue refuses some, the others are moved, and CommandError is raised.
    """
    sqs = stack.client("sqs")
    began, count, refused = now(), 0, 0
    with DeadLetterQueue(stack) as queue:
        for dead_letter in queue.dead_letters():
            if not _is_selected(dead_letter, reference, began):
                continue
            try:
                sent = sqs.send_message(
                    QueueUrl=stack.output("UrgentQueueUrl" if urgent else "QueueUrl"),
                    MessageBody=dead_letter.body,
                    MessageAttributes=attributes(dead_letter),
                )
            except sqs.exceptions.ClientError as error:
                # The queue refuses this message, so it stays in the dead-letter queue.
                print(f"{dead_letter.reference}  is not redriven: {error}", file=sys.stderr, flush=True)
                refused += 1
                continue
            queue.delete(dead_letter)
            code = dead_letter.attribute("ErrorCode") or f"no ErrorCode, now {UNCERTAIN}"
            print(f"{dead_letter.reference}  ({code})  is on the queue as {sent['MessageId']}", flush=True)
            count += 1
    if refused:
        raise CommandError(f"{count} put back on the queue. The queue refused {refused}, which stay dead letters.")
    return count


def _is_selected(dead_letter: DeadLetter, reference: str | None, began: datetime) -> bool:
    return dead_letter.sent_at < began and reference in {None, dead_letter.reference}


def attributes(dead_letter: DeadLetter) -> dict[str, Any]:
    """Return the attributes to send: the reference, and a code that marks the message as redriven.

    The code is always UNCERTAIN. SQS keeps it if it moves the message to the dead-letter queue by itself, after a
    delivery that may have sent it. The sender checks the record before it sends, whatever the code is.
    """
    values = {"Reference": dead_letter.reference, "ErrorCode": UNCERTAIN}
    return {name: {"DataType": "String", "StringValue": value} for name, value in values.items()}


if __name__ == "__main__":
    run(main)
