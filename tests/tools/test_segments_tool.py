"""`make segments` shows what a text costs, and which characters make it cost more."""

import io
import re
from pathlib import Path

import pytest

from tools.segments import main


def printed(capsys: pytest.CaptureFixture[str], text: str) -> list[str]:
    assert main(["--text", text]) == 0
    return capsys.readouterr().out.splitlines()


def test_a_text_in_gsm_7_is_counted_in_septets(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "20 €") == ["1 SMS segment in GSM-7: 5 of 160 septets"]
    assert printed(capsys, "x" * 161) == ["2 SMS segments in GSM-7: 161 of 306 septets"]


def test_each_character_that_forces_ucs_2_is_named_once_with_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "x" * 90 + " \u2013 \u2013 🍓\t") == [
        "2 SMS segments in UCS-2: 98 of 134 16-bit units",
        "These characters are not in GSM-7. Without them, the text would take 1 segment:",
        "  U+2013 en dash, at character 92",
        "  U+1F353 strawberry, at character 96",
        "  U+0009 a control character, at character 97",
    ]


def test_without_an_argument_the_text_comes_from_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("Hello"))
    assert main([]) == 0
    assert capsys.readouterr().out == "1 SMS segment in GSM-7: 5 of 160 septets\n"


def test_the_documentation_shows_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "before-money-is-spent.md").read_text()
    shown = re.search(r"^\$ make segments TEXT='(.*)'\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert shown
    assert printed(capsys, shown[1]) == shown[2].splitlines()
