"""Read a whole table in parallel, and say beforehand what that costs."""

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
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


def scan(stack: Deployed, **arguments: object) -> Iterator[Values]:
    """Yield the items of a parallel scan, in no order."""
    client, found, stopped = stack.client("dynamodb"), SimpleQueue[Values | None](), Event()

    def read(segment: int) -> None:
        try:
            pages = client.get_paginator("scan").paginate(
                TableName=stack.output("TableName"), Segment=segment, TotalSegments=SEGMENTS, **arguments
            )
            for page in pages:
                if stopped.is_set():
                    return
                for item in page["Items"]:
                    found.put(plain(item))
        finally:
            found.put(None)

    with ThreadPoolExecutor(SEGMENTS) as readers:
        reading = [readers.submit(read, segment) for segment in range(SEGMENTS)]
        open_segments = SEGMENTS
        try:
            while open_segments:
                item = found.get()
                if item is None:
                    open_segments -= 1
                else:
                    yield item
        finally:
            stopped.set()  # after Ctrl-C, the readers would go on to the end of the table
        for segment in reading:
            segment.result()  # raises what went wrong in its thread
