"""template.yaml as data, with CloudFormation's short forms written out."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cfnlint.decode.cfn_yaml import load  # type: ignore[import-untyped] # it ships no types

PROJECT = Path(__file__).parents[2]
# Through JSON, for cfn-lint's own dictionaries know their line numbers and get in the way of comparing.
TEMPLATE: dict[str, Any] = json.loads(json.dumps(load(str(PROJECT / "template.yaml"))))
PARAMETERS, RESOURCES = TEMPLATE["Parameters"], TEMPLATE["Resources"]
FUNCTIONS = ("SenderFunction", "WebhookFunction")


def properties(resource: str) -> dict[str, Any]:
    found: dict[str, Any] = RESOURCES[resource]["Properties"]
    return found


def walk(node: object) -> Iterator[dict[str, Any]]:
    children: list[Any] = []
    if isinstance(node, dict):
        yield node
        children = list(node.values())
    elif isinstance(node, list):
        children = node
    for child in children:
        yield from walk(child)


def plain(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]
