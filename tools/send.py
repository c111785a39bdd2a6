"""`make send TO=… TEXT=…`: put one message on a stack's queue."""

import json

from gatewayapi.errors import MessageError
from gatewayapi.message import MAX_SEGMENTS, StackRules, check, from_fields
from tools.command import MISUSED, CommandError, run
from tools.deployed import DEFAULT_NAME, Deployed, command_parser

# The queue message's own names for what the options give.
FIELDS = ("sender", "reference", "expiration", "priority", "label", "message_type", "context")


def main(arguments: list[str] | None = None) -> int:
    """Check the message as the stack will, put it on the queue, and print how to follow it."""
    parser = command_parser("send", "Put one message on a stack's queue")
    parser.add_argument("--to", required=True, help="the phone number, with its country code")
    parser.add_argument("--text", required=True, help="the text")
    parser.add_argument("--urgent", action="store_true", help="use the urgent queue")
    for name in FIELDS:
        parser.add_argument(f"--{name.replace('_', '-')}", help=f"the field {name} of the queue message")
    settings = parser.parse_args(arguments)
    stack = Deployed(settings.stack)
    fields = {"recipient": settings.to, "message": settings.text}
    fields |= {name: value for name in FIELDS if (value := getattr(settings, name)) is not None}
    checked(fields, stack)
    sent = stack.client("sqs").send_message(
        QueueUrl=stack.output("UrgentQueueUrl" if settings.urgent else "QueueUrl"),
        MessageBody=json.dumps(fields, ensure_ascii=False),
    )
    reference = fields.get("reference", sent["MessageId"])
    print(f"On the {'urgent ' if settings.urgent else ''}queue as {reference}. To follow it:")
    print(f"  make status REFERENCE={reference}" + (f" STACK={stack.name}" if stack.name != DEFAULT_NAME else ""))
    return 0


def checked(fields: dict[str, str], stack: Deployed) -> None:
    """Raise CommandError if the stack would refuse the message."""
    parameters = stack.parameters
    rules = StackRules(
        default_sender=parameters.get("DefaultSender", ""),
        allowed_prefixes=tuple(filter(None, parameters.get("AllowedPrefixes", "").split(","))),
        max_segments=int(parameters.get("MaxSegments", MAX_SEGMENTS)),
        require_message_type=parameters.get("OptOuts") == "Enforce",
    )
    try:
        check(from_fields(fields, rules), rules)
    except MessageError as error:
        problems = "\n".join(f"  {problem.path}: {problem.reason}" for problem in error.problems)
        raise CommandError(f"The stack would refuse this message:\n{problems}", MISUSED) from error


if __name__ == "__main__":
    run(main)
