"""`make status REFERENCE=…`: the life of one message, read from the table of a deployed stack.

The provider cannot be asked for a message's state; the table can.
"""

import argparse
import sys

from gatewayapi.record import from_item
from local.life import told
from tools.deployed import Deployed


def main() -> int:
    """Print the message's life; exit with 1 where the table knows nothing of it."""
    parser = argparse.ArgumentParser(prog="status", description="A message's life, from the table")
    parser.add_argument(
        "--reference", required=True, help="the message's reference, or its queue message id where it had none"
    )
    parser.add_argument("--stack", default="gatewayapi", help="the stack's name (gatewayapi)")
    settings = parser.parse_args()
    stack = Deployed(settings.stack)
    pages = (
        stack.client("dynamodb")
        .get_paginator("query")
        .paginate(
            TableName=stack.outputs["TableName"],
            KeyConditionExpression="pk = :reference",
            ExpressionAttributeValues={":reference": {"S": settings.reference}},
            ConsistentRead=True,
        )
    )
    records = [from_item(item) for page in pages for item in page["Items"]]
    if not records:
        print(f"the table has nothing under {settings.reference!r}")
        return 1
    print("\n".join(told(records)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
