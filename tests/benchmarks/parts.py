"""Where the time goes: pieces of a cold start and of an invocation, each in fresh processes with the function's path.

A part is Python text that is prepared for, then timed. Text, because it must be imported by a child that has not
imported anything yet.
"""

from __future__ import annotations

import statistics
import subprocess
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.benchmarks.layout import environment, python

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.benchmarks.layout import Function
    from tests.benchmarks.services import Services

# Collections fall where they may, so they are kept out of the small parts; they have a line of their own.
_CHILD = """
import gc, os, sys, time
gc.disable()
answer = os.fdopen(os.dup(1), "w")
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
exec(sys.argv[1])
exec("def part():\\n    global_names = globals()\\n    exec(CODE, global_names)", {"CODE": None})
times = []
code = compile(sys.argv[2], "part", "exec")
for _ in range(int(sys.argv[3])):
    started = time.process_time()
    exec(code)
    times.append(time.process_time() - started)
print(min(times) if len(times) > 1 else times[0], file=answer)
"""


@dataclass(frozen=True, slots=True)
class Part:
    """One thing to time: `code` after `before`, over and over where it is not only the first time that counts."""

    name: str
    code: str
    before: str = "pass"
    times: int = 1


BOTOCORE = "import botocore.session, botocore.config"
BOTO3 = "import boto3; boto3.client('dynamodb')"

COLD = (
    Part("botocore imported", BOTOCORE),
    Part("boto3 on top of it (left out)", "import boto3", BOTOCORE),
    Part("Logger and Metrics imported", "import aws_lambda_powertools.logging, aws_lambda_powertools.metrics", BOTOCORE),
    Part("the DynamoDB client, as made here", "aws.client('dynamodb')", "from gatewayapi import aws"),
    Part("… as botocore makes it", "get_session().create_client('dynamodb')", "from botocore.session import get_session"),
    Part(
        "the Secrets Manager client, from the same session",
        "aws.client('secretsmanager')",
        "from gatewayapi import aws; aws.client('dynamodb')",
    ),
    Part(
        "… from a session of its own",
        "get_session().create_client('secretsmanager')",
        "from botocore.session import get_session; get_session().create_client('dynamodb')",
    ),
    Part("the authorities read, once for all TLS (botocore: for each connection)", "tls.context()", "from gatewayapi import tls"),
    Part(
        "the function's own modules, as source",
        "import sender",
        "import gatewayapi.client, gatewayapi.table, gatewayapi.secrets, gatewayapi.message, gatewayapi.aws;"
        "import aws_lambda_powertools.logging, aws_lambda_powertools.metrics; gatewayapi.aws.client('dynamodb')",
    ),
)

DEPENDENCIES = tuple(
    Part(name, f"import {modules}", BOTO3)
    for name, modules in (
        ("requests", "requests"),
        ("pydantic", "pydantic"),
        ("Powertools: Logger", "aws_lambda_powertools.logging"),
        ("Powertools: Metrics", "aws_lambda_powertools.metrics"),
        ("Powertools: batch", "aws_lambda_powertools.utilities.batch"),
        ("Powertools: data classes", "aws_lambda_powertools.utilities.data_classes"),
        ("Powertools: idempotency", "aws_lambda_powertools.utilities.idempotency"),
        ("Powertools: parameters", "aws_lambda_powertools.utilities.parameters"),
        ("Powertools: parser", "aws_lambda_powertools.utilities.parser"),
        ("Powertools: REST resolver", "aws_lambda_powertools.event_handler"),
    )
)

_BATCH = """
import json, sender, delivery, claims, outcome
from gatewayapi import aws, clock, message, record, state, table
from gatewayapi.table import Write
from tests_samples import EVENT
"""
