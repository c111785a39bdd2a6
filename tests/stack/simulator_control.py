"""A client of the simulator's control API: it injects faults, and reads what the simulator received."""

import json
import urllib.request
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from local.waiting import REQUEST_S, wait_for
from simulator.webhook_events import status_event

Fields = dict[str, Any]


class SimulatorControl:
    """The control API of the simulator at this URL."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, route: str, body: object = None, method: str | None = None) -> Fields:
        """Send a request to a route of the control API."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/_control/{route}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=REQUEST_S) as answer:
            found: Fields = json.loads(answer.read())
        return found

    def inject_faults(self, *rules: Fields) -> None:
        """Inject faults, with the fields of `simulator.faults`."""
        self.ask("faults", list(rules))

    def wait_until_hit(self, kind: str, reference: str) -> None:
        """Wait until the fault of this kind has been applied to this message."""

        def is_hit() -> bool:
            rules = self.ask("faults")["faults"]
            return any(rule["hits"] for rule in rules if (rule["kind"], rule["reference"]) == (kind, reference))

        wait_for(is_hit, f"{kind} to be applied to {reference}")

    def sms(self, reference: str) -> list[Fields]:
        """Return the messages that were accepted under a reference. Every entry is an SMS."""
        return [message for message in self.ask("messages")["messages"] if message["reference"] == reference]

    def counts(self) -> Counter[str]:
        """Return how often each reference was accepted."""
        return Counter(self.ask("messages")["counts"])

    def requests(self, reference: str | None = None, since: int = 0) -> list[Fields]:
        """Return the sending requests in order, or those with this reference."""
        requests: list[Fields] = self.ask(f"requests?since={since}")["requests"]
        return [request for request in requests if reference is None or reference in request["references"]]

    def deliver(self, reference: str, *statuses: str) -> None:
        """Send status webhooks of an accepted message. A fault must have dropped its own."""
        (message,) = self.sms(reference)
        for status in statuses:
            webhook = status_event(
                status,
                msg_id=message["msg_id"],
                recipient=message["recipient"],
                reference=reference,
                at=datetime.now(UTC),
            )
            self.ask("event", {"envelope": json.loads(webhook.body)})

    def is_quiet(self) -> bool:
        """Return whether all webhooks were answered."""
        return bool(self.ask("deliveries")["pending"] == 0)
