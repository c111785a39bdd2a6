"""`make smoke STACK=…`: test that a deployed stack accepts a signed event and refuses everything else.

The webhook key is never read. The stack's own `/sign` signs the event, for those who have the permission to call it.
The event belongs to no message, and it is deleted from the table at the end.
"""

import uuid
from datetime import UTC, datetime

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError

from simulator.webhook_events import status_event, ulid
from tools.command import FAILED, run
from tools.deployed import Deployed, command_parser

TIMEOUT_S = 15


class SmokeError(Exception):
    """The stack did something else than it should."""


def main(arguments: list[str] | None = None) -> int:
    """Run the steps and print what happened; return 1 at the first that is wrong."""
    stack = Deployed(
        command_parser("smoke", "Test a deployed stack's webhook endpoint from outside").parse_args(arguments).stack
    )
    reference = f"smoke-{uuid.uuid4()}"
    event_id = str(uuid.uuid4())
    key = {"pk": {"S": reference}, "sk": {"S": f"EVENT#{event_id}"}}
    table = {"TableName": stack.output("TableName"), "Key": key}
    dynamodb = stack.client("dynamodb")
    try:
        body = event(event_id, reference)
        signature = signed(stack, body)
        step("signed by the stack", signature[:10] + "…", correct=signature.startswith("v1="))
        step("a signed event", *post(stack, body, signature, 200, "stored"))
        item = dynamodb.get_item(**table, ConsistentRead=True).get("Item")
        step("in the table", "with its body" if item else "nothing", correct=bool(item and item["body"]["S"] == body))
        step("the same again", *post(stack, body, signature, 200, "duplicate"))
        # HTTP/2 clients write the names of headers in lower case.
        step("header in lower case", *post(stack, body, signature, 200, "duplicate", header="signature"))
        step("tampered with", *post(stack, body.replace("DELIVERED", "REJECTED"), signature, 401, "UNAUTHORIZED"))
        step("not signed", *post(stack, body, None, 401, "UNAUTHORIZED"))
    except SmokeError as error:
        print(f"  wrong: {error}")
        return FAILED
    finally:
        try:
            dynamodb.delete_item(**table)
            print("  the event is deleted again")
        except ClientError as error:
            print(f"  the event stays until it expires: {error.response['Error']['Code']}")
    print("the endpoint works")
    return 0


def event(event_id: str, reference: str) -> str:
    """Return the body of a status event with the present time."""
    now = datetime.now(UTC)
    made = status_event(
        "DELIVERED", msg_id=ulid(), recipient=4512345678, reference=reference, at=now, event_id=event_id
    )
    return made.body.decode()


def signed(stack: Deployed, body: str) -> str:
    """Return the stack's signature for a body, requested with this environment's credentials."""
    url = stack.url("SignUrl")
    request = AWSRequest("POST", url, data=body, headers={"Content-Type": "application/json"})
    region = stack.session.get_config_variable("region")
    credentials = stack.session.get_credentials()
    if credentials is None:
        raise SmokeError("there are no AWS credentials")
    SigV4Auth(credentials, "execute-api", region).add_auth(request)
    answer = urllib3.request("POST", url, body=body.encode(), headers=dict(request.headers), timeout=TIMEOUT_S)
    if answer.status != 200:  # noqa: PLR2004 - OK
        raise SmokeError(f"/sign answered {answer.status}: {answer.data[:300]!r}")
    return str(answer.json()["signature"])


def post(
    stack: Deployed, body: str, signature: str | None, status: int, word: str, *, header: str = "Signature"
) -> tuple[str, bool]:
    """Post a body; return the answer, and whether it has the expected status and word."""
    headers = {"Content-Type": "application/json"} | ({header: signature} if signature else {})
    url = stack.url("WebhookUrl")
    answer = urllib3.request("POST", url, body=body.encode(), headers=headers, timeout=TIMEOUT_S, retries=False)
    text = answer.data.decode("utf-8", "replace")
    return f"{answer.status} {text.strip()[:200]}", answer.status == status and word in text


def step(what: str, result: str, correct: bool) -> None:  # noqa: FBT001 - `post` returns both
    """Print a step, or end the run if its result is wrong."""
    if not correct:
        raise SmokeError(f"{what}: {result}")
    print(f"  {what:20}  {result}")


if __name__ == "__main__":
    run(main)
