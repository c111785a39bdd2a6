"""Measures parts of a cold start and of a batch, each in new processes with the function's own search path.

A part is Python source text, because it runs in a child process that has imported nothing yet.
"""

import json
import statistics
import subprocess
from dataclasses import dataclass

from benchmarks.layout import Function, environment, python
from benchmarks.services import Services

# Garbage collections happen at any time, so they are switched off here. One part measures them.
_CHILD = """
import gc, json, os, sys, time
gc.disable()
answer = os.fdopen(os.dup(1), "w")
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
before, code, times, event = sys.argv[1:]
names = {"EVENT": json.loads(event), "gc": gc}
exec(before, names)
code, used = compile(code, "part", "exec"), []
for _ in range(int(times)):
    started = time.process_time()
    exec(code, names)
    used.append(time.process_time() - started)
print(min(used), file=answer, flush=True)
"""


@dataclass(frozen=True, slots=True)
class Part:
    """The time of `code` after `before` has run. With `times`, the shortest of so many runs in one process."""

    name: str
    code: str
    before: str = "pass"
    times: int = 1


_BOTOCORE = "import botocore.session, botocore.config"
_POWERTOOLS = "import aws_lambda_powertools.logging, aws_lambda_powertools.metrics"
_GATEWAYAPI = "from gatewayapi import aws"
_BOTOCORE_SESSION = "from botocore.session import get_session"
_CLIENT = "client = aws.client('dynamodb')"

COLD = (
    Part("import botocore", _BOTOCORE),
    Part("import boto3 as well (not done)", "import boto3", _BOTOCORE),
    Part("import Logger and Metrics", _POWERTOOLS, _BOTOCORE),
    Part("create the DynamoDB client", _CLIENT, _GATEWAYAPI),
    Part("… with botocore as it is", "get_session().create_client('dynamodb')", _BOTOCORE_SESSION),
    Part(
        "create the Secrets Manager client in the same session",
        "aws.client('secretsmanager')",
        f"{_GATEWAYAPI}; {_CLIENT}",
    ),
    Part(
        "… with botocore as it is, in a session of its own",
        "get_session().create_client('secretsmanager')",
        f"{_BOTOCORE_SESSION}; get_session().create_client('dynamodb')",
    ),
    Part(
        "read the certificate authorities once (botocore: for each connection)",
        "tls.context()",
        "from gatewayapi import tls",
    ),
    Part("import the sender without the garbage collector", "import sender"),
    Part("… with the garbage collector", "import sender", "gc.enable(); gc.disable = lambda: None"),
)
SOURCE = Part("… without byte code", "import sender")

DEPENDENCIES = tuple(
    Part(name, f"import {module}", "import boto3; boto3.client('dynamodb')")
    for name, module in (
        ("Powertools: Logger", "aws_lambda_powertools.logging"),
        ("Powertools: Metrics", "aws_lambda_powertools.metrics"),
        ("Powertools: batch", "aws_lambda_powertools.utilities.batch"),
        ("Powertools: data classes", "aws_lambda_powertools.utilities.data_classes"),
        ("Powertools: parameters", "aws_lambda_powertools.utilities.parameters"),
        ("Powertools: idempotency", "aws_lambda_powertools.utilities.idempotency"),
        ("Powertools: REST resolver", "aws_lambda_powertools.event_handler"),
        ("Powertools: parser", "aws_lambda_powertools.utilities.parser"),
        ("pydantic", "pydantic"),
        ("requests", "requests"),
    )
)

_BATCH = """
import json, os
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.session import get_session
import delivery, sender
from gatewayapi import aws, clock
from gatewayapi.client import Client
from gatewayapi.record import MessageRecord
from gatewayapi.message_table import Write
from outcome import Acceptance
now = clock.now()
deliveries = [delivery.from_record(record) for record in EVENT["Records"]]
messages = [parsed.content.message for parsed in deliveries]
records = [
    MessageRecord(parsed.reference, "SENDING", parsed.sent_at, now, now, parsed.message_id, 1,
        parsed.content.fingerprint, parsed.content.message.recipient, "Shop", lease_until=now)
    for parsed in deliveries
]
put = {"TableName": "a-table", "ConditionExpression": "attribute_not_exists(pk)"}
writes = [{"Put": {**put, "Item": record.to_item()}} for record in records]
requests = [message.request(message.reference, "Shop", None, now) for message in messages]
provider = Client("a-token", os.environ["GATEWAYAPI_URL"])
ours = aws.client("dynamodb")
theirs = get_session().create_client("dynamodb", config=Config(parameter_validation=False))
checked = get_session().create_client("dynamodb")
body = json.dumps(writes).encode()
signer = SigV4Auth(Credentials("key", "secret", "token" * 90), "dynamodb", "eu-west-1")
outcomes = [
    Acceptance(parsed, "m-1", Write(record), was_in_doubt=False) for parsed, record in zip(deliveries, records)
]
"""
_VALUES = """
for index in range(99):
    sender.metrics.add_metric("Probe", "Seconds", 0.123 + index)
sender.metrics.flush_metrics()
"""
BATCH = tuple(
    Part(name, code, _BATCH, times=100)
    for name, code in (
        ("read and check 100 messages", "[delivery.from_record(record) for record in EVENT['Records']]"),
        ("hash their content", "[message.fingerprint(message.reference) for message in messages]"),
        ("convert their records for DynamoDB", "[record.to_item() for record in records]"),
        ("a transaction of 100 items, from call to response", "ours.transact_write_items(TransactItems=writes)"),
        ("… of that, the JSON", "json.dumps(writes).encode()"),
        ("… of that, the signature", "signer.add_auth(AWSRequest('POST', 'https://host/', {}, body))"),
        ("… with botocore's own serializer", "theirs.transact_write_items(TransactItems=writes)"),
        ("… and with parameters checked", "checked.transact_write_items(TransactItems=writes)"),
        ("a transaction of 2 items, from call to response", "ours.transact_write_items(TransactItems=writes[:2])"),
        ("… with botocore's own serializer", "theirs.transact_write_items(TransactItems=writes[:2])"),
        ("… and with parameters checked", "checked.transact_write_items(TransactItems=writes[:2])"),
        ("the request to GatewayAPI, from call to response", "provider.send_many(requests)"),
        ("write the log line and the metrics", "sender.report(outcomes)"),
        ("99 more values of a metric (not written)", _VALUES),
    )
)


def time_s(part: Part, function: Function, services: Services, rounds: int, event: object = None) -> float:
    """Return the median of a part's processor seconds in so many new processes."""
    arguments = ("-W", "ignore", "-c", _CHILD, part.before, part.code, str(part.times), json.dumps(event))
    used = [float(_run(function, services, *arguments).stdout) for _ in range(rounds)]
    return statistics.median(used)


def _run(function: Function, services: Services, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        python(*arguments),
        env=environment(function, services),
        cwd=function.folders[0],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
