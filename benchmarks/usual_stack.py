"""`usual_sender` on the local AWS, with a queue, a dead-letter queue and a table of its own.

It is created by API calls and not by a template, because nobody should deploy it. Its timeouts are the sender's.
"""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

from local.sam import PYTHON
from local.stack import Stack
from local.waiting import wait_for
from tests.stack.direct_invocations import CONCURRENCY, TIMEOUT_S, VISIBILITY_S

SOURCE = Path(__file__).with_name("usual_sender.py")
MAX_RECEIVE_COUNT = 8


class UsualStack:
    """The deployed `usual_sender`: `name` is the function's name, and `queue_url` takes its messages."""

    name = "usual-sender"

    def __init__(self, stack: Stack) -> None:
        self.dead_letter_url, dead_letter_arn = _queue(stack, "usual-dead-letters", {})
        redrive = json.dumps({"deadLetterTargetArn": dead_letter_arn, "maxReceiveCount": MAX_RECEIVE_COUNT})
        attributes = {"VisibilityTimeout": str(VISIBILITY_S), "RedrivePolicy": redrive}
        self.queue_url, queue_arn = _queue(stack, "usual", attributes)
        stack.client("dynamodb").create_table(
            TableName="usual",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        functions = stack.client("lambda")
        functions.create_function(
            FunctionName=self.name,
            Runtime=f"python{PYTHON}",
            Handler="usual_sender.handler",
            Code={"ZipFile": _zipped()},
            Role=_role(stack),
            Timeout=TIMEOUT_S,
            MemorySize=512,
            Environment={
                "Variables": {
                    "IDEMPOTENCY_TABLE": "usual",
                    "GATEWAYAPI_URL": stack.provider_url,
                    "TOKEN_SECRET_ARN": stack.outputs["ApiTokenSecretArn"],
                    "POWERTOOLS_SERVICE_NAME": "usual",
                    "POWERTOOLS_METRICS_NAMESPACE": "Usual",
                }
            },
        )
        wait_for(lambda: bool(_state(functions, self.name) == "Active"), "the usual sender to be active")
        functions.create_event_source_mapping(
            FunctionName=self.name,
            EventSourceArn=queue_arn,
            BatchSize=10,
            FunctionResponseTypes=["ReportBatchItemFailures"],
            ScalingConfig={"MaximumConcurrency": CONCURRENCY},
        )


def _queue(stack: Stack, name: str, attributes: dict[str, str]) -> tuple[str, str]:
    sqs = stack.client("sqs")
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    return str(url), str(found["QueueArn"])


def _role(stack: Stack) -> str:
    iam = stack.client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    role = iam.create_role(RoleName="usual", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    actions = ["dynamodb:*", "sqs:*", "secretsmanager:*", "logs:*"]
    allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
    iam.put_role_policy(RoleName="usual", PolicyName="usual", PolicyDocument=json.dumps(allowed))
    return str(role["Arn"])


def _zipped() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as code:
        code.write(SOURCE, SOURCE.name)
    return archive.getvalue()


def _state(functions: Any, name: str) -> str:  # noqa: ANN401 - a botocore client
    return str(functions.get_function_configuration(FunctionName=name)["State"])
