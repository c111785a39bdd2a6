"""`make soak`: sends messages while answers are faulty and workers are killed, and counts lost and repeated messages.

The same messages go through the stack's sender and then through `usual_sender`, on the same local AWS with the same
faults, kills and timeouts. The simulator counts what was really accepted. At the end the dead letters are redriven
once, as an operator would do.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.usual_stack import UsualStack
from local.stack import Stack
from tests.stack import function_processes
from tests.stack.deployed_function import processes_of
from tests.stack.direct_invocations import SenderFunctionControl
from tests.stack.simulator_control import SimulatorControl

DOCUMENT = Path("docs/reliability.md")
WITHIN_S = 1500
KILL_EVERY_S = 5.0  # a new worker needs time to handle at least one batch
SHOW_EVERY_S = 10.0
EMPTY = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")

# More than a quarter of the provider's answers are faulty, most of them after the messages were accepted.
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "reset", "probability": 0.04},
    {"kind": "hang", "probability": 0.02, "seconds": 20},
    {"kind": "500", "probability": 0.03},
    {"kind": "502", "probability": 0.02},
    {"kind": "504", "probability": 0.02},
    {"kind": "rubbish", "probability": 0.03},
    {"kind": "omit", "probability": 0.02},
    {"kind": "429", "probability": 0.05, "retry_after": 2},
    {"kind": "503", "probability": 0.04},
)
WEBHOOK_FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "webhook-duplicate", "probability": 0.2},
    {"kind": "webhook-reorder", "probability": 0.2},
    {"kind": "webhook-late", "probability": 0.2, "seconds": 4},
    # Another system of the same account reports on the same references and phone numbers.
    {"kind": "webhook-foreign", "probability": 0.2},
)


@dataclass(slots=True)
class Counts:
    """What happened to the messages of one function."""

    messages: int
    kills: int = 0
    seconds: float = 0
    requests: int = 0
    repeated: int = 0
    lost: int = 0
    held: Counter[str] = field(default_factory=Counter)
    held_although_sent: int = 0
    accepted_after_redrive: int = 0
    repeated_after_redrive: int = 0

    def is_good(self) -> bool:
        """Return whether every message was sent exactly once after the redrive, and none was lost before it."""
        sent = self.accepted_after_redrive == self.messages
        return sent and not (self.lost or self.repeated or self.repeated_after_redrive)


class Soak:
    """The test of one function and its queue."""

    def __init__(self, stack: Stack, name: str, function: str, queue_url: str, dead_letter_url: str) -> None:
        self.stack, self.name = stack, name
        self._queue_url, self._dead_letter_url = queue_url, dead_letter_url
        self._simulator = SimulatorControl(stack.provider_url)
        self._processes = processes_of(stack, function)
        self._chance = random.Random(name)

    def run(self, messages: int, kills: int) -> Counts:
        """Send the messages, cause faults and kills, and count."""
        counted = Counts(messages)
        started = time.monotonic()
        self._simulator.ask("reset", {})
        self._simulator.ask("webhook", {"url": self.stack.webhook_url, "key": self.stack.webhook_key})
        self._simulator.inject_faults(*({"count": None, **fault} for fault in (*FAULTS, *WEBHOOK_FAULTS)))
        references = [f"{self.name}-{number}" for number in range(messages)]
        enqueue(self.stack, self._queue_url, references)
        self._kill_and_wait(counted, kills)
        counted.seconds = time.monotonic() - started
        counts = self._simulator.counts()
        counted.requests = len(self._simulator.requests())
        dead_letters = self._dead_letters()
        dead = {reference for reference, _, _ in dead_letters}
        counted.repeated = sum(counts[reference] > 1 for reference in references)
        counted.lost = sum(counts[reference] == 0 and reference not in dead for reference in references)
        counted.held = Counter(code for _, code, _ in dead_letters)
        counted.held_although_sent = sum(counts[reference] > 0 for reference in dead)
        self._simulator.ask("faults", method="DELETE")
        for _, _, dead_letter in dead_letters:
            self.stack.client("sqs").send_message(
                QueueUrl=self._queue_url,
                MessageBody=dead_letter["Body"],
                MessageAttributes=dead_letter.get("MessageAttributes", {}),
            )
        self._kill_and_wait(counted, 0)
        counts = self._simulator.counts()
        counted.accepted_after_redrive = sum(counts[reference] > 0 for reference in references)
        counted.repeated_after_redrive = sum(counts[reference] > 1 for reference in references)
        return counted

    def _kill_and_wait(self, counted: Counts, kills: int) -> None:
        """Kill workers until the queue is empty and all webhooks were answered."""
        until = time.monotonic() + WITHIN_S
        kill_at = time.monotonic() + KILL_EVERY_S
        show_at = time.monotonic()
        while not (self._is_empty() and self._simulator.is_quiet()):
            if time.monotonic() > until:
                raise TimeoutError(f"{self.name}: not finished after {WITHIN_S} seconds")
            if kills > counted.kills and time.monotonic() > kill_at:
                kill_at = time.monotonic() + KILL_EVERY_S
                counted.kills += function_processes.kill_one(self._processes, self._chance)
            if time.monotonic() > show_at:
                show_at = time.monotonic() + SHOW_EVERY_S
                accepted = len(self._simulator.counts())
                print(f"  {self.name}: {accepted} of {counted.messages} sent, {counted.kills} kills", flush=True)
            time.sleep(0.5)

    def _is_empty(self) -> bool:
        found = self.stack.client("sqs").get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=EMPTY)
        return set(found["Attributes"].values()) == {"0"}

    def _dead_letters(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Remove all dead letters, and return them with their references and codes."""
        sqs, dead_letters = self.stack.client("sqs"), []
        while True:
            answer = sqs.receive_message(
                QueueUrl=self._dead_letter_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
            )
            for dead_letter in answer.get("Messages", []):
                attributes = dead_letter.get("MessageAttributes", {})
                code = attributes.get("ErrorCode", {}).get("StringValue", "moved by SQS")
                dead_letters.append((json.loads(dead_letter["Body"])["reference"], code, dead_letter))
                sqs.delete_message(QueueUrl=self._dead_letter_url, ReceiptHandle=dead_letter["ReceiptHandle"])
            if not answer.get("Messages"):
                return dead_letters


def enqueue(stack: Stack, queue_url: str, references: Sequence[str]) -> None:
    """Put a message for each reference on a queue. A reference ends with a number."""
    for start in range(0, len(references), 10):
        entries: Any = [
            {"Id": str(index), "MessageBody": body(reference)}
            for index, reference in enumerate(references[start : start + 10])
        ]
        stack.client("sqs").send_message_batch(QueueUrl=queue_url, Entries=entries)


def body(reference: str) -> str:
    """Return the body of a message."""
    number = int(reference.rpartition("-")[2])
    fields = {"sender": "Example", "recipient": 4520_000_000 + number, "message": f"No. {number}"}
    return json.dumps(fields | {"reference": reference})


def table(results: dict[str, Counts]) -> str:
    """Return the figures as a Markdown table."""
    cells: dict[str, Callable[[Counts], object]] = {
        "messages": lambda counts: counts.messages,
        "requests to GatewayAPI": lambda counts: counts.requests,
        "workers killed": lambda counts: counts.kills,
        "**lost**": lambda counts: f"**{counts.lost}**",
        "**sent twice or more**": lambda counts: f"**{counts.repeated}**",
        "in the dead-letter queue": lambda counts: by_code(counts.held),
        "… and had been accepted": lambda counts: counts.held_although_sent,
        "accepted after one redrive": lambda counts: counts.accepted_after_redrive,
        "accepted twice or more after it": lambda counts: counts.repeated_after_redrive,
        "seconds": lambda counts: round(counts.seconds),
    }
    rows = [[name, *(str(cell(counts)) for counts in results.values())] for name, cell in cells.items()]
    return report.table(["", *results], rows)


def by_code(held: Counter[str]) -> str:
    """Return the number of dead letters by code."""
    return ", ".join(f"{count} {code}" for code, count in held.most_common()) or "0"


def main() -> int:
    """Run the tests and print the figures; exit with 1 if the stack's sender lost or repeated a message."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--only", choices=["sender", "usual"])
    parser.add_argument("--write", action="store_true", help=f"write the table into {DOCUMENT}")
    settings = parser.parse_args()
    results: dict[str, Counts] = {}
    with Stack({"ReconcileAfter": "20"}, progress=print) as stack:
        if settings.only != "usual":
            sender_function = SenderFunctionControl(stack)
            sender_function.shorten()
            ours = Soak(
                stack, "sender", sender_function.name, stack.outputs["QueueUrl"], stack.outputs["DeadLetterQueueUrl"]
            )
            results["this sender"] = ours.run(settings.messages, settings.kills)
        if settings.only != "sender":
            usual = UsualStack(stack)
            soak = Soak(stack, "usual", usual.name, usual.queue_url, usual.dead_letter_url)
            results["the usual way"] = soak.run(settings.messages, settings.kills)
    print(f"\n{table(results)}")
    if settings.write:
        report.put(DOCUMENT, "soak", table(results))
    counted = results.get("this sender")
    return int(counted is not None and not counted.is_good())


if __name__ == "__main__":
    sys.exit(main())
