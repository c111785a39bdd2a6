"""A webhook sample of `events/webhook/`, stamped with the time and signed, so that a webhook endpoint accepts it.

    python -m tools.sample status-sms --key KEY | sam local invoke WebhookFunction --event -
    python -m tools.sample status-sms --key KEY --curl WEBHOOK_URL | sh

It prints the event that API Gateway hands to the function, or with --curl the command that posts the same body.
Each run makes another event: it has an id of its own, so that it is no duplicate of the last.

    name             which sample; without one they are listed
    --key            the webhook key; from the environment's WEBHOOK_KEY where it is not given
    --curl URL       print a curl command for this URL
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

from simulator.webhook_events import moment, sign

SAMPLES = Path(__file__).parents[1] / "events" / "webhook"
TIMES = ("status_at", "sent_at")


def names() -> list[str]:
    """Every sample's name."""
    return sorted(path.stem for path in SAMPLES.glob("*.json"))


def stamped(name: str, key: str, now: datetime) -> dict[str, Any]:
    """A sample as API Gateway would hand it over now."""
    request: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text())
    envelope = json.loads(request["body"])
    envelope |= {"event_id": str(uuid.uuid4()), "timestamp": moment(now)}
    envelope["event"] |= {field: moment(now) for field in TIMES if field in envelope["event"]}
    body = json.dumps(envelope, ensure_ascii=False, separators=(",", ":"))
    signature = sign(body.encode(), key)
    request["body"] = body
    request["headers"]["Signature"] = signature
    request["multiValueHeaders"]["Signature"] = [signature]
    return request


def curl(request: dict[str, Any], url: str) -> str:
    """The command that posts a sample."""
    headers = [f"{name}: {request['headers'][name]}" for name in ("Content-Type", "Signature")]
    arguments = [argument for header in headers for argument in ("--header", header)]
    return shlex.join(["curl", "--silent", "--show-error", *arguments, "--data-binary", request["body"], url])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(prog="sample", description="Stamp a webhook sample with the time and sign it")
    parser.add_argument("name", choices=names())
    parser.add_argument("--key", default=os.environ.get("WEBHOOK_KEY"))
    parser.add_argument("--curl", metavar="URL")
    given = parser.parse_args(arguments)
    if not given.key:
        parser.error("give the webhook key with --key, or as WEBHOOK_KEY in the environment")
    request = stamped(given.name, given.key, datetime.now(UTC))
    print(curl(request, given.curl) if given.curl else json.dumps(request, indent=2, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
