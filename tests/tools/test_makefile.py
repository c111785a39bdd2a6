"""What make passes on to the commands."""

import os
import subprocess

import pytest

from local.sam import PROJECT


def recipe(*words: str, **environment: str) -> str:
    """Return the commands that make would run."""
    # Old and untouched: the environment counts as installed.
    command = ["make", "--dry-run", "--old-file", ".venv/.local-stamp", *words]
    found = subprocess.run(
        command, cwd=PROJECT, env=os.environ | environment, capture_output=True, text=True, check=True
    )
    return found.stdout


@pytest.mark.parametrize("target", ["forget", "replay"])
def test_only_a_confirmation_on_the_command_line_counts(target: str) -> None:
    assert "--confirm" in recipe(target, "CONFIRM=yes")
    assert "--confirm" not in recipe(target, CONFIRM="yes")


@pytest.mark.parametrize("target", ["send", "status", "person", "forget", "replay"])
def test_a_target_that_needs_values_names_them(target: str) -> None:
    command = ["make", "--old-file", ".venv/.local-stamp", target]
    found = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert found.returncode != 0
    assert f"Usage: make {target} " in found.stderr
