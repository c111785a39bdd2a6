"""`make demo`: three messages through the whole stack on this machine, seen from the table's stream.

One plain message, one with everything a message can have, and one that cannot be sent. It exits with 0 when the two
are delivered and the third is in the dead-letter queue with its reason, else with 1 and what did not arrive.
"""

import json
import sys
import time
from typing import Any

from gatewayapi.record import MessageRecord
from local.stack import Stack
from local.tail import follow

WITHIN_S = 60
FULL = "order-1042"
INVALID = "no-recipient"

MESSAGES = (
    {"sender": "Example", "recipient": 4512345678, "message": "Your parcel is at the shop."},
    {
        "sender": "Example",
        "recipient": "+45 12 34 56 79",
        "message": "Æbler, smørrebrød og kaffe ☕ venter på dig",
        "reference": FULL,
        "label": "demo",
        "priority": "urgent",
    },
    {"sender": "Example", "message": "To whom?", "reference": INVALID},
)


def main() -> int:
    """Run the demo; the exit code says whether everything arrived."""
    try:
        with Stack(progress=lambda line: print(line, flush=True)) as stack:
            return show(stack)
    except KeyboardInterrupt:
        print("\nstopped")
        return 130


def show(stack: Stack) -> int:
    """Put the messages on the queues, tell what the stream says of them, and sum it up."""
    references = enqueue(stack)
    print(f"\n{len(MESSAGES)} messages are on the queues; what the table's stream says of them:\n")
    lives: dict[str, dict[str, MessageRecord]] = {reference: {} for reference in references}
    until = time.monotonic() + WITHIN_S
    for change in follow(stack.client("dynamodbstreams"), stack.outputs["StreamArn"]):
        if time.monotonic() > until or all(finished(life) for life in lives.values()):
            break
        record = change.record if change else None
        if isinstance(record, MessageRecord) and record.reference in lives:
            for line in news(record, lives[record.reference]):
                print(f"  {record.reference[:36]:36}  {line}", flush=True)
    letters = dead_letters(stack, until)
    return summary(lives, letters)


def enqueue(stack: Stack) -> list[str]:
    """Put the messages on the queues, the urgent one on its own, and return their references."""
    references = []
    for fields in MESSAGES:
        urgent = fields.get("priority") == "urgent"
        url = stack.outputs["UrgentQueueUrl" if urgent else "QueueUrl"]
        sent = stack.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(fields, ensure_ascii=False))
        references.append(str(fields.get("reference", sent["MessageId"])))
    return references


def news(record: MessageRecord, life: dict[str, MessageRecord]) -> list[str]:
    """Return a line for each step that a record shows for the first time, and remember them."""
    lines = []
    for step, at, what in (
        ("queued", record.queued_at, "queued"),
        ("accepted", record.accepted_at, f"accepted as {record.msg_id}"),
        (record.status, record.status_at or record.updated_at, record.status),
    ):
        if at is None or step in life or step in {"SENDING", "ACCEPTED"}:
            continue
        life[step] = record
        reason = f": {record.error['details']}" if record.error and step == record.status else ""
        lines.append(f"+{(at - record.queued_at).total_seconds():6.2f} s  {what}{reason}")
    return lines


def finished(life: dict[str, MessageRecord]) -> bool:
    """Return whether a message has come to its end, with all that belongs to it."""
    return "INVALID" in life or {"queued", "accepted", "DELIVERED"} <= life.keys()


def dead_letters(stack: Stack, until: float) -> dict[str, str]:
    """Return what the dead-letter queue holds, as reason by reference."""
    letters: dict[str, str] = {}
    while INVALID not in letters and time.monotonic() < until:
        answer: dict[str, Any] = stack.client("sqs").receive_message(
            QueueUrl=stack.outputs["DeadLetterQueueUrl"],
            MaxNumberOfMessages=10,
            WaitTimeSeconds=1,
            MessageAttributeNames=["All"],
        )
        for letter in answer.get("Messages", []):
            reasons = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
            letters[reasons["Reference"]] = f"{reasons['ErrorCode']} {reasons['ErrorMessage']}"
    return letters


def summary(lives: dict[str, dict[str, MessageRecord]], letters: dict[str, str]) -> int:
    """Print the table that the demo ends with, and return its exit code."""
    print(f"\n  {'reference':36}  {'result':10}  {'after':>8}")
    missing = []
    for reference, life in lives.items():
        last = max(life.values(), key=lambda record: record.updated_at, default=None)
        expected = "INVALID" if reference == INVALID else "DELIVERED"
        if last is None or last.status != expected or (reference == INVALID and INVALID not in letters):
            missing.append(f"{reference} is {last.status if last else 'nowhere'}, not {expected}")
            continue
        seconds = ((last.status_at or last.updated_at) - last.queued_at).total_seconds()
        print(f"  {reference[:36]:36}  {last.status:10}  {seconds:6.2f} s")
    for reference, reason in letters.items():
        print(f"\n  in the dead-letter queue: {reference}: {reason}")
    for line in missing:
        print(f"\n  did not arrive: {line}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
