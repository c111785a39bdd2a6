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
# Needed only with KmsKeyArn. The document lists these actions in another policy.
OWN_KEY = "kms:*"


def schemas() -> dict[str, dict[str, Any]]:
    """Return CloudFormation's own descriptions of the resource types, by name."""
    found = (json.loads(path.read_text()) for path in (DATA / "schemas/resources").glob("*.json"))
    return {schema["typeName"]: schema for schema in found}


def actions(policy: str) -> set[str]:
    return {action for statement in POLICIES[policy]["Statement"] for action in plain(statement["Action"])}


def matches(action: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(action, pattern) for pattern in patterns)


def test_the_deployer_may_do_only_what_cloudformation_needs_for_the_resource_types() -> None:
    resources = translated(PROJECT / "template.yaml")["Resources"].values()
    types = {resource["Type"] for resource in resources}
    handlers = {name: schema["handlers"] for name, schema in schemas().items() if name in types}
    assert handlers.keys() == types
    needed = {
        action
        for operations in handlers.values()
        for operation, handler in operations.items()
        if operation != "list"
        for action in handler["permissions"]
    }
    allowed = actions("deployer")
    assert {action for action in needed - allowed if not matches(action, [*UNUSED, OWN_KEY])} == set()
    assert {action for action in allowed - needed if not action.startswith(("cloudformation:", "s3:"))} == set()


def test_the_deployer_may_pass_roles_only_to_lambda() -> None:
    (statement,) = (
        statement for statement in POLICIES["deployer"]["Statement"] if "iam:PassRole" in statement["Action"]
    )
    assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    assert statement["Resource"] == ["arn:aws:iam::ACCOUNT:role/STACK-*"]


def test_the_deployers_policy_fits_into_a_managed_policy() -> None:
    assert len(json.dumps(POLICIES["deployer"], separators=(",", ":"))) <= MANAGED_POLICY_CHARACTERS


@pytest.mark.parametrize("policy", POLICIES)
def test_every_action_exists(policy: str) -> None:
    services = json.loads((DATA / "AdditionalSpecs/Policies.json").read_text())
    known = {f"{name}:{action}" for name, service in services.items() for action in service["Actions"]}
    assert {action for action in actions(policy) if action.lower() not in known} - {OWN_KEY} == set()
