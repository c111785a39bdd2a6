"""The documents agree with the template, the Makefile, the code, AWS's API, and each other."""

import ast
import re
from collections.abc import Iterator
from functools import cache

import botocore.session
import pytest
from botocore import xform_name
from botocore.model import ServiceModel

import sender
from tests.stack.template import PARAMETERS, PROJECT, RESOURCES, TEMPLATE, walk

PAGES = [f"docs/{path.name}" for path in sorted((PROJECT / "docs").glob("*.md"))]
DOCUMENTS = ["README.md", "events/README.md", *PAGES]
TEXTS = {document: (PROJECT / document).read_text() for document in DOCUMENTS}
ALL_TEXT = "\n".join(TEXTS.values())
MAKEFILE = (PROJECT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))
# Commands for this project's own development, which the Makefile's list explains.
DEVELOPMENT_TARGETS = {"clean", "format", "help", "lock"}

OUTPUT = re.compile(r"(?<!:)\b[A-Z][A-Za-z]+(?:Url|Arn|Name)\b")
AWS_COMMAND = re.compile(r"\baws ([a-z0-9]+ [a-z0-9-]+[^`;)\n]*)")
# Names that AWS and its APIs use.
AWS_NAMES = {
    "FunctionArn",
    "ContextKeyName",
    "QueueName",
    "QueueArn",
    "TableName",
    "FunctionName",
    "EventSourceArn",
    "StackName",
    "RoleArn",
}
CODES = {
    "INVALID_JSON",
    "INVALID_MESSAGE",
    "RECIPIENT_NOT_ALLOWED",
    "TOO_LONG",
    "REFERENCE_REUSED",
    "PROVIDER_REFUSED",
    "UNCERTAIN",
    "RETRIES_EXHAUSTED",
}
# Commands of the AWS CLI that are no operation of a service.
CLI_COMMANDS = {
    ("cloudformation", "deploy"),
    ("cloudformation", "package"),
    ("s3", "mb"),
    ("s3", "cp"),
    ("s3", "rb"),
    ("logs", "tail"),
}
CLI_OPTIONS = {"--query", "--output", "--max-items", "--region", "--profile", "--endpoint-url", "--no-cli-pager"}


def section(document: str, title: str, level: int = 2) -> str:
    """Return the text under a heading, up to the next heading of its level."""
    marks = "#" * level
    found = re.search(rf"^{marks} {re.escape(title)}\n(.*?)(?=^{marks} |\Z)", document, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def rows(text: str) -> list[list[str]]:
    """Return the cells of the text's table rows."""
    return [
        [cell.strip() for cell in line.strip("|").split(" |")] for line in text.splitlines() if line.startswith("|")
    ]


def quoted(text: str) -> list[str]:
    """Return the texts between backticks."""
    return re.findall(r"`([^`]+)`", text)


def test_the_deploy_page_has_every_parameter_with_its_default() -> None:
    documented: dict[str, str] = {}
    for names, defaults, *_ in (row for row in rows(TEXTS["docs/deploy.md"]) if row[0].startswith("`")):
        if PARAMETERS.keys() & set(quoted(names)):
            values = quoted(defaults) or [part.strip() for part in defaults.split(", ")]
            names_of_row = quoted(names)
            documented |= dict(zip(names_of_row, values if len(names_of_row) > 1 else [defaults], strict=True))
    assert documented.keys() == PARAMETERS.keys()
    for name, parameter in PARAMETERS.items():
        default = str(parameter.get("Default", ""))
        assert not default or documented[name].strip("` ").replace("`, `", ",") == default, name


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_output_and_parameter_that_a_document_names_exists(document: str) -> None:
    known = TEMPLATE["Outputs"].keys() | PARAMETERS.keys() | AWS_NAMES
    assert set(OUTPUT.findall(TEXTS[document])) <= known


def test_every_output_is_in_a_document() -> None:
    assert TEMPLATE["Outputs"].keys() <= set(OUTPUT.findall(ALL_TEXT))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_make_target_that_a_document_names_exists(document: str) -> None:
    named = re.findall(r"(?:^|`)make ([a-z][a-z-]*)", TEXTS[document], re.MULTILINE)
    assert set(named) <= TARGETS


def test_every_make_target_is_in_a_document() -> None:
    named = set(re.findall(r"(?:^|`|\s)make (?:--silent )?([a-z][a-z-]*)", ALL_TEXT, re.MULTILINE))
    assert named >= TARGETS - DEVELOPMENT_TARGETS


def test_the_readme_links_to_every_page() -> None:
    linked = set(re.findall(r"\]\((docs/[^)#\s]+)", TEXTS["README.md"]))
    assert {*PAGES, "docs/openapi.yaml"} <= linked


def test_the_readme_lists_every_folder() -> None:
    listed = {name for row in rows(section(TEXTS["README.md"], "Work on it")) for name in quoted(row[0])}
    code = {
        path.parent
        for path in PROJECT.rglob("*.py")
        if not any(part.startswith(".") for part in path.relative_to(PROJECT).parts)
    }
    top = {str(folder.relative_to(PROJECT)).split("/")[0] for folder in code} | {"docs", "events", "requirements"}
    assert {name.split("/")[0] for name in listed} == top
    for name in listed:
        assert (PROJECT / name).is_dir(), name


def test_every_error_code_of_a_dead_letter_is_explained_and_defined() -> None:
    explained = {
        code for row in rows(section(TEXTS["docs/operations.md"], "Dead letters")) for code in quoted(row[0])
    }
    assert explained == CODES
    assert strings("functions/sender", "layers/gatewayapi/gatewayapi") >= CODES


def test_exactly_the_existing_metrics_are_explained() -> None:
    explained = [name for row in rows(section(TEXTS["docs/operations.md"], "Metrics")) for name in quoted(row[0])]
    assert sorted(explained) == sorted(metrics())


def test_alarms_and_dashboard_use_existing_metrics() -> None:
    watched = {node["MetricName"] for node in walk(RESOURCES) if node.get("Namespace") == "GatewayApi"}
    text = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    shown = set(re.findall(r'\["(?:GatewayApi|\.)", "([A-Z][A-Za-z]+)"', text))
    aws = {"ApproximateNumberOfMessagesNotVisible", "Throttles"}
    assert watched
    assert watched | shown <= metrics() | aws


def test_every_alarm_is_explained_with_a_command_and_a_fix() -> None:
    alarms = {name for name, resource in RESOURCES.items() if resource["Type"] == "AWS::CloudWatch::Alarm"}
    parts = re.split(r"^### (\w+)\n", section(TEXTS["docs/operations.md"], "Alarms"), flags=re.MULTILINE)[1:]
    explained = dict(zip(parts[::2], parts[1::2], strict=True))
    assert explained.keys() == alarms
    for alarm, text in explained.items():
        assert re.search(r"\*\*Meaning\.\*\*.*```sh\n.*\*\*Fix\.\*\*", text, re.DOTALL), alarm


def strings(*folders: str) -> set[str]:
    """Return every string constant in the folders' Python files."""
    trees = (ast.parse(path.read_text()) for folder in folders for path in (PROJECT / folder).rglob("*.py"))
    return {
        node.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def metrics() -> set[str]:
    """Return the metrics that the code of both functions emits."""
    found = set(sender.METRICS.values())
    calls = (
        node
        for path in (PROJECT / "functions").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    )
    for call in calls:
        name = ast.unparse(call.func)
        given = {"refuse": call.args[3:], "count": call.args, "metrics.add_metric": call.args[:1]}.get(name, [])
        found |= {str(argument.value) for argument in given if isinstance(argument, ast.Constant)}
    statuses, keys = ("Stored", "Duplicate", "Quarantined"), ("Current", "Previous")
    return found | {f"Event{status}" for status in statuses} | {f"Key{key}" for key in keys}


def commands() -> Iterator[tuple[str, str, list[str]]]:
    """Yield the service, operation and options of every `aws` command in the documents."""
    for text in TEXTS.values():
        texts = [text.replace("\\\n", " ")]
        while inner := re.search(r"\$\(([^()]*)\)", texts[0]):  # check a command inside another one separately
            texts.append(inner[1])
            texts[0] = texts[0].replace(inner[0], "it")
        for command in (command for part in texts for command in AWS_COMMAND.findall(part)):
            service, operation, *rest = command.split()
            if service != "configure" and (service, operation) not in CLI_COMMANDS:
                yield service, operation, [word for word in rest if re.fullmatch(r"--[a-z-]+", word)]


@cache
def service_model(service: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(service)


@pytest.mark.parametrize(("service", "operation", "options"), list(commands()))
def test_every_aws_command_exists_with_its_options(service: str, operation: str, options: list[str]) -> None:
    model = service_model(service)
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    assert operation in operations
    shape = model.operation_model(operations[operation]).input_shape
    members = {f"--{xform_name(name, '-')}" for name in shape.members} if shape else set()
    members |= {member.replace("--", "--no-", 1) for member in members} | CLI_OPTIONS
    assert set(options) <= members


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_has_a_target(document: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", TEXTS[document]):
        path, _, anchor = target.partition("#")
        if path.startswith("https://"):
            continue
        file = (PROJECT / document).parent / path if path else PROJECT / document
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file.read_text()), target


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub makes of a document's headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_diagram_has_a_description_in_words(document: str) -> None:
    for text in re.findall(r"^```mermaid\n.*?^```\n\n(.*?)\n", TEXTS[document], re.MULTILINE | re.DOTALL):
        assert text.startswith("The diagram in words:")
