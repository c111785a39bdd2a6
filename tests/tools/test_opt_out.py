"""`make opt-out` records one number or a list, and writes the list to a file that can be imported again."""

from pathlib import Path
from typing import Any

import pytest

from tests.aws_calls import Refusal
from tests.moto_aws import Aws
from tests.tools.conftest import Printed
from tests.tools.table_items import NUMBER, message, put
from tools import opt_out
from tools.command import CommandError
from tools.deployed import Deployed


def records(stack: Deployed) -> dict[str, tuple[str, ...]]:
    """Return status, time and source of every opt-out record, by partition key."""
    items: list[dict[str, Any]] = stack.client("dynamodb").scan(TableName=stack.output("TableName"))["Items"]
    names = ("status", "changed_at", "source")
    return {item["pk"]["S"]: tuple(item[name]["S"] for name in names) for item in items if "changed_at" in item}


def written(folder: Path, *lines: str) -> str:
    path = folder / "list.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


def test_a_number_is_opted_out_and_in_again(deployed: Deployed, printed: Printed) -> None:
    assert opt_out.main(["--number", "+45 12 34 56 78"]) == 0
    assert records(deployed)["OPT_OUT#4512345678"][::2] == ("OUT", "make opt-out")
    assert printed().startswith("4512345678 is OUT since ")
    assert opt_out.main(["--number", NUMBER, "--in"]) == 0
    assert records(deployed)["OPT_OUT#4512345678"][0] == "IN"


def test_a_list_is_recorded_with_what_its_lines_leave_out(
    deployed: Deployed, tmp_path: Path, printed: Printed
) -> None:
    lines = ["Number,Status", NUMBER, "", "+45 87 65 43 21, in ,2025-04-01T14:00:00+02:00,crm"]
    assert opt_out.main(["--import", written(tmp_path, *lines)]) == 0
    found = records(deployed)
    assert found["OPT_OUT#4512345678"][::2] == ("OUT", "make opt-out")
    assert found["OPT_OUT#4587654321"] == ("IN", "2025-04-01T12:00:00.000000+00:00", "crm")
    assert printed() == "2 recorded, 0 skipped because the table has a newer record\n"


def test_an_older_line_does_not_replace_a_newer_record(deployed: Deployed, tmp_path: Path, printed: Printed) -> None:
    opt_out.main(["--number", NUMBER])
    opt_out.main(["--import", written(tmp_path, f"{NUMBER},IN,2025-04-01T12:00:00Z")])
    assert records(deployed)["OPT_OUT#4512345678"][0] == "OUT"
    assert "0 recorded, 1 skipped" in printed()


def test_a_list_with_mistakes_records_nothing_and_names_their_lines(deployed: Deployed, tmp_path: Path) -> None:
    lines = [
        NUMBER,
        "004512345678",
        f"{NUMBER},STOP",
        f"{NUMBER},OUT,yesterday",
        f"{NUMBER},OUT,2999-01-01T00:00:00Z",
    ]
    with pytest.raises(CommandError) as caught:
        opt_out.main(["--import", written(tmp_path, *lines)])
    error = str(caught.value)
    assert [f"line {line}" in error for line in range(1, 6)] == [False, True, True, True, True]
    assert "4512345678" not in error
    assert records(deployed) == {}


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b'"never closed\x00'])
def test_a_file_that_cannot_be_read_is_reported(deployed: Deployed, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(content)
    with pytest.raises(CommandError):
        opt_out.main(["--import", str(path)])
    with pytest.raises(CommandError, match="cannot be read"):
        opt_out.main(["--import", str(tmp_path / "absent.csv")])
    assert records(deployed) == {}


@pytest.mark.usefixtures("deployed")
def test_a_table_that_refuses_ends_the_import_with_what_to_do(aws: Aws, tmp_path: Path) -> None:
    aws.calls.refuse("PutItem", Refusal("AccessDeniedException"), count=None)
    with pytest.raises(CommandError, match=r"not recorded.*Run the command again"):
        opt_out.main(["--import", written(tmp_path, NUMBER)])


def test_what_is_exported_can_be_imported(deployed: Deployed, tmp_path: Path, printed: Printed) -> None:
    lines = [f"45000000{index:02},{'IN' if index % 3 else 'OUT'},2025-04-01T12:00:00Z,crm" for index in range(50)]
    opt_out.main(["--import", written(tmp_path, *lines)])
    put(deployed, message("order-1"))
    target = tmp_path / "exported.csv"
    assert opt_out.main(["--export", str(target)]) == 0
    exported = target.read_text().splitlines()
    assert exported[0] == "number,status,changed_at,source"
    assert exported[1] == "4500000000,OUT,2025-04-01T12:00:00.000000+00:00,crm"
    assert len(exported) == 51
    assert "50 records written" in printed()
    before = records(deployed)
    for pk in before:
        key = {"pk": {"S": pk}, "sk": {"S": "OPT_OUT"}}
        deployed.client("dynamodb").delete_item(TableName=deployed.output("TableName"), Key=key)
    opt_out.main(["--import", str(target)])
    assert records(deployed) == before


@pytest.mark.parametrize("arguments", [[], ["--number", NUMBER, "--export", "x.csv"], ["--import", "x.csv", "--in"]])
def test_what_does_not_go_together_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        opt_out.main(arguments)
    assert caught.value.code == 2
