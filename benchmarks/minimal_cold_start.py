"""The minimal cold start: import boto3, create a DynamoDB client, write one item."""

import os
from typing import Any

import boto3

CLIENT = boto3.client("dynamodb")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Write one item."""
    CLIENT.put_item(TableName=os.environ["TABLE_NAME"], Item={"pk": {"S": "one"}, "sk": {"S": "MESSAGE"}})
    return {"batchItemFailures": [], "statusCode": 200}
