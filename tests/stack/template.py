"""Both templates as data: as they are written, and as CloudFormation gets them from the SAM translator."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cfnlint.decode.cfn_yaml import load  # type: ignore[import-untyped] # it has no types
from samtranslator.parser.parser import Parser  # type: ignore[import-untyped] # it has no types
from samtranslator.translator.translator import Translator  # type: ignore[import-untyped] # it has no types

PROJECT = Path(__file__).parents[2]
ABSENT = {"Ref": "AWS::NoValue"}


def read(path: Path) -> dict[str, Any]:
    """Return a template with the short forms of functions, aliases and merge keys written out."""
    # Through JSON, because cfn-lint's own dictionaries hold line numbers and are never equal to plain ones.
    template: dict[str, Any] = json.loads(json.dumps(load(str(path))))
    return template


TEMPLATE = read(PROJECT / "template.yaml")
PARAMETERS, RESOURCES = TEMPLATE["Parameters"], TEMPLATE["Resources"]
FUNCTIONS = ("SenderFunction", "WebhookFunction")


def translated(path: Path) -> dict[str, Any]:
    """Return the CloudFormation template that the SAM translator makes of a template, as AWS's transform does."""
    template = read(path)
    for resource in template["Resources"].values():
        # What `sam package` writes there.
        if "CodeUri" in resource["Properties"]:
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
        if "Content" in resource["Properties"]:
            resource["Properties"]["Content"] = {"S3Bucket": "bucket", "S3Key": "key"}
    found: dict[str, Any] = Translator({}, Parser()).translate(template, {})
    return found


def under(node: Any, conditions: Mapping[str, bool]) -> Any:  # noqa: ANN401 - any value of a template
    """Return a part of a template as CloudFormation sees it when conditions have these values."""
    if isinstance(node, list):
        return [found for child in node if (found := under(child, conditions)) != ABSENT]
    if not isinstance(node, dict):
        return node
    if "Fn::If" in node:
        condition, chosen, otherwise = node["Fn::If"]
        return under(chosen if conditions[condition] else otherwise, conditions)
    return {name: found for name, child in node.items() if (found := under(child, conditions)) != ABSENT}


def references(node: object) -> set[str]:
    """Return the names of resources and parameters that a part of a template refers to."""
    found: set[str] = set()
    for part in walk(node):
        found |= {str(part["Ref"])} if "Ref" in part else set()
        found |= {str(plain(part["Fn::GetAtt"])[0].partition(".")[0])} if "Fn::GetAtt" in part else set()
        for text in plain(part.get("Fn::Sub", []))[:1]:
            own = part["Fn::Sub"][1] if isinstance(part["Fn::Sub"], list) else {}
            found |= {name.partition(".")[0] for name in re.findall(r"\$\{([^!}]+)\}", text)} - own.keys()
    return {name for name in found if not name.startswith("AWS::")}


def properties(resource: str) -> dict[str, Any]:
    """Return the properties of a resource of template.yaml."""
    found: dict[str, Any] = RESOURCES[resource]["Properties"]
    return found


def walk(node: object) -> Iterator[dict[str, Any]]:
    """Yield every mapping of a part of a template, outer ones first."""
    children: list[Any] = []
    if isinstance(node, dict):
        yield node
        children = list(node.values())
    elif isinstance(node, list):
        children = node
    for child in children:
        yield from walk(child)


def plain(value: object) -> list[Any]:
    """Return a value that may be a list or a single item as a list."""
    return value if isinstance(value, list) else [value]
