"""The events for the measured functions: without faults, in the form of SQS and API Gateway."""

import base64
import json
import time
import uuid
from datetime import UTC, datetime
from typing import Any

from benchmarks.simulated_services import KEY, ULID
from gatewayapi.signature import sign

Event = dict[str, Any]


def batch(size: int) -> Event:
    """Return an SQS event with this many different messages of an ordinary length."""
    return {"Records": [_record(index) for index in range(size)]}


def webhook() -> Event:
    """Return an API Gateway event with a signed status webhook."""
    moment = datetime.now(UTC).isoformat()
    envelope = {
        "event_id": str(uuid.uuid4()),
        "timestamp": moment,
        "event_type": "message.status.sms",
        "event": {
            "msg_id": ULID,
            "recipient": 4512345678,
            "reference": "order-000017-shipped",
            "status": "DELIVERED",
            "status_at": moment,
            "error": None,
        },
    }
    body = json.dumps(envelope).encode()
    headers = {
        "Accept": "*/*",
        "Content-Type": "application/json",
        "Host": "abcdefghij.execute-api.eu-west-1.amazonaws.com",
        "Signature": sign(body, KEY),
        "User-Agent": "provider",
        "X-Amzn-Trace-Id": "Root=1-67ecf000-0123456789abcdef01234567",
        "X-Forwarded-For": "192.0.2.1",
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
    }
    return {
        "resource": "/webhooks",
        "path": "/webhooks",
        "httpMethod": "POST",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": "/webhooks",
            "httpMethod": "POST",
            "path": "/v1/webhooks",
            "protocol": "HTTP/1.1",
            "stage": "v1",
            "requestId": str(uuid.uuid4()),
            "identity": {"sourceIp": "192.0.2.1", "userAgent": "provider", "userArn": None},
        },
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


def _record(index: int) -> Event:
    reference = f"order-{index:06}-shipped"
    fields = {
        "message": f"Your order {index:06} has left our warehouse and is expected tomorrow between 8 and 12.",
        "recipient": 4512345678 + index,
        "sender": "Warehouse",
        "reference": reference,
        "label": "orders",
    }
    return {
        "messageId": str(uuid.uuid4()),
        "receiptHandle": "AQEB" + base64.b64encode(reference.encode() * 8).decode(),
        "body": json.dumps(fields),
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": str(int(time.time() * 1000) - 500),
            "SenderId": "AROAEXAMPLE:producer",
            "ApproximateFirstReceiveTimestamp": str(int(time.time() * 1000)),
        },
        "messageAttributes": {},
        "md5OfBody": "0" * 32,
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:queue",
        "awsRegion": "eu-west-1",
    }
