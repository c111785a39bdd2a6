"""The processes and the folder of a run end with it, however it ends."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from local.processes import Processes
from local.waiting import wait_for

ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath)}
# A process with a child, as the local AWS has one for each function. Both keep a pipe open until they end.
PARENT = """
import signal, subprocess, sys
pipe = open(sys.argv[1], "w")
print(sys.argv[2], file=pipe, flush=True)
if sys.argv[2] == "parent":
    subprocess.Popen([sys.executable, "-c", sys.argv[3], sys.argv[1], "child"])
signal.pause()
"""
# Its parent can be a background shell, which ignores SIGINT.
RUN = """
import json, signal, sys
from subprocess import DEVNULL
from local.processes import Processes
signal.signal(signal.SIGINT, signal.default_int_handler)
processes = Processes()
print(processes.folder, flush=True)
processes.start(json.loads(sys.argv[1]), {}, output=DEVNULL, directory=processes.folder).wait()
"""


@pytest.fixture
def processes() -> Iterator[Processes]:
    run = Processes()
    yield run
    run.close()


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def parent_and_child(pipe: Path) -> list[str]:
    """Return the command of a process that starts a child."""
    return [sys.executable, "-c", PARENT, str(pipe), "parent", PARENT]


def opened(pipe: Path) -> TextIO:
    alive = pipe.open()
    assert {alive.readline(), alive.readline()} == {"parent\n", "child\n"}
    return alive


def test_closing_ends_a_process_its_children_and_the_folder(processes: Processes, pipe: Path) -> None:
    process = processes.start(parent_and_child(pipe), ENVIRONMENT, output=subprocess.DEVNULL, directory=Path.cwd())
    with opened(pipe) as alive:
        (processes.folder / "file").write_text("something")
        processes.close()
        assert alive.read() == ""
    assert process.returncode == -signal.SIGKILL
    assert not processes.folder.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_killed_leaves_no_process_and_no_folder(number: signal.Signals, pipe: Path) -> None:
    command = [sys.executable, "-c", RUN, json.dumps(parent_and_child(pipe))]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    ) as run:
        try:
            assert run.stdout
            folder = Path(run.stdout.readline().strip())
            with opened(pipe) as alive:
                assert folder.is_dir()
                os.killpg(run.pid, number)  # to the whole group, as a terminal does on Ctrl-C
                assert alive.read() == ""
        finally:
            run.kill()
    wait_for(lambda: not folder.exists(), "the folder's end", 10)


def test_nothing_can_be_started_in_a_run_that_has_ended(processes: Processes) -> None:
    processes.close()
    with pytest.raises(ProcessLookupError):
        processes.start([sys.executable, "-c", ""], ENVIRONMENT, output=subprocess.DEVNULL, directory=Path.cwd())


def test_the_output_and_the_exit_code_of_a_program_are_returned(processes: Processes) -> None:
    program = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    command = [sys.executable, "-u", "-c", program]
    with processes.lines(command, ENVIRONMENT, directory=processes.folder, within_s=60) as (process, lines):
        assert list(lines) == ["out\n", "err\n"]
    assert process.returncode == 3


def test_a_program_that_takes_too_long_is_killed(processes: Processes) -> None:
    command = [sys.executable, "-c", "import signal; signal.pause()"]
    with processes.lines(command, ENVIRONMENT, directory=processes.folder, within_s=0.1) as (process, lines):
        assert not list(lines)
    assert process.returncode == -signal.SIGKILL


def test_a_program_is_killed_if_its_block_is_left_early(processes: Processes, pipe: Path) -> None:
    def interrupted() -> None:
        with processes.lines(parent_and_child(pipe), ENVIRONMENT, directory=processes.folder, within_s=60):
            pipes.append(opened(pipe))
            raise KeyboardInterrupt

    pipes: list[TextIO] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with pipes[0] as alive:
        assert alive.read() == ""


def test_two_runs_have_folders_of_their_own(processes: Processes) -> None:
    other = Processes()
    try:
        assert other.folder != processes.folder
    finally:
        other.close()
    assert processes.folder.is_dir()


def test_a_run_that_cannot_start_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)  # tempfile remembers the folder
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    with pytest.raises(FileNotFoundError):
        Processes()
    assert list(tmp_path.iterdir()) == []


def test_waiting_ends_when_it_takes_too_long() -> None:
    with pytest.raises(TimeoutError, match="the event"):
        wait_for(lambda: False, "the event", within_s=0)
