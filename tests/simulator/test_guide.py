"""The guide describes every fault, every field, every route, every option and every special recipient."""

import re
from pathlib import Path

import pytest

from simulator.__main__ import main
from simulator.control import Control
from simulator.faults import KINDS, Fault
from simulator.phones import BY_ENDING, STATES

GUIDE = Path(__file__).parents[2].joinpath("docs", "simulator.md").read_text(encoding="utf-8")
# The words of inline code. Blocks of code are left out, because they show only examples.
INLINE = re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", GUIDE, flags=re.DOTALL))
CODE = set(re.findall(r"[\w-]+", " ".join(INLINE)))


@pytest.mark.parametrize("name", [*KINDS, *Fault.model_fields, *STATES])
def test_every_fault_field_and_state_is_described(name: str) -> None:
    assert name in CODE


def test_every_option_is_described_and_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    options = set(re.findall(r"^  (--[a-z-]+)(?: [A-Z]+)?(?:\n +|  +)\S", capsys.readouterr().out, re.MULTILINE))
    assert len(options) >= 13
    assert all(f"`{option}`" in GUIDE for option in options)


@pytest.mark.parametrize(
    "route", [f"{method} {name}" for name, methods in Control.ROUTES.items() for method in methods]
)
def test_every_route_is_described(route: str) -> None:
    assert f"`{route}`" in GUIDE


@pytest.mark.parametrize("ending", BY_ENDING)
def test_every_special_recipient_is_described(ending: str) -> None:
    (line,) = [line for line in GUIDE.splitlines() if line.startswith(f"| …{ending} |")]
    statuses = re.findall("[A-Z]{4,}", line)
    assert statuses == [status for status, _ in BY_ENDING[ending].statuses]
