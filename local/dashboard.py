"""The stack's dashboard, drawn from a run on this machine: what an operator sees, with real figures in it.

Two minutes of messages, with trouble at the provider and strangers at the door, are drawn in steps of five seconds.
What only CloudWatch measures (the age of the oldest message, errors and throttles of Lambda) stays empty.
"""

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable

from gatewayapi.signature import sign
from local.chart import Metric, draw
from local.smoke import event
from local.stack import NAME, Stack

SPAN_S, STEP_S, BUCKET_S = 120, 1.0, 5.0
ANSWER_WITHIN_S = 30
QUEUES = {"QueueUrl": "messages", "UrgentQueueUrl": "urgent", "DeadLetterQueueUrl": "dead-letters"}
DEPTHS = {
    "ApproximateNumberOfMessages": "ApproximateNumberOfMessagesVisible",
    "ApproximateNumberOfMessagesNotVisible": "ApproximateNumberOfMessagesNotVisible",
}
# At which second the provider begins to be in which trouble.
TROUBLE = {
    30: [{"kind": "429", "retry_after": 3, "count": 8}],
    50: [{"kind": "reset", "count": 2}, {"kind": "hang", "seconds": 2, "count": 1}],
    70: [{"kind": "webhook-duplicate", "copies": 3, "count": 6}],
    85: [{"kind": "503", "count": 4}],
}

Found = dict[Metric, list[tuple[float, float]]]


def main() -> int:
    """Run the stack, and print the picture."""
    # Two webhooks at once: each request in flight is a process here.
    with Stack(
        {"ReconcileAfter": "20"},
        provider=("--webhook-workers", "2"),
        progress=lambda line: print(line, file=sys.stderr),
    ) as stack:
        began = time.time()
        found = depths(stack, began)
        for function in ("sender", "webhook"):
            for metric, at, value in emitted(stack.logs(function)):
                found.setdefault(metric, []).append((at - began, value))
        body = stack.client("cloudwatch").get_dashboard(DashboardName=NAME)["DashboardBody"]
    print(draw(json.loads(body)["widgets"], found, SPAN_S, BUCKET_S), end="")
    return 0


def depths(stack: Stack, began: float) -> Found:
    """Put messages on the queues until the time is over, and return how many waited meanwhile."""
    found: Found = {}
    for second in range(SPAN_S):
        play(stack, second)
        for output, queue in QUEUES.items():
            answer = stack.client("sqs").get_queue_attributes(
                QueueUrl=stack.outputs[output], AttributeNames=list(DEPTHS)
            )
            for attribute, name in DEPTHS.items():
                samples = found.setdefault(("AWS/SQS", name, f"{NAME}-{queue}"), [])
                samples.append((time.time() - began, float(answer["Attributes"][attribute])))
        time.sleep(max(0.0, began + (second + 1) * STEP_S - time.time()))
    return found


def play(stack: Stack, second: int) -> None:
    """Do what the run has for this second."""
    if second in TROUBLE:
        order(stack, TROUBLE[second])
    for number in range(2 if second % 20 < 5 else second % 2):  # noqa: PLR2004 - bursts of five seconds
        fields: dict[str, object] = {
            "sender": "Example",
            "recipient": 4520000000 + second,
            "message": "Hello",
            "reference": f"drawn-{second}-{number}",
        }
        if second % 25 == 10:  # noqa: PLR2004 - now and then
            del fields["message"]
        queue = "UrgentQueueUrl" if number else "QueueUrl"
        for _ in range(2 if second % 15 == 0 else 1):  # a producer that repeats itself
            stack.client("sqs").send_message(QueueUrl=stack.outputs[queue], MessageBody=json.dumps(fields))
    if second % 30 == 20:  # noqa: PLR2004 - strangers, and what the provider may think of next
        post(stack, event("stranger", "stranger"), "another key")
        post(stack, json.dumps({"number": second}), stack.webhook_key)


def emitted(log: Iterable[str]) -> Iterable[tuple[Metric, float, float]]:
    """Yield the values of each metric that a function's log holds, with their time."""
    for line in log:
        document = json.loads(line) if line.startswith("{") else {}
        for directive in document.get("_aws", {}).get("CloudWatchMetrics", []):
            for name in (each["Name"] for each in directive["Metrics"]):
                metric = (directive["Namespace"], name, document["service"])
                yield from ((metric, document["_aws"]["Timestamp"] / 1000, value) for value in document[name])


def order(stack: Stack, rules: list[dict[str, object]]) -> None:
    """Order faults from the provider's simulator."""
    request = urllib.request.Request(f"{stack.provider_url}/_control/faults", json.dumps(rules).encode())
    with urllib.request.urlopen(request, timeout=ANSWER_WITHIN_S):
        pass


def post(stack: Stack, body: str, key: str) -> None:
    """Post a webhook that a key has signed, whatever is answered."""
    headers = {"Content-Type": "application/json", "Signature": sign(body.encode(), key)}
    request = urllib.request.Request(stack.webhook_url, body.encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_WITHIN_S):
            pass
    except urllib.error.HTTPError as refused:
        refused.close()


if __name__ == "__main__":
    sys.exit(main())
