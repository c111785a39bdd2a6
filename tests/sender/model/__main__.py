"""Search at random for as long as you like: `python -m tests.sender.model --minutes 20`.

The runs are different each time. If a run breaks a law, hypothesis shortens it, its log is printed, and the exit code
is 1.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
import tomllib
from pathlib import Path

from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis.database import InMemoryExampleDatabase
from hypothesis.stateful import run_state_machine_as_test

RUNS = 300  # hypothesis finds more in several searches of this size than in a single long one


def main() -> int:
    """Run the command."""
    project = tomllib.loads(Path("pyproject.toml").read_text())
    sys.path += project["tool"]["pytest"]["ini_options"]["pythonpath"]  # where the functions' code is found
    from tests import conftest  # noqa: PLC0415 - its environment comes before the functions' code

    conftest.pytest_configure()
    from tests.sender.model.laws import LawError  # noqa: PLC0415
    from tests.sender.model.random_search import Search  # noqa: PLC0415

    parser = argparse.ArgumentParser(prog="python -m tests.sender.model", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--steps", type=int, default=50, help="steps of a run, at most (default: %(default)s)")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    search_settings = settings(
        max_examples=RUNS,
        stateful_step_count=arguments.steps,
        deadline=None,
        database=InMemoryExampleDatabase(),
        verbosity=Verbosity.quiet,
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    until, runs = time.monotonic() + arguments.minutes * 60, 0
    while time.monotonic() < until:
        try:
            run_state_machine_as_test(Search, settings=search_settings)
        except LawError as error:
            log = getattr(error, "__notes__", [""])[0]
            print(f"{type(error).__name__}: {error}\n{log}")  # noqa: T201
            return 1
        runs += RUNS
        print(f"{runs} runs, and every law holds", flush=True)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
