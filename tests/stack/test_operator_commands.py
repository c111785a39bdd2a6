"""What an operator types, on the deployed stack: make's targets, what `make local` prints, and README's examples."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from local.emulator import ACCESS_KEY, REGION, SECRET_KEY
from local.live import instructions
from local.sam import PROJECT, own_environment
from local.stack import NAME, Stack
from tests.stack.deployed_stack import World
from tests.stack.webhook_sender import configured

WITHIN_S = 120
README, OPERATIONS = ((PROJECT / name).read_text() for name in ("README.md", "docs/operations.md"))
# Not every version of the CLI takes SQS's endpoint from the environment.
AWS = 'aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }'

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def run(stack: Stack) -> Run:
    """Run a command as somebody does whose environment names the stack's AWS; both its outputs come in one."""
    environment = own_environment() | {
        "AWS_ENDPOINT_URL": stack.endpoint,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }

    def run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env=environment | variables,
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )

    return run


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return an environment that make takes for its own, installed, and that is this process's Python."""
    folder = tmp_path_factory.mktemp("venv")
    python = folder / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (folder / ".local-stamp").touch()
    return str(folder)


@pytest.fixture(scope="module")
def sent(world: World) -> str:
    reference = "looked-up"
    world.send(world.message(reference))
    world.wait_for_status(reference, "DELIVERED")
    return reference


def test_status_tells_a_messages_life(run: Run, venv: str, sent: str) -> None:
    told = run("make", f"VENV={venv}", "status", f"REFERENCE={sent}", f"STACK={NAME}")
    assert told.returncode == 0, told.stdout
    assert re.search(rf"^reference +{sent}$", told.stdout, re.MULTILINE)
    assert re.search(r"^status +DELIVERED$", told.stdout, re.MULTILINE)
    assert re.search(r"^recipient +…\d{3}$", told.stdout, re.MULTILINE)
    # ENROUTE is between them, unless its webhook was overtaken.
    steps = re.findall(r"accepted by the provider|DELIVERED$", told.stdout, re.MULTILINE)
    assert steps[1:] == ["accepted by the provider", "DELIVERED"]


def test_status_says_where_the_table_knows_nothing(run: Run, venv: str) -> None:
    told = run("make", f"VENV={venv}", "status", "REFERENCE=never-sent", f"STACK={NAME}")
    assert told.returncode != 0
    assert "the table has nothing under 'never-sent'" in told.stdout


def test_smoke_tries_the_endpoint_and_leaves_nothing_behind(run: Run, venv: str, stack: Stack) -> None:
    told = run("make", f"VENV={venv}", "smoke", f"STACK={NAME}")
    assert told.returncode == 0, told.stdout
    assert "the endpoint works" in told.stdout
    pages = stack.client("dynamodb").get_paginator("scan").paginate(TableName=stack.outputs["TableName"])
    assert not [item["pk"] for page in pages for item in page["Items"] if item["pk"]["S"].startswith("smoke-")]


def test_smoke_fails_where_the_endpoint_does_not_work(run: Run, venv: str, stack: Stack) -> None:
    # Without the current key, /sign has nothing to sign with.
    with configured(stack, WEBHOOK_KEY_SECRET_ARN=stack.outputs["ApiTokenSecretArn"]):
        told = run("make", f"VENV={venv}", "smoke", f"STACK={NAME}")
    assert told.returncode != 0
    assert "/sign answered 503" in told.stdout


@pytest.mark.parametrize("target", ["status", "smoke"])
def test_a_target_says_what_it_needs(run: Run, venv: str, target: str) -> None:
    told = run("make", f"VENV={venv}", target)
    assert told.returncode != 0
    assert f"make {target}" in told.stdout


def test_a_stack_that_is_not_there_is_named(run: Run, venv: str) -> None:
    told = run("make", f"VENV={venv}", "smoke", "STACK=elsewhere")
    assert told.returncode != 0
    assert "the stack 'elsewhere' cannot be described" in told.stdout


def test_what_make_local_prints_works_as_it_stands(run: Run, venv: str, world: World) -> None:
    commands = re.findall(r"^  ((?:export|aws|curl|make) (?:\\\n|.)*)$", instructions(world.stack), re.MULTILINE)
    programs = [command.split()[0] for command in commands]
    assert programs == ["export", "aws", "curl", "make", "make", "curl"]
    if missing := {program for program in programs[1:] if not shutil.which(program)}:
        pytest.skip(f"not on this machine: {', '.join(missing)}")
    export, send, webhook, status, smoke, fault = commands
    assert run("bash", "-ec", f"{export}\n{send}").returncode == 0
    world.wait_for_status("hello-1", "DELIVERED")
    told = run("bash", "-ec", f"{export}\n{webhook}\n{status} VENV={venv}\n{smoke} VENV={venv}\n{fault}")
    world.desk.ask("faults", method="DELETE")
    assert told.returncode == 0, told.stdout
    assert '{"status": "stored"}' in told.stdout
    assert re.search(r"reference +hello-1$", told.stdout, re.MULTILINE)
    assert "the endpoint works" in told.stdout
    assert '"kind": "429"' in told.stdout


def first_looks() -> list[tuple[str, str]]:
    """Return the commands that docs/operations.md gives for each alarm."""
    found = re.findall(r"^### (\w+Alarm)\n.*?^```sh\n(.*?)^```$", OPERATIONS, re.MULTILINE | re.DOTALL)
    return [(str(alarm), str(look)) for alarm, look in found]


@pytest.mark.skipif(not shutil.which("aws"), reason="needs the AWS CLI")
@pytest.mark.parametrize(("alarm", "look"), first_looks(), ids=lambda it: it if it.endswith("Alarm") else "")
def test_an_alarms_first_look_works_as_it_stands(run: Run, sent: str, alarm: str, look: str) -> None:
    assert sent
    told = run("bash", "-euo", "pipefail", "-c", f"{AWS}\n{block('export STACK')}\n{look}")
    assert told.returncode == 0, f"{alarm}: {told.stdout}"


@pytest.mark.skipif(not shutil.which("aws") or not shutil.which("jq"), reason="needs the AWS CLI and jq")
def test_one_dead_letter_is_put_back_by_hand(run: Run, world: World, tmp_path: Path) -> None:
    world.letters("")  # which hides all that are there
    first = world.send(world.message("by-hand", recipient=1))
    world.wait_for_status("by-hand", "INVALID")
    world.drain()
    commands = block("aws sqs receive-message")
    told = run("bash", "-euo", "pipefail", "-c", f"{AWS}\n{block('export STACK')}\ncd '{tmp_path}'\n{commands}")
    assert told.returncode == 0, told.stdout
    world.drain()
    again = world.life("by-hand")[-1]
    assert (again.status, again.message_id != first) == ("INVALID", True)
    assert len(world.letters("by-hand")) == 1


def block(begin: str) -> str:
    """Return the commands of docs/operations.md that begin like this."""
    found = re.search(rf"^```sh\n({begin}.*?)^```$", OPERATIONS, re.MULTILINE | re.DOTALL)
    assert found is not None
    return str(found[1])


def example(fence: str, reference: str) -> str:
    """Return README's example of sending that stands behind this fence, with a reference of its own."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    (found,) = (block for name, block in blocks if name == fence and re.search("send.?message", block, re.IGNORECASE))
    return str(found).replace("order-1042", reference)


def test_the_python_example_sends(run: Run, world: World, tmp_path: Path) -> None:
    program = tmp_path / "example.py"
    program.write_text(f"queue_url = {world.stack.outputs['QueueUrl']!r}\n{example('python', 'from-python')}")
    told = run(sys.executable, str(program), PYTHONPATH=str(PROJECT / "layers/gatewayapi"))
    assert told.returncode == 0, told.stdout
    world.wait_for_status("from-python", "DELIVERED")


@pytest.mark.skipif(not shutil.which("aws"), reason="needs the AWS CLI")
def test_the_command_line_example_sends(run: Run, world: World) -> None:
    command = f"{AWS}\n{example('', 'from-the-command-line')}"
    told = run("bash", "-ec", command, QUEUE_URL=world.stack.outputs["QueueUrl"])
    assert told.returncode == 0, told.stdout
    world.wait_for_status("from-the-command-line", "DELIVERED")


# The SDK's two names, as they are; what the command would send goes to standard output.
SDK = """
export class SendMessageCommand { constructor(input) { this.input = input; } }
export class SQSClient { async send(command) { console.log(JSON.stringify(command.input)); } }
"""


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
def test_the_javascript_example_sends(run: Run, world: World, tmp_path: Path) -> None:
    package = tmp_path / "node_modules/@aws-sdk/client-sqs"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{"type": "module", "exports": "./index.js"}')
    (package / "index.js").write_text(SDK)
    program = tmp_path / "example.mjs"
    imports, _, rest = example("javascript", "from-javascript").partition("\n")
    program.write_text(f"{imports}\nconst queueUrl = {json.dumps(world.stack.outputs['QueueUrl'])};\n{rest}")
    told = run("node", str(program))
    assert told.returncode == 0, told.stdout
    world.stack.client("sqs").send_message(**json.loads(told.stdout))
    world.wait_for_status("from-javascript", "DELIVERED")
