"""A shell whose environment names a deployed stack's AWS, for the administrator or for a user with some policies."""

import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.emulator import ACCESS_KEY, REGION, SECRET_KEY
from local.sam import PROJECT, own_environment
from local.stack import Stack

PEOPLE = (PROJECT / "docs/people.md").read_text()
WITHIN_S = 120
_NUMBERS = itertools.count(1)


class CommandLine:
    """Run commands as a person does. Standard output and standard error are returned as one text."""

    def __init__(self, stack: Stack, venv: Path, credentials: Mapping[str, str]) -> None:
        self._venv = venv
        self._environment = own_environment() | {
            "AWS_ENDPOINT_URL": stack.endpoint,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            # A make that a script starts must not rebuild the project's own environment.
            "MAKEFLAGS": f"VENV={venv}",
            **credentials,
        }

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a program in the project's folder, with some more variables in its environment."""
        return subprocess.run(
            command,
            env=self._environment | variables,
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )

    def make(self, target: str, *values: str) -> subprocess.CompletedProcess[str]:
        """Run a target of the Makefile with this process's Python."""
        return self.run("make", f"VENV={self._venv}", target, *values)


def environment(folder: Path) -> Path:
    """Return a folder that make accepts as its installed environment. Its Python is that of this process."""
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (folder / ".local-stamp").touch()
    return folder


def administrator() -> dict[str, str]:
    """Return the credentials of the account's root user."""
    return {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}


def user(stack: Stack, *policies: str | Mapping[str, Any]) -> dict[str, str]:
    """Make a user with these policies, ARNs or documents, and nothing else; return the user's credentials."""
    iam, name = stack.client("iam"), f"command-line-{next(_NUMBERS)}"
    iam.create_user(UserName=name)
    for number, policy in enumerate(policies):
        if isinstance(policy, str):
            iam.attach_user_policy(UserName=name, PolicyArn=policy)
        else:
            iam.put_user_policy(UserName=name, PolicyName=f"policy-{number}", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


def documented_policy(action: str, values: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the shortest policy of docs/people.md that allows an action, with its placeholders filled in."""
    found = re.findall(r"^```json\n(.*?)^```$", PEOPLE, re.MULTILINE | re.DOTALL)
    text = min((str(text) for text in found if action in text), key=len)
    for name, value in (values or {}).items():
        text = text.replace(f"<{name}>", value)
    document: dict[str, Any] = json.loads(text)
    return document
