"""The real `sam`, run against the local AWS as it is run against AWS."""

import json
import os
import re
import sys
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from botocore.exceptions import ClientError
from samcli.yamlhelper import yaml_dump, yaml_parse  # type: ignore[import-untyped] # it has no types

from local.emulator import ACCESS_KEY, REGION, SECRET_KEY, Emulator
from local.processes import Processes
from tools.command import CommandError

PROJECT = Path(__file__).resolve().parent.parent
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
BUCKET = "code"
WITHIN_S = 300
ERROR_LINES = 60
# The user's own settings of AWS, sam, Python and make must not change the run.
FOREIGN = re.compile(r"AWS_|SAM_|__SAM_|PYTHON|MAKE|MFLAGS|GNUMAKEFLAGS|VIRTUAL_ENV")


class SamError(CommandError):
    """A command of sam failed; the text has the end of its output and the reasons of CloudFormation."""


def build(processes: Processes, folder: Path | None = None) -> Path:
    """Build the layer and the functions, and return the template to deploy.

    `folder` receives the build. By default it is in the run's folder, and is deleted with it.
    """
    folder = folder or processes.folder / "build"
    _run(
        processes,
        ["build", "--template-file", str(PROJECT / "template.yaml"), "--build-dir", str(folder)],
        # Both Makefiles read these: on this machine the functions run with this Python.
        {"PYTHON": sys.executable, "PYTHON_RUNTIME": f"python{PYTHON}"},
    )
    template = folder / "template.yaml"
    template.write_text(without_metric_math(template.read_text()))
    return template


def without_metric_math(template: str) -> str:
    """Return a template without the alarms that use metric math, which the local AWS does not support."""
    document = yaml_parse(template)
    document["Resources"] = {
        name: resource
        for name, resource in document["Resources"].items()
        if resource["Type"] != "AWS::CloudWatch::Alarm" or "Metrics" not in resource["Properties"]
    }
    return str(yaml_dump(document))


def deploy(
    processes: Processes,
    aws: Emulator,
    template: Path,
    *,
    name: str,
    parameters: Mapping[str, str],
) -> dict[str, str]:
    """Deploy a built template, or one that needs no building, and return the stack's outputs."""
    s3 = aws.client("s3")
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    # In a file, because every user of a machine can read its command lines. JSON is YAML.
    overrides = processes.folder / "parameters.yaml"
    overrides.write_text(json.dumps(dict(parameters)))
    arguments = [
        "deploy",
        *("--template-file", str(template), "--stack-name", name, "--s3-bucket", BUCKET),
        *("--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-progressbar"),
        *("--parameter-overrides", f"file://{overrides}"),
    ]
    try:
        _run(processes, arguments, {"AWS_ENDPOINT_URL": aws.endpoint})
    except SamError as error:
        # The end of sam's output is the rollback. The reason of the failure comes long before.
        raise SamError(f"{error}\n{_failures(aws, name)}") from None
    stack = aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def _failures(aws: Emulator, name: str) -> str:
    try:
        events = aws.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
    except ClientError:
        return "The stack was not created."
    return "\n".join(
        f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
        for event in reversed(events)
        if event["ResourceStatus"].endswith("_FAILED")
    )


def _run(processes: Processes, arguments: list[str], environment: Mapping[str, str]) -> None:
    # Otherwise sam reads samconfig.toml, where `sam deploy --guided` stores the settings of a real account.
    config = processes.folder / "samconfig.toml"
    config.write_text("version = 0.1\n")
    home = processes.folder / "sam"
    home.mkdir(exist_ok=True)
    # With a recent check recorded, sam does not look for a newer version of itself.
    (home / "metadata.json").write_text(json.dumps({"lastVersionCheck": time.time()}))
    command = [sys.executable, "-m", "samcli", *arguments, "--config-file", str(config)]
    with processes.lines(
        command,
        {
            **own_environment(),
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "SAM_CLI_TELEMETRY": "0",
            "SAM_CLI_POLL_DELAY": "0.5",
            "__SAM_CLI_APP_DIR": str(home),
            "TMPDIR": str(processes.folder),
            **environment,
        },
        directory=processes.folder,
        within_s=WITHIN_S,
    ) as (process, lines):
        output = deque(lines, ERROR_LINES)
    if process.returncode != 0:
        raise SamError(f"sam {arguments[0]} failed:\n{''.join(output)}")


def own_environment() -> dict[str, str]:
    """Return this process's environment without the settings that would change the run."""
    return {name: value for name, value in os.environ.items() if not FOREIGN.match(name)}
