"""The commands of an administrator on the deployed stack, what `make local` prints, and the examples of the docs."""

import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from local.sam import PROJECT
from local.serve import environment as shell_environment
from local.serve import instructions
from local.stack import NAME, Stack
from local.waiting import wait_for
from tests.stack.command_line import CommandLine, administrator, environment
from tests.stack.deployed_stack import DeployedStack
from tests.stack.webhook_sender import configured

README, OPERATIONS = ((PROJECT / name).read_text() for name in ("README.md", "docs/operations.md"))
# Not every version of the CLI takes SQS's endpoint from the environment.
AWS = 'aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }'


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment(tmp_path_factory.mktemp("venv"))


@pytest.fixture(scope="module")
def shell(stack: Stack, venv: Path) -> CommandLine:
    return CommandLine(stack, venv, administrator())


@pytest.fixture(scope="module")
def sent(deployed: DeployedStack) -> str:
    reference = "looked-up"
    deployed.send(deployed.message(reference))
    deployed.wait_for_status(reference, "DELIVERED")
    return reference


def test_status_shows_what_became_of_a_message(shell: CommandLine, sent: str) -> None:
    result = shell.make("status", f"REFERENCE={sent}", f"STACK={NAME}")
    assert result.returncode == 0, result.stdout
    assert re.search(rf"^reference +{sent}$", result.stdout, re.MULTILINE)
    assert re.search(r"^status +DELIVERED: delivered to the phone$", result.stdout, re.MULTILINE)
    assert re.search(r"^recipient +…\d{3}$", result.stdout, re.MULTILINE)
    # ENROUTE is between them, unless its webhook was overtaken.
    steps = re.findall(r"accepted by GatewayAPI$|DELIVERED$", result.stdout, re.MULTILINE)
    assert steps == ["accepted by GatewayAPI", "DELIVERED"]


def test_smoke_tests_the_endpoint_and_leaves_nothing_in_the_table(shell: CommandLine, stack: Stack) -> None:
    result = shell.make("smoke", f"STACK={NAME}")
    assert result.returncode == 0, result.stdout
    assert "the endpoint works" in result.stdout
    pages = stack.client("dynamodb").get_paginator("scan").paginate(TableName=stack.outputs["TableName"])
    assert not [item["pk"] for page in pages for item in page["Items"] if item["pk"]["S"].startswith("smoke-")]


def test_smoke_fails_if_the_endpoint_does_not_work(shell: CommandLine, stack: Stack) -> None:
    # Without the current key, /sign cannot sign.
    with configured(stack, WEBHOOK_KEY_SECRET_ARN=stack.outputs["ApiTokenSecretArn"]):
        result = shell.make("smoke", f"STACK={NAME}")
    assert result.returncode != 0
    assert "/sign answered 503" in result.stdout


def test_a_stack_that_does_not_exist_is_named(shell: CommandLine) -> None:
    result = shell.make("smoke", "STACK=elsewhere")
    assert result.returncode != 0
    assert "There is no stack 'elsewhere' in eu-west-1" in result.stdout


def test_what_make_local_prints_works_unchanged(
    shell: CommandLine, venv: Path, deployed: DeployedStack, tmp_path: Path
) -> None:
    file = tmp_path / "environment"
    file.write_text(shell_environment(deployed.stack))
    printed = instructions(deployed.stack, file)
    commands = re.findall(r"^  ((?:\.|export|aws|curl|make) (?:\\\n|.)*)$", printed, re.MULTILINE)
    assert [command.split()[0] for command in commands] == [".", "export", *["make"] * 4, "aws", "curl", "curl"]
    if missing := {program for program in ("aws", "curl") if not shutil.which(program)}:
        pytest.skip(f"not on this machine: {', '.join(missing)}")
    source, export, send, status, dead_letters, smoke, aws, webhook, fault = commands
    result = shell.run("env", "-i", "bash", "-ec", f"PATH='{os.environ['PATH']}'\n{source}\n{send} VENV={venv}")
    assert result.returncode == 0, result.stdout
    deployed.wait_for_status("hello-1", "DELIVERED")
    make = "\n".join(f"{command} VENV={venv}" for command in (status, dead_letters, smoke))
    result = shell.run("bash", "-ec", f"{export}\n{make}\n{aws}\n{webhook}\n{fault}")
    deployed.simulator.ask("faults", method="DELETE")
    assert result.returncode == 0, result.stdout
    assert '{"status": "stored"}' in result.stdout
    assert re.search(r"reference +hello-1$", result.stdout, re.MULTILINE)
    assert "the endpoint works" in result.stdout
    assert '"kind": "429"' in result.stdout
    assert printed.split()[:2] == ["phones", f"{deployed.stack.provider_url}/"]


def test_a_second_copy_of_the_stack_on_the_local_aws_sends(stack: Stack, deployed: DeployedStack) -> None:
    outputs = stack.deploy(
        stack.template,
        name="copy",
        parameters=stack.parameters | {"GatewayApiUrl": stack.provider_url},
    )
    message = deployed.message("sent-by-the-copy")
    stack.client("sqs").send_message(QueueUrl=outputs["QueueUrl"], MessageBody=json.dumps(message))
    wait_for(lambda: bool(deployed.simulator.sms("sent-by-the-copy")), "the copy to send")
    stack.client("cloudformation").delete_stack(StackName="copy")


def alarm_commands() -> list[str]:
    """Return the command lines that docs/operations.md gives for the alarms, each once."""
    found = re.findall(r"^### \w+Alarm\n.*?^```sh\n(.*?)^```$", OPERATIONS, re.MULTILINE | re.DOTALL)
    return list(dict.fromkeys(line for block in found for line in str(block).splitlines()))


@pytest.mark.skipif(not shutil.which("aws"), reason="needs the AWS CLI")
@pytest.mark.parametrize("line", alarm_commands())
def test_a_command_for_an_alarm_works_as_it_is_printed(shell: CommandLine, sent: str, line: str) -> None:
    assert sent
    result = shell.run("bash", "-euo", "pipefail", "-c", f"{AWS}\n{block('export STACK')}\n{line}")
    assert result.returncode == 0, result.stdout


def block(begin: str) -> str:
    """Return the commands of docs/operations.md that begin like this."""
    found = re.search(rf"^```sh\n({begin}.*?)^```$", OPERATIONS, re.MULTILINE | re.DOTALL)
    assert found is not None
    return str(found[1])


def example(language: str, reference: str) -> str:
    """Return the README's example of sending in this language, with another reference."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    (found,) = (
        block for name, block in blocks if name == language and re.search("send.?message", block, re.IGNORECASE)
    )
    return str(found).replace("order-1042", reference)


def test_the_python_example_sends(shell: CommandLine, deployed: DeployedStack, tmp_path: Path) -> None:
    program = tmp_path / "example.py"
    program.write_text(f"queue_url = {deployed.stack.outputs['QueueUrl']!r}\n{example('python', 'from-python')}")
    result = shell.run(sys.executable, str(program), PYTHONPATH=str(PROJECT / "layers/gatewayapi"))
    assert result.returncode == 0, result.stdout
    deployed.wait_for_status("from-python", "DELIVERED")


@pytest.mark.skipif(not shutil.which("aws"), reason="needs the AWS CLI")
def test_the_command_line_example_sends(shell: CommandLine, deployed: DeployedStack) -> None:
    command = f"{AWS}\n{example('', 'from-the-command-line')}"
    result = shell.run("bash", "-ec", command, QUEUE_URL=deployed.stack.outputs["QueueUrl"])
    assert result.returncode == 0, result.stdout
    deployed.wait_for_status("from-the-command-line", "DELIVERED")


# The two classes of the SDK that the example uses. The message goes to standard output.
SDK = """
export class SendMessageCommand { constructor(input) { this.input = input; } }
export class SQSClient { async send(command) { console.log(JSON.stringify(command.input)); } }
"""


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
def test_the_javascript_example_sends(shell: CommandLine, deployed: DeployedStack, tmp_path: Path) -> None:
    package = tmp_path / "node_modules/@aws-sdk/client-sqs"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{"type": "module", "exports": "./index.js"}')
    (package / "index.js").write_text(SDK)
    program = tmp_path / "example.mjs"
    imports, _, rest = example("javascript", "from-javascript").partition("\n")
    program.write_text(f"{imports}\nconst queueUrl = {json.dumps(deployed.stack.outputs['QueueUrl'])};\n{rest}")
    result = shell.run("node", str(program))
    assert result.returncode == 0, result.stdout
    deployed.stack.client("sqs").send_message(**json.loads(result.stdout))
    deployed.wait_for_status("from-javascript", "DELIVERED")
