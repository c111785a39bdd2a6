"""`make unheard`: messages that GatewayAPI accepted and for which no webhook came.

Nothing else reports such a message. The table has no index for this, so the whole table is read. The cost is printed
first.
"""

import argparse
from datetime import datetime, timedelta

from gatewayapi.clock import now, to_text
from tools.command import run
from tools.deployed import Deployed, command_parser
from tools.explanations import counted
from tools.records import Values, time_of
from tools.table_scan import cost, scan

FOUND = 1
DEFAULT_MINUTES = 60


def main(arguments: list[str] | None = None) -> int:
    """List the messages; return 1 if there are any."""
    parser = command_parser("unheard", "List messages that were accepted long ago and got no webhook")
    parser.add_argument(
        "--minutes", type=_minutes, default=DEFAULT_MINUTES, help="how long ago they were accepted (%(default)s)"
    )
    settings = parser.parse_args(arguments)
    stack = Deployed(settings.stack)
    print(cost(stack), flush=True)
    at = now()
    found = sorted(unheard(stack, at - timedelta(minutes=settings.minutes)), key=lambda it: str(it["accepted_at"]))
    for message in found:
        print(_line(message, at))
    minutes = counted(settings.minutes, "minute")
    print(f"{counted(len(found), 'message')} without a webhook, accepted more than {minutes} ago")
    if found:
        print(
            "If these are all messages of that time, check the webhook's address and key in GatewayAPI's dashboard."
        )
    return FOUND if found else 0


def unheard(stack: Deployed, before: datetime) -> list[Values]:
    """Return the messages accepted before this time that no webhook has moved."""
    return scan(
        stack,
        FilterExpression=(
            "record_type = :message AND #status = :accepted AND accepted_at < :before "
            "AND attribute_not_exists(status_at)"
        ),
        ProjectionExpression="pk, msg_id, accepted_at",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={
            ":message": {"S": "message"},
            ":accepted": {"S": "ACCEPTED"},
            ":before": {"S": to_text(before)},
        },
    )


def _line(message: Values, at: datetime) -> str:
    accepted_at = time_of(message, "accepted_at") or at
    minutes = int((at - accepted_at).total_seconds() // 60)
    accepted = f"accepted {accepted_at:%Y-%m-%d %H:%M:%S} UTC, {minutes} minutes ago"
    return f"{message['pk']}  {accepted}, msg_id {message.get('msg_id')}"


def _minutes(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError("must be a whole number of minutes")
    return int(text)


if __name__ == "__main__":
    run(main)
