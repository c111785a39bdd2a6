"""The one-machine stack as a command: two do not meet, and nothing is left of any, however it ends."""

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
from tests.stack import function_processes as workers

pytestmark = pytest.mark.e2e

URL = re.compile(r"http://127\.0\.0\.1:\d+")


@contextmanager
def demo(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run `make demo`'s module with its temporary files in this folder, in a group as a terminal gives it one."""
    folder.mkdir()
    paths = os.pathsep.join((str(PROJECT), str(PROJECT / "layers" / "gatewayapi")))
    with subprocess.Popen(
        [sys.executable, "-m", "local.demo"],
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
            process.kill()  # the guard takes the rest


def assert_nothing_is_left(folder: Path, said: str) -> None:
    assert list(folder.iterdir()) == []
    assert workers.processes(str(folder)) == []
    for url in URL.findall(said):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", urlsplit(url).port)) != 0, f"{url} still listens"


def test_two_demos_side_by_side_each_see_their_own_and_leave_nothing(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "other"]
    with demo(folders[0]) as one, demo(folders[1]) as other:
        said = [process.communicate()[0] for process in (one, other)]
    assert [one.returncode, other.returncode] == [0, 0], "\n".join(said)
    for folder, words in zip(folders, said, strict=True):
        assert len(re.findall(r" DELIVERED +\d", words)) == 2
        assert re.search(rf"^  {FULL} +DELIVERED ", words, re.MULTILINE)
        assert re.search(rf"^  {INVALID} +INVALID ", words, re.MULTILINE)
        assert f"in the dead-letter queue: {INVALID}: INVALID_MESSAGE $.recipient: is required" in words
        assert_nothing_is_left(folder, words)
    endpoints = [set(URL.findall(words)) for words in said]
    assert [len(each) for each in endpoints] == [2, 2]
    assert endpoints[0].isdisjoint(endpoints[1])


@pytest.mark.parametrize("moment", ["provider's simulator at", "deploying"])
def test_after_ctrl_c_nothing_is_left(moment: str, tmp_path: Path) -> None:
    with demo(tmp_path / "stopped") as process:
        assert process.stdout
        said = ""
        while moment not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        assert list((tmp_path / "stopped").iterdir())
        os.killpg(process.pid, signal.SIGINT)
        rest = process.communicate()[0]
    assert process.returncode == 130
    assert rest.splitlines()[-1] == "stopped"
    assert_nothing_is_left(tmp_path / "stopped", said)


def test_of_a_deploy_that_fails_the_reason_is_told_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)  # found out anew
    said: list[str] = []
    with pytest.raises(SamError, match="LogLevel"), Stack({"LogLevel": "LOUD"}, progress=said.append):
        pytest.fail("deployed")
    assert "deploying" in said[-1]
    assert_nothing_is_left(tmp_path, "\n".join(said))
