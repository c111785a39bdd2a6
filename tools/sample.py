"""`make event`: a webhook sample of `events/webhook/` with the present time and a new signature.

    make event ARGS="status-sms --key KEY" | sam local invoke WebhookFunction --event -
    make event ARGS="status-sms --key KEY --curl WEBHOOK_URL" | sh

It prints the event that API Gateway passes to the function. With --curl, it prints the command that posts the same
body. Every run makes a new event with an id of its own, so that the endpoint does not take it for a duplicate.
"""

import argparse
import json
import os
import shlex
import sys
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simulator.webhook_events import sign, to_text

SAMPLES = Path(__file__).parents[1] / "events" / "webhook"
TIMES = ("status_at", "sent_at")


def names() -> list[str]:
    """Return the names of the samples."""
    return sorted(path.stem for path in SAMPLES.glob("*.json"))


def stamped(name: str, key: str, now: datetime) -> dict[str, Any]:
    """Return a sample as API Gateway would pass it to the function now."""
    request: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text())
    envelope = json.loads(request["body"])
    envelope |= {"event_id": str(uuid.uuid4()), "timestamp": to_text(now)}
    envelope["event"] |= {field: to_text(now) for field in TIMES if field in envelope["event"]}
    body = json.dumps(envelope, ensure_ascii=False, separators=(",", ":"))
    signature = sign(body.encode(), key)
    request["body"] = body
    request["headers"]["Signature"] = signature
    request["multiValueHeaders"]["Signature"] = [signature]
    return request


def curl(request: dict[str, Any], url: str) -> str:
    """Return the command that posts a sample."""
    headers = [f"{name}: {request['headers'][name]}" for name in ("Content-Type", "Signature")]
    arguments = [argument for header in headers for argument in ("--header", header)]
    return shlex.join(["curl", "--silent", "--show-error", *arguments, "--data-binary", request["body"], url])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the event or the command."""
    parser = argparse.ArgumentParser(prog="make event", description="Sign a webhook sample with the present time")
    parser.add_argument("name", choices=names(), help="the sample")
    parser.add_argument("--key", default=os.environ.get("WEBHOOK_KEY"), help="the webhook key (WEBHOOK_KEY)")
    parser.add_argument("--curl", metavar="URL", help="print a curl command for this URL")
    settings = parser.parse_args(arguments)
    if not settings.key:
        parser.error("give the webhook key with --key, or as WEBHOOK_KEY in the environment")
    request = stamped(settings.name, settings.key, datetime.now(UTC))
    print(curl(request, settings.curl) if settings.curl else json.dumps(request, indent=2, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
