"""`make demo` and `make local`: two runs do not disturb each other, and a run leaves nothing, however it ends."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from local.demo import FULL, INVALID
from local.sam import PROJECT, SamError, own_environment
from local.stack import Stack
from tests.stack import function_processes
from tests.stack.command_line import environment

pytestmark = pytest.mark.e2e

URL = re.compile(r"http://127\.0\.0\.1:\d+")
# A parent that ignores Ctrl-C, such as a background shell, must not make the command ignore it.
MAIN = """
import runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
module, sys.argv = sys.argv[1], sys.argv[1:]
runpy.run_module(module, run_name="__main__")
"""


@contextmanager
def command(module: str, folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command with its temporary files in this folder, in a process group as a terminal gives it one."""
    folder.mkdir()
    paths = os.pathsep.join((str(PROJECT), str(PROJECT / "layers" / "gatewayapi")))
    with subprocess.Popen(
        [sys.executable, "-c", MAIN, module, *arguments],
        env=own_environment() | {"PYTHONPATH": paths, "TMPDIR": str(folder)},
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()  # the guard process ends everything else


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """Read the output of a command until it has this text, and return it."""
    assert process.stdout
    output = ""
    while text not in output:
        line = process.stdout.readline()
        assert line, output
        output += line
    return output


def assert_nothing_is_left(folder: Path, output: str) -> None:
    assert list(folder.iterdir()) == []
    assert function_processes.processes(str(folder)) == []
    for url in URL.findall(output):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", urlsplit(url).port)) != 0, f"{url} still listens"


def test_two_demos_side_by_side_see_their_own_messages_and_leave_nothing(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "other"]
    with command("local.demo", folders[0]) as one, command("local.demo", folders[1]) as other:
        outputs = [process.communicate()[0] for process in (one, other)]
    assert [one.returncode, other.returncode] == [0, 0], "\n".join(outputs)
    for folder, output in zip(folders, outputs, strict=True):
        assert len(re.findall(r" DELIVERED +\d", output)) == 2
        assert re.search(rf"^  {FULL} +DELIVERED ", output, re.MULTILINE)
        assert re.search(rf"^  {INVALID} +INVALID ", output, re.MULTILINE)
        assert f"in the dead-letter queue: {INVALID}: INVALID_MESSAGE $.recipient: is required" in output
        assert_nothing_is_left(folder, output)
    addresses = [set(URL.findall(output)) for output in outputs]
    assert [len(urls) for urls in addresses] == [2, 2]
    assert addresses[0].isdisjoint(addresses[1])


@pytest.mark.parametrize("moment", ["provider's simulator at", "deploying"])
def test_after_ctrl_c_nothing_is_left(moment: str, tmp_path: Path) -> None:
    folder = tmp_path / "stopped"
    with command("local.demo", folder) as process:
        output = read_until(process, moment)
        assert list(folder.iterdir())
        os.killpg(process.pid, signal.SIGINT)
        rest = process.communicate()[0]
    assert process.returncode == 130
    assert rest.splitlines()[-1] == "stopped, and everything is deleted"
    assert_nothing_is_left(folder, output)


def test_a_reader_that_goes_away_ends_the_demo_without_a_traceback(tmp_path: Path) -> None:
    folder = tmp_path / "unread"
    with command("local.demo", folder) as process:
        output = read_until(process, "local AWS at")
        assert process.stdout
        process.stdout.close()
        process.wait()
    assert process.returncode == 141
    assert_nothing_is_left(folder, output)


def test_a_failed_deploy_is_explained_and_leaves_nothing(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)  # tempfile remembers the folder
    lines: list[str] = []
    with pytest.raises(SamError, match="LogLevel"), Stack({"LogLevel": "LOUD"}, built=built, progress=lines.append):
        pytest.fail("deployed")
    assert "deploying" in lines[-1]
    assert_nothing_is_left(tmp_path, "\n".join(lines))


def test_make_local_prints_an_outcome_for_every_message_until_ctrl_c(tmp_path: Path) -> None:
    folder, venv = tmp_path / "local", environment(tmp_path / "venv")
    with command("local.serve", folder, "--set", "LogLevel=DEBUG") as process:
        output = read_until(process, "until Ctrl-C:")
        (file,) = re.findall(r"^  \. (.*)$", output, re.MULTILINE)
        for text, outcome in (
            ("Hello", "hello  DELIVERED"),
            ("Hello", "hello  duplicate: sent before, acknowledged"),
            ("Other", "hello  not sent: the reference belongs to another message"),
        ):
            send = f". {file}\nmake VENV={venv} send REFERENCE=hello TO=4512345678 TEXT={text}"
            subprocess.run(
                ["/bin/sh", "-ec", send], cwd=PROJECT, env=own_environment(), check=True, stdout=subprocess.DEVNULL
            )
            output += read_until(process, outcome)
        os.killpg(process.pid, signal.SIGINT)
        rest = process.communicate()[0]
    assert "hello  ACCEPTED: GatewayAPI accepted it; number …678" in output
    assert "to none" not in output
    assert re.fullmatch(r"phones +http://127\.0\.0\.1:\d+/", output.splitlines()[0])
    assert process.returncode == 0
    assert rest.splitlines()[-1] == "stopped, and everything is deleted"
    assert_nothing_is_left(folder, output)
