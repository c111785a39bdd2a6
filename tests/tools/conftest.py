"""A stack for the commands: the table and the queues on moto, and what CloudFormation answers about them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.moto_aws import Aws
from tools.deployed import DEFAULT_NAME, Deployed

Deploy = Callable[..., Deployed]
Items = Callable[[], dict[tuple[str, str], dict[str, Any]]]
Printed = Callable[[], str]

KEY = {"AttributeType": "S"}
INDEX = {
    "IndexName": "by_phone_number",
    "KeySchema": [
        {"AttributeName": "phone_number", "KeyType": "HASH"},
        {"AttributeName": "recorded_at", "KeyType": "RANGE"},
    ],
    "Projection": {"ProjectionType": "KEYS_ONLY"},
}
TABLE = {
    "BillingMode": "PAY_PER_REQUEST",
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    "AttributeDefinitions": [{"AttributeName": name, **KEY} for name in ("pk", "sk", "phone_number", "recorded_at")],
    "GlobalSecondaryIndexes": [INDEX],
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
}
QUEUES = {"Queue": "messages", "UrgentQueue": "urgent", "DeadLetterQueue": "dead-letters"}
PARAMETERS = {
    "SendMode": "Live",
    "DefaultSender": "",
    "AllowedPrefixes": "",
    "ReconcileAfter": "900",
    "UncertainSends": "Hold",
    "MaxReceiveCount": "8",
    "RetentionDays": "90",
}


@dataclass(frozen=True, slots=True)
class CloudFormation:
    """What CloudFormation answers about one stack. moto's own needs packages that are not installed."""

    parameters: dict[str, str]
    outputs: dict[str, str]

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803 - boto's name
        if StackName != DEFAULT_NAME:
            text = f"Stack with id {StackName} does not exist"
            raise ClientError({"Error": {"Code": "ValidationError", "Message": text}}, "DescribeStacks")
        parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in self.parameters.items()]
        outputs = [{"OutputKey": key, "OutputValue": value} for key, value in self.outputs.items()]
        return {"Stacks": [{"Parameters": parameters, "Outputs": outputs}]}


@pytest.fixture
def deploy(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Deploy:
    """Return a function that makes the stack's table and queues, with some parameters of its own."""

    def deploy(**parameters: str) -> Deployed:
        table = aws.dynamodb.create_table(TableName="table", **TABLE)["TableDescription"]
        outputs = {"TableName": "table", "StreamArn": table["LatestStreamArn"]}
        outputs |= {f"{key}Url": aws.sqs.create_queue(QueueName=name)["QueueUrl"] for key, name in QUEUES.items()}
        clients = {
            "cloudformation": CloudFormation(PARAMETERS | parameters, outputs),
            "dynamodb": aws.dynamodb,
            "sqs": aws.sqs,
        }
        monkeypatch.setattr(Deployed, "client", lambda _, service: clients[service])
        aws.calls.forget()
        return Deployed(DEFAULT_NAME)

    return deploy


@pytest.fixture
def deployed(deploy: Deploy) -> Deployed:
    return deploy()


@pytest.fixture
def items(deployed: Deployed) -> Items:
    """Return a function that reads the whole table, by key."""

    def items() -> dict[tuple[str, str], dict[str, Any]]:
        found = deployed.client("dynamodb").scan(TableName=deployed.output("TableName"))["Items"]
        return {(item["pk"]["S"], item["sk"]["S"]): item for item in found}

    return items


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Printed:
    """Return a function that returns what was printed to standard output since its last call."""
    return lambda: capsys.readouterr().out
