"""`make campaign`: measures how long a message takes, at rest and during a campaign, and its processor time.

It sends single probe messages to both queues of the deployed local stack, at rest and while a campaign waits in the
main queue. The time of a probe is from SendMessage to the provider's request. The time of a webhook is until its
response, when its record is already in the stream. The local AWS delivers at most ten messages at a time and starts a
process for each concurrent invocation, so the ratios matter more than the seconds.
"""

import argparse
import itertools
import os
import statistics
import sys
import threading
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.report import put, table
from benchmarks.soak import enqueue
from local.stack import Stack
from local.waiting import wait_for
from tests.stack import function_processes
from tests.stack.direct_invocations import SenderFunctionControl
from tests.stack.simulator_control import SimulatorControl

DOCUMENT = Path("docs/performance.md")
PARTS = 4
WARM_UP = 20  # probes for each queue at once, so that every process has its cold start before the measurement
WITHIN_S = 1200
CONCURRENCY = 2  # for each queue, the number of the machine's cores


class Campaign:
    """The stack under measurement."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.simulator = stack, SimulatorControl(stack.provider_url)
        self._sender_function = SenderFunctionControl(stack)
        self._sent: dict[str, datetime] = {}
        # The simulator's list grows long and is read often, so every entry is fetched only once.
        self._requests: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        for mapping in stack.client("lambda").list_event_source_mappings()["EventSourceMappings"]:
            stack.client("lambda").update_event_source_mapping(
                UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": CONCURRENCY}
            )
        # The campaign's webhooks are dropped. Otherwise they would dominate the measurement.
        self.simulator.inject_faults({"kind": "webhook-drop", "count": None, "reference_contains": "campaign"})

    def probe(self, count: int, name: str, queue: str, *, wait_for_each: bool) -> None:
        """Send probes, one after the other; with `wait_for_each`, each after the provider received the last one."""
        for number in range(count):
            reference = f"{name}-{number}"
            self._sent[reference] = datetime.now(UTC)
            enqueue(self.stack, self.stack.outputs[queue], [reference])
            if wait_for_each:
                wait_for(partial(self._has_arrived, reference), reference, WITHIN_S)

    def enqueue(self, count: int) -> None:
        """Enqueue the whole campaign, and only then let the sender run."""
        with self._sender_function.paused():
            enqueue(self.stack, self.stack.outputs["QueueUrl"], [f"campaign-{number}" for number in range(count)])

    def waits(self, name: str) -> list[float]:
        """Return the seconds from SendMessage to the provider's request for every probe."""
        waits = []
        for request in self._seen():
            at = datetime.fromisoformat(request["at"])
            waits += [
                (at - self._sent[reference]).total_seconds()
                for reference in request["references"]
                if is_of(reference, name)
            ]
        return waits

    def webhooks(self, name: str) -> list[float]:
        """Return the seconds until the response for every webhook of the probes."""
        attempts = self.simulator.ask("deliveries")["deliveries"]
        return [attempt["seconds"] for attempt in attempts if is_of(attempt["reference"] or "", name)]

    def cpu_s(self) -> float:
        """Return the processor seconds that the sender's processes have used."""
        ticks = 0
        for process in function_processes.processes(self._sender_function.processes):
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def cost(self, count: int) -> list[float]:
        """Return the sender's processor milliseconds per message in each part of the campaign."""
        marks = [(self.accepted(), self.cpu_s())]
        for part in range(1, PARTS + 1):
            goal = count * part // PARTS
            wait_for(partial(self._has_sent, goal), f"{goal} messages", WITHIN_S)
            marks.append((self.accepted(), self.cpu_s()))
        return [
            1000 * (cpu - cpu_before) / (sent - before)
            for (before, cpu_before), (sent, cpu) in itertools.pairwise(marks)
        ]

    def has_ended(self, messages: int) -> bool:
        """Return whether the provider accepted so many messages, and all webhooks were answered."""
        sent = sum(request["accepted"] for request in self._seen())
        return sent >= messages and self.simulator.is_quiet()

    def accepted(self) -> int:
        """Return how many messages of the campaign the provider accepted."""
        accepted = {
            reference for request in self._seen() if request["accepted"] for reference in request["references"]
        }
        return sum(1 for reference in accepted if is_of(reference, "campaign"))

    def _seen(self) -> list[dict[str, Any]]:
        with self._lock:
            self._requests += self.simulator.requests(since=len(self._requests))
            return list(self._requests)

    def _has_arrived(self, reference: str) -> bool:
        return any(reference in request["references"] for request in self._seen())

    def _has_sent(self, goal: int) -> bool:
        return self.accepted() >= goal


def is_of(reference: str, name: str) -> bool:
    """Return whether a reference belongs to the messages of this name."""
    return reference.rpartition("-")[0] == name


def row(name: str, seconds: list[float]) -> list[str]:
    """Return a row of the table: the median and the 95th percentile."""
    return [name, f"{statistics.median(seconds):.2f} s", f"{statistics.quantiles(seconds, n=20)[-1]:.2f} s"]


def main() -> int:
    """Measure, print, and with --write update the document."""
    parser = argparse.ArgumentParser(prog="campaign", description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--probes", type=int, default=20)
    parser.add_argument("--write", action="store_true", help=f"write the figures into {DOCUMENT}")
    settings = parser.parse_args()
    with Stack(progress=print) as stack:
        campaign = Campaign(stack)
        for queue in ("QueueUrl", "UrgentQueueUrl"):
            campaign.probe(WARM_UP, f"warm-{queue}", queue, wait_for_each=False)
        wait_for(partial(campaign.has_ended, 2 * WARM_UP), "the warm-up", WITHIN_S)
        campaign.probe(settings.probes, "rest", "QueueUrl", wait_for_each=True)
        wait_for(partial(campaign.has_ended, 2 * WARM_UP + settings.probes), "the probes at rest", WITHIN_S)
        print("enqueuing the campaign")
        campaign.enqueue(settings.messages)
        print("sending it")
        began = time.monotonic()
        beside = threading.Thread(target=measure_beside, args=[campaign, settings.probes])
        beside.start()
        costs = campaign.cost(settings.messages)
        seconds = time.monotonic() - began
        beside.join()
        wait_for(lambda: len(campaign.waits("behind")) == settings.probes, "the last probes", WITHIN_S)
        wait_for(campaign.simulator.is_quiet, "the webhooks", WITHIN_S)
        quarters = ", ".join(f"{cost:.2f} ms" for cost in costs)
        rows = [
            row("queue to GatewayAPI, at rest", campaign.waits("rest")),
            row("queue to GatewayAPI during a campaign, urgent queue", campaign.waits("urgent")),
            row("queue to GatewayAPI during a campaign, main queue", campaign.waits("behind")),
            row("webhook until stored, at rest", campaign.webhooks("rest")),
            row("webhook until stored, during a campaign", campaign.webhooks("urgent")),
        ]
    text = (
        f"{table(('', 'p50', 'p95'), rows)}\n\n"
        f"{settings.messages} messages in {seconds:.0f} s. Processor time per message, by quarter: {quarters}."
    )
    print(f"\n{text}")
    if settings.write:
        put(DOCUMENT, "campaign", text)
    return 0


def measure_beside(campaign: Campaign, probes: int) -> None:
    """Send probes to both queues while the campaign waits."""
    campaign.probe(probes, "behind", "QueueUrl", wait_for_each=False)
    campaign.probe(probes, "urgent", "UrgentQueueUrl", wait_for_each=True)


if __name__ == "__main__":
    sys.exit(main())
