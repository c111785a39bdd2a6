"""`make status REFERENCE=…`: what became of a message, and what happens next.

GatewayAPI has no way to ask for a message's state. The table does.
"""

from gatewayapi.clock import now
from tools.command import FAILED, run
from tools.deployed import Deployed, command_parser
from tools.records import under
from tools.timeline import lines


def main(arguments: list[str] | None = None) -> int:
    """Print the timeline of a message; return 1 if the table has nothing under its reference."""
    parser = command_parser("status", "Show what became of a message, and what happens next")
    parser.add_argument(
        "--reference", required=True, help="the message's reference; if it had none, its SQS message id"
    )
    settings = parser.parse_args(arguments)
    stack = Deployed(settings.stack)
    items = under(stack, settings.reference)
    if not items:
        print(f"The table has nothing under {settings.reference!r}. Was it put on the queue of {settings.stack!r}?")
        return FAILED
    print("\n".join(lines(items, stack.parameters, now())))
    return 0


if __name__ == "__main__":
    run(main)
