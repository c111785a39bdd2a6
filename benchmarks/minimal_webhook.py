"""The minimal webhook: check one signature, and store the event and the message's status in one transaction.

The real webhook's processor time is compared with it. It is no example to copy: it fails for a duplicate event, and
for anything else that it does not expect.
"""

import base64
import hashlib
import hmac
import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

TABLE = os.environ["TABLE_NAME"]
DYNAMODB: Any = boto3.client("dynamodb")
KEY = boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["WEBHOOK_KEY_SECRET_ARN"])["SecretString"]


def store(envelope: dict[str, Any], body: str, signature: str) -> None:
    """Store the event and update the message in one transaction."""
    event = envelope["event"]
    now = datetime.now(UTC)
    text, expires_at = now.isoformat(), str(int((now + timedelta(days=90)).timestamp()))
    put = {
        "TableName": TABLE,
        "Item": {
            "pk": {"S": event["reference"]},
            "sk": {"S": "EVENT#" + envelope["event_id"]},
            "record_type": {"S": "event"},
            "event_id": {"S": envelope["event_id"]},
            "event_type": {"S": envelope["event_type"]},
            "timestamp": {"S": envelope["timestamp"]},
            "received_at": {"S": text},
            "expires_at": {"N": expires_at},
            "body": {"S": body},
            "signature": {"S": signature},
            "msg_id": {"S": event["msg_id"]},
            "reference": {"S": event["reference"]},
            "recipient": {"N": str(event["recipient"])},
            "status": {"S": event["status"]},
            "status_at": {"S": event["status_at"]},
        },
        "ConditionExpression": "attribute_not_exists(pk)",
    }
    update = {
        "TableName": TABLE,
        "Key": {"pk": {"S": event["reference"]}, "sk": {"S": "MESSAGE"}},
        "UpdateExpression": "SET #s = :s, status_at = :a, updated_at = :n, expires_at = :e",
        "ConditionExpression": "attribute_exists(pk) AND (attribute_not_exists(status_at) OR status_at < :a)",
        "ExpressionAttributeNames": {"#s": "status"},
        "ExpressionAttributeValues": {
            ":s": {"S": event["status"]},
            ":a": {"S": event["status_at"]},
            ":n": {"S": text},
            ":e": {"N": expires_at},
        },
    }
    DYNAMODB.transact_write_items(TransactItems=[{"Put": put}, {"Update": update}])


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Store one event."""
    body, signature = base64.b64decode(event["body"]), event["headers"]["Signature"]
    if not hmac.compare_digest("v1=" + hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest(), signature):
        return {"statusCode": 401, "body": ""}
    store(json.loads(body), body.decode(), signature)
    return {"statusCode": 200, "body": '{"status": "stored"}'}
