"""`make local`: the stack kept up on this machine until Ctrl-C, with commands to paste and the stream as it grows."""

import json
import sys
import uuid
from datetime import UTC, datetime
from shlex import quote

from gatewayapi.record import EventRecord, MessageRecord, QuarantineRecord, Record
from gatewayapi.signature import sign
from local.emulator import ACCESS_KEY, REGION, SECRET_KEY
from local.life import masked
from local.stack import NAME, Stack
from local.tail import follow
from tools.smoke import event


def main() -> int:
    """Start the stack, say what can be done with it, and tail the stream."""
    try:
        with Stack(progress=lambda line: print(line, flush=True)) as stack:
            print(instructions(stack), flush=True)
            for change in follow(stack.client("dynamodbstreams"), stack.outputs["StreamArn"]):
                if change and change.record:
                    print(f"{datetime.now(UTC):%H:%M:%S}  {line(change.record)}", flush=True)
    except KeyboardInterrupt:
        print("\nstopped, and all of it deleted")
    return 0


def instructions(stack: Stack) -> str:
    """Return the endpoints, and commands that work as they stand in another terminal."""
    message = json.dumps({"sender": "Example", "recipient": 4512345678, "message": "Hello", "reference": "hello-1"})
    body = event(str(uuid.uuid4()), "hello-1")
    environment = {
        "AWS_ENDPOINT_URL": stack.endpoint,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_DEFAULT_REGION": REGION,
    }
    exports = " ".join(f"{name}={value}" for name, value in environment.items())
    return f"""
webhooks    {stack.webhook_url}
queue       {stack.outputs["QueueUrl"]}
urgent      {stack.outputs["UrgentQueueUrl"]}
provider    {stack.provider_url}

In another terminal, first:

  export {exports}

send a message:

  aws sqs send-message --endpoint-url {stack.endpoint} --queue-url {stack.outputs["QueueUrl"]} \\
    --message-body {quote(message)}

send a webhook, signed (it is new for a week):

  curl {stack.webhook_url} -H {quote(f"Signature: {sign(body.encode(), stack.webhook_key)}")} \\
    -H 'Content-Type: application/json' -d {quote(body)}

look a message up, and try the endpoint:

  make status REFERENCE=hello-1
  make smoke STACK={NAME}

have the provider answer the next three requests with 429:

  curl {stack.provider_url}/_control/faults -H 'Content-Type: application/json' \\
    -d '{{"kind": "429", "retry_after": 2, "count": 3}}'

What the stream says, until Ctrl-C:
"""


def line(record: Record) -> str:
    """Return one line for a record that was written."""
    match record:
        case MessageRecord():
            reason = f" ({record.error.get('code')}: {record.error.get('details')})" if record.error else ""
            return f"message  {record.reference}  {record.status}{reason}  to {masked(record.recipient)}"
        case EventRecord():
            return f"event    {record.key}  {record.event_type}  {record.status or ''}"
        case QuarantineRecord():
            return f"quarantined  {record.reason}"


if __name__ == "__main__":
    sys.exit(main())
