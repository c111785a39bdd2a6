"""The function behind the REST API: it receives the provider's signed webhooks, and signs test webhooks.

API Gateway throttles requests and authenticates callers of /sign.
"""

from __future__ import annotations

from gatewayapi import startup  # first, because it stops the garbage collector for the imports below

# isort: split
import base64
import binascii
import json
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit

import intake
import stop_words
from gatewayapi import aws, clock
from gatewayapi.errors import EventAgeError, SecretError, SignatureError, StorageError, UnstorableError
from gatewayapi.event_table import EventTable
from gatewayapi.secrets import Secret
from gatewayapi.signature import sign
from gatewayapi.state import FINAL
from gatewayapi.webhook_body import MAX_BODY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gatewayapi.event_record import EventRecord

MAX_SECONDS_TO_FINAL_STATUS = 6 * 86_400  # an SMS is tried for up to five days, and its last status can arrive later
SETTINGS = intake.Settings(
    max_age=timedelta(seconds=int(os.environ["MAX_EVENT_AGE_S"])),
    words=stop_words.words(os.environ["STOP_WORDS"], os.environ["START_WORDS"], os.environ["KEYWORDS"]),
)
KEYS = Secret(os.environ["WEBHOOK_KEY_SECRET_ARN"])
TABLE = EventTable(aws.client("dynamodb"), os.environ["TABLE_NAME"], int(os.environ["RETENTION_DAYS"]))

logger = Logger()
metrics = Metrics()

Answer = dict[str, Any]


def receive(body: bytes, signature: str) -> Answer:
    """Answer POST /webhooks."""
    if len(body) > MAX_BODY:
        return refuse(413, "TOO_LARGE", f"a body has at most {MAX_BODY} bytes", "SizeRefused")
    try:
        receipt = intake.receive(body, signature, settings=SETTINGS, keys=KEYS, table=TABLE, now=clock.now())
    except SignatureError:
        # The text is the same for every reason, so that it does not help an attacker.
        return refuse(401, "UNAUTHORIZED", "the signature is missing or does not verify", "SignatureRefused")
    except EventAgeError as error:
        return refuse(400, "EVENT_AGE", str(error), "AgeRefused")
    except (StorageError, UnstorableError, SecretError) as error:
        logger.error("not stored", extra={"reason": str(error)})  # noqa: TRY400 - a stack trace adds nothing
        return refuse(503, "NOT_STORED", "the event could not be stored, try again", "NotStored")
    count(f"Event{receipt.status.capitalize()}", f"Key{receipt.key.capitalize()}")
    if receipt.event is None:
        logger.warning("event", extra={"outcome": receipt.status, "reason": receipt.reason})
    else:
        opt_out = "unreadable" if receipt.text_unreadable else receipt.opt_out and receipt.opt_out.status
        logger.info("event", extra={"outcome": receipt.status, **described(receipt.event), "opt_out": opt_out})
        if receipt.status == intake.STORED:
            measure_delivery(receipt.event)
            if receipt.opt_out is not None:
                count("OptOutRecorded")
            if receipt.text_unreadable:
                count("OptOutUnreadable")
    return answer(200, {"status": receipt.status})


def sign_for(principal: str, body: bytes) -> Answer:
    """Answer POST /sign, with which `make smoke` signs a test webhook. Only IAM principals may use it."""
    if not principal:
        return refuse(403, "FORBIDDEN", "only IAM principals may have a body signed", "SignRefused")
    if len(body) > MAX_BODY:
        return refuse(413, "TOO_LARGE", f"a body has at most {MAX_BODY} bytes", "SizeRefused")
    try:
        signature = sign(body, KEYS.current())
    except SecretError as error:
        logger.error("not signed", extra={"reason": str(error)})  # noqa: TRY400 - a stack trace adds nothing
        return refuse(503, "NOT_SIGNED", "the key could not be read, try again", "NotSigned")
    count("Signed")
    logger.info("signed", extra={"caller": principal})
    return answer(200, {"signature": signature})


def measure_delivery(event: EventRecord) -> None:
    """Measure the seconds from acceptance to a final status. The msg_id contains the time of acceptance."""
    accepted_at = clock.from_ulid(event.msg_id or "")
    if event.status not in FINAL or event.status_at is None or accepted_at is None:
        return
    seconds = (event.status_at - accepted_at).total_seconds()
    if seconds < MAX_SECONDS_TO_FINAL_STATUS:  # a test event's msg_id can be years old, and would distort the metric
        metrics.add_metric("AcceptToFinalSeconds", MetricUnit.Seconds, max(0.0, seconds))


def described(event: EventRecord) -> dict[str, object]:
    """Return the log fields of an event: ids, its status, and the last digits of a phone number."""
    number = event.recipient or event.sender
    return {
        "event_id": event.event_id,
        "event_type": event.event_type,
        "msg_id": event.msg_id,
        "reference": event.reference,
        "status": event.status,
        "number": None if number is None else f"…{str(number)[-3:]}",
    }


def refuse(status_code: int, code: str, message: str, metric: str) -> Answer:
    """Return an error response, and count it."""
    count(metric)
    return answer(status_code, {"error": {"code": code, "message": message}})


def count(*names: str) -> None:
    """Count one of each metric."""
    for name in names:
        metrics.add_metric(name, MetricUnit.Count, 1)


def answer(status_code: int, body: Mapping[str, object]) -> Answer:
    """Return a Lambda proxy integration's response."""
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return {"statusCode": status_code, "headers": headers, "body": json.dumps(body), "isBase64Encoded": False}


def raw_body(event: Mapping[str, Any]) -> bytes:
    """Return the bytes that were sent. Undecodable ones become empty, so the signature is refused."""
    body = event.get("body")
    if not isinstance(body, str):
        return b""
    try:
        return base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
    except (binascii.Error, ValueError):
        return b""


def caller(event: Mapping[str, Any]) -> str:
    """Return the ARN of the principal that API Gateway authenticated, empty if there is none."""
    context = event.get("requestContext")
    identity = context.get("identity") if isinstance(context, dict) else None
    principal = identity.get("userArn") if isinstance(identity, dict) else None
    return principal if isinstance(principal, str) else ""


def header(event: Mapping[str, Any], name: str) -> str:
    """Return a header by its lower-case name. HTTP/2 and proxies change the case."""
    headers = event.get("headers")
    for key, value in headers.items() if isinstance(headers, dict) else ():
        if key.lower() == name and isinstance(value, str):
            return value
    return ""


startup.done()


def handler(event: Any, context: object) -> Answer:  # noqa: ANN401, ARG001 - whatever Lambda is invoked with
    """Handle one request of API Gateway, and return its response."""
    request = event if isinstance(event, dict) else {}
    try:
        match request.get("resource"):
            case "/webhooks":
                return receive(raw_body(request), header(request, "signature"))
            case "/sign":
                return sign_for(caller(request), raw_body(request))
            case _:
                return refuse(404, "NOT_FOUND", "there is no such route", "RouteRefused")
    finally:
        metrics.flush_metrics()
