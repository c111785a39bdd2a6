"""The parameters that change which resources exist, deployed to the local AWS with IAM enforced."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.emulator import ACCESS_KEY, REGION, SECRET_KEY
from local.sam import PROJECT, PYTHON, own_environment, without_metric_math
from local.stack import NAME, Stack
from local.waiting import wait_for
from tests.stack.simulator_control import SimulatorControl
from tests.stack.template import RESOURCES
from tests.stack.webhook_sender import deliver, event

pytestmark = pytest.mark.e2e

BUCKET = "packages"
TOPIC = "arn:aws:sns:eu-west-1:000000000000:alarms"
KEY = "arn:aws:kms:eu-west-1:000000000000:key/11111111-2222-3333-4444-555555555555"


@pytest.fixture(scope="module")
def full(built: Path) -> Iterator[Stack]:
    """Deploy a stack with everything that the stack of the other tests does not have."""
    parameters = {
        "AccessLog": "On",
        "AlarmTopicArn": TOPIC,
        "KmsKeyArn": KEY,
        "MemorySize": "256",
        "SendMode": "DryRun",
        "Tracing": "Active",
    }
    with Stack(parameters, built=built) as stack:
        yield stack


def resources(stack: Stack, name: str) -> set[str]:
    """Return the resources of the template that a deployed stack has."""
    pages = stack.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=name)
    found: set[str] = {it["LogicalResourceId"] for page in pages for it in page["StackResourceSummaries"]}
    return {name for name in found if name in RESOURCES}


def functions(stack: Stack) -> list[dict[str, Any]]:
    return list(stack.client("lambda").list_functions()["Functions"])


def test_alarms_notify_the_topic_when_they_begin_and_end(full: Stack) -> None:
    alarms = full.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert alarms
    assert {tuple(alarm[actions]) for alarm in alarms for actions in ("AlarmActions", "OKActions")} == {(TOPIC,)}


def test_queues_and_secrets_are_encrypted_with_the_customer_managed_key(full: Stack) -> None:
    sqs, secrets = full.client("sqs"), full.client("secretsmanager")
    for queue in ("QueueUrl", "UrgentQueueUrl", "DeadLetterQueueUrl"):
        attributes = sqs.get_queue_attributes(QueueUrl=full.outputs[queue], AttributeNames=["All"])["Attributes"]
        assert attributes["KmsMasterKeyId"] == KEY
    for secret in ("ApiTokenSecretArn", "WebhookKeySecretArn"):
        assert secrets.describe_secret(SecretId=full.outputs[secret])["KmsKeyId"] == KEY


def test_both_functions_have_the_memory_and_the_tracing_of_the_parameters(full: Stack) -> None:
    assert [(it["MemorySize"], it["TracingConfig"]["Mode"]) for it in functions(full)] == [(256, "Active")] * 2


def test_webhooks_are_stored_and_a_dry_run_sends_nothing(full: Stack) -> None:
    assert deliver(full, event("full-webhook")) == (200, {"status": "stored"})
    message = {"sender": "Example", "recipient": 4512345678, "message": "Hello", "reference": "full-dry-run"}
    full.client("sqs").send_message(QueueUrl=full.outputs["QueueUrl"], MessageBody=json.dumps(message))
    table = {"TableName": full.outputs["TableName"], "Key": {"pk": {"S": "full-dry-run"}, "sk": {"S": "MESSAGE"}}}
    dynamodb = full.client("dynamodb")

    def held() -> bool:
        item = dynamodb.get_item(**table).get("Item", {})
        return bool(item.get("status") == {"S": "HELD"})

    wait_for(held, "the message to be held")
    item = dynamodb.get_item(**table)["Item"]
    assert item["error"]["M"]["code"] == {"S": "DRY_RUN"}
    assert SimulatorControl(full.provider_url).requests("full-dry-run") == []


@pytest.fixture
def packaged(full: Stack, tmp_path: Path) -> Path:
    """Package the template as a user does, with this process's Python as the project's environment."""
    full.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    python = tmp_path / "venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (tmp_path / "venv/.local-stamp").touch()
    subprocess.run(
        # By its name on the PATH, as a user runs it.
        ["make", f"VENV={tmp_path / 'venv'}", f"OUT={tmp_path}", "package", f"BUCKET={BUCKET}"],  # noqa: S607
        cwd=PROJECT,
        env=own_environment()
        | {
            "AWS_ENDPOINT_URL": full.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": REGION,
            "PYTHON_RUNTIME": f"python{PYTHON}",
        },
        check=True,
        timeout=120,
    )
    return tmp_path / "packaged.yaml"


def test_plain_cloudformation_deploys_the_packaged_template(full: Stack, packaged: Path) -> None:
    template = without_metric_math(packaged.read_text())
    full.client("s3").put_object(Bucket=BUCKET, Key="packaged.yaml", Body=template.encode())
    cloudformation = full.client("cloudformation")
    cloudformation.create_stack(
        StackName="packaged",
        TemplateURL=f"{full.endpoint}/{BUCKET}/packaged.yaml",
        Parameters=[
            {"ParameterKey": "GatewayApiToken", "ParameterValue": full.token},
            {"ParameterKey": "PythonRuntime", "ParameterValue": f"python{PYTHON}"},
            {"ParameterKey": "Architecture", "ParameterValue": full.parameters["Architecture"]},
        ],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )

    def described() -> dict[str, Any]:
        return dict(cloudformation.describe_stacks(StackName="packaged")["Stacks"][0])

    wait_for(lambda: described()["StackStatus"] == "CREATE_COMPLETE", "the packaged template to be deployed")
    assert {output["OutputKey"] for output in described()["Outputs"]} == full.outputs.keys()
    # This stack has the defaults, so it has no access log.
    assert resources(full, NAME) - resources(full, "packaged") == {"AccessLogGroup"}
