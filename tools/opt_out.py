"""`make opt-out`: record who wants no promotional messages, one number or a whole list, and write the list to a file.

The file is CSV with the columns number, status (OUT or IN), changed_at and source. Only the first is required. A line
without a time counts from now. A file can be imported twice, because the newest statement of a number counts.
"""

import argparse
import csv
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from gatewayapi import clock, opt_outs
from gatewayapi.errors import GatewayApiError
from gatewayapi.message_fields import phone_number
from gatewayapi.opt_out_record import IN, OUT, OptOutRecord, number_of
from tools.command import MISUSED, CommandError, run
from tools.deployed import Deployed, command_parser
from tools.table_scan import cost, scan

COLUMNS = ["number", "status", "changed_at", "source"]
SOURCE = "make opt-out"
WRITERS = 8  # as many as botocore keeps connections for, with some to spare
MAX_SHOWN = 20


def main(arguments: list[str] | None = None) -> int:
    """Record one number, import a list, or export all records."""
    parser = command_parser("opt-out", "Record who wants no promotional messages")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--number", help="the phone number, with its country code")
    action.add_argument("--import", dest="source", type=Path, metavar="FILE", help="record every line of a CSV file")
    action.add_argument("--export", dest="target", type=Path, metavar="FILE", help="write all records to a CSV file")
    parser.add_argument("--in", dest="opt_in", action="store_true", help="record an opt-in instead of an opt-out")
    settings = parser.parse_args(arguments)
    if settings.opt_in and not settings.number:
        parser.error("--in needs --number; in a file, write IN in the column status")
    if settings.number:
        return record_number(settings)
    if settings.source:
        return import_file(settings)
    return export_file(settings)


def record_number(settings: argparse.Namespace) -> int:
    """Record the opt-out or opt-in of one number."""
    now = clock.now()
    statement = _statement([settings.number, IN if settings.opt_in else OUT], now)
    (written,) = _written(Deployed(settings.stack), [statement])
    if not written:
        print(f"{statement.number} has a newer record. Nothing was changed.")
        return 0
    print(f"{statement.number} is {statement.status} since {now:%Y-%m-%d %H:%M:%S} UTC.")
    return 0


def import_file(settings: argparse.Namespace) -> int:
    """Record every line of a file, or none if one of them is wrong."""
    statements = read(settings.source)
    done = list(_written(Deployed(settings.stack), statements))
    newer = done.count(False)
    print(f"{len(done) - newer} recorded, {newer} skipped because the table has a newer record")
    return 0


def export_file(settings: argparse.Namespace) -> int:
    """Write all records to a file, sorted by number."""
    stack = Deployed(settings.stack)
    print(cost(stack), flush=True)
    found = sorted(
        (number_of(str(it["pk"])), it["status"], it["changed_at"], it["source"])
        for it in scan(
            stack,
            FilterExpression="record_type = :opt_out",
            ExpressionAttributeValues={":opt_out": {"S": OptOutRecord.record_type}},
        )
    )
    with settings.target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(found)
    print(f"{len(found)} records written to {settings.target}")
    return 0


def read(path: Path) -> list[OptOutRecord]:
    """Return the statements of a file; raises CommandError with the number of every line that is wrong."""
    now, statements, wrong = clock.now(), [], []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for line, row in enumerate(csv.reader(file), start=1):
                cells = [cell.strip() for cell in row]
                if not any(cells) or (line == 1 and cells[0].lower() == COLUMNS[0]):
                    continue
                try:
                    statements.append(_statement(cells, now))
                except ValueError as error:
                    wrong.append(f"  line {line}: {error}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CommandError(f"{path} cannot be read: {error}") from error
    if wrong:
        shown = "\n".join(wrong[:MAX_SHOWN])
        raise CommandError(f"{path} has {len(wrong)} wrong lines. Nothing was recorded.\n{shown}", MISUSED)
    return statements


def _statement(cells: list[str], now: datetime) -> OptOutRecord:
    """Return the statement of a line's cells; the error does not repeat them, since they can be personal data."""
    number, status, changed_at, source = (*cells[: len(COLUMNS)], *[""] * (len(COLUMNS) - len(cells)))
    if (status := status.upper() or OUT) not in {OUT, IN}:
        raise ValueError("the status must be OUT or IN")
    try:
        moment = clock.from_text(changed_at) if changed_at else now
    except ValueError as error:
        raise ValueError("changed_at must be a time such as 2025-12-01T12:00:00Z") from error
    if moment > now:
        raise ValueError("changed_at must not be in the future")
    try:
        digits = phone_number(number)
    except ValueError as error:
        raise ValueError(f"the number {error}") from error
    return OptOutRecord(str(digits), status, moment, source or SOURCE)


def _written(stack: Deployed, statements: Iterable[OptOutRecord]) -> Iterator[bool]:
    """Write statements, and yield whether each was written. If not, the table has a newer one."""
    client, table_name = stack.client("dynamodb"), stack.output("TableName")
    try:
        with ThreadPoolExecutor(WRITERS) as writers:
            yield from writers.map(lambda statement: opt_outs.write(client, table_name, statement), statements)
    except GatewayApiError as error:
        raise CommandError(f"{error}. Run the command again: what was recorded stays.") from error


if __name__ == "__main__":
    run(main)
