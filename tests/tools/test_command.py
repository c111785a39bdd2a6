"""A command that fails ends with one plain sentence and an exit code, never with a traceback."""

import subprocess
import sys
from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, NoRegionError

from local.sam import PROJECT
from tools.command import CommandError, run

DENIED = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "User x may not"}}, "Query")


def raising(error: BaseException) -> Callable[[], int]:
    def command() -> int:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (CommandError("There is no such thing."), 1, "There is no such thing."),
        (CommandError("Give a number.", 2), 2, "Give a number."),
        (NoRegionError(), 1, "No AWS region is set. Set AWS_REGION"),
        (NoCredentialsError(), 1, "There are no AWS credentials."),
        (DENIED, 1, "AWS refused Query: User x may not"),
        (
            EndpointConnectionError(endpoint_url="http://127.0.0.1:9"),
            1,
            "Nothing answers at AWS_ENDPOINT_URL=http://127",
        ),
        (TimeoutError("Waited 60 seconds for the API, in vain."), 1, "Waited 60 seconds for the API"),
        (KeyboardInterrupt(), 130, "stopped"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_an_error_is_printed_in_one_sentence(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    words: str,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(SystemExit) as caught:
        run(raising(error))
    assert caught.value.code == code
    printed = capsys.readouterr().err
    assert words in printed
    assert "Traceback" not in printed


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run(raising(ZeroDivisionError()))


def test_the_exit_code_is_the_commands() -> None:
    with pytest.raises(SystemExit) as caught:
        run(lambda: 3)
    assert caught.value.code == 3


def test_a_reader_that_goes_away_ends_the_command_quietly() -> None:
    program = "from tools.command import run\nrun(lambda: [print(n, flush=True) for n in range(10**6)] and 0)"
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "0\n"
        process.stdout.close()
        process.wait()
        assert process.stderr
        assert process.stderr.read() == ""
    assert process.returncode == 141
