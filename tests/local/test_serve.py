"""The options of `make local`, and its warnings about the AWS CLI and ports."""

import argparse
import socket

import pytest

from local import parameters, serve
from local.stack import Stack
from tests.stack.template import PARAMETERS
from tools.command import CommandError


def test_every_parameter_of_the_template_can_be_set() -> None:
    assert parameters.names() == set(PARAMETERS)


def test_a_parameter_is_given_as_name_and_value() -> None:
    assert parameters.assignment("ReconcileAfter=20") == ("ReconcileAfter", "20")
    assert parameters.assignment("DefaultSender=a=b") == ("DefaultSender", "a=b")


@pytest.mark.parametrize(
    ("text", "words"), [("ReconcileAfter", "NAME=VALUE"), ("Colour=red", "no parameter 'Colour'. It has Acc")]
)
def test_an_unknown_parameter_is_refused_with_the_list_of_parameters(text: str, words: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=words):
        parameters.assignment(text)


def test_an_option_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        serve.main(["--set", "Colour=red"])
    assert "no parameter 'Colour'" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--port", "--page-port"])
def test_a_port_in_use_is_an_error_that_names_the_option(option: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ports = {option.removeprefix("--").replace("-", "_"): port}
        with pytest.raises(CommandError, match=f"^Port {port} is taken.*{option}"), Stack(**ports):
            pytest.fail("started")


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (None, "There is no AWS CLI"),
        ("1.45.11", "AWS CLI is version 1.45.11"),
        ("2.31.0", ""),
        ("unknown", ""),
    ],
)
def test_a_missing_or_old_aws_cli_causes_a_warning(version: str | None, words: str) -> None:
    warning = serve.cli_warning(version)
    assert words in warning
    assert bool(warning) == bool(words)


def test_the_help_lists_the_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        serve.main(["--help"])
    assert caught.value.code == 0
    printed = capsys.readouterr().out
    for option in ("--port", "--page-port", "--set NAME=VALUE", "--quiet"):
        assert option in printed


def test_the_first_line_is_the_address_of_the_simulators_page(capsys: pytest.CaptureFixture[str]) -> None:
    address = ""
    progress = serve.Progress(lambda: address)
    progress.report("  0.0 s  building")
    assert capsys.readouterr().out == ""
    address = "http://127.0.0.1:45921"
    for line in ("  0.9 s  listening", "  5.9 s  built"):
        progress.report(line)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"phones        {address}/", "  0.0 s  building", "  0.9 s  listening", "  5.9 s  built"]
