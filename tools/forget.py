"""`make forget NUMBER=…`: remove what is stored of a phone number, without making a second SMS possible.

Without `CONFIRM=yes`, it only lists what it would do.

A message keeps its reference, status and msg_id. A copy of it can be in a queue for 7 days and in the dead-letter
queue for 14 more, so a message is forgotten only when it has not changed for 21 days. The order of the writes is:
mark the message as forgotten, clear its events, remove its number. The message is found by its number until the last
write, so a run after an interruption does the rest.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from gatewayapi.clock import now, to_text
from tools.command import FAILED, run
from tools.deployed import Deployed, command_parser
from tools.explanations import counted
from tools.people import Entry, Person, digits, find
from tools.records import Values, is_event, time_of, under

IN_QUEUES = timedelta(days=7 + 14)
NOT_YET = 3  # the exit code if some messages must wait
ROUNDS = 5  # webhooks can arrive while events are cleared

# The attributes that are removed. An event's error can quote the number.
REMOVED_FROM_MESSAGE = ("recipient", "sender", "label", "context", "fingerprint")
REMOVED_FROM_EVENT = ("body", "signature", "phone_number", "recorded_at", "recipient", "sender", "content", "error")


def main(arguments: list[str] | None = None) -> int:
    """List what can be forgotten, or forget it."""
    parser = command_parser("forget", "Remove what is stored of a phone number")
    parser.add_argument("--number", required=True, help="the phone number, with its country code")
    parser.add_argument("--confirm", choices=["yes"], help="act; without it, what would be done is only listed")
    settings = parser.parse_args(arguments)
    number = digits(settings.number)
    stack = Deployed(settings.stack)
    person = find(stack, number)
    at = now()
    ready = [entry for entry in person.entries if (forgettable_from(entry) or at) <= at]
    waiting = [entry for entry in person.entries if (forgettable_from(entry) or at) > at]
    print("\n".join(planned(ready, waiting)))
    if not settings.confirm:
        print(f"\nNothing has been changed. To forget: make forget NUMBER={number} CONFIRM=yes")
        return NOT_YET if waiting else 0
    done = sum([forget(stack, entry, number) for entry in ready])
    print(f"\n{done} forgotten")
    print("\n".join(remaining(person, stack)))
    if done < len(ready):
        print(f"\n{len(ready) - done} changed meanwhile and are not forgotten. Run the command again.")
        return FAILED
    return NOT_YET if waiting else 0


def forgettable_from(entry: Entry) -> datetime | None:
    """Return when no copy of a message can be in a queue any more; None if nothing has to be waited for."""
    message = entry.message
    if message is None or message.get("forgotten_at"):
        return None
    changed = time_of(message, "updated_at")
    return changed + IN_QUEUES if changed else None


def planned(ready: Sequence[Entry], waiting: Sequence[Entry]) -> Iterator[str]:
    """Yield the lines of the list."""
    messages = [entry for entry in ready if entry.message]
    events = [entry for entry in ready if not entry.message]
    counts = counted(len(messages), "message"), counted(len(events), "event")
    yield f"can be forgotten: {counts[0]} with all events, and {counts[1]} without a message record"
    for entry in (*messages, *events):
        record = entry.message or entry.events[0]
        at = entry.recorded_at[:19].replace("T", " ")
        yield f"  {at} UTC  {record['pk']}  {record.get('status', '')}".rstrip()
    if waiting:
        yield "must wait, because a copy can still be in a queue (7 days) or in the dead-letter queue (14 days):"
    for entry in waiting:
        from_ = forgettable_from(entry)
        if entry.message and from_:
            yield f"  {entry.message['pk']}  can be forgotten from {from_:%Y-%m-%d %H:%M} UTC"


def forget(stack: Deployed, entry: Entry, number: str) -> bool:
    """Forget a message with its events, or a single event; return False if the message changed meanwhile."""
    if entry.message is None:
        _clear(stack, entry.events[0])
        return True
    if not entry.message.get("forgotten_at") and not _mark(stack, entry.message):
        return False
    reference = str(entry.message["pk"])
    for _ in range(ROUNDS):
        events = [item for item in under(stack, reference) if _is_to_clear(item, number)]
        if not events:
            break
        for event in events:
            _clear(stack, event)
    _update(
        stack,
        entry.message,
        UpdateExpression="REMOVE phone_number, recorded_at",
        ConditionExpression="attribute_exists(forgotten_at)",
    )
    return True


def _is_to_clear(item: Values, number: str) -> bool:
    is_of_number = is_event(item) and item.get("phone_number", number) == number
    return is_of_number and any(name in item for name in REMOVED_FROM_EVENT)


def _mark(stack: Deployed, message: Values) -> bool:
    """Mark a message as forgotten and remove all but its number, if it is still as it was listed."""
    removed = [f"#{name}" for name in REMOVED_FROM_MESSAGE]
    names = {f"#{name}": name for name in REMOVED_FROM_MESSAGE}
    if "details" in (message.get("error") or {}):
        removed.append("#error.#details")
        names |= {"#error": "error", "#details": "details"}
    return _update(
        stack,
        message,
        UpdateExpression=f"SET forgotten_at = :now REMOVE {', '.join(removed)}",
        ConditionExpression="updated_at = :updated_at",
        ExpressionAttributeNames=names,
        ExpressionAttributeValues={":now": {"S": to_text(now())}, ":updated_at": {"S": message["updated_at"]}},
    )


def _clear(stack: Deployed, event: Values) -> None:
    _update(
        stack,
        event,
        UpdateExpression=f"REMOVE {', '.join(f'#{name}' for name in REMOVED_FROM_EVENT)}",
        # Without the condition, the update would create an event again that the table's TTL has just deleted.
        ConditionExpression="attribute_exists(pk)",
        ExpressionAttributeNames={f"#{name}": name for name in REMOVED_FROM_EVENT},
    )


def _update(stack: Deployed, record: Values, **arguments: Any) -> bool:  # noqa: ANN401 - as UpdateItem takes them
    """Update one item; return False if its condition does not hold."""
    key = {"pk": {"S": record["pk"]}, "sk": {"S": record["sk"]}}
    try:
        stack.client("dynamodb").update_item(TableName=stack.output("TableName"), Key=key, **arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return False
    return True


def remaining(person: Person, stack: Deployed) -> Iterator[str]:
    """Yield what is still stored elsewhere, and for how long."""
    days = stack.parameters.get("RetentionDays", "RetentionDays")
    yield "\nWhat remains, and for how long:"
    yield "  the references, statuses and msg_ids of the messages, and the ids of the events: " + f"{days} days"
    yield "  the table's stream, with the records as they were: 24 hours"
    yield "  the table's point-in-time recovery: 35 days. Forget the number again after a restore"
    yield "  the queues: 7 days. The dead-letter queue: 14 days"
    yield f"  signed bodies that could not be read (quarantine): {days} days; they are not found by number"
    yield "  logs: 30 days, the last three digits of numbers at most"
    yield "  GatewayAPI and your stream consumers: ask and look there"
    if person.opt_out:
        yield f"  the opt-out of {person.number}: until it is deleted, since it keeps the person from being texted"
    yield "\nThe index of phone numbers is updated shortly after the table. Run the command again in a minute."


if __name__ == "__main__":
    run(main)
