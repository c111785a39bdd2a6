"""`make local`: keep the stack up on this machine until Ctrl-C, and print what becomes of each message.

It prints the addresses and commands for a second terminal first. The lines that set that terminal's environment are
also in a file of the run's folder.
"""

import argparse
import json
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote

from gatewayapi.signature import sign
from local import outcomes, parameters
from local.emulator import ACCESS_KEY, REGION, SECRET_KEY
from local.stack import NAME, Stack
from tools.command import run
from tools.smoke import event

CLI_VERSION = 2
SENDER = "Example"  # without a DefaultSender, every message that is tried out would have to name one
REPAIR_S = 5  # between two looks for stacks that were deployed beside this one


def main(arguments: list[str] | None = None) -> int:
    """Start the stack, print how to use it, and print outcomes until Ctrl-C."""
    given = argparse.ArgumentParser(prog="make local", description="Keep the stack up on this machine until Ctrl-C")
    given.add_argument("--port", type=int, default=0, help="the port of the local AWS (any free one)")
    given.add_argument(
        "--page-port", type=int, default=0, help="the port of the phone page and simulator (any free one)"
    )
    given.add_argument(
        "--set",
        type=parameters.assignment,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of template.yaml, such as ReconcileAfter=20; can be given several times",
    )
    given.add_argument("--quiet", action="store_true", help="print no line per message")
    settings = given.parse_args(arguments)
    stack = Stack(
        {"DefaultSender": SENDER} | dict(settings.set),
        port=settings.port,
        page_port=settings.page_port,
        progress=Progress(lambda: stack.provider_url).report,
    )
    try:
        with stack:
            file = stack.folder / "environment"
            file.write_text(environment(stack), encoding="utf-8")
            print(instructions(stack, file, cli_warning(cli_version())), flush=True)
            watch(stack, quiet=settings.quiet)
    except KeyboardInterrupt:
        print("\nstopped, and everything is deleted")
    return 0


class Progress:
    """The steps of the start, printed below the address of the page, which is there before the stack is."""

    def __init__(self, address: Callable[[], str]) -> None:
        self._address = address  # empty until the simulator listens
        self._lines: list[str] = []
        self._begun = False

    def report(self, line: str) -> None:
        """Print a step, or keep it until the page has its address."""
        self._lines.append(line)
        if not self._address():
            return
        if not self._begun:
            self._lines.insert(0, f"phones        {self._address()}/")
            self._begun = True
        print("\n".join(self._lines), flush=True)
        self._lines.clear()


def watch(stack: Stack, *, quiet: bool) -> None:
    """Print each outcome, and repair what is deployed to the local AWS meanwhile, until Ctrl-C."""
    repaired_at = time.monotonic()
    for line in outcomes.follow(stack):
        if line and not quiet:
            print(f"{datetime.now(UTC):%H:%M:%S}  {line}", flush=True)
        if time.monotonic() - repaired_at > REPAIR_S:
            stack.repair_mappings()
            repaired_at = time.monotonic()


def environment(stack: Stack) -> str:
    """Return the lines that point a shell, its AWS CLI and this project's commands at the stack."""
    exports = "".join(f"export {name}={quote(value)}\n" for name, value in variables(stack).items())
    # They would be mixed with the credentials of the local AWS.
    return f"unset AWS_PROFILE AWS_SESSION_TOKEN\n{exports}"


def variables(stack: Stack) -> dict[str, str]:
    """Return the environment variables of the stack."""
    return {
        "AWS_ENDPOINT_URL": stack.endpoint,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "QUEUE_URL": stack.outputs["QueueUrl"],
        "URGENT_QUEUE_URL": stack.outputs["UrgentQueueUrl"],
        "DEAD_LETTER_QUEUE_URL": stack.outputs["DeadLetterQueueUrl"],
        "TABLE_NAME": stack.outputs["TableName"],
        "STREAM_ARN": stack.outputs["StreamArn"],
        "WEBHOOK_URL": stack.webhook_url,
        "PROVIDER_URL": stack.provider_url,
        "STACK": NAME,
    }


def instructions(stack: Stack, file: Path, warning: str = "") -> str:
    """Return the addresses, and commands that work unchanged in another terminal."""
    message = json.dumps({"sender": "Example", "recipient": 4512345678, "message": "Hello", "reference": "hello-1"})
    body = event(str(uuid.uuid4()), "hello-1")
    # For programs that are not started from a shell, such as in an editor.
    exports = " ".join(f"{name}={value}" for name, value in variables(stack).items() if name.startswith("AWS_"))
    return f"""
phones        {stack.provider_url}/
webhooks      {stack.webhook_url}
queue         {stack.outputs["QueueUrl"]}
urgent queue  {stack.outputs["UrgentQueueUrl"]}
dead letters  {stack.outputs["DeadLetterQueueUrl"]}
table         {stack.outputs["TableName"]}
stream        {stack.outputs["StreamArn"]}
provider      {stack.provider_url}
{warning}
In another terminal, in this folder, first:

  . {quote(str(file))}

or, for AWS alone:

  export {exports}

Send a message, look it up, and see what could not be sent:

  make send TO=4512345678 TEXT=Hello REFERENCE=hello-1
  make status REFERENCE=hello-1
  make dead-letters

Test the webhook endpoint:

  make smoke

The same without make: put a message on the queue, and post a signed webhook (it is accepted for a week).

  aws sqs send-message --endpoint-url {stack.endpoint} --queue-url {stack.outputs["QueueUrl"]} \\
    --message-body {quote(message)}
  curl {stack.webhook_url} -H {quote(f"Signature: {sign(body.encode(), stack.webhook_key)}")} \\
    -H 'Content-Type: application/json' -d {quote(body)}

Make the provider answer the next three requests with 429:

  curl {stack.provider_url}/_control/faults -H 'Content-Type: application/json' \\
    -d '{{"kind": "429", "retry_after": 2, "count": 3}}'

What becomes of each message, until Ctrl-C:
"""


def cli_version() -> str | None:
    """Return the version of the AWS CLI, or None if there is none."""
    program = shutil.which("aws")
    if program is None:
        return None
    found = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return (found.stdout or found.stderr).partition(" ")[0].removeprefix("aws-cli/") or None


def cli_warning(version: str | None) -> str:
    """Return a line about an AWS CLI that the documents' commands do not fit."""
    if version is None:
        return "\nThere is no AWS CLI on this machine. `make send` and the other make commands do not need it.\n"
    if version.split(".")[0].isdecimal() and int(version.split(".")[0]) < CLI_VERSION:
        return (
            f"\nThis machine's AWS CLI is version {version}. The documents' commands are for version 2. "
            "With this one, add --endpoint-url $AWS_ENDPOINT_URL to each.\n"
        )
    return ""


if __name__ == "__main__":
    run(main)
