"""The minimal sender: a claim, a request and a result for a batch, without any check or error handling.

The real sender's processor time is compared with it. It is no example to copy: every failure loses messages or sends
them twice.
"""

import hashlib
import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import urllib3

TABLE = os.environ["TABLE_NAME"]
DYNAMODB: Any = boto3.client("dynamodb")
TOKEN = boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["TOKEN_SECRET_ARN"])["SecretString"]
HEADERS = {"Authorization": f"Token {TOKEN}", "Content-Type": "application/json"}
POOL = urllib3.PoolManager()


def claim(message: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Return the write that claims a message."""
    return {
        "Put": {
            "TableName": TABLE,
            "Item": {
                "pk": {"S": message["reference"]},
                "sk": {"S": "MESSAGE"},
                "record_type": {"S": "message"},
                "status": {"S": "SENDING"},
                "recipient": {"N": str(message["recipient"])},
                "sender": {"S": message["sender"]},
                "fingerprint": {"S": hashlib.sha256(message["message"].encode()).hexdigest()},
                "attempts": {"N": "1"},
                "updated_at": {"S": now.isoformat()},
                "expires_at": {"N": str(int((now + timedelta(days=90)).timestamp()))},
            },
            "ConditionExpression": "attribute_not_exists(pk)",
        },
    }


def result(accepted: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Return the write that records an accepted message."""
    return {
        "Update": {
            "TableName": TABLE,
            "Key": {"pk": {"S": accepted["reference"]}, "sk": {"S": "MESSAGE"}},
            "UpdateExpression": "SET #s = :s, msg_id = :m, accepted_at = :a, updated_at = :a",
            "ConditionExpression": "#s = :c",
            "ExpressionAttributeNames": {"#s": "status"},
            "ExpressionAttributeValues": {
                ":s": {"S": "ACCEPTED"},
                ":c": {"S": "SENDING"},
                ":m": {"S": accepted["msg_id"]},
                ":a": {"S": now.isoformat()},
            },
        },
    }


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Send a batch."""
    messages = [json.loads(record["body"]) for record in event["Records"]]
    now = datetime.now(UTC)
    DYNAMODB.transact_write_items(TransactItems=[claim(message, now) for message in messages])
    answer = POOL.request(
        "POST",
        f"{os.environ['GATEWAYAPI_URL']}/mobile/multi",
        body=json.dumps({"messages": messages}),
        headers=HEADERS,
    )
    now = datetime.now(UTC)
    DYNAMODB.transact_write_items(TransactItems=[result(accepted, now) for accepted in answer.json()["responses"]])
    return {"batchItemFailures": []}
