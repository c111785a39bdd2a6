"""Read a whole table in parallel, and say beforehand what that costs."""

import math
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from threading import Event

from tools.deployed import Deployed
from tools.records import Values, plain

SEGMENTS = 4
BYTES_OF_UNIT = 8 * 1024  # an eventually consistent read of 4 KB is half a unit
DOLLARS_A_MILLION = 0.125  # read request units, on demand, us-east-1, 2025


def cost(stack: Deployed) -> str:
    """Return what a scan of the table reads and costs, as of DynamoDB's last count."""
    table = stack.client("dynamodb").describe_table(TableName=stack.output("TableName"))["Table"]
    units = math.ceil(table["TableSizeBytes"] / BYTES_OF_UNIT)
    return (
        f"This reads the whole table: {table['ItemCount']:,} records, {table['TableSizeBytes'] / 1e6:,.1f} MB, about "
        f"{units:,} read units, ${units * DOLLARS_A_MILLION / 1e6:,.2f} at the price of us-east-1. "
        "DynamoDB counts the records every six hours."
    )


def scan(stack: Deployed, **arguments: object) -> list[Values]:
    """Return the items of a parallel scan, in no order."""
    paginator, stopped = stack.client("dynamodb").get_paginator("scan"), Event()

    def read(segment: int) -> list[Values]:
        pages = paginator.paginate(
            TableName=stack.output("TableName"), Segment=segment, TotalSegments=SEGMENTS, **arguments
        )
        return [plain(item) for page in takewhile(lambda _: not stopped.is_set(), pages) for item in page["Items"]]

    with ThreadPoolExecutor(SEGMENTS) as readers:
        try:
            return [item for items in readers.map(read, range(SEGMENTS)) for item in items]
        finally:
            stopped.set()  # otherwise the readers would go on to the end of the table after Ctrl-C
