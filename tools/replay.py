"""`make replay FROM=… TO=… FUNCTION=…`: deliver stored events to a consumer function again.

The table's stream keeps records for 24 hours. A consumer that was broken for longer gets the events from here, in the
shape of the stream and in the order in which they were received. It only counts, unless `CONFIRM=yes` is given.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from gatewayapi.clock import to_text
from tools.command import MISUSED, CommandError, run
from tools.deployed import Deployed, command_parser
from tools.explanations import counted
from tools.records import Values
from tools.table_scan import cost, scan

BATCH = 100  # records, as the sample consumer's mapping; it is also the most that BatchGetItem reads
MAX_BYTES = 5_000_000  # Lambda takes 6 MB


def main(arguments: list[str] | None = None) -> int:
    """Count the events of a period, or deliver them."""
    parser = command_parser("replay", "Deliver stored events to a consumer function again")
    parser.add_argument(
        "--from", dest="begin", type=_time, required=True, help="events received from this time, as 2026-03-01T12:00Z"
    )
    parser.add_argument("--to", dest="end", type=_time, required=True, help="events received before this time")
    parser.add_argument("--function", required=True, help="the consumer's function name or ARN")
    parser.add_argument("--confirm", choices=["yes"], help="deliver; without it, the events are only counted")
    settings = parser.parse_args(arguments)
    if settings.begin >= settings.end:
        raise CommandError("FROM must be before TO.", MISUSED)
    stack = Deployed(settings.stack)
    print(cost(stack), flush=True)
    events = stored_events(stack, settings.begin, settings.end)
    print(
        f"{counted(len(events), 'event')} received from {to_text(settings.begin)} to {to_text(settings.end)}",
        flush=True,
    )
    if not settings.confirm:
        print(f"Nothing has been delivered. To deliver them to {settings.function}, add CONFIRM=yes.")
        return 0
    delivered = 0
    for records in batches(stack, events):
        invoke(stack, settings.function, records)
        delivered += len(records)
        print(f"{delivered} of {len(events)} delivered", flush=True)
    if delivered < len(events):
        print(f"{counted(len(events) - delivered, 'event')} deleted or forgotten, and not delivered")
    return 0


def stored_events(stack: Deployed, begin: datetime, end: datetime) -> list[Values]:
    """Return the keys of the events received in a period, oldest first."""
    found = scan(
        stack,
        FilterExpression="record_type = :event AND received_at >= :begin AND received_at < :end",
        ProjectionExpression="pk, sk, received_at",
        ExpressionAttributeValues={
            ":event": {"S": "event"},
            ":begin": {"S": to_text(begin)},
            ":end": {"S": to_text(end)},
        },
    )
    return sorted(found, key=lambda key: (str(key["received_at"]), str(key["sk"])))


def batches(stack: Deployed, keys: Sequence[Values]) -> Iterator[list[dict[str, Any]]]:
    """Yield the events as records of a stream, as many at a time as one invocation takes."""
    remaining = iter(keys)
    while some := list(islice(remaining, BATCH)):
        batch: list[dict[str, Any]] = []
        size = 0
        for item in _read(stack, some):
            record = _record(stack, item)
            length = len(json.dumps(record))
            if batch and size + length > MAX_BYTES:
                yield batch
                batch, size = [], 0
            batch.append(record)
            size += length
        if batch:
            yield batch


def _read(stack: Deployed, keys: Sequence[Values]) -> list[dict[str, Any]]:
    """Return the whole items of these keys in their order, without those that were deleted or forgotten since."""
    client, table = stack.client("dynamodb"), stack.output("TableName")
    pending = {table: {"Keys": [{"pk": {"S": key["pk"]}, "sk": {"S": key["sk"]}} for key in keys]}}
    items: dict[tuple[str, str], dict[str, Any]] = {}
    while pending:
        answer = client.batch_get_item(RequestItems=pending)
        items |= {(item["pk"]["S"], item["sk"]["S"]): item for item in answer["Responses"].get(table, [])}
        pending = answer.get("UnprocessedKeys") or {}
    found = (items.get((key["pk"], key["sk"])) for key in keys)
    return [item for item in found if item and "body" in item]


def _record(stack: Deployed, item: dict[str, Any]) -> dict[str, Any]:
    """Return an event as the stream delivered it when it was stored."""
    event_id = item["event_id"]["S"]
    return {
        "eventID": event_id,
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "eventSourceARN": stack.output("StreamArn"),
        "dynamodb": {
            "Keys": {"pk": item["pk"], "sk": item["sk"]},
            "NewImage": item,
            "SequenceNumber": event_id,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    }


def invoke(stack: Deployed, function: str, records: list[dict[str, Any]]) -> None:
    """Deliver one batch; raise CommandError, with where to go on, if the consumer does not take all of it."""
    answer = stack.client("lambda").invoke(FunctionName=function, Payload=json.dumps({"Records": records}).encode())
    text = answer["Payload"].read().decode()
    failed = _failures(text)
    if "FunctionError" not in answer and not failed:
        return
    at = min(
        record["dynamodb"]["NewImage"]["received_at"]["S"]
        for record in records
        if not failed or record["dynamodb"]["SequenceNumber"] in failed
    )
    reason = f"it reported {counted(len(failed), 'record')} as failed" if failed else text[:500]
    raise CommandError(
        f"{function} failed: {reason}\nWhat came before is delivered. Correct the consumer, then go on with FROM={at}"
    )


def _failures(text: str) -> set[str]:
    try:
        answer = json.loads(text)
    except ValueError:
        return set()
    failures = answer.get("batchItemFailures", []) if isinstance(answer, dict) else []
    return {str(failure["itemIdentifier"]) for failure in failures}


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 2026-03-01T12:00Z") from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


if __name__ == "__main__":
    run(main)
