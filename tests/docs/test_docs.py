"""The documents against what they tell of: parameters, outputs, targets, codes, metrics, alarms, commands, links."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

import sender
from tests.stack.template import PARAMETERS, PROJECT, RESOURCES, TEMPLATE, walk

DOCUMENTS = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
README, OPERATIONS = (PROJECT / "README.md").read_text(), (PROJECT / "docs/operations.md").read_text()
# README's words for a parameter's default, where it has one of its own.
WORDS = {"": None, "generated": "", "none": "", "all": ""}
OUTPUT = re.compile(r"\b[A-Z][A-Za-z]+(?:Url|Arn|Name)\b")
# AWS's own, and the API's fields.
FOREIGN = {"QueueName", "QueueArn", "TableName", "FunctionName", "EventSourceArn"}


def section(document: str, title: str) -> str:
    """The text under a heading, to the next of its level."""
    level = "#" * 2
    found = re.search(rf"^{level} {re.escape(title)}\n(.*?)(?=^{level} |\Z)", document, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def rows(text: str) -> list[list[str]]:
    """The cells of a text's table rows."""
    return [
        [cell.strip() for cell in line.strip("|").split(" |")] for line in text.splitlines() if line.startswith("|")
    ]


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def test_the_parameter_table_has_every_parameter_with_its_default() -> None:
    told: dict[str, object] = {}
    for names, defaults, *_ in (row for row in rows(section(README, "Deploy")) if row[0].startswith("`")):
        plain = [WORDS.get(value.strip("` "), value.strip("` ")) for value in defaults.split(",")]
        both = quoted(names)
        told |= dict(zip(both, plain if len(plain) > 1 else plain * len(both), strict=True))
    assert told == {name: None if "Default" not in it else str(it["Default"]) for name, it in PARAMETERS.items()}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_output_and_parameter_that_is_named_exists(document: Path) -> None:
    known = TEMPLATE["Outputs"].keys() | PARAMETERS.keys() | FOREIGN
    assert set(OUTPUT.findall(document.read_text())) <= known


def test_every_output_is_named_somewhere() -> None:
    named = {name for document in DOCUMENTS for name in OUTPUT.findall(document.read_text())}
    assert TEMPLATE["Outputs"].keys() <= named | {"QueueArn", "TableArn", "UrgentQueueArn", "SignUrl"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_target_that_is_named_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):.*## ", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"(?:^|`)make ([a-z]+)", document.read_text(), re.MULTILINE)
    assert set(named) <= targets
    assert named or document.name not in {"README.md", "operations.md"}


def test_every_code_of_a_dead_letter_is_explained() -> None:
    told = {code for row in rows(section(README, "Send")) for code in quoted(row[0]) if code.isupper()}
    redrive = {code for row in rows(section(OPERATIONS, "Redrive")) for code in quoted(row[0])}
    assert told == redrive == codes()


def codes() -> set[str]:
    """The codes that the sender gives to `dead`, and those of a message's rules."""
    names = {"RETRIES_EXHAUSTED", "REFERENCE_REUSED", "PROVIDER_REFUSED", "UNCERTAIN"}
    rules = {"INVALID_JSON", "INVALID_MESSAGE", "RECIPIENT_NOT_ALLOWED"}
    defined = "\n".join(
        (PROJECT / path).read_text()
        for path in ("functions/sender/outcome.py", "layers/gatewayapi/gatewayapi/message.py")
    )
    found = set(re.findall(r'^([A-Z_]+) = "\1"$', defined, re.MULTILINE)) - {"DRY_RUN"}
    assert found == names | rules
    return found


def emitted() -> set[str]:
    """The metrics in both functions' code."""
    found = set(sender.METRICS.values()) | {"QueueToAcceptSeconds"}
    for node in ast.walk(ast.parse((PROJECT / "functions/webhook/webhook.py").read_text())):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        given = {"refuse": node.args[3:], "count": node.args, "metrics.add_metric": node.args[:1]}.get(name, [])
        found |= {str(it.value) for it in given if isinstance(it, ast.Constant)}
    statuses, keys = ("Stored", "Duplicate", "Quarantined"), ("Current", "Previous")
    return found | {f"Event{status}" for status in statuses} | {f"Key{key}" for key in keys}


def test_every_metric_is_explained_and_no_other() -> None:
    explained = [name for row in rows(section(OPERATIONS, "Metrics")) for name in quoted(row[0])]
    assert sorted(explained) == sorted(emitted())


def test_alarms_and_dashboard_watch_metrics_that_there_are() -> None:
    watched = {node["MetricName"] for node in walk(RESOURCES) if node.get("Namespace") == "GatewayApi"}
    text = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    shown = set(re.findall(r'\["(?:GatewayApi|\.)", "([A-Z][A-Za-z]+)"', text))
    aws = {"ApproximateNumberOfMessagesNotVisible", "Throttles"}
    assert watched
    assert watched | shown <= emitted() | aws


def test_every_alarm_is_explained_with_a_look_and_a_fix() -> None:
    alarms = {name for name, it in RESOURCES.items() if it["Type"] == "AWS::CloudWatch::Alarm"}
    parts = re.split(r"^### (\w+)\n", section(OPERATIONS, "Alarms"), flags=re.MULTILINE)[1:]
    explained = dict(zip(parts[::2], parts[1::2], strict=True))
    assert explained.keys() == alarms
    for text in explained.values():
        assert "```sh\n" in text
        assert "Fix:" in text or "the fix are the same" in text


def commands() -> Iterator[tuple[str, str, list[str]]]:
    """Each `aws` command in the documents: service, operation and options."""
    for document in DOCUMENTS:
        texts = [document.read_text().replace("\\\n", " ")]
        while inner := re.search(r"\$\(([^()]*)\)", texts[0]):  # a command in a command is one of its own
            texts.append(inner[1])
            texts[0] = texts[0].replace(inner[0], "it")
        for found in (found for text in texts for found in re.findall(r"\baws ([a-z0-9]+ [a-z-]+[^`;)\n]*)", text)):
            service, operation, *rest = found.split()
            yield service, operation, [word for word in rest if re.fullmatch(r"--[a-z-]+", word)]


@pytest.mark.parametrize(("service", "operation", "options"), list(commands()))
def test_every_aws_command_is_one(service: str, operation: str, options: list[str]) -> None:
    model = botocore.session.get_session().get_service_model(service)
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    assert operation in operations
    shape = model.operation_model(operations[operation]).input_shape
    members = {f"--{xform_name(name, '-')}" for name in shape.members} if shape else set()
    members |= {member.replace("--", "--no-", 1) for member in members} | {"--query", "--output", "--max-items"}
    assert set(options) <= members


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        path, _, anchor = target.partition("#")
        if path.startswith("https://"):
            continue
        file = document.parent / path if path else document
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}, (
                target
            )
