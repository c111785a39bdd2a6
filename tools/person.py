"""`make person NUMBER=…`: every message to a phone number and every text from it, for support and access requests."""

import json
from collections.abc import Iterator

from gatewayapi.clock import from_text
from tools import explanations
from tools.command import run
from tools.deployed import Deployed, command_parser
from tools.explanations import counted
from tools.people import Entry, Person, digits, find


def main(arguments: list[str] | None = None) -> int:
    """Print what is stored of a number, newest first."""
    parser = command_parser("person", "Show every message to a phone number, and every text from it")
    parser.add_argument("--number", required=True, help="the phone number, with its country code")
    parser.add_argument(
        "--format", choices=["text", "json"], default="text", help="json exports whole records (%(default)s)"
    )
    settings = parser.parse_args(arguments)
    number = digits(settings.number)
    person = find(Deployed(settings.stack), number)
    print(exported(person) if settings.format == "json" else "\n".join(described(person)))
    return 0


def exported(person: Person) -> str:
    """Return the whole records as JSON."""
    records = [
        record for entry in person.entries for record in (*((entry.message,) if entry.message else ()), *entry.events)
    ]
    document = {"number": person.number, "opt_out": person.opt_out, "records": records}
    return json.dumps(document, indent=2, ensure_ascii=False, default=str)


def described(person: Person) -> Iterator[str]:
    """Yield the lines for a person who asks."""
    yield f"number      {person.number}"
    yield f"found       {counted(len(person.sent), 'message')}, {counted(len(person.received), 'other event')}"
    yield f"opt-out     {_opt_out(person)}"
    yield ""
    for entry in person.entries:
        yield from _message(entry) if entry.message else _event(entry)
    yield "The index of phone numbers is updated shortly after the table. The newest messages can be missing."


def _opt_out(person: Person) -> str:
    if person.opt_out is None:
        return "none recorded"
    state = {"OUT": "opted out", "IN": "opted in again"}.get(person.opt_out["status"], person.opt_out["status"])
    return f"{state} at {_time(person.opt_out['changed_at'])}, source {person.opt_out.get('source', 'unknown')}"


def _message(entry: Entry) -> Iterator[str]:
    message = entry.message or {}
    yield f"{_time(message['queued_at'])}  message to the number, reference {message['pk']}"
    yield f"  {message['status']}: {explanations.status(message)}"
    if message.get("error"):
        yield f"  reason: {explanations.error(message['error'])}"
    if message.get("forgotten_at"):
        yield f"  its personal data is being removed since {_time(message['forgotten_at'])}"
    if message.get("accepted_at"):
        yield f"  accepted by GatewayAPI at {_time(message['accepted_at'])}"
    for event in sorted(entry.events, key=lambda it: str(it["received_at"])):
        yield f"  {event.get('status') or event['event_type']} reported at {_time(event['received_at'])}"
    yield ""


def _event(entry: Entry) -> Iterator[str]:
    (event,) = entry.events
    if event["event_type"].startswith("user-message."):
        yield f"{_time(event['received_at'])}  {event['event_type']} from the number, event {event['event_id']}"
        content = event.get("content")
        text = content.get("message") if isinstance(content, dict) else content
        if text:
            yield f"  {text}"
    else:
        yield f"{_time(event['received_at'])}  {event['event_type']} of another system, reference {event['pk']}"
        yield f"  {event.get('status')}"
    yield ""


def _time(text: str) -> str:
    return f"{from_text(text):%Y-%m-%d %H:%M:%S} UTC"


if __name__ == "__main__":
    run(main)
