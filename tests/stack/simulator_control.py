"""The provider's simulator as a test gives it orders and asks what it saw, over its own port."""

import json
import urllib.request
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from local.waiting import REQUEST_S, wait_for
from simulator.webhook_events import status_event

Fields = dict[str, Any]


class Desk:
    """The simulator at this URL."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, route: str, order: object = None, method: str | None = None) -> Fields:
        """Ask one of the routes of `simulator.control`."""
        body = None if order is None else json.dumps(order).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/_control/{route}", body, headers, method=method)
        with urllib.request.urlopen(request, timeout=REQUEST_S) as answer:
            found: Fields = json.loads(answer.read())
        return found

    def order(self, *rules: Fields) -> None:
        """Order faults, each with the fields of `simulator.faults`."""
        self.ask("faults", list(rules))

    def wait_until_struck(self, kind: str, reference: str) -> None:
        """Wait until a request has met the fault of this kind for this message."""

        def struck() -> bool:
            rules = self.ask("faults")["faults"]
            return any(rule["hits"] for rule in rules if (rule["kind"], rule["reference"]) == (kind, reference))

        wait_for(struck, f"a request that meets {kind} for {reference}")

    def sms(self, reference: str) -> list[Fields]:
        """Return what was accepted under a reference: each entry is an SMS."""
        return [message for message in self.ask("messages")["messages"] if message["reference"] == reference]

    def counts(self) -> Counter[str]:
        """Return how often each reference was accepted."""
        return Counter(self.ask("messages")["counts"])

    def requests(self, reference: str | None = None, since: int = 0) -> list[Fields]:
        """Return the requests to send, in order; given a reference, those alone that had it."""
        requests: list[Fields] = self.ask(f"requests?since={since}")["requests"]
        return [each for each in requests if reference is None or reference in each["references"]]

    def deliver(self, reference: str, *statuses: str) -> None:
        """Send the status webhooks of an accepted message, whose own were dropped."""
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
        """Return whether all webhooks have been taken."""
        return bool(self.ask("deliveries")["pending"] == 0)
