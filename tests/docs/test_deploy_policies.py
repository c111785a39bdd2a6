"""The IAM policies that docs/deploy.md prints in full, against what CloudFormation's resource types need."""

import fnmatch
import json
import re
from pathlib import Path
from typing import Any

import cfnlint  # type: ignore[import-untyped] # it has no types
import pytest

from tests.stack.template import PROJECT, plain, translated

DATA = Path(cfnlint.__file__).parent / "data"
DEPLOY = (PROJECT / "docs/deploy.md").read_text()
POLICIES: dict[str, Any] = {
    name: json.loads(text)
    for name, text in re.findall(r"<!-- policy: (\w+) -->\n *```json\n(.*?) *```", DEPLOY, re.DOTALL)
}
MANAGED_POLICY_CHARACTERS = 6144
# What the resource types need for features that the template does not use.
UNUSED = [
    *("ec2:*", "elasticfilesystem:*", "s3files:*", "firehose:*", "kinesis:*", "s3:*"),
    *("*Replica", "*Regions*", "*KinesisStreaming*", "*ContributorInsights", "*Import*"),
    *("dynamodb:*Item", "dynamodb:Query", "dynamodb:Scan", "dynamodb:*ResourcePolicy"),
    *("iam:Attach*", "iam:Detach*", "iam:*PermissionsBoundary", "iam:CreateServiceLinkedRole"),
    *("lambda:*RuntimeAlias", "lambda:Put*", "lambda:Delete*Signing*", "lambda:DeleteFunctionConcurrency"),
    *("lambda:PassCapacityProvider", "lambda:PublishVersion", "apigateway:UpdateRestApiPolicy"),
    *(
        "logs:*DataProtection*",
        "logs:*Index*",
        "logs:*ResourcePolic*",
        "logs:*LogDelivery",
        "logs:*DeletionProtection",
    ),
    *("logs:*LogStream*", "logs:PutLogEvents", "logs:PutBearerTokenAuthentication"),
]
# Only with KmsKeyArn: the document lists these apart.
OWN_KEY = "kms:*"


def schemas() -> dict[str, dict[str, Any]]:
    """Return CloudFormation's own descriptions of the resource types, by name."""
    found = (json.loads(path.read_text()) for path in (DATA / "schemas/resources").glob("*.json"))
    return {schema["typeName"]: schema for schema in found}


def actions(policy: str) -> set[str]:
    return {action for statement in POLICIES[policy]["Statement"] for action in plain(statement["Action"])}


def matches(action: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(action, pattern) for pattern in patterns)


def test_the_deployer_may_do_what_the_resources_need_and_nothing_else_to_them() -> None:
    types = {it["Type"] for it in translated(PROJECT / "template.yaml")["Resources"].values()}
    handlers = {name: schema["handlers"] for name, schema in schemas().items() if name in types}
    assert handlers.keys() == types
    needed = {
        action
        for operations in handlers.values()
        for operation, of in operations.items()
        if operation != "list"
        for action in of["permissions"]
    }
    allowed = actions("deployer")
    assert {it for it in needed - allowed if not matches(it, [*UNUSED, OWN_KEY])} == set()
    beside = {it for it in allowed - needed if not it.startswith(("cloudformation:", "s3:"))}
    assert beside == set()


def test_the_deployer_passes_roles_to_lambda_alone() -> None:
    (statement,) = (it for it in POLICIES["deployer"]["Statement"] if "iam:PassRole" in it["Action"])
    assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    assert statement["Resource"] == ["arn:aws:iam::ACCOUNT:role/STACK-*"]


def test_the_deployers_policy_fits_into_a_managed_policy() -> None:
    assert len(json.dumps(POLICIES["deployer"], separators=(",", ":"))) <= MANAGED_POLICY_CHARACTERS


@pytest.mark.parametrize("policy", POLICIES)
def test_every_action_exists(policy: str) -> None:
    services = json.loads((DATA / "AdditionalSpecs/Policies.json").read_text())
    known = {f"{service}:{action}" for service, of in services.items() for action in of["Actions"]}
    assert {it for it in actions(policy) if it.lower() not in known} - {"kms:*"} == set()
