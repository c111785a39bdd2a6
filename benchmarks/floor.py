"""The floor of a cold start: boto3 imported, a DynamoDB client made, one item put."""

from __future__ import annotations

import os
from typing import Any

import boto3

CLIENT = boto3.client("dynamodb")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 - Lambda's own
    """Put one item."""
    CLIENT.put_item(TableName=os.environ["TABLE_NAME"], Item={"pk": {"S": "one"}, "sk": {"S": "MESSAGE"}})
    return {"batchItemFailures": [], "statusCode": 200}
