"""`make soak`: thousands of messages through faults and killed workers, and how many were lost or sent twice.

The same workload goes through the stack's sender and through the usual Powertools idiom (`peer_sender`), one after
the other, on the same local AWS with the same faults, kills and times. What was sent is counted by the simulator,
which is the only one that knows. At the end the dead-letter queue is redriven once, as an operator would.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.figures import put
from benchmarks.idiom import Idiom
from local.stack import Stack
from tests.stack import function_processes as workers
from tests.stack.deployed_function import processes_of
from tests.stack.direct_invocations import Lever
from tests.stack.simulator_control import Desk

DOCUMENT = Path("docs/reliability.md")
WITHIN_S = 1500
KILL_EVERY_S = 5.0  # a worker that has just been started is to get something done
SHOW_EVERY_S = 10.0
EMPTY = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")

# Of the provider's answers: a good quarter is faulty, most of them after the messages were accepted.
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
)


@dataclass(slots=True)
class Tally:
    """What became of one contender's messages."""

    messages: int
    kills: int = 0
    seconds: float = 0
    requests: int = 0
    doubled: int = 0
    lost: int = 0
    held: Counter[str] = field(default_factory=Counter)
    held_although_sent: int = 0
    redriven: int = 0
    accepted_after_redrive: int = 0
    doubled_after_redrive: int = 0

    def is_good(self) -> bool:
        """Return whether each message was sent exactly once in the end, and none was lost on the way."""
        sent = self.accepted_after_redrive == self.messages
        return sent and not (self.lost or self.doubled or self.doubled_after_redrive)


class Soak:
    """One contender under the workload: a queue and its function, wherever they come from."""

    def __init__(self, stack: Stack, name: str, function: str, queue_url: str, dead_letter_url: str) -> None:
        self.stack, self.name = stack, name
        self._queue_url, self._dead_letter_url = queue_url, dead_letter_url
        self._desk = Desk(stack.provider_url)
        self._processes = processes_of(stack, function)
        self._chance = random.Random(name)

    def run(self, messages: int, kills: int) -> Tally:
        """Send the messages, break things, and count."""
        tally = Tally(messages)
        started = time.monotonic()
        self._desk.ask("reset", {})
        self._desk.ask("webhook", {"url": self.stack.webhook_url, "key": self.stack.webhook_key})
        self._desk.order(*({"count": None, **fault} for fault in (*FAULTS, *WEBHOOK_FAULTS)))
        references = [f"{self.name}-{number}" for number in range(messages)]
        self._enqueue(references)
        self._break_and_wait(tally, kills)
        tally.seconds = time.monotonic() - started
        counts = self._desk.counts()
        tally.requests = len(self._desk.requests())
        letters = self._letters()
        dead = {reference for reference, _, _ in letters}
        tally.doubled = sum(counts[reference] > 1 for reference in references)
        tally.lost = sum(counts[reference] == 0 and reference not in dead for reference in references)
        tally.held = Counter(code for _, code, _ in letters)
        tally.held_although_sent = sum(counts[reference] > 0 for reference in dead)
        self._desk.ask("faults", method="DELETE")
        for _, _, letter in letters:
            self._send(letter["Body"], letter.get("MessageAttributes", {}))
        tally.redriven = len(letters)
        self._break_and_wait(tally, 0)
        counts = self._desk.counts()
        tally.accepted_after_redrive = sum(counts[reference] > 0 for reference in references)
        tally.doubled_after_redrive = sum(counts[reference] > 1 for reference in references)
        return tally

    def _enqueue(self, references: list[str]) -> None:
        sqs = self.stack.client("sqs")
        for start in range(0, len(references), 10):
            entries = [
                {"Id": str(index), "MessageBody": body(start + index, reference)}
                for index, reference in enumerate(references[start : start + 10])
            ]
            sqs.send_message_batch(QueueUrl=self._queue_url, Entries=entries)

    def _break_and_wait(self, tally: Tally, kills: int) -> None:
        """Kill a worker every now and then until the queue is empty and the webhooks are taken."""
        until = time.monotonic() + WITHIN_S
        kill_at = time.monotonic() + KILL_EVERY_S
        show_at = time.monotonic()
        while not (self._is_empty() and self._desk.is_quiet()):
            if time.monotonic() > until:
                raise TimeoutError(f"{self.name}: not finished after {WITHIN_S} seconds")
            if kills > tally.kills and time.monotonic() > kill_at:
                kill_at = time.monotonic() + KILL_EVERY_S
                tally.kills += workers.kill_one(self._processes, self._chance)
            if time.monotonic() > show_at:
                show_at = time.monotonic() + SHOW_EVERY_S
                accepted = len(self._desk.counts())
                print(f"  {self.name}: {accepted} of {tally.messages} sent, {tally.kills} kills", flush=True)
            time.sleep(0.5)

    def _is_empty(self) -> bool:
        found = self.stack.client("sqs").get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=EMPTY)
        return set(found["Attributes"].values()) == {"0"}

    def _letters(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Empty the dead-letter queue, and return each letter with its reference and its code."""
        sqs, letters = self.stack.client("sqs"), []
        while True:
            answer = sqs.receive_message(
                QueueUrl=self._dead_letter_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
            )
            for letter in answer.get("Messages", []):
                code = letter.get("MessageAttributes", {}).get("ErrorCode", {}).get("StringValue", "moved by SQS")
                letters.append((json.loads(letter["Body"])["reference"], code, letter))
                sqs.delete_message(QueueUrl=self._dead_letter_url, ReceiptHandle=letter["ReceiptHandle"])
            if not answer.get("Messages"):
                return letters

    def _send(self, text: str, attributes: dict[str, Any]) -> None:
        self.stack.client("sqs").send_message(
            QueueUrl=self._queue_url, MessageBody=text, MessageAttributes=attributes
        )


def body(number: int, reference: str) -> str:
    """Return a message of the campaign."""
    recipient = 4520_000_000 + number
    return json.dumps(
        {"sender": "Example", "recipient": recipient, "message": f"No. {number}", "reference": reference}
    )


def table(tallies: dict[str, Tally]) -> str:
    """Return the figures as a Markdown table."""
    rows: list[tuple[str, list[object]]] = [
        ("messages", [tally.messages for tally in tallies.values()]),
        ("requests to the provider", [tally.requests for tally in tallies.values()]),
        ("workers killed", [tally.kills for tally in tallies.values()]),
        ("**lost**", [f"**{tally.lost}**" for tally in tallies.values()]),
        ("**sent twice or more**", [f"**{tally.doubled}**" for tally in tallies.values()]),
        ("in the dead-letter queue", [said(tally.held) for tally in tallies.values()]),
        ("… and had been sent all the same", [tally.held_although_sent for tally in tallies.values()]),
        ("sent, after one redrive", [tally.accepted_after_redrive for tally in tallies.values()]),
        ("sent twice or more, after it", [tally.doubled_after_redrive for tally in tallies.values()]),
        ("seconds", [round(tally.seconds) for tally in tallies.values()]),
    ]
    head = f"| | {' | '.join(tallies)} |\n| --- |{' --- |' * len(tallies)}\n"
    return head + "\n".join(f"| {name} | {' | '.join(map(str, values))} |" for name, values in rows)


def said(held: Counter[str]) -> str:
    """Return how many were held, and for which code."""
    return ", ".join(f"{count} {code}" for code, count in held.most_common()) or "0"


def main() -> int:
    """Run both, print the figures and write them into the document; exit with 1 where ours lost or doubled any."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--only", choices=["sender", "idiom"])
    parser.add_argument("--write", action="store_true", help=f"write the table into {DOCUMENT}")
    settings = parser.parse_args()
    tallies: dict[str, Tally] = {}
    with Stack({"ReconcileAfter": "20"}, progress=print) as stack:
        if settings.only != "idiom":
            lever = Lever(stack)
            lever.shorten()
            ours = Soak(stack, "sender", lever.name, stack.outputs["QueueUrl"], stack.outputs["DeadLetterQueueUrl"])
            tallies["this sender"] = ours.run(settings.messages, settings.kills)
        if settings.only != "sender":
            idiom = Idiom(stack)
            peer = Soak(stack, "idiom", idiom.name, idiom.queue_url, idiom.dead_letter_url)
            tallies["the usual idiom"] = peer.run(settings.messages, settings.kills)
    print(f"\n{table(tallies)}")
    if settings.write:
        put(DOCUMENT, "soak", table(tallies))
    ours_tally = tallies.get("this sender")
    return int(ours_tally is not None and not ours_tally.is_good())


if __name__ == "__main__":
    sys.exit(main())
