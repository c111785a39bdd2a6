"""`make smoke STACK=name`: whether a deployed stack takes a signed event, and nothing else.

It never sees the webhook key: the stack's own /sign signs the event, for whoever has the right to call it. The event
is for no message, and is deleted from the table at the end.
"""

import argparse
import json
import sys
import uuid
from datetime import UTC, datetime

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError

from simulator.webhook_events import ulid
from tools.deployed import Deployed

TIMEOUT_S = 15


class SmokeError(Exception):
    """The stack did something else than it should."""


def main() -> int:
    """Run the steps and print what each saw; exit with 1 at the first that is not as it should be."""
    parser = argparse.ArgumentParser(prog="smoke", description="Try a deployed stack's endpoint")
    parser.add_argument("--stack", required=True, help="the stack's name")
    stack = Deployed(parser.parse_args().stack)
    reference = f"smoke-{uuid.uuid4()}"
    event_id = str(uuid.uuid4())
    key = {"pk": {"S": reference}, "sk": {"S": f"EVENT#{event_id}"}}
    table = {"TableName": stack.outputs["TableName"], "Key": key}
    dynamodb = stack.client("dynamodb")
    try:
        body = event(event_id, reference)
        signature = signed(stack, body)
        see("signed by the stack", signature[:10] + "…", expected=signature.startswith("v1="))
        see("a signed event", *post(stack, body, signature, 200, "stored"))
        item = dynamodb.get_item(**table, ConsistentRead=True).get("Item")
        see("in the table", "with its body" if item else "nothing", expected=bool(item and item["body"]["S"] == body))
        see("the same again", *post(stack, body, signature, 200, "duplicate"))
        see("tampered with", *post(stack, body.replace("DELIVERED", "REJECTED"), signature, 401, "UNAUTHORIZED"))
        see("not signed", *post(stack, body, None, 401, "UNAUTHORIZED"))
    except SmokeError as error:
        print(f"  no: {error}")
        return 1
    finally:
        try:
            dynamodb.delete_item(**table)
            print("  the event is deleted again")
        except ClientError as error:
            print(f"  the event stays until it expires: {error.response['Error']['Code']}")
    print("the endpoint works")
    return 0


def event(event_id: str, reference: str) -> str:
    """Return the body of a status event that is new now."""
    now = datetime.now(UTC).isoformat()
    status = {
        "msg_id": ulid(),
        "recipient": 4512345678,
        "reference": reference,
        "status": "DELIVERED",
        "status_at": now,
        "error": None,
    }
    return json.dumps({"event_id": event_id, "timestamp": now, "event_type": "message.status.sms", "event": status})


def signed(stack: Deployed, body: str) -> str:
    """Return the stack's signature for a body, asked for with this environment's credentials."""
    url = stack.url("SignUrl")
    request = AWSRequest("POST", url, data=body, headers={"Content-Type": "application/json"})
    region = stack.session.get_config_variable("region")
    credentials = stack.session.get_credentials()
    if credentials is None:
        raise SmokeError("there are no AWS credentials here")
    SigV4Auth(credentials, "execute-api", region).add_auth(request)
    answer = urllib3.request("POST", url, body=body.encode(), headers=dict(request.headers), timeout=TIMEOUT_S)
    if answer.status != 200:  # noqa: PLR2004 - OK
        raise SmokeError(f"/sign answered {answer.status}: {answer.data[:300]!r}")
    return str(answer.json()["signature"])


def post(stack: Deployed, body: str, signature: str | None, status: int, word: str) -> tuple[str, bool]:
    """Post a body; return what was answered, and whether that was the status and word expected."""
    headers = {"Content-Type": "application/json"} | ({"Signature": signature} if signature else {})
    url = stack.url("WebhookUrl")
    answer = urllib3.request("POST", url, body=body.encode(), headers=headers, timeout=TIMEOUT_S, retries=False)
    text = answer.data.decode("utf-8", "replace")
    return f"{answer.status} {text.strip()[:200]}", answer.status == status and word in text


def see(what: str, saw: str, expected: bool) -> None:  # noqa: FBT001 - the end of a sentence
    """Print a step, or end the run where it is not as it should be."""
    if not expected:
        raise SmokeError(f"{what}: {saw}")
    print(f"  {what:20}  {saw}")


if __name__ == "__main__":
    sys.exit(main())
