"""`make demo`: send three messages through the whole stack on this machine, and show what becomes of them.

One is plain, one has every field, and one cannot be sent. The exit code is 0 if the first two are delivered and the
third is in the dead-letter queue with its reason. Otherwise it is 1, and the output names what is missing.
"""

import argparse
import json
import time
from typing import Any

from gatewayapi.record import MessageRecord
from local.stack import Stack
from local.tail import follow
from tools.command import INTERRUPTED, run

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


def main(arguments: list[str] | None = None) -> int:
    """Run the demo, and return its exit code."""
    argparse.ArgumentParser(prog="make demo", description="Send three messages through the stack").parse_args(
        arguments
    )
    try:
        with Stack(progress=lambda line: print(line, flush=True)) as stack:
            return show(stack)
    except KeyboardInterrupt:
        print("\nstopped, and everything is deleted")
        return INTERRUPTED


def show(stack: Stack) -> int:
    """Put the messages on the queues, print their steps as the table's stream has them, and sum up."""
    references = enqueue(stack)
    print(f"\n{len(MESSAGES)} messages are on the queues. Their steps, read from the table's stream:\n")
    steps: dict[str, dict[str, MessageRecord]] = {reference: {} for reference in references}
    until = time.monotonic() + WITHIN_S
    for change in follow(stack.client("dynamodbstreams"), stack.outputs["StreamArn"]):
        if time.monotonic() > until or all(finished(seen) for seen in steps.values()):
            break
        record = change.record if change else None
        if isinstance(record, MessageRecord) and record.reference in steps:
            for line in new_lines(record, steps[record.reference]):
                print(f"  {record.reference[:36]:36}  {line}", flush=True)
    letters = dead_letters(stack, until)
    return summary(steps, letters)


def enqueue(stack: Stack) -> list[str]:
    """Put the messages on the queues, the urgent one on the urgent queue, and return their references."""
    references = []
    for fields in MESSAGES:
        urgent = fields.get("priority") == "urgent"
        url = stack.outputs["UrgentQueueUrl" if urgent else "QueueUrl"]
        sent = stack.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(fields, ensure_ascii=False))
        references.append(str(fields.get("reference", sent["MessageId"])))
    return references


def new_lines(record: MessageRecord, seen: dict[str, MessageRecord]) -> list[str]:
    """Return a line for each step that a record shows for the first time, and add the steps to `seen`."""
    lines = []
    for step, at, what in (
        ("queued", record.queued_at, "queued"),
        ("accepted", record.accepted_at, f"accepted as {record.msg_id}"),
        (record.status, record.status_at or record.updated_at, record.status),
    ):
        if at is None or step in seen or step in {"SENDING", "ACCEPTED"}:
            continue
        seen[step] = record
        reason = f": {record.error['details']}" if record.error and step == record.status else ""
        lines.append(f"+{(at - record.queued_at).total_seconds():6.2f} s  {what}{reason}")
    return lines


def finished(seen: dict[str, MessageRecord]) -> bool:
    """Return whether a message has passed all its steps."""
    return "INVALID" in seen or {"queued", "accepted", "DELIVERED"} <= seen.keys()


def dead_letters(stack: Stack, until: float) -> dict[str, str]:
    """Return the reasons of the messages in the dead-letter queue, by reference."""
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


def summary(steps: dict[str, dict[str, MessageRecord]], letters: dict[str, str]) -> int:
    """Print the table at the end of the demo, and return the exit code."""
    print(f"\n  {'reference':36}  {'result':10}  {'after':>8}")
    missing = []
    for reference, seen in steps.items():
        # The last one of the stream. `updated_at` is the time of the function that wrote it, so a later write can
        # have an earlier time.
        last = next(reversed(seen.values()), None)
        expected = "INVALID" if reference == INVALID else "DELIVERED"
        if last is None or last.status != expected or (reference == INVALID and INVALID not in letters):
            missing.append(f"{reference} should be {expected}, and is {last.status if last else 'not in the table'}")
            continue
        seconds = ((last.status_at or last.updated_at) - last.queued_at).total_seconds()
        print(f"  {reference[:36]:36}  {last.status:10}  {seconds:6.2f} s")
    for reference, reason in letters.items():
        print(f"\n  in the dead-letter queue: {reference}: {reason}")
    for line in missing:
        print(f"\n  not as expected: {line}")
    return 1 if missing else 0


if __name__ == "__main__":
    run(main)
